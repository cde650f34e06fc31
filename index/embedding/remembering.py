"""An encoder that remembers the queries it was asked for last."""

import threading
from collections.abc import Sequence

from cachetools import LRUCache

from index.embedding.encoder import Encoder, Matrix, Vector


class RememberingEncoder:
    """Another encoder, of which the vectors of the `most` newest queries are kept, by its
    fingerprint and their text. Safe to call from several threads."""

    def __init__(self, encoder: Encoder, most: int) -> None:
        self._encoder = encoder
        self._vectors: LRUCache[tuple[str, str], Vector] = LRUCache(most)
        self._changing = threading.Lock()
        self._hits = self._misses = 0

    def hits(self) -> int:
        """How often a query was known."""
        return self._hits

    def misses(self) -> int:
        return self._misses

    def size(self) -> int:
        """How many queries are kept."""
        return len(self._vectors)

    @property
    def fingerprint(self) -> str:
        return self._encoder.fingerprint

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    @property
    def max_tokens(self) -> int:
        return self._encoder.max_tokens

    def count_tokens(self, text: str) -> int:
        return self._encoder.count_tokens(text)

    def embed_query(self, text: str) -> Vector:
        """float32[d], which is not to be written to: others have the same."""
        key = (self._encoder.fingerprint, text)
        with self._changing:
            known = self._vectors.get(key)
            self._hits += known is not None
            self._misses += known is None
        if known is not None:
            return known
        vector = self._encoder.embed_query(text)
        vector.setflags(write=False)
        with self._changing:
            self._vectors[key] = vector
        return vector

    def embed_documents(self, texts: Sequence[str]) -> Matrix:
        return self._encoder.embed_documents(texts)
