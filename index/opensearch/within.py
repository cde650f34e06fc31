"""What filters leave of a view, as the cluster is asked for it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from index.library import Library
from index.opensearch.indices import Body, Clauses, Indices
from index.records import Filters


class ClusterWithin:
    """The passages that filters leave: `clauses` for the cluster, and the rest by the library."""

    def __init__(self, library: Library, indices: Indices, filters: Filters) -> None:
        self._library = library
        self._filters = filters
        self.clauses: Clauses = list(_clauses(filters, indices))

    @cached_property
    def documents(self) -> int:
        return self._library.count_passing(self._filters)

    def holding(self, ids: Sequence[int]) -> set[int]:
        return self._library.passing(ids, self._filters)


def filtered(within: ClusterWithin | None, *clauses: Body) -> Mapping[str, Any]:
    """What is to stand in a `bool` beside its query."""
    every = [*(within.clauses if within else ()), *clauses]
    return {"filter": every} if every else {}


def _clauses(filters: Filters, indices: Indices) -> Iterator[Body]:
    if filters.document:
        yield {"terms": {"document": list(filters.document)}}
    if filters.language:
        yield {"terms": {"language": list(filters.language)}}
    if filters.media_type:
        yield {"terms": {"media_type": list(filters.media_type)}}
    if filters.folder:
        yield {"terms": {"folder": [folder.rstrip("/") or "/" for folder in filters.folder]}}
    if filters.collection:
        # Scores go by all that may be read, whatever is shown of it.
        yield {"terms": {"_index": indices.of(filters.collection)}}
    days = {"gte": filters.dated_from, "lte": filters.dated_to}
    if bounds := {name: day for name, day in days.items() if day}:
        yield {"range": {"day": bounds}}
