"""Passages searched in an OpenSearch cluster, which follows the library by its outbox.

What is searched is an edition of the library in a series of indices (`index.opensearch.series`).
The library's own state says which series that is and what of its changes is in it; so to know
whether anything is new costs no question to the cluster.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import sqlalchemy as sa

from index.engine import Contents, Recipe, difference
from index.errors import (
    DocumentRefusedError,
    FollowedLaterError,
    GenerationMismatchError,
    IndexConfigurationError,
    IndexUnavailableError,
    LibraryBusyError,
    NothingPublishedError,
)
from index.library import Library
from index.lock import IsHeld
from index.opensearch.client import Cluster, Search
from index.opensearch.following import Damage, Differences, Follower, damages
from index.opensearch.generation import ClusterGeneration, ClusterManifest
from index.opensearch.mapping import (
    FORMAT,
    Layout,
    Origin,
    index_name,
    is_series,
    series_name,
)
from index.opensearch.record import Record, next_number, record_of, set_record
from index.opensearch.series import Catalogue, Series, Survey
from index.outbox import FORMER, Outbox, Row
from index.queries import revision_of, state_of
from index.records import Version

log = logging.getLogger("kildesvar")

_NOTHING = (
    "nothing is in the index yet; run `kildesvar ingest FOLDER` with some documents, or wait until "
    "those that there are have been brought into the search cluster"
)

_ROWS = 100
"""Rows of the outbox that are applied at once."""
_MOST_REFUSED = 20
"""Documents that the cluster may refuse; if there are more, it is not for what is in them."""
_PATIENCE = 30.0
_LOOKS_EVERY = 0.05
"""Seconds for which another who follows is waited for, and between two looks."""
_FOLLOWS_EVERY = 5.0
"""Seconds after which what changed meanwhile is followed, while a series is being filled."""
_TELLS_EVERY = 10.0
_LEAVES_AFTER = 15.0
"""Seconds until an index that nobody needs is removed: some may still have it open."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index of the library's. Its state is that it is searched, kept to go back to, being
    filled, or left."""

    name: str
    passages: int
    state: str


@dataclass(frozen=True, slots=True)
class Status:
    """What a cluster says of itself and of the library's indices, and how many changes wait to
    come into them, the oldest for so many seconds."""

    version: str
    nodes: int
    status: str
    generation: str | None
    waiting: int
    seconds: float
    oldest: str | None
    indices: list[IndexState]


class OpenSearchEngine:
    """Where passages of one library are searched: indices of a cluster, under one alias."""

    follows = True

    def __init__(self, library: Library, cluster: Cluster, layout: Layout) -> None:
        self._library = library
        self._cluster = cluster
        self._layout = layout
        self._outbox = Outbox(library)
        self._catalogue = Catalogue(cluster, layout)
        self._opened: ClusterGeneration | None = None

    def require_reachable(self) -> None:
        """See `index.engine`; the cluster is asked every few seconds at most."""
        self._cluster.require_reachable()

    def current_name(self) -> str | None:
        record = self._record()
        return record.generation if record else None

    def manifest(self) -> ClusterManifest | None:
        record = self._record()
        return self._manifest(record) if record else None

    def is_current(self, version: Version, recipe: Recipe) -> bool:
        record = self._record()
        wanted = Origin(version.identity, version.edition, 0, recipe)
        return (
            record is not None
            and record.origin.makes_same(wanted)
            and record.revision == version.revision
            and self._outbox.follower() is not None
            and self._outbox.is_empty()
        )

    def is_lost(self) -> bool:
        """See `index.engine`: the cluster is another, or has not all indices. Raises
        IndexUnavailableError."""
        record = self._record()
        if record is None:
            return False
        named = {index_name(self._layout, record.origin, name) for name in record.marks}
        return record.cluster != self._cluster_id() or not named <= self._catalogue.aliased()

    def open(self, recipe: Recipe | None = None) -> ClusterGeneration:
        """What is searched now; see `index.engine`. Raises IndexUnavailableError."""
        record = self._record()
        if record is None:
            raise NothingPublishedError(_NOTHING)
        made_by = record.origin.recipe
        if record.origin.format != FORMAT:
            raise GenerationMismatchError(
                f"the index is one that {'a newer' if record.origin.is_newer else 'an earlier'} "
                "version of Kildesvar made; one for this version is being made, or run `kildesvar "
                "ingest` to have it made"
            )
        if recipe is not None and not recipe.can_search(made_by):
            raise GenerationMismatchError(difference(made_by, recipe))
        series = self._survey().series.get(record.name, Series(record.name, record.origin))
        if record.marks.keys() - series.indices.keys():
            raise IndexUnavailableError(
                f"indices of {record.name} are gone from the search cluster; a running service "
                "makes them anew from the library, where no document is lost, or `kildesvar index "
                "check --mend` at once"
            )
        before, indices = self._opened, series.indices
        self._opened = ClusterGeneration(record, indices, self._cluster, self._library, before)
        return self._opened

    def publish(self, contents: Contents, recipe: Recipe) -> ClusterManifest:
        """Has the index follow; when that is done, or another has done it, it is searched.

        Raises IndexUnavailableError, and FollowedLaterError when another still follows after some
        seconds.
        """
        changes, version = self._outbox.version(), contents.version
        wanted = Origin(version.identity, version.edition, 0, recipe)

        def is_done() -> bool:
            record, rows = self._record(), self._outbox.rows(1)
            is_applied = not rows or rows[0].id > changes
            return record is not None and record.origin.makes_same(wanted) and is_applied

        self._alone(partial(self._publish, version, recipe), is_done)
        return self._published()

    def compact(self, contents: Contents, recipe: Recipe) -> ClusterManifest:
        """Makes a whole new series, in which nothing is left of what was removed; the old ones are
        deleted."""
        self._alone(partial(self._publish, contents.version, recipe, anew=True), lambda: False)
        return self._published()

    def are_several(self) -> bool:
        record = self._record()
        return record is not None and bool(record.leaving)

    def collect(self) -> list[ClusterManifest]:
        """Deletes series that came before the one before that which is searched, and indices
        without passages, some time after it has first seen that nobody needs them. Gives what
        remains; while another follows, all that there is."""
        with self._outbox.following() as is_held:
            survey = self._survey()
            record = self._record()
            if is_held is not None and record is not None:
                survey = self._collected(survey, record)
        return [
            self._manifest(Record(series.name, "", series.origin, 0, 0, 0.0))
            for series in survey.series.values()
        ]

    def check(self, *, mends: bool) -> Iterator[Damage]:
        """How the index differs from the library, document by document, and `mends` that.

        What waits in the outbox is no damage. Raises LibraryBusyError while another follows, and
        NothingPublishedError.
        """
        with self._outbox.following() as is_held:
            if is_held is None:
                raise LibraryBusyError(
                    "another process is bringing the index up to date; check it when that is done"
                )
            yield from self._checked(mends, is_held)

    def _checked(self, mends: bool, is_held: IsHeld) -> Iterator[Damage]:
        record = self._record()
        if record is None:
            raise NothingPublishedError(_NOTHING)
        survey = self._survey()
        series = survey.series.get(record.name, Series(record.name, record.origin))
        follower = Follower(self._library, self._cluster, self._catalogue, survey, is_held)
        follower.add(series)
        follower.refresh()
        if mends:
            self._catalogue.delete(survey.strange)
            self._outbox.raise_version()
        for differences in follower.compare(record.name):
            found = damages(differences)
            awaited = self._outbox.awaited({damage.document_id for damage in found})
            yield from (damage for damage in found if damage.document_id not in awaited)
            if mends and differences:
                self._mend(follower, record.name, differences)
        if mends:
            self._follow(follower)
            self._switch(follower, record.name, self._cluster_id(), keeps=True)

    def status(self) -> Status:
        """Which indices there are. Raises IndexUnavailableError."""
        about = self._cluster.about()
        record, survey, waiting = self._record(), self._survey(), self._outbox.waiting()
        indices = [
            IndexState(name, passages, _state_of(series, record))
            for series in survey.series.values()
            for name, passages in sorted(self._catalogue.counts(series).items())
        ]
        return Status(
            about.version,
            about.nodes,
            about.status,
            record.generation if record else None,
            waiting.rows,
            waiting.seconds,
            waiting.document_id,
            indices,
        )

    def problems(self, library: Library) -> Iterator[str]:
        """The same, a sentence each."""
        try:
            for damage in self.check(mends=False):
                yield f"{damage}; `kildesvar index check --mend` does away with that"
        except NothingPublishedError as error:
            if not library.is_empty():
                yield str(error)
        except (IndexConfigurationError, IndexUnavailableError) as error:
            yield str(error)

    def close(self) -> None:
        self._cluster.close()

    # Within

    def _alone(self, work: Callable[[IsHeld], None], is_done: Callable[[], bool]) -> None:
        """Does the work as the one that follows, or waits until it `is_done` by another."""
        until = time.monotonic() + _PATIENCE
        while True:
            with self._outbox.following() as is_held:
                if is_held is not None:
                    work(is_held)
                    return
            if time.monotonic() > until:
                raise FollowedLaterError(
                    "another process is bringing the index up to date; what was read is stored, "
                    "and is found as soon as that is done"
                )
            time.sleep(_LOOKS_EVERY)
            if is_done():
                return

    def _published(self) -> ClusterManifest:
        record = self._record()
        if record is None:
            raise FollowedLaterError(
                "another process is making the index; what was read is stored, and is found as "
                "soon as that is done"
            )
        return self._manifest(record)

    def _publish(
        self, version: Version, recipe: Recipe, is_held: IsHeld, *, anew: bool = False
    ) -> None:
        cluster = self._cluster_id()
        survey, record = self._survey(), self._record()
        self._catalogue.delete(survey.strange)
        self._outbox.begin(self._layout.name)
        wanted = Origin(version.identity, version.edition, 0, recipe)
        series = self._series(survey, record, wanted, anew)
        follower = Follower(self._library, self._cluster, self._catalogue, survey, is_held)
        follower.add(series)
        follower.refresh()
        if record is not None and _is_trusted(record, series, cluster):
            self._follow(follower)
            return
        self._cluster.about()
        self._fill(follower, series.name)
        self._switch(follower, series.name, cluster, keeps=not anew)

    def _series(self, survey: Survey, record: Record | None, wanted: Origin, anew: bool) -> Series:
        """The series of that origin: the one that is searched, or one that somebody who was killed
        has begun, or one that there is not yet."""
        if record is not None and record.origin.makes_same(wanted) and not anew:
            return survey.series.get(record.name) or Series(record.name, record.origin)
        searched = record.origin.build if record is not None and anew else 0
        begun = [
            series
            for series in survey.series.values()
            if series.origin.makes_same(wanted) and series.origin.build > searched
        ]
        if begun:
            return max(begun, key=lambda series: series.origin.build)
        with self._library.transaction() as connection:
            origin = replace(wanted, build=next_number(connection))
        return Series(series_name(self._layout, origin), origin)

    def _follow(self, follower: Follower) -> None:
        """Applies what waits, row by row. A document that the cluster refuses goes on waiting,
        and no other waits for it."""
        refused: set[str] = set()
        while rows := self._outbox.rows(_ROWS, refused):
            try:
                self._apply(follower, rows)
            except DocumentRefusedError:
                self._apply_each(follower, rows, refused)
        self._outbox.acknowledge([], partial(_note_applied, {}))

    def _apply(self, follower: Follower, rows: Sequence[Row]) -> None:
        touched = follower.apply(sorted({row.document_id for row in rows}))
        self._outbox.acknowledge(rows, partial(_note_applied, touched))

    def _apply_each(self, follower: Follower, rows: Sequence[Row], refused: set[str]) -> None:
        """The same document by document; those that are refused are added to `refused`."""
        for document_id in dict.fromkeys(row.document_id for row in rows):
            try:
                self._apply(follower, [row for row in rows if row.document_id == document_id])
            except DocumentRefusedError as error:
                refused.add(document_id)
                if len(refused) > _MOST_REFUSED:
                    raise
                log.error("document %s is not found: %s", document_id, error)

    def _mend(
        self, follower: Follower, name: str, differences: Differences, *, is_found: bool = True
    ) -> None:
        """Does away with differences; where some document is refused, that is left to following."""
        try:
            follower.mend(name, differences, is_found=is_found)
        except DocumentRefusedError:
            self._outbox.mark({damage.document_id for damage in damages(differences)})

    def _fill(self, follower: Follower, name: str) -> None:
        """Makes the series hold the whole library; what changes meanwhile is followed.

        It goes by what is there, so that it goes on where an earlier one was killed.
        """
        passages = 0
        followed = told = time.monotonic()
        for differences in follower.compare(name):
            self._mend(follower, name, differences, is_found=False)
            passages += differences.passages
            if time.monotonic() - followed > _FOLLOWS_EVERY:
                if not self._outbox.is_empty():
                    follower.refresh()
                    self._follow(follower)
                followed = time.monotonic()
            if time.monotonic() - told > _TELLS_EVERY:
                log.info("%d passages are in the new index %s", passages, name)
                told = time.monotonic()
        follower.refresh()
        self._follow(follower)

    def _switch(self, follower: Follower, name: str, cluster: str, *, keeps: bool) -> None:
        """Has the series be searched, and no other."""
        self._catalogue.search_only(self._survey(), follower.series[name])
        follower.take_for_searched(name)
        series = follower.series[name]

        def note(connection: sa.Connection, is_empty: bool) -> None:
            before = record_of(connection)
            number = next_number(connection)
            revision = revision_of(connection)
            previous = None
            if before is not None and keeps:
                previous = before.previous if before.name == name else before.name
            record = Record(
                name,
                cluster,
                series.origin,
                # What waits will be followed, and counted then.
                revision if is_empty else revision - 1,
                number,
                time.time(),
                dict.fromkeys(series.indices, number),
                before.leaving if before is not None else {},
                previous,
            )
            set_record(connection, record)

        self._outbox.acknowledge([], note)

    def _collected(self, survey: Survey, record: Record) -> Survey:
        """What is left when all is deleted that was left long enough ago."""
        kept = {record.name, record.previous}
        old = {
            name: series
            for name, series in survey.series.items()
            if name not in kept
            and (series.origin.build < record.origin.build or self._is_given_up(series, record))
        }
        unused = {index for series in old.values() for index in series.indices.values()}
        unused |= set(survey.former)
        if (searched := survey.series.get(record.name)) is not None:
            filled = {c.name for c in self._library.collections() if c.documents}
            unused |= {i for name, i in searched.indices.items() if name not in filled}
        now = time.time()
        # Noted first, so that nobody opens them any more; deleted by a later one.
        if unused or record.leaving:
            leaving = {index: record.leaving.get(index, now) for index in unused}
            self._note_leaving(leaving, searched)
        due = {i for i in unused if now - record.leaving.get(i, math.inf) >= _LEAVES_AFTER}
        self._catalogue.delete(due)
        gone = {name for name, one in old.items() if due >= set(one.indices.values())}
        return replace(survey, series={n: one for n, one in survey.series.items() if n not in gone})

    def _is_given_up(self, series: Series, record: Record) -> bool:
        """Whether one that was begun after that which is searched is not to be filled any more:
        its edition is none that is coming, and no newer program has begun it."""
        coming = self._library.coming_edition()
        wanted = {self._library.edition().number, coming.number if coming is not None else None}
        wanted.discard(record.origin.edition)
        return not series.origin.is_newer and series.origin.edition not in wanted

    def _note_leaving(self, leaving: Mapping[str, float], searched: Series | None) -> None:
        """Notes which indices nobody needs. Those of the series that is searched are not any more,
        and whoever has them open learns of that by a new number."""
        with self._library.transaction() as connection:
            record = record_of(connection)
            if record is None:
                return
            of_each = searched.indices if searched is not None else {}
            marks = {c: at for c, at in record.marks.items() if of_each.get(c) not in leaving}
            changed = replace(record, leaving=leaving, marks=marks)
            if marks != record.marks:
                changed = replace(changed, number=next_number(connection), at=time.time())
            if changed != record:
                set_record(connection, changed)

    def _cluster_id(self) -> str:
        """By which one cluster is told from another, as that which had its data before."""
        return str(self._cluster.client.info()["cluster_uuid"])

    def _survey(self) -> Survey:
        with self._library.engine.connect() as connection:
            former = json.loads(state_of(connection, FORMER) or "{}")
        return self._catalogue.survey(self._library.version().identity, former)

    def _record(self) -> Record | None:
        with self._library.engine.connect() as connection:
            record = record_of(connection)
        # That of an index with another name says nothing of this one.
        return record if record is not None and is_series(self._layout, record.name) else None

    def _manifest(self, record: Record) -> ClusterManifest:
        return ClusterManifest(record, self._library)


def _state_of(series: Series, record: Record | None) -> str:
    if record is not None and series.name == record.name:
        return "searched"
    if record is not None and series.name == record.previous:
        return "kept"
    return "filling" if record is None or series.origin.build > record.origin.build else "left"


def last_id(cluster: Cluster, layout: Layout) -> int:
    """The highest id of a passage that is in any index of that name; else 0."""
    body = {"size": 0, "aggs": {"last": {"max": {"field": "passage"}}}}
    found = cluster.search(Search([f"{layout.name}-*"], body))
    return int(found.get("aggregations", {}).get("last", {}).get("value") or 0)


def _is_trusted(record: Record, series: Series, cluster: str) -> bool:
    """Whether the series holds all but what waits in the outbox, by what the library noted."""
    indices = set(series.indices.values()) - record.leaving.keys()
    return (
        (record.name, record.cluster) == (series.name, cluster)
        and record.marks.keys() <= series.indices.keys()
        and indices <= series.searched
    )


def _note_applied(
    touched: Mapping[str, Collection[str]], connection: sa.Connection, is_empty: bool
) -> None:
    """Notes in what collections of which series something was done, and whether that was all.

    Where rows were followed and nothing was to be done, another has done it who could not say so:
    in which collections is not known.
    """
    record = record_of(connection)
    if record is None:
        return
    changed = replace(record, revision=revision_of(connection)) if is_empty else record
    collections = touched.get(record.name)
    if collections is not None:
        number = next_number(connection)
        marks = {**record.marks, **dict.fromkeys(collections or record.marks, number)}
        changed = replace(changed, number=number, at=time.time(), marks=marks)
    if changed != record:
        set_record(connection, changed)
