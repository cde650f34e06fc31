"""Views: what is searched for somebody, which holds nothing that they may not read.

Everything that answers is given a view, and has no other way into the index. What is behind it is a
generation in files (`index.local`) or a cluster (`index.opensearch`); nobody need know which.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from index.collection_names import Readable
from index.embedding.encoder import Vector
from index.lexical import Scored
from index.records import Filters
from index.suggestions import Suggestions


class Within(Protocol):
    """What filters leave of a view. Only that view's own parts can search by it."""

    @property
    def documents(self) -> int:
        """How many pass."""
        ...

    def holding(self, ids: Sequence[int]) -> set[int]:
        """Those of `ids` that are passages which the library has in a document that passes."""
        ...


class Dense(Protocol):
    """Nearest neighbours by cosine."""

    def __len__(self) -> int:
        """How many passages can be found."""
        ...

    def search(self, vector: Vector, limit: int, within: Any = None, /) -> list[Scored]:
        """The `limit` passages nearest to `vector`, best first, of those `within` if given."""
        ...

    def similarities(self, vector: Vector, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Cosines float32[len(ids)]; NaN of a passage that is known no more."""
        ...


class Lexical(Protocol):
    """BM25 (k1 = 1.2, b = 0.75) over words that our own analyser made."""

    def search(self, words: Mapping[str, float], limit: int, within: Any = None, /) -> list[Scored]:
        """The `limit` passages that score highest on any of `words`, of those `within` if given.

        `words` says what each word's score is multiplied by.
        """
        ...

    def has(self, word: str) -> bool:
        """Whether any passage has the analysed word."""
        ...

    def coverage(self, words: Mapping[str, float], passages: Sequence[int]) -> dict[int, float]:
        """How much of `words` each of `passages` has: 0 for none of them, 1 for all.

        Each word counts as much as its weight times its rarity, once however often it stands there.
        """
        ...

    def shares(self, words: Mapping[str, float]) -> dict[str, float]:
        """The weight of each word times its rarity, so that they sum to 1."""
        ...

    def rarity(self, word: str) -> float:
        """Inverse document frequency of an analysed word, as BM25 weighs it."""
        ...


class Words(Protocol):
    """Lower-case words as the texts have them."""

    def still_stands(self, word: str) -> bool:
        """Whether any text is left that has the word."""
        ...

    def count(self, word: str) -> int:
        """How often `word` stands in the texts, in this very form."""
        ...

    def counts(self, words: Collection[str]) -> dict[str, int]:
        """The same of each of `words`, at once."""
        ...

    def near(self, word: str, distance: int) -> list[tuple[str, int]]:
        """Words within `distance` edits (1 or 2) of `word`, with their counts, in no order.

        An edit adds, drops or replaces a letter, or swaps two neighbours. Words that stand in
        removed texts alone may be among them.
        """
        ...

    def starting_near(
        self, start: str, distance: int, limit: int, named: bool = False
    ) -> list[str]:
        """Words of which a beginning is within `distance` edits of `start`, most frequent first.

        Only those in titles and headings if `named`. Words of removed texts may be among them.
        """
        ...


class View(ABC):
    """What is searched, by its parts. Its name changes when what it holds does."""

    name: str
    collections: Readable
    """Those that may be read; None for all."""
    documents: int
    """How many it has."""
    dense: Dense
    lexical: Lexical
    vocabulary: Words
    suggestions: Suggestions

    @abstractmethod
    def within(self, filters: Filters) -> Within:
        """What of it `filters` leave."""
