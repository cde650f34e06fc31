"""The seam between the index and whatever runs the embedding model."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
"""float32[d], length 1."""

Matrix = npt.NDArray[np.float32]
"""float32[n, d], every row of length 1."""


class Encoder(Protocol):
    """An embedding model: text in, unit vectors out.

    Queries and documents are embedded with different prompts (E5: `query: ` and `passage: `), so
    they have a method each; mixing them up costs retrieval quality without any error.
    """

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the vectors: weights, tokenizer, prompts, pooling, runtime."""
        ...

    @property
    def dimension(self) -> int:
        """d, the length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """The most tokens of a document's text that reach the model, without prompt and specials.

        What lies beyond them is cut off.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """Number of tokens of `text` alone, without prompt and special tokens."""
        ...

    def embed_query(self, text: str) -> Vector: ...

    def embed_documents(self, texts: Sequence[str]) -> Matrix:
        """Vectors in the order of `texts`; an empty sequence gives float32[0, d]."""
        ...
