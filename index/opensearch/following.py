"""Following: what makes indices say what the library says, of some documents or of all.

Whatever is done here may be done any number of times, by several who were held up as well: all is
written under the number of the last change that was known when the library was asked.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from index.analysis import Analyser
from index.entries import entries_of, vectors_lost
from index.errors import IndexUnavailableError
from index.library import Library
from index.lock import IsHeld
from index.opensearch.bulk import Action, write
from index.opensearch.client import Cluster, Search
from index.opensearch.mapping import body_of, digest_of
from index.opensearch.series import Catalogue, Series, Survey, with_index
from index.outbox import LAST, Outbox, Standing

log = logging.getLogger("kildesvar")

_COMPARED = 5000
"""Passages of the library that are compared at once."""
_FOUND = 10_000
"""Passages that the cluster names at once: as many as it does."""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that is in an index, and what is told of it there."""

    index: str
    passage_id: int
    document_id: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Differences:
    """How an index differs from the library: passages that it has not, that it tells something
    else of, and that it has beyond. `passages` were compared, at change `version`."""

    version: int
    missing: list[Standing] = field(default_factory=list)
    differing: list[Standing] = field(default_factory=list)
    beyond: list[Found] = field(default_factory=list)
    passages: int = 0

    def __bool__(self) -> bool:
        return bool(self.missing or self.differing or self.beyond)


@dataclass(frozen=True, slots=True)
class Damage:
    """How many passages of a document an index lacks, tells something else of, or has beyond."""

    document_id: str
    missing: int
    differing: int
    beyond: int

    def __str__(self) -> str:
        of = f"of document {self.document_id}"
        kinds = (
            (self.missing, f"passages {of} are missing in the index"),
            (self.differing, f"passages {of} are in the index with other properties"),
            (self.beyond, f"passages {of} are in the index and should not be"),
        )
        return ", ".join(f"{count} {said}" for count, said in kinds if count)


def damages(differences: Differences) -> list[Damage]:
    """The differences of each document."""
    counts = [
        Counter(one.facts.document_id for one in differences.missing),
        Counter(one.facts.document_id for one in differences.differing),
        Counter(one.document_id for one in differences.beyond),
    ]
    return [Damage(i, *(count[i] for count in counts)) for i in sorted(set().union(*counts))]


class Follower:
    """Brings indices in line with the library. Only for the one that follows."""

    def __init__(
        self,
        library: Library,
        cluster: Cluster,
        catalogue: Catalogue,
        survey: Survey,
        is_held: IsHeld,
    ) -> None:
        """`is_held` tells whether nobody else follows still."""
        self._library = library
        self._outbox = Outbox(library)
        self._cluster = cluster
        self._catalogue = catalogue
        self._is_held = is_held
        self._analyser = Analyser()
        self._searched = survey.searched.name if survey.searched else None
        self.series = dict(survey.series)
        """All series of the library as they are now, by name."""

    def add(self, series: Series) -> None:
        """Brings that series in line as well from now on."""
        self.series.setdefault(series.name, series)

    def take_for_searched(self, name: str) -> None:
        """New indices of that series come under the alias."""
        self._searched = name

    def refresh(self) -> None:
        """Has all be found that others wrote before they were killed."""
        for series in self.series.values():
            if series.indices:
                self._catalogue.refresh(series)

    def apply(self, document_ids: Sequence[str]) -> dict[str, set[str]]:
        """Makes every series say of those documents what the library says now.

        Gives the collections in whose index something was done, by series.
        """
        return {
            name: self._bring_in_line(name, document_ids) for name in sorted(self.series.keys())
        }

    def compare(self, name: str) -> Iterator[Differences]:
        """How the series differs from the library, piece by piece, in the order of passages.

        It has to be refreshed; nobody else may write to it meanwhile.
        """
        edition = self.series[name].origin.edition
        last = 0
        while last < LAST:
            version = self._outbox.version()
            standing, end = self._outbox.standing_after(last, edition, _COMPARED)
            found = self._found(name, {"range": {"passage": {"gt": last, "lte": end}}})
            yield self._differences(name, version, standing, found)
            last = end

    def mend(self, name: str, differences: Differences, *, is_found: bool = True) -> set[str]:
        """Does away with differences; gives the collections in whose index something was done.

        Unless it `is_found` at once, that is left to who refreshes later.
        """
        return self._change(
            name,
            differences.version,
            sorted([*differences.missing, *differences.differing], key=lambda s: s.passage_id),
            differences.beyond,
            is_found=is_found,
        )

    def _bring_in_line(self, name: str, document_ids: Sequence[str]) -> set[str]:
        version = self._outbox.version()  # first: what is read after it is no older
        standing = self._outbox.standing(document_ids, self.series[name].origin.edition)
        places = {self._place(name, one) for one in standing}
        found = self._found(name, {"terms": {"document": list(document_ids)}})
        beyond = [one for one in found if (one.index, one.passage_id) not in places]
        return self._change(name, version, standing, beyond)

    def _differences(
        self, name: str, version: int, standing: Sequence[Standing], found: Iterator[Found]
    ) -> Differences:
        there: dict[tuple[str, int], Found] = {(one.index, one.passage_id): one for one in found}
        differences = Differences(version, passages=len(standing))
        digests: dict[str, str] = {}
        for one in standing:
            known = there.pop(self._place(name, one), None)
            document_id = one.facts.document_id
            if document_id not in digests:
                digests[document_id] = digest_of(one.facts)
            if known is None:
                differences.missing.append(one)
            elif (known.document_id, known.digest) != (document_id, digests[document_id]):
                differences.differing.append(one)
        differences.beyond.extend(there.values())
        return differences

    def _place(self, name: str, standing: Standing) -> tuple[str, int]:
        index = self._catalogue.index_of(self.series[name], standing.facts.collection)
        return index, standing.passage_id

    def _found(self, name: str, query: Mapping[str, Any]) -> Iterator[Found]:
        """What `query` finds in all indices of the series."""
        indices = sorted(self.series[name].indices.values())
        after: list[Any] | None = None
        while indices:
            body: dict[str, Any] = {
                "query": query,
                "size": _FOUND,
                "sort": [{"passage": "asc"}, {"_index": "asc"}],
                "_source": False,
                "docvalue_fields": ["document", "digest"],
                "track_total_hits": False,
            }
            if after is not None:
                body["search_after"] = after
            hits = self._cluster.search(Search(indices, body))["hits"]["hits"]
            for hit in hits:
                told = hit.get("fields", {})
                [document_id], [digest] = told.get("document", [""]), told.get("digest", [""])
                yield Found(hit["_index"], int(hit["_id"]), document_id, digest)
            if len(hits) < _FOUND:
                return
            after = hits[-1]["sort"]

    def _change(
        self,
        name: str,
        version: int,
        standing: Sequence[Standing],
        beyond: Sequence[Found],
        *,
        is_found: bool = True,
    ) -> set[str]:
        if not self.series[name].origin.is_written_here:
            standing = []  # another program writes there; but what is gone must be so everywhere
        for collection in {one.facts.collection for one in standing}:
            self._require_index(name, collection)
        deletions = (Action(one.index, one.passage_id, version) for one in beyond)
        touched = {one.index for one in beyond}
        try:
            write(self._cluster, deletions)
            write(self._cluster, self._additions(name, version, standing))
        finally:
            of = {one.document_id for one in beyond} | {one.facts.document_id for one in standing}
            self._require_held(of)
        touched |= {self._place(name, one)[0] for one in standing}
        if touched and is_found:
            self._catalogue.refresh(self.series[name], touched)
        of_index = {index: collection for collection, index in self.series[name].indices.items()}
        return {of_index[index] for index in touched if index in of_index}

    def _require_held(self, document_ids: Collection[str]) -> None:
        """Raises IndexUnavailableError when another may follow by now, who knows nothing of what
        was written for those documents. They are followed again then."""
        if not self._is_held():
            self._outbox.mark(document_ids)
            raise IndexUnavailableError(
                "the connection by which nobody else brings the index up to date is lost; what was "
                "read is stored, and is found as soon as it is brought up to date again"
            )

    def _require_index(self, name: str, collection: str) -> None:
        series = self.series[name]
        if collection not in series.indices:
            searched = name == self._searched
            index = self._catalogue.create(series, collection, searched=searched)
            self.series[name] = with_index(series, collection, index, searched=searched)

    def _additions(self, name: str, version: int, standing: Sequence[Standing]) -> Iterator[Action]:
        fingerprint = self.series[name].origin.recipe.fingerprint
        of = {one.passage_id: one for one in standing}
        left = set(of)
        for batch in entries_of(self._library, np.array(list(of), np.int64), fingerprint):
            for entry in batch:
                one = of[entry.passage_id]
                left.discard(entry.passage_id)
                index, passage_id = self._place(name, one)
                yield Action(index, passage_id, version, body_of(entry, one.facts, self._analyser))
        if left and (lost := self._library.documents_of(sorted(left))):
            raise vectors_lost(len(lost))
