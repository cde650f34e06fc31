"""Jobs: files that were handed in to be read, kept in the library's database until long after.

A job is acknowledged once it is here, and outlives the process that took it. Who works on one has a
lease of it, which ends soon after the process has died; then the job is another's. In a SQLite file
whoever works on jobs holds the writer's lock besides: a job that is `running` there while nobody
holds that was left by a process that died, and is next, lease or not.

Jobs of one document or one path are worked on one by one, in the order in which they came.

Libraries were looked at: procrastinate and PgQueuer know no SQLite, and keep jobs in tables of
their own, while callers are told of these over HTTP; neither keeps an order by two keys.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from index.changes import note
from index.collection_names import DEFAULT, Readable
from index.database_clock import as_text, seconds
from index.errors import DocumentNotFoundError, JobNotFoundError, LeaseLostError
from index.library import Library
from index.queries import document_of
from index.records import ChangeKind
from index.tables import documents, jobs

KEPT_DAYS = 7
KEPT_JOBS = 1000
"""Finished jobs that are kept: those of so many days, and of them so many."""
LEASE_SECONDS = 30.0
"""For which a job is one worker's, unless that says again that it goes on."""
MOST_ATTEMPTS = 5
"""How often a job is begun that never came to an end: its worker died each time."""
_DAY = 24 * 3600.0
_LONGEST = 3600.0
"""Seconds; what is further off was written while the clock was wrong, and keeps nobody waiting."""


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobKind(StrEnum):
    ADD = "add"
    REPLACE = "replace"
    REREAD = "reread"


_FINISHED = (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be read. `done` and `total` count files; times are ISO 8601, UTC.

    `collection` is the one that it goes into, or that its document was in. `document_id` is the
    document that the file is to replace, or that is to be read again, or, when done, that the file
    was read into.
    """

    id: str
    kind: JobKind
    state: JobState
    path: str
    done: int
    total: int
    document_id: str | None
    error: str | None
    owner: str
    created_at: str
    updated_at: str
    collection: str = DEFAULT
    attempts: int = 0

    @property
    def file(self) -> str:
        return Path(self.path).name

    @property
    def is_finished(self) -> bool:
        return self.state in _FINISHED

    @property
    def replaces(self) -> str | None:
        """Id of the document that the file is another version of; None for a new one."""
        return self.document_id if self.kind is JobKind.REPLACE else None


class Jobs:
    """The jobs of one library. Each change is one transaction, on disk when the method returns."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def add(
        self,
        path: Path,
        replaces: str | None = None,
        owner: str = "",
        collection: str = DEFAULT,
    ) -> Job:
        """Queues the file at `path`, as another version of the document that it `replaces`.

        `owner` is the id of the caller who sent it.
        """
        kind = JobKind.REPLACE if replaces else JobKind.ADD
        return self._add(kind, path, replaces, owner, collection)

    def read_again(
        self, path: Path, document_id: str, owner: str = "", collection: str = DEFAULT
    ) -> Job:
        """Queues a document to be read from its files again; `path` is one of them."""
        return self._add(JobKind.REREAD, path, document_id, owner, collection)

    def _add(
        self, kind: JobKind, path: Path, document_id: str | None, owner: str, collection: str
    ) -> Job:
        # One after the other, by one clock: who sees a job sees all that came before it.
        with self._library.transaction() as connection:
            came = seconds(connection)
            now = as_text(came)
            job = Job(
                id=secrets.token_hex(8),
                kind=kind,
                state=JobState.QUEUED,
                path=str(path),
                done=0,
                total=1,
                document_id=document_id,
                error=None,
                owner=owner,
                created_at=now,
                updated_at=now,
                collection=collection,
            )
            row = {field.name: getattr(job, field.name) for field in fields(Job)}
            row["leased_until"] = came
            connection.execute(sa.insert(jobs), row)
            about = {"kind": kind.value, "document": document_id}
            note(connection, ChangeKind.QUEUED, [job.id], about)
            _forget_old(connection)
        return job

    def job(self, job_id: str, owner: str | None = None, collections: Readable = None) -> Job:
        """One of an `owner`, or of whomever, for one of `collections`. Raises JobNotFoundError."""
        query = sa.select(jobs).where(jobs.c.id == job_id)
        found = self._select(_of(query, owner, collections))
        if not found:
            raise JobNotFoundError(
                f"there is no job {job_id!r}; a finished one is kept for {KEPT_DAYS} days. "
                "GET /v1/jobs lists those that there are."
            )
        return found[0]

    def newest(
        self,
        limit: int,
        offset: int = 0,
        owner: str | None = None,
        collections: Readable = None,
    ) -> list[Job]:
        """Jobs from the newest to the oldest: those of an `owner`, or everybody's."""
        query = _newest_first(_of(sa.select(jobs), owner, collections))
        return self._select(query.limit(limit).offset(offset))

    def are_waiting(self) -> bool:
        """Whether any job is not finished, though others may be at it."""
        query = sa.select(jobs.c.id).where(jobs.c.state.not_in(_FINISHED)).limit(1)
        with self._library.engine.connect() as connection:
            return connection.scalar(query) is not None

    def claim(self, worker: str, but_not: Collection[str] = ()) -> "Lease | None":
        """The oldest job that is free, for the `worker` of that name; None when there is none.

        `but_not` are ids of jobs that it can do nothing about. One that was put off is as old as
        the moment until which it was. In a SQLite file the caller holds the writer's lock.
        """
        with self._library.transaction(alone=False) as connection:
            now = seconds(connection)
            row = _oldest_free(connection, now, but_not)
            if row is None:
                return None
            values = {
                "state": JobState.RUNNING,
                "worker": worker,
                "leased_until": now + LEASE_SECONDS,
                "attempts": row["attempts"] + 1,
                "error": None,
                "updated_at": as_text(now),
            }
            connection.execute(sa.update(jobs).where(jobs.c.id == row["id"]).values(values))
        return Lease(self._library, _job({**row, **values}), worker)

    def count(self, owner: str | None = None, collections: Readable = None) -> int:
        query = _of(sa.select(sa.func.count()).select_from(jobs), owner, collections)
        with self._library.engine.connect() as connection:
            return connection.scalar(query) or 0

    def finished_paths(self) -> list[str]:
        """Files that were sent, of the jobs that are finished, well or badly, and that no other
        job waits for."""
        other = jobs.alias()
        awaited = sa.exists().where(other.c.path == jobs.c.path, other.c.state.not_in(_FINISHED))
        query = sa.select(jobs.c.path).where(
            jobs.c.state.in_(_FINISHED), jobs.c.kind != JobKind.REREAD, ~awaited
        )
        with self._library.engine.connect() as connection:
            return list(connection.scalars(query))

    def _select(self, query: sa.Select[Any]) -> list[Job]:
        with self._library.engine.connect() as connection:
            return [_job(row) for row in connection.execute(query).mappings()]


class Lease:
    """A job that is one worker's, until it is finished, put off, given back, or lost to another.

    Each change is one transaction, on disk when the method returns, and changes nothing but
    raises LeaseLostError when the job is the worker's no more.
    """

    def __init__(self, library: Library, job: Job, worker: str) -> None:
        self.job = job
        self._library = library
        self._is_ours = sa.and_(
            jobs.c.id == job.id, jobs.c.worker == worker, jobs.c.state == JobState.RUNNING
        )

    def require(self, connection: sa.Connection) -> None:
        """Raises LeaseLostError unless the job is the worker's; then it stays so until the end of
        the transaction. Raises DocumentNotFoundError when the document that it is of has been
        deleted since: it must not come back."""
        self._change(connection, leased_until=seconds(connection) + LEASE_SECONDS)
        if self.job.kind is JobKind.ADD or document_of(connection, self.job.path):
            return
        known = sa.select(documents.c.id).where(documents.c.id == self.job.document_id)
        if connection.scalar(known) is None:
            raise DocumentNotFoundError(
                "the document has been deleted meanwhile; if it is wanted after all, send its "
                "file as a new one"
            )

    def extend(self) -> None:
        """Says that the worker goes on: the job is its own for LEASE_SECONDS from now."""
        with self._library.transaction(alone=False) as connection:
            self._change(connection, leased_until=seconds(connection) + LEASE_SECONDS)

    def advance(self, done: int, total: int) -> None:
        self._update(done=done, total=total)

    def finish(self, document_id: str | None) -> None:
        self._update(
            state=JobState.DONE, done=jobs.c.total, document_id=document_id, leased_until=None
        )

    def fail(self, reason: str) -> None:
        self._update(state=JobState.FAILED, error=reason, leased_until=None)

    def put_off(self, reason: str, until_in: float = 0.0) -> None:
        """Back into the queue, with the reason why it has to wait: until in so many seconds, and
        behind what came before then. It counts as no attempt."""
        with self._library.transaction(alone=False) as connection:
            now = seconds(connection)
            self._change(
                connection,
                state=JobState.QUEUED,
                done=0,
                error=reason,
                attempts=0,
                leased_until=now + until_in,
                updated_at=as_text(now),
            )

    def give_back(self) -> None:
        """It is as though it had not been begun, and free at once."""
        self._update(attempts=jobs.c.attempts - 1, worker=None, leased_until=None)

    def _update(self, **values: object) -> None:
        with self._library.transaction(alone=False) as connection:
            now = as_text(seconds(connection))
            self._change(connection, **values, updated_at=now)

    def _change(self, connection: sa.Connection, **values: object) -> None:
        changed = connection.execute(sa.update(jobs).where(self._is_ours).values(**values))
        if not changed.rowcount:
            raise self._lost()

    def _lost(self) -> LeaseLostError:
        return LeaseLostError(
            f"job {self.job.id} ({self.job.path}) is worked on by another process now"
        )


def _oldest_free(
    connection: sa.Connection, now: float, but_not: Collection[str]
) -> sa.RowMapping | None:
    """The job to be worked on next, locked; one that another process locks is passed by.

    First those that were left, then those that wait. Nobody works on it, and nothing that came
    before it, of the same document or the same path, is unfinished.
    """
    is_held = jobs.c.leased_until.between(now, now + _LONGEST)
    # In a file a running one is of who died, whatever its lease.
    is_left = sa.true() if connection.dialect.name == "sqlite" else ~_is(is_held)
    left = sa.and_(jobs.c.state == JobState.RUNNING, is_left)
    waiting = sa.and_(jobs.c.state == JobState.QUEUED, ~_is(is_held))
    # Two questions, and each of these in two, so that each is answered from an index.
    of_document = _awaits(lambda earlier: earlier.c.document_id == jobs.c.document_id)
    of_path = _awaits(lambda earlier: earlier.c.path == jobs.c.path)
    came = (jobs.c.created_at, jobs.c.id)
    for is_free, order in ((left, came), (waiting, (jobs.c.leased_until, *came))):
        query = sa.select(jobs).where(is_free, jobs.c.id.not_in(but_not), ~of_document, ~of_path)
        query = query.order_by(*order).limit(1).with_for_update(skip_locked=True)
        row = connection.execute(query).mappings().one_or_none()
        if row is not None:
            return row
    return None


def _is(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The condition, which does not hold of what is not known."""
    return sa.func.coalesce(condition, sa.false())


def _awaits(is_kin: Callable[[sa.FromClause], sa.ColumnElement[bool]]) -> sa.Exists:
    """Whether a job that came before is not finished, of those that have something in common."""
    earlier = jobs.alias()
    came = sa.tuple_(earlier.c.created_at, earlier.c.id)
    return sa.exists().where(
        is_kin(earlier),
        earlier.c.state.not_in(_FINISHED),
        came < sa.tuple_(jobs.c.created_at, jobs.c.id),
    )


def _job(row: Mapping[Any, Any]) -> Job:
    told = {field.name: row[field.name] for field in fields(Job)}
    return Job(**{**told, "kind": JobKind(row["kind"]), "state": JobState(row["state"])})


def _of(query: sa.Select[Any], owner: str | None, collections: Readable) -> sa.Select[Any]:
    if owner is not None:
        query = query.where(jobs.c.owner == owner)
    if collections is not None:
        query = query.where(jobs.c.collection.in_(sorted(collections)))
    return query


def _newest_first(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc())


def _forget_old(connection: sa.Connection) -> None:
    finished = jobs.c.state.in_(_FINISHED)
    oldest = as_text(seconds(connection) - KEPT_DAYS * _DAY)
    newest = _newest_first(sa.select(jobs.c.id).where(finished)).limit(KEPT_JOBS)
    surplus = sa.or_(jobs.c.updated_at < oldest, jobs.c.id.not_in(newest))
    connection.execute(sa.delete(jobs).where(finished, surplus))
