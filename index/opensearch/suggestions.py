"""What can be suggested of a cluster's texts: titles, headings and words by how they begin.

They are the keys of `index.suggestions`, as terms of the passages that have them.
"""

import json
from collections.abc import Sequence

from index.opensearch.indices import EVERYTHING, RANKED, Body, Clauses, Indices, Memory
from index.opensearch.patterns import beginning
from index.opensearch.vocabulary import counted_terms, terms_of
from index.opensearch.within import ClusterWithin
from index.suggestions import Asked, Counted, Held, Kind, Suggestions, key_of, texts_of

_REMEMBERED = 500
_LOOKED_AT = 20_000
"""Passages of each shard in which texts are counted."""
_SPARE = 100
"""How many more texts each shard tells of than are wanted, so that the counts are right."""


class ClusterSuggestions(Suggestions):
    """Over the indices of one view."""

    def __init__(self, indices: Indices) -> None:
        self._indices = indices
        self._counted: Memory[str, Counted] = Memory(_REMEMBERED, self._count)

    def within(self, scope: ClusterWithin | None, beside: Sequence[str] = ()) -> Clauses:
        words = [{"prefix": {Kind.TERM.value: f"{word}/"}} for word in beside]
        return [*(scope.clauses if scope else ()), *words]

    def prepare(self, asked: Sequence[Asked]) -> None:
        if self._indices:
            self._counted.values(map(_body, asked))

    def texts(self, asked: Sequence[Asked]) -> list[Counted]:
        if not self._indices:
            return [[] for _ in asked]
        bodies = list(map(_body, asked))
        counted = self._counted.values(bodies)
        return [counted[body] for body in bodies]

    def holders(self, held: Sequence[Held], limit: int) -> list[list[int]]:
        if not self._indices:
            return [[] for _ in held]
        found = self._indices.search_all([_holding(one, limit) for one in held])
        return [[hit["sort"][0] for hit in one["hits"]["hits"]] for one in found]

    def _count(self, bodies: Sequence[str]) -> list[Counted]:
        found = self._indices.search_all([json.loads(body) for body in bodies])
        return [texts_of(terms_of(one)) for one in found]


def _body(asked: Asked) -> str:
    """The search for texts, by which they are remembered as well."""
    begins = {"prefix": {asked.kind.value: asked.start}}
    query = {"bool": {"filter": [begins, *(asked.among or ())]}}
    body = counted_terms(
        asked.kind.value,
        beginning(asked.start),
        query,
        asked.limit,
        _LOOKED_AT,
        asked.limit + _SPARE,
    )
    return json.dumps(body, ensure_ascii=False)


def _holding(held: Held, limit: int) -> Body:
    has = {"term": {held.kind.value: key_of(held.kind, held.text)}}
    query = {"bool": {"filter": [has, *(held.among or [EVERYTHING])]}}
    return {**RANKED, "sort": [{"passage": "asc"}], "size": limit, "query": query}
