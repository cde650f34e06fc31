"""The audit log: who changed what and when, in the library's database.

A row holds ids, counts and names of callers, never words of documents, of their titles or of their
files' names: what is deleted must be gone.

A change of the library and its row are one transaction: what cannot be noted does not happen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from app.access.callers import Caller
from app.kept.housekeeping import delete_before
from app.moments import now
from app.sight.acting import actor
from index.library import Library
from index.records import ChangeKind
from index.tables import audit

Details = Mapping[str, str | int | float | bool | None]


class Action(StrEnum):
    """What can be noted."""

    DOCUMENT_QUEUED = "document.queued"
    DOCUMENT_ADDED = "document.added"
    DOCUMENT_REPLACED = "document.replaced"
    DOCUMENT_MOVED = "document.moved"
    DOCUMENT_REINDEXED = "document.reindexed"
    DOCUMENT_DELETED = "document.deleted"
    LIBRARY_RESTORED = "library.restored"
    LIBRARY_COMPACTED = "library.compacted"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    SIGNED_IN = "sign-in.succeeded"
    SIGN_IN_FAILED = "sign-in.failed"
    SIGNED_OUT = "sign-out.succeeded"
    CONVERSATION_RENAMED = "conversation.renamed"
    CONVERSATION_DELETED = "conversation.deleted"


_ACTIONS = {
    ChangeKind.QUEUED: Action.DOCUMENT_QUEUED,
    ChangeKind.ADDED: Action.DOCUMENT_ADDED,
    ChangeKind.REPLACED: Action.DOCUMENT_REPLACED,
    ChangeKind.MOVED: Action.DOCUMENT_MOVED,
    ChangeKind.DELETED: Action.DOCUMENT_DELETED,
}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: `caller` and `subject` are ids, `name` is the caller's as it was then.

    `at` is ISO 8601, UTC.
    """

    id: int
    at: str
    caller: str
    name: str
    action: str
    subject: str
    details: dict[str, Any]
    request_id: str | None


class Audit:
    """The audit log of one library. What is noted is on disk when the method returns."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def note(
        self,
        action: Action,
        subject: str,
        details: Details | None = None,
        *,
        caller: Caller | None = None,
        connection: sa.Connection | None = None,
    ) -> None:
        """Notes that `action` was done to what has the id `subject`, by who acts now or `caller`.

        With the `connection` of a transaction it is part of that, and is undone with it; without,
        it is one of its own. Raises LibraryError when it cannot be written.
        """
        row = _row(action, subject, details or {}, caller)
        if connection is not None:
            connection.execute(sa.insert(audit), row)
            return
        with self._library.transaction(alone=False) as own:
            own.execute(sa.insert(audit), row)

    def watch(self) -> None:
        """From now on every change of the library's documents is noted, with the change itself."""
        self._library.keep_journal(_note_change)

    def entries(
        self, limit: int | None = None, offset: int = 0, since: str | None = None
    ) -> list[AuditEntry]:
        """From the newest to the oldest, those from the moment `since` on."""
        query = sa.select(audit).where(_is_since(since)).order_by(audit.c.id.desc())
        with self._library.engine.connect() as connection:
            rows = connection.execute(query.limit(limit).offset(offset))
            return [AuditEntry(**row) for row in rows.mappings()]

    def count(self, since: str | None = None) -> int:
        query = sa.select(sa.func.count()).select_from(audit).where(_is_since(since))
        with self._library.engine.connect() as connection:
            return connection.scalar(query) or 0

    def who_queued(self, job_id: str) -> tuple[str, str | None]:
        """Name of the caller who sent a job, and the request's id; empty for one that is not known
        any more."""
        query = sa.select(audit.c.name, audit.c.request_id).where(
            audit.c.action == Action.DOCUMENT_QUEUED, audit.c.subject == job_id
        )
        with self._library.engine.connect() as connection:
            row = connection.execute(query.order_by(audit.c.id.desc()).limit(1)).one_or_none()
        return (row.name, row.request_id) if row else ("", None)

    def forget_before(self, moment: str) -> int:
        """Deletes what was noted before `moment`; how many entries they were."""
        return delete_before(self._library, audit.c.at, moment)


def _note_change(
    connection: sa.Connection, kind: ChangeKind, subjects: Sequence[str], details: Details
) -> None:
    doing = actor()
    action = _ACTIONS[kind]
    if doing.rereads and action is Action.DOCUMENT_REPLACED:
        action = Action.DOCUMENT_REINDEXED
    if doing.job_id is not None:
        details = {**details, "job": doing.job_id}
    connection.execute(
        sa.insert(audit), [_row(action, subject, details, None) for subject in subjects]
    )


def _row(
    action: Action, subject: str, details: Details, caller: Caller | None
) -> dict[str, object]:
    doing = actor()
    caller = caller or doing.caller
    return {
        "at": now(),
        "caller": caller.id,
        "name": caller.name,
        "action": action.value,
        "subject": subject,
        "details": dict(details),
        "request_id": doing.request_id,
    }


def _is_since(moment: str | None) -> sa.ColumnElement[bool]:
    return audit.c.at >= moment if moment else sa.true()
