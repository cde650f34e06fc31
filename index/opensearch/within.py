"""What filters leave of a view, as the cluster is asked for it."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from index.library import Library
from index.opensearch.indices import Body, Clauses, Indices
from index.records import Filters


class ClusterWithin:
    """The passages that filters leave: `clauses` for the cluster, and the rest by the library.

    `of_documents` are those clauses that do not say which indices are meant, and `of_indices` is
    the one that does: an index that a query leaves out says nothing of how rare its words are.
    """

    def __init__(self, library: Library, indices: Indices, filters: Filters) -> None:
        self._library = library
        self._filters = filters
        self.of_documents: Clauses = list(_clauses(filters))
        self.of_indices: Body | None = None
        if filters.collection:
            self.of_indices = {"terms": {"_index": indices.of(filters.collection)}}

    @property
    def clauses(self) -> Clauses:
        return [*self.of_documents, *([self.of_indices] if self.of_indices else [])]

    @cached_property
    def documents(self) -> int:
        return self._library.count_passing(self._filters)

    def holding(self, ids: Sequence[int]) -> set[int]:
        return self._library.passing(ids, self._filters)


def _clauses(filters: Filters) -> Iterator[Body]:
    if filters.document:
        yield {"terms": {"document": list(filters.document)}}
    if filters.language:
        yield {"terms": {"language": list(filters.language)}}
    if filters.media_type:
        yield {"terms": {"media_type": list(filters.media_type)}}
    if filters.folder:
        yield {"terms": {"folder": [folder.rstrip("/") or "/" for folder in filters.folder]}}
    days = {"gte": filters.dated_from, "lte": filters.dated_to}
    if bounds := {name: day for name, day in days.items() if day}:
        yield {"range": {"day": bounds}}
