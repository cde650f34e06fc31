"""Pooling: the parts of a generation that somebody may read, searched as though they were one.

What is counted is summed: how rare a word is, how often it stands, in how many passages a title
does. Cosines compare as they are. BM25 of each part is weighed by the rarity in all of them; only
the mean length of a passage stays each part's own, and passages are cut to one length everywhere.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from heapq import nlargest

import numpy as np
import numpy.typing as npt
import tantivy

from index.embedding.encoder import Matrix, Vector
from index.layers import LayeredDense
from index.lexical import Frequency, LexicalIndex, Scored, shares_of
from index.records import IdRanges, Ids, Scope
from index.suggestions import (
    Asked,
    Counted,
    Held,
    SuggestionIndex,
    Suggestions,
    texts_of,
    within,
)
from index.vocabulary import Vocabulary


class PooledDense:
    """Nearest neighbours by cosine in several parts."""

    def __init__(self, parts: Sequence[LayeredDense]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def search(self, vector: Vector, limit: int, among: IdRanges | None = None) -> list[Scored]:
        """As `LayeredDense.search`."""
        return _best([part.search(vector, limit, among) for part in self._parts], limit)

    def similarities(self, vector: Vector, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Cosines float32[len(ids)] of passages that are known to be here."""
        wanted = np.asarray(ids, dtype=np.int64)
        found = np.empty(len(wanted), np.float32)
        for part, here in self._holding(wanted):
            found[here] = part.rows(wanted[here]) @ vector
        return found

    def rows(self, ids: Ids) -> Matrix:
        """float32[len(ids), d]: vectors of passages that are known to be here."""
        wanted = np.asarray(ids, dtype=np.int64)
        found: Matrix | None = None
        for part, here in self._holding(wanted):
            rows = part.rows(wanted[here])
            if found is None:
                found = np.empty((len(wanted), rows.shape[1]), np.float32)
            found[here] = rows
        return np.empty((0, 0), np.float32) if found is None else found

    def _holding(self, ids: Ids) -> list[tuple[LayeredDense, npt.NDArray[np.bool_]]]:
        """The parts that hold some of `ids`, with which."""
        holding = [(part, part.holds(ids)) for part in self._parts]
        known = np.zeros(len(ids), np.bool_)
        for _, here in holding:
            known |= here
        if not known.all():
            raise KeyError(int(ids[~known][0]))
        return [(part, here) for part, here in holding if here.any()]


class PooledLexical:
    """BM25 over several parts."""

    def __init__(self, parts: Sequence[LexicalIndex]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def search(
        self, words: Mapping[str, float], limit: int, scope: Scope | None = None
    ) -> list[Scored]:
        """As `LexicalIndex.search`."""
        # As BM25 counts within a part, removed passages and all.
        written = {word: [part.written(word) for part in self._parts] for word in words}
        pooled = {word: sum(of_parts, Frequency()).rarity for word, of_parts in written.items()}
        found = []
        for at, part in enumerate(self._parts):
            weighed = {
                word: weight * pooled[word] / written[word][at].rarity
                for word, weight in words.items()
            }
            found.append(part.search(weighed, limit, scope))
        return _best(found, limit)

    def has(self, word: str) -> bool:
        """Whether any passage has the analysed word."""
        return any(part.has(word) for part in self._parts)

    def coverage(self, words: Mapping[str, float], passages: Sequence[int]) -> dict[int, float]:
        """As `LexicalIndex.coverage`."""
        shares = self.shares(words)
        found: dict[int, float] = {}
        for part in self._parts:
            found.update(part.covered(shares, passages))
        return found

    def shares(self, words: Mapping[str, float]) -> dict[str, float]:
        """The weight of each word times its rarity, so that they sum to 1."""
        return shares_of(words, self.rarity)

    def rarity(self, word: str) -> float:
        """Inverse document frequency of an analysed word in all the parts."""
        return sum((part.frequency(word) for part in self._parts), Frequency()).rarity


class PooledVocabulary:
    """Words of several parts, and how often they occur in all of them."""

    def __init__(self, parts: Sequence[Vocabulary]) -> None:
        self._parts = parts

    def still_stands(self, word: str) -> bool:
        """Whether any text is left that has the word."""
        return any(part.still_stands(word) for part in self._parts)

    def count(self, word: str) -> int:
        """As `Vocabulary.count`."""
        return sum(part.count(word) for part in self._parts)

    def counts(self, words: Collection[str]) -> dict[str, int]:
        """As `Vocabulary.counts`."""
        return {word: self.count(word) for word in words}

    def near(self, word: str, distance: int) -> list[tuple[str, int]]:
        """As `Vocabulary.near`."""
        return list(_summed([part.near(word, distance) for part in self._parts]).items())

    def starting_near(
        self, start: str, distance: int, limit: int, named: bool = False
    ) -> list[str]:
        """As `Vocabulary.starting_near`."""
        counts = _summed([part.counted_near(start, distance, limit, named) for part in self._parts])
        return [form for form, _ in counts.most_common(limit)]


class PooledSuggestions(Suggestions):
    """Titles, headings and words of several parts by their beginnings."""

    def __init__(self, parts: Sequence[SuggestionIndex]) -> None:
        self._parts = parts

    def within(self, scope: Scope | None, beside: Sequence[str] = ()) -> tantivy.Query:
        return within(scope, beside)  # a query fits each part

    def texts(self, asked: Sequence[Asked]) -> list[Counted]:
        found = []
        for one in asked:
            counts = _summed([part.keys(one) for part in self._parts])
            ordered = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
            found.append(texts_of(ordered[: one.limit]))
        return found

    def holders(self, held: Sequence[Held], limit: int) -> list[list[int]]:
        of_parts = [part.holders(held, limit) for part in self._parts]
        return [sorted(i for own in of_parts for i in own[at])[:limit] for at in range(len(held))]


def _best(found: Sequence[Sequence[Scored]], limit: int) -> list[Scored]:
    """The `limit` best of all that was found, best first; of equals, those of the first part."""
    return nlargest(limit, (scored for some in found for scored in some), key=lambda s: s[1])


def _summed(counted: Sequence[Sequence[tuple[str, int]]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for some in counted:
        for text, count in some:
            counts[text] += count
    return counts
