"""The words of a cluster's texts as they are written, to correct what is typed."""

from collections.abc import Collection, Sequence
from typing import Any

from index.opensearch.indices import Body, Indices, Memory, count_of, counting
from index.opensearch.patterns import beginning_nearly

_MOST_NEAR = 500
_REMEMBERED = 50_000
_LOOKED_AT = 5000
"""Passages of each shard, with words that are nearly as typed, in which these are counted."""
_SHORT = 2000
"""Letters of a pattern that does as a query."""
_MOST_TERMS = 1000
_SPARE = 5
"""How many more words each shard tells of than are wanted, so that the counts are right."""


class ClusterVocabulary:
    """As `index.vocabulary.Vocabulary`, but that a word counts once for each passage."""

    def __init__(self, indices: Indices) -> None:
        self._indices = indices
        self._having: Memory[str, int] = Memory(_REMEMBERED, self._count)

    def still_stands(self, word: str) -> bool:
        return self.count(word) > 0

    def count(self, word: str) -> int:
        return self.counts([word])[word]

    def counts(self, words: Collection[str]) -> dict[str, int]:
        return self._having.values(words) if self._indices else dict.fromkeys(words, 0)

    def near(self, word: str, distance: int) -> list[tuple[str, int]]:
        if not self._indices:
            return []
        term = {
            "field": "form",
            "size": _MOST_NEAR,
            "shard_size": _MOST_NEAR,
            "suggest_mode": "always",
            "max_edits": distance,
            "prefix_length": 0,
            "min_word_length": 1,
            "accuracy": 0.01,
            "string_distance": "damerau_levenshtein",
            "sort": "frequency",
        }
        body = {"size": 0, "suggest": {"near": {"text": word, "term": term}}}
        [found] = self._indices.search(body)["suggest"]["near"]
        return [(option["text"], option["freq"]) for option in found["options"]]

    def starting_near(
        self, start: str, distance: int, limit: int, named: bool = False
    ) -> list[str]:
        if not self._indices:
            return []
        field = "named" if named else "form"
        pattern = beginning_nearly(start, distance)
        has_one: Body
        if len(pattern) <= _SHORT:
            has_one = {"regexp": {field: {"value": pattern, "max_determinized_states": 100_000}}}
            body = counted_terms(field, pattern, has_one, limit, _LOOKED_AT, _SPARE * limit)
        elif terms := self._terms(field, pattern):
            # As a query the pattern would take a second; as a choice of terms it takes no time, and
            # there are few that begin like something so long.
            has_one = {"terms": {field: terms}}
            body = counted_terms(field, terms, has_one, limit, _LOOKED_AT, _SPARE * limit)
        else:
            return []
        return [form for form, _ in terms_of(self._indices.search(body))]

    def _terms(self, field: str, pattern: str) -> list[str]:
        """Terms that fit a pattern, in no passages in particular."""
        body = counted_terms(field, pattern, {"ids": {"values": []}}, _MOST_TERMS, 1, _MOST_TERMS)
        body["aggs"]["terms"]["terms"]["min_doc_count"] = 0
        return [term for term, _ in terms_of(self._indices.search(body))]

    def _count(self, words: Sequence[str]) -> list[int]:
        bodies = [counting({"term": {"form": word}}) for word in words]
        return list(map(count_of, self._indices.search_all(bodies)))


def counted_terms(  # noqa: PLR0913, PLR0917 - what such a search is made of
    field: str, pattern: str | list[str], query: Body, limit: int, looked_at: int, of_shard: int
) -> dict[str, Any]:
    """A search for the most frequent terms of a field that fit a pattern or a list, and how many
    passages that `query` finds have each. In each shard `looked_at` of these are looked at."""
    terms = {
        "field": field,
        "include": pattern,
        "size": limit,
        "shard_size": of_shard,
        "order": [{"_count": "desc"}, {"_key": "asc"}],
    }
    return {
        "size": 0,
        "track_total_hits": False,
        "terminate_after": looked_at,
        "query": {"bool": {"filter": [query]}},
        "aggs": {"terms": {"terms": terms}},
    }


def terms_of(found: dict[str, Any]) -> list[tuple[str, int]]:
    """What such a search found."""
    buckets = found["aggregations"]["terms"]["buckets"]
    return [(bucket["key"], bucket["doc_count"]) for bucket in buckets]
