"""What was asked in conversations, in the library's database.

Of an answer the places that it cites are kept, never their words: what is deleted must be gone.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from app.access.callers import COMMAND_LINE
from app.kept.housekeeping import delete_before
from app.sight.acting import actor
from app.sight.audit import Action, Audit
from index.errors import ConversationNotFoundError
from index.library import Library
from index.records import CitedSpan
from index.tables import conversations, turn_citations, turns

MAX_TURNS = 200


@dataclass(frozen=True, slots=True)
class KeptCitation:
    """A place that an answer cites, under its number; `short_answer` is a span within it."""

    number: int
    span: CitedSpan
    short_answer: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A question as it was asked, and what was found for it in so many `documents`.

    `asked_at` is ISO 8601, UTC. What was searched is not kept: a completed follow-up may have words
    of an earlier answer.
    """

    asked_at: str
    question: str
    answered: bool
    documents: int
    citations: tuple[KeptCitation, ...]


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation by its `id`, which the client chose, of an `owner`, the id of a caller.

    `turns` counts them. Times are UTC.
    """

    id: str
    title: str
    created_at: str
    updated_at: str
    turns: int
    owner: str = ""


@dataclass(frozen=True, slots=True)
class KeptConversation:
    """A conversation with its turns, oldest first; no other ever has its `key`."""

    key: int
    summary: ConversationSummary
    turns: tuple[KeptTurn, ...]


class ConversationRecords:
    """The conversations of one library. Each change is on disk when its method returns.

    An id is its owner's own: others may have the same. An empty owner is whoever reaches the
    service, where it asks for no keys.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    def summaries(
        self, limit: int | None = None, offset: int = 0, owner: str | None = None
    ) -> list[ConversationSummary]:
        """From the one that was last gone on with, all of them without a `limit`.

        Those of an `owner`, or everybody's.
        """
        newest = (conversations.c.updated_at.desc(), conversations.c.key.desc())
        query = _of(_summaries(), owner).order_by(*newest).limit(limit).offset(offset)
        with self._library.engine.connect() as connection:
            return [_summary(row) for row in connection.execute(query)]

    def count(self, owner: str | None = None) -> int:
        query = _of(sa.select(sa.func.count()).select_from(conversations), owner)
        with self._library.engine.connect() as connection:
            return connection.scalar(query) or 0

    def owners_of(self, conversation_id: str) -> list[str]:
        """Who has a conversation of that id."""
        query = sa.select(conversations.c.owner).where(conversations.c.id == conversation_id)
        with self._library.engine.connect() as connection:
            return list(connection.scalars(query.order_by(conversations.c.owner)))

    def find(
        self, conversation_id: str, last: int = MAX_TURNS, owner: str = ""
    ) -> KeptConversation:
        """The conversation with its `last` turns. Raises ConversationNotFoundError."""
        with self._library.engine.connect() as connection:
            is_it = _is(conversation_id, owner)
            row = connection.execute(_summaries().where(is_it)).one_or_none()
            if row is None:
                raise _not_found(conversation_id)
            of_it = turns.c.conversation_key == row.key
            query = sa.select(turns).where(of_it).order_by(turns.c.id.desc()).limit(last)
            newest = connection.execute(query).all()
            cited: dict[int, list[KeptCitation]] = {turn.id: [] for turn in newest}
            query = sa.select(turn_citations).where(turn_citations.c.turn_id.in_(cited))
            for citation in connection.execute(query.order_by(turn_citations.c.number)):
                cited[citation.turn_id].append(_citation(citation))
        kept = tuple(_turn(turn, cited[turn.id]) for turn in reversed(newest))
        return KeptConversation(row.key, _summary(row), kept)

    def add(  # noqa: PLR0913, PLR0917 - a turn, and the conversation that it may begin
        self,
        conversation_id: str,
        key: int | None,
        turn: KeptTurn,
        title: str,
        waits: float,
        owner: str = "",
    ) -> bool:
        """Adds a turn to the conversation of that `key`; without one, to a new one of that `title`,
        or to the one that another has begun meanwhile under the same id.

        False, and nothing is changed, when it has been deleted, or has MAX_TURNS. Raises
        LibraryError when it cannot be written now, after so many seconds that another writes.
        """
        known = sa.select(conversations.c.key).where(_is(conversation_id, owner))
        with self._library.transaction(waits) as connection:
            found = connection.scalar(known)
            if found is None and key is None:
                found = _begin(connection, conversation_id, owner, title, turn.asked_at)
            elif found is None or key not in (None, found):
                return False
            of_it = turns.c.conversation_key == found
            count = sa.select(sa.func.count()).select_from(turns).where(of_it)
            if (connection.scalar(count) or 0) >= MAX_TURNS:
                return False
            is_it = conversations.c.key == found
            connection.execute(
                sa.update(conversations).where(is_it).values(updated_at=turn.asked_at)
            )
            _insert(connection, found, turn)
        return True

    def rename(self, conversation_id: str, title: str, owner: str = "") -> ConversationSummary:
        """Raises ConversationNotFoundError, or LibraryError when it cannot be written."""
        is_it = _is(conversation_id, owner)
        with self._library.transaction() as connection:
            connection.execute(sa.update(conversations).where(is_it).values(title=title))
            row = connection.execute(_summaries().where(is_it)).one_or_none()
            if row is not None:
                self._note(connection, Action.CONVERSATION_RENAMED, conversation_id, owner)
        if row is None:
            raise _not_found(conversation_id)
        return _summary(row)

    def delete(self, conversation_id: str, owner: str = "") -> None:
        """Deletes and overwrites it. Raises ConversationNotFoundError, or LibraryError."""
        is_it = _is(conversation_id, owner)
        with self._library.transaction() as connection:
            deleted = connection.execute(sa.delete(conversations).where(is_it))
            if deleted.rowcount:
                self._note(connection, Action.CONVERSATION_DELETED, conversation_id, owner)
        if not deleted.rowcount:
            raise _not_found(conversation_id)
        self._library.empty_log()

    def forget_before(self, moment: str) -> int:
        """Deletes what was not gone on with since `moment`; how many conversations they were."""
        return delete_before(self._library, conversations.c.updated_at, moment)

    def _note(
        self, connection: sa.Connection, action: Action, conversation_id: str, owner: str
    ) -> None:
        """Notes what somebody else does than whose the conversation is."""
        caller = actor().caller
        if caller is COMMAND_LINE or caller.id != owner:
            Audit(self._library).note(
                action, conversation_id, {"owner": owner}, connection=connection
            )


def _is(conversation_id: str, owner: str) -> sa.ColumnElement[bool]:
    return sa.and_(conversations.c.owner == owner, conversations.c.id == conversation_id)


def _of(query: sa.Select[Any], owner: str | None) -> sa.Select[Any]:
    return query if owner is None else query.where(conversations.c.owner == owner)


def _summaries() -> sa.Select[Any]:
    of_it = turns.c.conversation_key == conversations.c.key
    count = sa.select(sa.func.count(turns.c.id)).where(of_it).scalar_subquery()
    return sa.select(conversations, count.label("turns"))


def _begin(
    connection: sa.Connection, conversation_id: str, owner: str, title: str, moment: str
) -> int:
    row = {
        "id": conversation_id,
        "owner": owner,
        "title": title,
        "created_at": moment,
        "updated_at": moment,
    }
    begun = sa.insert(conversations).returning(conversations.c.key)
    key: int = connection.execute(begun, row).scalar_one()
    return key


def _insert(connection: sa.Connection, conversation_key: int, turn: KeptTurn) -> None:
    row = {name: value for name, value in asdict(turn).items() if name != "citations"}
    added = sa.insert(turns).returning(turns.c.id)
    row["conversation_key"] = conversation_key
    turn_id = connection.execute(added, row).scalar_one()
    if turn.citations:
        connection.execute(
            sa.insert(turn_citations), [_citation_row(turn_id, item) for item in turn.citations]
        )


def _citation_row(turn_id: int, citation: KeptCitation) -> dict[str, Any]:
    short_start, short_end = citation.short_answer or (None, None)
    return {
        "turn_id": turn_id,
        "number": citation.number,
        **asdict(citation.span),
        "short_start": short_start,
        "short_end": short_end,
    }


def _citation(row: Any) -> KeptCitation:
    span = CitedSpan(row.document_id, row.content_hash, row.start, row.end)
    short = None if row.short_start is None else (row.short_start, row.short_end)
    return KeptCitation(row.number, span, short)


def _turn(row: Any, citations: Iterable[KeptCitation]) -> KeptTurn:
    return KeptTurn(row.asked_at, row.question, row.answered, row.documents, tuple(citations))


def _summary(row: Any) -> ConversationSummary:
    return ConversationSummary(
        row.id, row.title, row.created_at, row.updated_at, row.turns, row.owner
    )


def _not_found(conversation_id: str) -> ConversationNotFoundError:
    return ConversationNotFoundError(
        f"there is no conversation {conversation_id!r}; it may have been deleted, or forgotten "
        "after KILDESVAR_KEEP_CONVERSATIONS_DAYS days. GET /v1/conversations lists those that "
        "there are."
    )
