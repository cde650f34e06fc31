"""What the library holds, in numbers: counted by the database, from its indexes alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from index.collection_names import Readable
from index.library import Library
from index.queries import count_of_passages, day_of_document, edition_of, readable
from index.tables import documents, left_out, passages, sources

_STEP = 200
_STEPS = 10
"""Passages are counted by length in so many steps of so many letters, and one for the rest."""

_MOST_FOLDERS = 100

_Conditions = Sequence[sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Count:
    """How many documents have a value."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class LengthCount:
    """How many passages are of `at_least` letters and of fewer than `below`; None has no end."""

    at_least: int
    below: int | None
    count: int


@dataclass(frozen=True, slots=True)
class LibraryStatistics:
    """`pages` are those of documents that have pages; `by_folder` has the fullest folders only."""

    documents: int
    passages: int
    pages: int
    by_type: list[Count]
    by_language: list[Count]
    by_year: list[Count]
    by_folder: list[Count]
    passage_lengths: list[LengthCount]
    left_out: int


def library_statistics(library: Library, uploads_dir: Path) -> LibraryStatistics:
    """What `library` holds now. All uploads count as one folder, though each lies in its own.

    Values come from the most frequent to the rarest, years from the first to the last.
    """
    within = readable(library.readable)
    with library.engine.connect() as connection:
        edition = edition_of(connection)
        year = sa.func.substr(day_of_document(), 1, 4)
        numbers = sa.select(sa.func.count(), sa.func.sum(documents.c.pages))
        count, pages = connection.execute(numbers.select_from(documents).where(*within)).one()
        return LibraryStatistics(
            documents=count,
            passages=connection.scalar(count_of_passages(edition, library.readable)) or 0,
            pages=pages or 0,
            by_type=_most_first(_counted(connection, documents.c.media_type, within)),
            by_language=_most_first(_counted(connection, documents.c.language, within)),
            by_year=sorted(_counted(connection, year, within), key=lambda count: count.value),
            by_folder=_most_first(_by_folder(connection, uploads_dir, within))[:_MOST_FOLDERS],
            passage_lengths=_lengths(connection, edition, within),
            left_out=_left_out(connection, library.readable),
        )


def _counted(
    connection: sa.Connection, value: sa.ColumnElement[str], within: _Conditions
) -> list[Count]:
    query = sa.select(value, sa.func.count()).select_from(documents).where(*within)
    query = query.group_by(value)
    return [Count(*row) for row in connection.execute(query)]


def _by_folder(connection: sa.Connection, uploads_dir: Path, within: _Conditions) -> list[Count]:
    """Documents by the folder of their files, under the names that filters take."""
    path: sa.ColumnElement[str] = sources.c.path
    uploads = f"{uploads_dir}/"
    # Without all letters at its end that are no «/»: what remains is the folder.
    parent = sa.func.rtrim(path, sa.func.replace(path, "/", ""))
    is_upload = sa.func.substr(path, 1, len(uploads)) == uploads
    folder = sa.case((is_upload, uploads), else_=parent)
    number = sa.func.count(sa.distinct(sources.c.document_id))
    query = sa.select(folder, number).group_by(folder)
    if within:
        query = query.where(sources.c.document_id.in_(sa.select(documents.c.id).where(*within)))
    rows = connection.execute(query)
    return [Count(name.rstrip("/") or "/", count) for name, count in rows]


def _lengths(connection: sa.Connection, edition: int, within: _Conditions) -> list[LengthCount]:
    """Every step, also those in which there is no passage."""
    step: sa.ColumnElement[Any] = (passages.c.end - passages.c.start) // _STEP
    step = sa.case((step > _STEPS, _STEPS), else_=step)
    query = sa.select(step, sa.func.count()).where(passages.c.edition == edition)
    if within:
        query = query.where(passages.c.document_id.in_(sa.select(documents.c.id).where(*within)))
    query = query.group_by(step)
    found: dict[int, int] = {row[0]: row[1] for row in connection.execute(query)}
    return [
        LengthCount(at * _STEP, (at + 1) * _STEP if at < _STEPS else None, found.get(at, 0))
        for at in range(_STEPS + 1)
    ]


def _left_out(connection: sa.Connection, collections: Readable) -> int:
    query = sa.select(sa.func.count()).select_from(left_out)
    if collections is not None:
        query = query.where(left_out.c.collection.in_(sorted(collections)))
    return connection.scalar(query) or 0


def _most_first(counts: Sequence[Count]) -> list[Count]:
    return sorted(counts, key=lambda count: (-count.count, count.value))
