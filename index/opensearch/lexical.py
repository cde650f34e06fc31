"""The lexical half in a cluster: BM25 over words that our own analyser made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from index.lexical import Frequency, Scored, shares_of
from index.opensearch.indices import (
    EVERYTHING,
    RANKED,
    Body,
    Indices,
    Memory,
    count_of,
    counting,
    scored,
)
from index.opensearch.within import ClusterWithin

_BM25 = 2.2
"""k1 + 1, by which Lucene leaves all scores smaller than the usual formula has them."""
_REMEMBERED = 50_000


class ClusterLexical:
    """As `index.lexical.LexicalIndex`, over the indices of one view."""

    def __init__(self, indices: Indices) -> None:
        self._indices = indices
        # How many passages have a word; how many there are stands under none.
        self._having: Memory[str | None, int] = Memory(_REMEMBERED, self._count)

    def __len__(self) -> int:
        return self._having.values([None])[None] if self._indices else 0

    def search(
        self, words: Mapping[str, float], limit: int, within: ClusterWithin | None = None, /
    ) -> list[Scored]:
        if not self._indices or not words or limit == 0:
            return []
        clauses = [
            {"term": {"words": {"value": word, "boost": weight * _BM25}}}
            for word, weight in words.items()
        ]
        query: dict[str, Any] = {"should": clauses, "minimum_should_match": 1}
        body = {**RANKED, "size": limit, "query": {"bool": query}}
        if within:
            query["filter"] = within.of_documents
            if within.of_indices:
                body["post_filter"] = within.of_indices
        # How rare the words are is asked for along with it: the second look goes by that.
        missing = self._having.missing([None, *words])
        found, *counts = self._indices.search_all(
            [body, *map(_count_of_word, missing)], counts_everywhere=True
        )
        self._having.keep(dict(zip(missing, map(count_of, counts), strict=True)))
        return scored(found)

    def has(self, word: str) -> bool:
        return self._frequencies([word])[word].having > 0

    def coverage(self, words: Mapping[str, float], passages: Sequence[int]) -> dict[int, float]:
        shares = self.shares(words)
        if not self._indices or not passages or not shares:
            return dict.fromkeys(passages, 0.0)
        clauses = [
            {"constant_score": {"filter": {"term": {"words": word}}, "boost": share}}
            for word, share in shares.items()
        ]
        among = {"ids": {"values": [str(passage_id) for passage_id in passages]}}
        query = {"bool": {"should": clauses, "minimum_should_match": 0, "filter": [among]}}
        return dict(scored(self._indices.search({**RANKED, "size": len(passages), "query": query})))

    def shares(self, words: Mapping[str, float]) -> dict[str, float]:
        frequencies = self._frequencies(words)
        return shares_of(words, lambda word: frequencies[word].rarity)

    def rarity(self, word: str) -> float:
        return self._frequencies([word])[word].rarity

    def _frequencies(self, words: Iterable[str]) -> dict[str, Frequency]:
        words = list(words)
        if not self._indices:
            return dict.fromkeys(words, Frequency())
        having = self._having.values([None, *words])
        # What is counted at different moments may not fit together.
        return {word: Frequency(min(having[word], having[None]), having[None]) for word in words}

    def _count(self, words: Sequence[str | None]) -> list[int]:
        return list(map(count_of, self._indices.search_all(list(map(_count_of_word, words)))))


def _count_of_word(word: str | None) -> Body:
    return counting(EVERYTHING if word is None else {"term": {"words": word}})
