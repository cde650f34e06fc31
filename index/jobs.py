"""Jobs: files that were handed in to be read, kept in the library's database until long after.

A job is acknowledged once it is here, and outlives the process that took it. Whoever works on jobs
holds `index.lock.writing`: a job that is `running` while nobody holds it was left by a process that
died, and is next.
"""

import secrets
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from index.changes import note
from index.collection_names import DEFAULT, Readable
from index.errors import JobNotFoundError
from index.library import Library
from index.records import ChangeKind
from index.tables import jobs

KEPT_DAYS = 7
KEPT_JOBS = 1000
"""Finished jobs that are kept: those of so many days, and of them so many."""


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
        now = _now()
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
        with self._library.transaction() as connection:
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

    def next(self) -> Job | None:
        """The oldest job that is not finished; None when there is nothing to do."""
        query = sa.select(jobs).where(jobs.c.state.not_in(_FINISHED))
        found = self._select(query.order_by(jobs.c.created_at, jobs.c.id).limit(1))
        return found[0] if found else None

    def count(self, owner: str | None = None, collections: Readable = None) -> int:
        query = _of(sa.select(sa.func.count()).select_from(jobs), owner, collections)
        with self._library.engine.connect() as connection:
            return connection.scalar(query) or 0

    def finished_paths(self) -> list[str]:
        """Files that were sent, of the jobs that are finished, well or badly."""
        query = sa.select(jobs.c.path).where(
            jobs.c.state.in_(_FINISHED), jobs.c.kind != JobKind.REREAD
        )
        with self._library.engine.connect() as connection:
            return list(connection.scalars(query))

    def start(self, job_id: str) -> None:
        self._update(job_id, state=JobState.RUNNING, error=None)

    def advance(self, job_id: str, done: int, total: int) -> None:
        self._update(job_id, done=done, total=total)

    def finish(self, job_id: str, document_id: str | None) -> None:
        self._update(
            job_id, state=JobState.DONE, done=jobs.c.total, document_id=document_id, error=None
        )

    def fail(self, job_id: str, reason: str) -> None:
        self._update(job_id, state=JobState.FAILED, error=reason)

    def put_off(self, job_id: str, reason: str) -> None:
        """Back into its place in the queue, with the reason why it has to wait."""
        self._update(job_id, state=JobState.QUEUED, done=0, error=reason)

    def _select(self, query: sa.Select[Any]) -> list[Job]:
        with self._library.engine.connect() as connection:
            return [_job(row) for row in connection.execute(query).mappings()]

    def _update(self, job_id: str, **values: object) -> None:
        with self._library.transaction() as connection:
            connection.execute(
                sa.update(jobs).where(jobs.c.id == job_id).values(**values, updated_at=_now())
            )


def _job(row: sa.RowMapping) -> Job:
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
    oldest = _iso(datetime.now(UTC) - timedelta(days=KEPT_DAYS))
    newest = _newest_first(sa.select(jobs.c.id).where(finished)).limit(KEPT_JOBS)
    surplus = sa.or_(jobs.c.updated_at < oldest, jobs.c.id.not_in(newest))
    connection.execute(sa.delete(jobs).where(finished, surplus))


def _now() -> str:
    return _iso(datetime.now(UTC))


def _iso(moment: datetime) -> str:
    # Whole and part of a second always, for these sort as text.
    return moment.isoformat(timespec="microseconds")
