"""The outbox: what of the library an index elsewhere does not know yet.

Each change writes a row for every document that it touches, in its own transaction, as long as an
index follows. Who follows makes the index say of those documents what the library says of them now,
and then takes away the very rows that it has seen: killed before that, it does so again.
"""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import sqlalchemy as sa

from index.changes import FOLLOWED, mark, set_state
from index.facets import Facts
from index.library import Library
from index.lock import IsHeld
from index.queries import batches, facts, facts_of, state_of
from index.tables import outbox, passages, state

LAST = 2**62
"""Beyond every id."""

SEARCHED = "searched"
"""Name of the state that says what of the library is in the index that follows."""

FORMER = "former"
"""Name of the state that says which identities the library had before it was restored, and whether
what was searched under each is nobody's any more."""

_APPLIED = "applied"
"""Name of the state that has the highest row that was ever taken away."""


@dataclass(frozen=True, slots=True)
class Row:
    """A document that changed; the later the change, the higher the row's id."""

    id: int
    document_id: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows wait, for how many seconds the oldest has, and of which document that is."""

    rows: int
    seconds: float
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A passage that an index should have, and what is known of its document."""

    passage_id: int
    facts: Facts


class Outbox:
    """The outbox of one library, and what an index should have of it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._engine = library.engine

    def follower(self) -> str | None:
        """What follows the library, as it was said to `begin`; None when nothing does."""
        with self._engine.connect() as connection:
            return state_of(connection, FOLLOWED)

    def begin(self, follower: str) -> None:
        """From now on every change is noted here, for that follower and no other."""
        if self.follower() != follower:
            with self._library.transaction() as connection:
                set_state(connection, FOLLOWED, follower)
                # What another has will no longer be followed: it would be trusted later.
                set_state(connection, SEARCHED, None)

    def end(self) -> None:
        """Nothing follows any more. What waits is forgotten, and what was searched."""
        if self.follower() is None:
            return
        with self._library.transaction() as connection:
            last = connection.scalar(sa.select(sa.func.max(outbox.c.id))) or 0
            applied = int(state_of(connection, _APPLIED) or 0)
            set_state(connection, _APPLIED, str(max(last, applied)))  # versions never go back
            connection.execute(sa.delete(outbox))
            connection.execute(sa.delete(state).where(state.c.name.in_([FOLLOWED, SEARCHED])))

    def following(self) -> AbstractContextManager[IsHeld | None]:
        """Whether it is held still, for the one that follows, as long as it lasts; others pass."""
        return self._library.following()

    def version(self) -> int:
        """The last change that can be seen.

        Whoever reads this, and then what the library says of a document, knows all changes of it up
        to this one. So what is written to an index under a higher version is never older.
        """
        last = sa.select(sa.func.max(outbox.c.id)).scalar_subquery()
        with self._engine.connect() as connection:
            applied = int(state_of(connection, _APPLIED) or 0)
            # In this order: a row that is taken away between the two raised the other.
            waiting: int = connection.scalar(sa.select(sa.func.coalesce(last, 0))) or 0
            return max(waiting, applied, int(state_of(connection, _APPLIED) or 0))

    def raise_version(self) -> None:
        """Counts a change that is none: what is written from now on goes before whatever somebody
        else has done to the index."""
        none = {"document_id": "", "marked_at": time.time()}
        with self._library.transaction() as connection:
            [number] = connection.execute(sa.insert(outbox), none).inserted_primary_key or (0,)
            connection.execute(sa.delete(outbox).where(outbox.c.id == number))
            set_state(connection, _APPLIED, str(number))

    def mark(self, document_ids: Collection[str]) -> None:
        """Has those documents be followed, as though they had changed."""
        with self._library.transaction() as connection:
            mark(connection, document_ids)

    def rows(self, limit: int, but_not: Collection[str] = ()) -> list[Row]:
        """Those that have waited longest, in the order of the changes; `but_not` are documents that
        are left out."""
        query = sa.select(outbox.c.id, outbox.c.document_id).order_by(outbox.c.id).limit(limit)
        query = query.where(outbox.c.document_id.not_in(but_not))
        with self._engine.connect() as connection:
            return [Row(*row) for row in connection.execute(query)]

    def waiting(self) -> Waiting:
        query = sa.select(sa.func.count(), sa.func.min(outbox.c.marked_at)).select_from(outbox)
        with self._engine.connect() as connection:
            rows, oldest = connection.execute(query).one()
            first = sa.select(outbox.c.document_id).order_by(outbox.c.id).limit(1)
            document_id = connection.scalar(first)
        return Waiting(rows, max(0.0, time.time() - oldest) if rows else 0.0, document_id)

    def is_empty(self) -> bool:
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(outbox.c.id).limit(1)) is None

    def awaited(self, document_ids: Collection[str]) -> set[str]:
        """Those of the documents for which a row waits."""
        found: set[str] = set()
        with self._engine.connect() as connection:
            for some in batches(sorted(document_ids)):
                query = sa.select(outbox.c.document_id).where(outbox.c.document_id.in_(some))
                found.update(connection.scalars(query))
        return found

    def acknowledge(self, rows: Sequence[Row], note: Callable[[sa.Connection, bool], None]) -> None:
        """Takes away those rows and no others; with `note` what is to be written with that.

        It is given the transaction, and whether no row waits any more.
        """
        with self._library.transaction() as connection:
            for some in batches([row.id for row in rows]):
                connection.execute(sa.delete(outbox).where(outbox.c.id.in_(some)))
            if rows:
                last = max(int(state_of(connection, _APPLIED) or 0), rows[-1].id)
                set_state(connection, _APPLIED, str(last))
            note(connection, connection.scalar(sa.select(outbox.c.id).limit(1)) is None)

    def standing(self, document_ids: Sequence[str], edition: int) -> list[Standing]:
        """The passages of an edition that those documents have now, in the order of their ids."""
        of_each: list[tuple[int, str]] = []
        with self._engine.connect() as connection:
            for some in batches(document_ids):
                of_some = passages.c.document_id.in_(some)
                query = _passages().where(of_some, passages.c.edition == edition)
                of_each += [(row.id, row.document_id) for row in connection.execute(query)]
            return _standing(connection, sorted(of_each))

    def standing_after(self, last: int, edition: int, limit: int) -> tuple[list[Standing], int]:
        """The next passages of an edition after the one with id `last`, and the id up to which
        these are all; LAST when no more come."""
        # By the ids themselves: by an index of editions, all that is left would be sorted anew.
        of_edition = passages.c.edition + 0 == edition
        query = _passages().where(passages.c.id > last, of_edition)
        query = query.order_by(passages.c.id).limit(limit)
        with self._engine.connect() as connection:
            of_each = [(row.id, row.document_id) for row in connection.execute(query)]
            end = of_each[-1][0] if len(of_each) == limit else LAST
            return _standing(connection, of_each), end


def _passages() -> sa.Select[tuple[int, str]]:
    return sa.select(passages.c.id, passages.c.document_id)


def _standing(connection: sa.Connection, of_each: Sequence[tuple[int, str]]) -> list[Standing]:
    known: dict[str, Facts] = {}
    for some in batches(sorted({document_id for _, document_id in of_each})):
        known.update(facts_of(connection.execute(facts(), {"ids": some})))
    # What was deleted between the two questions has left a row that says so.
    return [Standing(i, known[document_id]) for i, document_id in of_each if document_id in known]
