"""What is read from the library's tables: the queries, and what becomes of their rows."""

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, takewhile
from typing import Any

import numpy as np
import sqlalchemy as sa

from index.collection_names import Readable
from index.documents import BlockKind
from index.facets import Facts
from index.functions import alphabetical, folded, row_of
from index.passages import Span
from index.records import (
    CitedExcerpt,
    CitedSpan,
    Filters,
    IndexedPassage,
    LeftOut,
    Listing,
    Sort,
    Source,
    StoredDocument,
    StoredPassage,
)
from index.tables import documents, left_out, passages, sources, state, vectors
from index.text import folded as folded_text
from index.units import Unit, UnitKind

_SQL_VARIABLES = 500
"""How many values go into one IN list: well below every database's limit."""
_PLACES_AT_ONCE = 100
"""How many go into one condition: three values each."""
_AFTER_SEPARATOR = chr(ord(os.sep) + 1)

_SOURCE_FIELDS = ("path", "size", "modified_ns", "file_hash", "readers")
SOURCE_COLUMNS = tuple(sources.c[name] for name in _SOURCE_FIELDS)
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
LEFT_OUT_COLUMNS = tuple(left_out.c[name] for name in (*_SOURCE_FIELDS, "reason", "collection"))


def lying_in(
    path: sa.Column[str], places: Sequence[str] | None
) -> Iterator[list[sa.ColumnElement[bool]]]:
    """Conditions that the files meet, one after the other, which are one of `places` or lie in one;
    None for all files."""
    if places is None:
        yield []
        return
    for some in batches(places, _PLACES_AT_ONCE):
        inside = [place.rstrip(os.sep) + os.sep for place in some]
        # Paths are compared letter by letter, so that the index of the paths has them together.
        within = [(path >= start) & (path < start[:-1] + _AFTER_SEPARATOR) for start in inside]
        yield [sa.or_(path.in_(some), *within)]


def left_out_file(row: Sequence[Any]) -> LeftOut:
    """Of the LEFT_OUT_COLUMNS."""
    return LeftOut(Source(*row[:-2]), *row[-2:])


def revision_of(connection: sa.Connection) -> int:
    return int(state_of(connection, "revision") or 0)


def edition_of(connection: sa.Connection) -> int:
    return int(state_of(connection, "edition") or 1)


def state_of(connection: sa.Connection, name: str) -> str | None:
    return connection.scalar(sa.select(state.c.value).where(state.c.name == name))


def document_of(connection: sa.Connection, path: str) -> str | None:
    return connection.scalar(sa.select(sources.c.document_id).where(sources.c.path == path))


def collection_of(connection: sa.Connection, document_id: str) -> str:
    query = sa.select(documents.c.collection).where(documents.c.id == document_id)
    return str(connection.scalar(query))


def source_column() -> sa.ColumnElement[str]:
    return _source().label("source")


def _source() -> sa.ColumnElement[str]:
    """A document's web address, or else the path of its first file."""
    first_path = (
        sa.select(sa.func.min(sources.c.path))
        .where(sources.c.document_id == documents.c.id)
        .correlate(documents)
        .scalar_subquery()
    )
    return sa.func.coalesce(documents.c.source_url, first_path)


def passages_column() -> sa.ColumnElement[int]:
    """How many passages a document has in the edition that is searched."""
    edition = sa.select(sa.cast(state.c.value, sa.Integer)).where(state.c.name == "edition")
    return (
        count_of_passages(sa.func.coalesce(edition.scalar_subquery(), 1))
        .where(passages.c.document_id == documents.c.id)
        .correlate(documents)
        .scalar_subquery()
    )


def is_listed(listing: Listing) -> list[sa.ColumnElement[bool]]:
    """That each word of `listing` stands in a document's title, or in its source."""
    if not listing.words:
        return []
    of_document = sources.c.document_id == documents.c.id
    first_path = sa.select(folded(sources.c.path)).where(of_document).order_by(sources.c.path)
    first_path = first_path.limit(1).correlate(documents)
    source = sa.func.coalesce(folded(documents.c.source_url), first_path.scalar_subquery())
    text = folded(documents.c.title) + "\n" + source
    return [text.contains(folded_text(word), autoescape=True) for word in listing.words]


def order_of(listing: Listing) -> list[sa.ColumnElement[Any]]:
    """What `listing` sorts by, then title, then id: the order is the same each time."""
    title = alphabetical(documents.c.title)
    by: sa.ColumnElement[Any] = {
        Sort.TITLE: title,
        Sort.DATE: day_of_document(),
        Sort.UPDATED: documents.c.updated_at,
        Sort.PASSAGES: passages_column(),
    }[listing.sort]
    return [by.desc() if listing.descending else by, title, documents.c.id]


def summary() -> sa.Select[Any]:
    return sa.select(
        documents.c.id,
        documents.c.collection,
        documents.c.title,
        source_column(),
        documents.c.media_type,
        documents.c.language,
        documents.c.pages,
        documents.c.content_hash,
        documents.c.updated_at,
        documents.c.author,
        documents.c.date,
        documents.c.notices,
        passages_column().label("passages"),
    )


def count_of_passages(edition: Any, collections: Readable = None) -> sa.Select[Any]:
    query = sa.select(sa.func.count(passages.c.id)).where(passages.c.edition == edition)
    if collections is None:
        return query
    within = sa.select(documents.c.id).where(*readable(collections))
    return query.where(passages.c.document_id.in_(within))


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in a document: its text, where it begins, and the spans of its headings."""

    text: str = ""
    start: int = 0
    headings: tuple[Span, ...] = ()


class LastWritten:
    """What stands in documents by id, of which the last is kept."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._id, self._written = "", Written()

    def __call__(self, document_id: str) -> Written:
        if document_id != self._id:
            query = sa.select(documents.c.text, documents.c.blocks)
            of_document = query.where(documents.c.id == document_id)
            row = self._connection.execute(of_document).one_or_none()
            self._id, self._written = document_id, _written(*row) if row else Written()
        return self._written


def _written(text: str, blocks: Sequence[Sequence[Any]]) -> Written:
    headings = tuple((b[1], b[2]) for b in blocks if b[0] == BlockKind.HEADING)
    return Written(text, min((block[1] for block in blocks), default=0), headings)


def indexed(ids: Sequence[int], fingerprint: str) -> sa.Select[Any]:
    return (
        sa.select(
            passages.c.id,
            passages.c.document_id,
            documents.c.title,
            passages.c.heading_path,
            passages.c.start,
            passages.c.end,
            passages.c.lead_start,
            passages.c.lead_end,
            vectors.c.vector,
        )
        .join(documents, documents.c.id == passages.c.document_id)
        .join(
            vectors,
            sa.and_(vectors.c.key == passages.c.vector_key, vectors.c.fingerprint == fingerprint),
        )
        .where(passages.c.id.in_(ids))
        .order_by(passages.c.id)
    )


def indexed_passage(row: Any, written: Written) -> IndexedPassage:
    text = written.text
    first = bisect_left(written.headings, (row.start, 0))
    inside = takewhile(lambda span: span[1] <= row.end, written.headings[first:])
    lead_in = text[row.lead_start : row.lead_end] if row.lead_start is not None else ""
    return IndexedPassage(
        id=row.id,
        document_id=row.document_id,
        title=row.title,
        heading_path=tuple(row.heading_path),
        lead_in=lead_in,
        text=text[row.start : row.end],
        vector=np.frombuffer(row.vector, dtype="<f4"),
        headings=tuple(" ".join(text[start:end].split()) for start, end in inside),
        opens=row.start <= written.start,
    )


def slice_of(start: sa.ColumnElement[int], end: sa.ColumnElement[int]) -> Any:
    """`text[start:end]`: SQL counts code points from 1, in SQLite as in PostgreSQL."""
    return sa.func.substr(documents.c.text, start + 1, end - start)


# Asked for each search: to build these anew would take a third of the time of asking.


@cache
def documents_of() -> sa.Select[Any]:
    """The document of each passage of `ids`."""
    return sa.select(passages.c.id, passages.c.document_id).where(passages.c.id.in_(_IDS))


@cache
def hydrated() -> sa.Select[Any]:
    """All of the passages of `ids` but their words."""
    return (
        sa.select(
            passages.c.id,
            passages.c.document_id,
            documents.c.collection,
            documents.c.title,
            source_column(),
            documents.c.content_hash,
            documents.c.language,
            documents.c.media_type,
            documents.c.date,
            documents.c.updated_at,
            passages.c.heading_path,
            passages.c.page,
            passages.c.start,
            passages.c.end,
            passages.c.lead_start,
            passages.c.lead_end,
            passages.c.units,
        )
        .join(documents, documents.c.id == passages.c.document_id)
        .where(passages.c.id.in_(_IDS))
    )


@cache
def hydrated_with_words() -> sa.Select[Any]:
    """The same with the words: a document's text is read anew for each of its passages."""
    return hydrated().add_columns(
        slice_of(passages.c.start, passages.c.end).label("text"),
        slice_of(passages.c.lead_start, passages.c.lead_end).label("lead_in"),
    )


@cache
def wordings() -> sa.Select[Any]:
    """Id, document, title, start and words of the passages `ids`."""
    return (
        sa.select(
            passages.c.id,
            passages.c.document_id,
            documents.c.title,
            passages.c.start,
            slice_of(passages.c.start, passages.c.end),
        )
        .join(documents, documents.c.id == passages.c.document_id)
        .where(passages.c.id.in_(_IDS))
    )


@cache
def id_ranges() -> sa.Select[Any]:
    """For each edition of each document of `ids`, its first passage and its last, and how many."""
    ids = passages.c.id
    return (
        sa.select(passages.c.document_id, sa.func.min(ids), sa.func.max(ids), sa.func.count())
        .where(passages.c.document_id.in_(_IDS))
        .group_by(passages.c.document_id, passages.c.edition)
    )


@cache
def texts_of() -> sa.Select[Any]:
    """The texts of the documents `ids`."""
    return sa.select(documents.c.id, documents.c.text).where(documents.c.id.in_(_IDS))


@cache
def facts() -> sa.Select[Any]:
    """A row for each file of the documents `ids`."""
    return (
        sa.select(
            documents.c.id,
            documents.c.collection,
            documents.c.title,
            documents.c.language,
            documents.c.media_type,
            day_of_document(),
            sources.c.path,
        )
        .join(sources, sources.c.document_id == documents.c.id)
        .where(documents.c.id.in_(_IDS))
        .order_by(documents.c.id, sources.c.path)
    )


@cache
def passage_vectors() -> sa.Select[Any]:
    """The vectors of the passages `ids`, of the model with that `fingerprint`."""
    return (
        sa.select(passages.c.id, vectors.c.vector)
        .join(vectors, vectors.c.key == passages.c.vector_key)
        .where(vectors.c.fingerprint == sa.bindparam("fingerprint"), passages.c.id.in_(_IDS))
    )


@cache
def unit_vectors() -> sa.Select[Any]:
    """The vectors of the units of the passages `ids`, of the model with that `fingerprint`."""
    return (
        sa.select(passages.c.id, vectors.c.units, sa.func.length(vectors.c.vector))
        .join(vectors, vectors.c.key == passages.c.vector_key)
        .where(vectors.c.fingerprint == sa.bindparam("fingerprint"), passages.c.id.in_(_IDS))
    )


def facts_of(rows: Iterable[Any]) -> dict[str, Facts]:
    """What the rows say of each document, by its id."""
    found = {}
    for of_document, same in groupby(rows, key=lambda row: row[:-1]):
        paths = tuple(path for *_, path in same)
        document_id, collection, title, language, media_type, day = of_document
        found[document_id] = Facts(document_id, collection, title, language, media_type, day, paths)
    return found


def cited_documents(places: bool) -> sa.Select[Any]:
    """All of a document's text at once: each slice in the database would read it anew."""
    # Without pages there is no block to be looked at.
    needed = sa.and_(documents.c.pages.is_not(None), sa.literal(places))
    return sa.select(
        documents.c.id,
        documents.c.content_hash,
        documents.c.title,
        source_column(),
        documents.c.text,
        sa.case((needed, documents.c.blocks)).label("blocks"),
    )


def headings_at(document_id: str, start: int, edition: int) -> sa.Select[Any]:
    """The heading path of the passage that holds place `start` of a document."""
    query = sa.select(passages.c.heading_path).where(
        passages.c.document_id == document_id,
        passages.c.edition == edition,
        passages.c.start <= start,
        passages.c.end > start,
    )
    return query.limit(1)


def cited_excerpt(row: Any, span: CitedSpan, headings: Sequence[str]) -> CitedExcerpt:
    return CitedExcerpt(
        text=row.text[span.start : span.end],
        title=row.title,
        source=row.source,
        page=page_at(row.blocks or [], span.start),
        heading_path=tuple(headings),
    )


def page_at(blocks: Sequence[Sequence[Any]], at: int) -> int | None:
    """Page of the last of the stored blocks that begins before, or at, place `at`."""
    before = bisect_right(blocks, at, key=lambda block: block[1])
    page: int | None = blocks[before - 1][4] if before else None
    return page


def stored_document(row: Any) -> StoredDocument:
    return StoredDocument(**{**row, "notices": tuple(row["notices"])})


def stored_passage(row: Any, text: str, lead_in: str | None) -> StoredPassage:
    return StoredPassage(
        id=row.id,
        document_id=row.document_id,
        collection=row.collection,
        title=row.title,
        source=row.source,
        content_hash=row.content_hash,
        language=row.language,
        media_type=row.media_type,
        date=row.date,
        updated_at=row.updated_at,
        heading_path=tuple(row.heading_path),
        page=row.page,
        start=row.start,
        end=row.end,
        text=text,
        lead_in=lead_in or "",
        lead_start=row.lead_start,
        units=tuple(Unit(UnitKind(kind), start, end) for kind, start, end in row.units),
    )


def readable(collections: Readable) -> list[sa.ColumnElement[bool]]:
    """That a document is in one of the collections that may be read."""
    return [] if collections is None else [documents.c.collection.in_(sorted(collections))]


def conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.collection:
        conditions.append(documents.c.collection.in_(filters.collection))
    if filters.document:
        conditions.append(documents.c.id.in_(filters.document))
    if filters.folder:
        prefixes = [folder.rstrip("/") + "/" for folder in filters.folder]
        # Not LIKE, which takes «A» for «a» in SQLite.
        under = [sa.func.substr(sources.c.path, 1, len(p)) == p for p in prefixes]
        inside = sa.select(sources.c.document_id).where(sa.or_(*under))
        conditions.append(documents.c.id.in_(inside))
    stated = _stated(filters)
    if stated is not None:
        conditions.append(stated)
    return conditions


def _stated(filters: Filters) -> sa.ColumnElement[bool] | None:
    """What `filters` say of the columns behind a document's text; None when that is nothing.

    To come to those all of the text would be read, but for the index that has them; and in SQLite
    only a query for nothing else goes by that.
    """
    listed = documents.alias("listed")
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.language:
        conditions.append(listed.c.language.in_(filters.language))
    if filters.media_type:
        conditions.append(listed.c.media_type.in_(filters.media_type))
    if filters.dated_from:
        conditions.append(day_of_document(listed) >= filters.dated_from)
    if filters.dated_to:
        conditions.append(day_of_document(listed) <= filters.dated_to)
    if not conditions:
        return None
    return row_of(documents.c.id).in_(sa.select(row_of(listed.c.id)).where(*conditions))


def day_of_document(table: sa.FromClause = documents) -> sa.ColumnElement[str]:
    """The ISO day that a document states, or else the day on which it was updated."""
    return sa.func.coalesce(table.c.date, sa.func.substr(table.c.updated_at, 1, 10))


def batches(values: Sequence[Any], size: int = _SQL_VARIABLES) -> Iterator[Sequence[Any]]:
    for at in range(0, len(values), size):
        yield values[at : at + size]
