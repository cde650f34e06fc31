"""Editions of a library's passages: the one that is searched, the one before, and the one to come.

They stand in the library's state, each within the transaction of its caller. A number is never used
twice: what was made of an edition elsewhere would be taken for what is made of another.
"""

import json
from collections.abc import Collection
from dataclasses import asdict

import sqlalchemy as sa

from index.changes import set_state
from index.queries import edition_of, state_of
from index.records import Edition
from index.tables import passages

_NEXT, _NEXT_RECIPE, _LAST, _KEPT = "next_edition", "next_recipe", "last_edition", "kept_edition"


def next_edition_of(connection: sa.Connection) -> Edition | None:
    """The one that was begun, if one is."""
    recipe = state_of(connection, _NEXT_RECIPE)
    if recipe is None:
        return None
    # Earlier versions noted no number, and took the next one.
    return Edition(int(state_of(connection, _NEXT) or edition_of(connection) + 1), recipe)


def set_next_edition(connection: sa.Connection, edition: Edition | None) -> None:
    set_state(connection, _NEXT_RECIPE, edition.recipe if edition else None)
    set_state(connection, _NEXT, str(edition.number) if edition else None)
    if edition is not None:
        last = max(edition.number, last_edition_of(connection))
        set_state(connection, _LAST, str(last))


def last_edition_of(connection: sa.Connection) -> int:
    """The highest number that any had."""
    return max(edition_of(connection), int(state_of(connection, _LAST) or 0))


def kept_edition_of(connection: sa.Connection) -> Edition | None:
    """The one that was searched before, if its passages are kept."""
    text = state_of(connection, _KEPT)
    return Edition(**json.loads(text)) if text else None


def set_kept_edition(connection: sa.Connection, edition: Edition) -> None:
    set_state(connection, _KEPT, json.dumps(asdict(edition)))


def forget_kept_edition(connection: sa.Connection, kept: Collection[int]) -> None:
    """Forgets the one before, unless it is among the editions that are kept."""
    before = kept_edition_of(connection)
    if before is not None and before.number not in kept:
        set_state(connection, _KEPT, None)


def give_up_next_edition(connection: sa.Connection) -> None:
    """Deletes what was begun, if anything was; but what is kept stays as it is."""
    begun, kept = next_edition_of(connection), kept_edition_of(connection)
    if begun is None:
        return
    if kept is None or kept.number != begun.number:
        connection.execute(sa.delete(passages).where(passages.c.edition == begun.number))
    set_next_edition(connection, None)
