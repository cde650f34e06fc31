"""Retrieval: the question against passages, by meaning and by words, in one ranking."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from index.analysis import Analyser
from index.embedding.encoder import Encoder, Vector
from index.generations import Generation
from index.lexical import Scored
from index.library import Filters, Library, StoredPassage

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """How many passages each half hands over to fusion, and how much the dense half weighs."""

    candidates: int = 100
    dense_weight: float = 0.6


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found. `score` is in [0, 1] and comparable within one result only."""

    passage: StoredPassage
    score: float
    cosine: float
    bm25: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits from best to worst. `total` counts all candidates; times are milliseconds."""

    hits: list[Hit]
    total: int
    query_vector: Vector
    embed_ms: float
    retrieve_ms: float


class Retriever:
    """Searches one generation and hydrates what it finds from the library."""

    def __init__(
        self,
        library: Library,
        encoder: Encoder,
        analyser: Analyser,
        settings: RetrievalSettings,
    ) -> None:
        self._library = library
        self._encoder = encoder
        self._analyser = analyser
        self._settings = settings
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="lexical")

    def close(self) -> None:
        """Ends the threads that look words up."""
        self._pool.shutdown()

    def search(
        self,
        generation: Generation,
        query: str,
        limit: int,
        offset: int = 0,
        filters: Filters | None = None,
    ) -> SearchResult:
        """The passages that fit `query` best, `limit` of them from place `offset`.

        The words are looked up while the model embeds the query. A passage that the library no
        longer knows is dropped.
        """
        began = perf_counter()
        documents = self._library.matching(filters) if filters else None
        lexical = self._pool.submit(self._lexical, generation, query, documents)
        vector = self._encoder.embed_query(query)
        embedded = perf_counter()
        passages = self._library.passages_of(documents) if documents is not None else None
        dense = generation.dense.search(vector, self._settings.candidates, passages)
        ranked = self._fused(generation, vector, dense, lexical.result())
        hits = self._hydrated(ranked, limit, offset)
        return SearchResult(
            hits=hits,
            total=len(ranked),
            query_vector=vector,
            embed_ms=(embedded - began) * 1000,
            retrieve_ms=(perf_counter() - embedded) * 1000,
        )

    def _lexical(
        self, generation: Generation, query: str, documents: set[str] | None
    ) -> list[Scored]:
        words = self._analyser.weights(query)
        return generation.lexical.search(words, self._settings.candidates, documents)

    def _fused(
        self,
        generation: Generation,
        vector: Vector,
        dense: Sequence[Scored],
        lexical: Sequence[Scored],
    ) -> list[tuple[int, float, float, float]]:
        """(passage id, score, cosine, BM25) from best to worst.

        Both scores are divided by the best of their kind and blended. Reciprocal ranks, the usual
        choice, throw away how much better the best is, and lost on NorQuAD.
        """
        bm25 = dict(lexical)
        ids = list(dict.fromkeys([*(i for i, _ in dense), *bm25]))
        if not ids:
            return []
        cosines = generation.dense.similarities(vector, ids)
        words = np.array([bm25.get(i, 0.0) for i in ids], dtype=np.float32)
        weight = self._settings.dense_weight
        scores = weight * _scaled(cosines) + (1 - weight) * words / (words.max() or 1.0)
        order = np.argsort(-scores, kind="stable")
        return [(ids[i], float(scores[i]), float(cosines[i]), float(words[i])) for i in order]

    def _hydrated(
        self, ranked: Sequence[tuple[int, float, float, float]], limit: int, offset: int
    ) -> list[Hit]:
        wanted = ranked[offset : offset + limit]
        known = self._library.passages([passage_id for passage_id, *_ in wanted])
        return [
            Hit(known[passage_id], score, cosine, bm25)
            for passage_id, score, cosine, bm25 in wanted
            if passage_id in known
        ]


def _scaled(cosines: Scores) -> Scores:
    """Cosines from 0 for the farthest candidate to 1 for the nearest.

    E5's cosines all lie between 0.7 and 0.95: divided by the best alone, they would hardly differ.
    """
    lowest, highest = cosines.min(), cosines.max()
    return (cosines - lowest) / (highest - lowest) if highest > lowest else np.ones_like(cosines)
