"""The library: documents, their sources, passages and vectors. The one thing never to be lost.

Every change is one transaction, acknowledged when it is on disk (WAL with full sync). Whatever
else there is (FAISS file, lexical index) is derived from here and can be made again.
"""

import contextlib
import secrets
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from index.documents import Block, BlockKind, Document
from index.embedding.encoder import Matrix, Vector
from index.errors import DocumentNotFoundError, LibraryError, OriginalGoneError
from index.files import sha256_of
from index.passages import Passage
from index.schema import is_up_to_date, migrate
from index.tables import documents, left_out, passages, sources, state, vectors
from index.units import Unit, UnitKind

_SQL_VARIABLES = 500
"""How many values go into one IN list: well below every database's limit."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that a document was read from, and what tells whether it changed since."""

    path: str
    size: int
    modified_ns: int
    file_hash: str


_SOURCE_COLUMNS = (sources.c.path, sources.c.size, sources.c.modified_ns, sources.c.file_hash)


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage on its way in: its evidence units, and the key of its vector in the cache."""

    passage: Passage
    units: tuple[Unit, ...]
    vector_key: str


@dataclass(frozen=True, slots=True)
class Vectors:
    """What the embedding model made of a passage: float32[d], and float32[n, d] of its n units."""

    passage: Vector
    units: Matrix


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of the library. `source` is its web address, else the path of its file."""

    id: str
    title: str
    source: str
    media_type: str
    language: str
    pages: int | None
    content_hash: str
    updated_at: str
    passages: int
    author: str | None = None
    date: str | None = None
    notices: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    blocks: tuple[Block, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with all that a hit, an answer and a citation say of it.

    `start` and `end` are offsets in the document's text, and `text` is that very slice. The spans
    of `units` are offsets in the document too.
    """

    id: int
    document_id: str
    title: str
    source: str
    content_hash: str
    language: str
    heading_path: tuple[str, ...]
    page: int | None
    start: int
    end: int
    text: str
    lead_in: str
    lead_start: int | None
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The words at a span of a document, the hash of the text that they were taken from, and the
    page on which they begin."""

    text: str
    content_hash: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is limited to; an empty field does not limit. Dates are ISO days, inclusive."""

    document: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    media_type: tuple[str, ...] = ()
    folder: tuple[str, ...] = ()
    updated_from: str | None = None
    updated_to: str | None = None

    def __bool__(self) -> bool:
        return self != Filters()


class Library:
    """One SQLite file. Any number of threads and processes read; `index.lock` keeps one writer."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, path: Path) -> "Library":
        """Opens the library at `path`, made or migrated forward as needed.

        Raises LibraryError when the file cannot be opened or is no library.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
            sa.event.listen(engine, "connect", _configure_sqlite)
            sa.event.listen(engine, "begin", _begin)
            with engine.connect() as connection:
                up_to_date = is_up_to_date(connection)
            if not up_to_date:
                with _immediately(engine) as connection, connection.begin():
                    migrate(connection)
        except (OSError, sa.exc.DatabaseError) as error:
            reason = getattr(error, "orig", None) or error
            raise LibraryError(
                f"cannot open the library {path}: {reason}. Check that the folder can be written, "
                "that the disk is not full, and that the file is Kildesvar's own."
            ) from error
        return cls(engine)

    def close(self) -> None:
        self._engine.dispose()

    @property
    def engine(self) -> sa.Engine:
        """The database, for those who keep other tables of it."""
        return self._engine

    def transaction(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Writes what nobody searches. Raises LibraryError when it cannot be written."""
        return self._transaction()

    # Reading

    def revision(self) -> int:
        """Counts the changes to what can be searched: what a generation is compared with."""
        with self._engine.connect() as connection:
            return _revision(connection)

    def recipe(self) -> str | None:
        """What the passages and their vectors were made by; None while there are none."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(state.c.value).where(state.c.name == "recipe"))

    def is_empty(self) -> bool:
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(documents.c.id).limit(1)) is None

    def sources(self) -> dict[str, Source]:
        """Every file that documents were read from, by path."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*_SOURCE_COLUMNS))
            return {row.path: Source(*row) for row in rows}

    def original(self, document_id: str) -> Path:
        """A file that the document was read from and that is as it was then.

        Raises DocumentNotFoundError, or OriginalGoneError when each was moved or changed.
        """
        query = sa.select(*_SOURCE_COLUMNS).where(sources.c.document_id == document_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(sources.c.path))
            files = [Source(*row) for row in rows]
        if not files:
            raise _not_found(document_id)
        for source in files:
            with contextlib.suppress(OSError):  # it cannot be read: then another, or none
                if _is_as_it_was(source):
                    return Path(source.path)
        raise OriginalGoneError(
            f"{files[0].path} has been moved, changed or closed to the service since it was read; "
            "run `kildesvar ingest` on its folder"
        )

    def files_of(self, document_id: str) -> list[str]:
        """Paths of the files that the document was read from. Raises DocumentNotFoundError."""
        query = sa.select(sources.c.path).where(sources.c.document_id == document_id)
        with self._engine.connect() as connection:
            paths = list(connection.scalars(query.order_by(sources.c.path)))
        if not paths:
            raise _not_found(document_id)
        return paths

    def document_of(self, path: str) -> str | None:
        """Id of the document that was read from the file; None when none was."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sources.c.document_id).where(sources.c.path == path))

    def count(self) -> tuple[int, int]:
        """Number of documents, and of passages."""
        with self._engine.connect() as connection:
            return (
                connection.scalar(sa.select(sa.func.count()).select_from(documents)) or 0,
                connection.scalar(sa.select(sa.func.count()).select_from(passages)) or 0,
            )

    def documents(self, limit: int, offset: int = 0) -> list[StoredDocument]:
        """Documents in order of title, without their text."""
        query = _summary().order_by(documents.c.title, documents.c.id).limit(limit).offset(offset)
        with self._engine.connect() as connection:
            return [_stored_document(row) for row in connection.execute(query).mappings()]

    def document(self, document_id: str) -> StoredDocument:
        """The document with its text and blocks. Raises DocumentNotFoundError."""
        query = (
            _summary()
            .add_columns(documents.c.text, documents.c.blocks)
            .where(documents.c.id == document_id)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise _not_found(document_id)
        blocks = tuple(
            Block(BlockKind(kind), start, end, level, page)
            for kind, start, end, level, page in row["blocks"]
        )
        return _stored_document({**row, "blocks": blocks})

    def passages(self, ids: Sequence[int]) -> dict[int, StoredPassage]:
        """Those of `ids` that the library knows, by id; what was deleted is not among them."""
        found: dict[int, StoredPassage] = {}
        with self._engine.connect() as connection:
            for some in _batches(ids):
                query = _hydrated().where(passages.c.id.in_(some))
                found.update((row.id, _stored_passage(row)) for row in connection.execute(query))
        return found

    def excerpt(self, document_id: str, start: int, end: int) -> Excerpt | None:
        """`document.text[start:end]`, or None when there is no such document."""
        words = _slice(sa.literal(start), sa.literal(end)).label("text")
        # A document without pages may have many blocks, of which none needs to be looked at.
        blocks = sa.case((documents.c.pages.is_not(None), documents.c.blocks)).label("blocks")
        query = sa.select(words, documents.c.content_hash, blocks)
        query = query.where(documents.c.id == document_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Excerpt(row.text, row.content_hash, _page_at(row.blocks or [], start))

    def all_passages(self) -> Iterator[tuple[StoredPassage, str]]:
        """Every passage with the key of its vector, by id: what a generation is made of."""
        query = _hydrated().add_columns(passages.c.vector_key).order_by(passages.c.id)
        with self._engine.connect() as connection:
            for row in connection.execute(query.execution_options(yield_per=1000)):
                yield _stored_passage(row), row.vector_key

    def document_ids(self) -> list[str]:
        with self._engine.connect() as connection:
            return list(connection.scalars(sa.select(documents.c.id).order_by(documents.c.id)))

    def passages_of(self, document_ids: set[str]) -> list[int]:
        """Ids of the passages of those documents."""
        found: list[int] = []
        with self._engine.connect() as connection:
            for some in _batches(sorted(document_ids)):
                query = sa.select(passages.c.id).where(passages.c.document_id.in_(some))
                found.extend(connection.scalars(query))
        return found

    def matching(self, filters: Filters) -> set[str]:
        """Ids of the documents that `filters` let through."""
        with self._engine.connect() as connection:
            return set(connection.scalars(sa.select(documents.c.id).where(*_conditions(filters))))

    def vectors(self, keys: Iterable[str], fingerprint: str) -> dict[str, Vector]:
        """Cached vectors of passages by key, of the model with that fingerprint."""
        found: dict[str, Vector] = {}
        with self._engine.connect() as connection:
            for some in _batches(list(keys)):
                query = sa.select(vectors.c.key, vectors.c.vector).where(
                    vectors.c.fingerprint == fingerprint, vectors.c.key.in_(some)
                )
                for row in connection.execute(query):
                    found[row.key] = np.frombuffer(row.vector, dtype="<f4")
        return found

    def unit_vectors(self, passage_ids: Sequence[int], fingerprint: str) -> dict[int, Matrix]:
        """float32[n, d] for the n units of each passage, by passage id."""
        query = (
            sa.select(
                passages.c.id, vectors.c.units, sa.func.length(vectors.c.vector).label("size")
            )
            .join(vectors, vectors.c.key == passages.c.vector_key)
            .where(vectors.c.fingerprint == fingerprint, passages.c.id.in_(passage_ids))
        )
        with self._engine.connect() as connection:
            return {
                row.id: np.frombuffer(row.units, "<f2")
                .astype(np.float32)
                .reshape(-1, row.size // 4)
                for row in connection.execute(query)
            }

    # Writing: each method is one transaction

    def put(  # noqa: PLR0913, PLR0917 - what there is to store
        self,
        document: Document,
        source: Source,
        new: Sequence[NewPassage],
        new_vectors: Mapping[str, Vectors],
        fingerprint: str,
        replaces: str | None = None,
    ) -> str:
        """Stores the document that `source` now holds, and returns its id.

        A changed file keeps its document's id. A file with the same text as another is one more
        source of the same document. A file that `replaces` a document takes its id over, and the
        files that it was read from before are forgotten.
        """
        with self._writing() as connection:
            twin = connection.scalar(
                sa.select(documents.c.id).where(documents.c.content_hash == document.content_hash)
            )
            known = connection.scalar(
                sa.select(sources.c.document_id).where(sources.c.path == source.path)
            )
            sole = known if known and _is_sole(connection, known) else None
            document_id = twin or replaces or sole
            if document_id is None:
                document_id = secrets.token_hex(8)
                connection.execute(sa.insert(documents), _row(document, document_id))
            else:
                connection.execute(
                    sa.update(documents).where(documents.c.id == document_id),
                    _row(document, document_id),
                )
            _replace_passages(connection, document_id, new)
            _insert_vectors(connection, new_vectors, fingerprint)
            if replaces:
                connection.execute(sa.delete(sources).where(sources.c.document_id == replaces))
            _set_source(connection, source, document_id)
            _delete_orphans(connection)
            return document_id

    def touch(self, source: Source) -> None:
        """Notes a file's new time or size when its content is as before; nothing else changes."""
        with self._transaction() as connection:
            connection.execute(
                sa.update(sources).where(sources.c.path == source.path),
                {"size": source.size, "modified_ns": source.modified_ns},
            )

    def remove_sources(self, paths: Sequence[str]) -> None:
        """Forgets files, and every document that no file holds any more."""
        with self._writing() as connection:
            for some in _batches(list(paths)):
                connection.execute(sa.delete(sources).where(sources.c.path.in_(some)))
            _delete_orphans(connection)

    def remove_document(self, document_id: str, reason: str) -> list[str]:
        """Removes a document, and returns the paths of its files.

        The files are noted as left out for `reason`, so that a sync passes them by as long as they
        are as they are now. Raises DocumentNotFoundError.
        """
        with self._writing() as connection:
            rows = connection.execute(
                sa.select(*_SOURCE_COLUMNS, sources.c.readers_version).where(
                    sources.c.document_id == document_id
                )
            )
            files = [{**row, "reason": reason} for row in rows.mappings()]
            if not files:
                raise _not_found(document_id)
            paths = [file["path"] for file in files]
            for some in _batches(paths):
                connection.execute(sa.delete(left_out).where(left_out.c.path.in_(some)))
            connection.execute(sa.insert(left_out), files)
            connection.execute(sa.delete(documents).where(documents.c.id == document_id))
        return paths

    def store_vectors(self, new: Mapping[str, Vectors], fingerprint: str) -> None:
        """Adds to the vector cache alone; nothing that can be searched changes."""
        with self._transaction() as connection:
            _insert_vectors(connection, new, fingerprint)

    def renew(self, cut: Mapping[str, Sequence[NewPassage]], recipe: str) -> None:
        """Other passages for documents whose texts are as before, all of them or none.

        `recipe` says what the passages and their vectors are made by from now on.
        """
        with self._writing() as connection:
            for document_id, new in cut.items():
                _replace_passages(connection, document_id, new)
            _set_state(connection, "recipe", recipe)

    def forget_unused_vectors(self, fingerprint: str) -> None:
        """Deletes cached vectors that no passage has, and those of other models than this one."""
        unused = ~sa.exists().where(passages.c.vector_key == vectors.c.key)
        with self._transaction() as connection:
            connection.execute(
                sa.delete(vectors).where(sa.or_(unused, vectors.c.fingerprint != fingerprint))
            )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction that changes what can be searched."""
        with self._transaction() as connection:
            yield connection
            _set_state(connection, "revision", str(_revision(connection) + 1))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with _immediately(self._engine) as connection, connection.begin():
                yield connection
        except sa.exc.OperationalError as error:
            raise LibraryError(
                f"the library could not be written: {error.orig}. Nothing of this change was "
                "stored; make room or mend the folder's rights, then run the same command again."
            ) from error


def _immediately(engine: sa.Engine) -> sa.Connection:
    """A connection whose transactions take the write lock at once, so that none begins on sand."""
    return engine.connect().execution_options(immediate=True)


def _begin(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _configure_sqlite(connection: Any, _: Any) -> None:
    # Python's driver would begin transactions by itself, and not before a CREATE TABLE: a migration
    # that was killed midway would then be half there. `_begin` does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.close()


def _revision(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.select(state.c.value).where(state.c.name == "revision")) or 0)


def _set_state(connection: sa.Connection, name: str, value: str) -> None:
    connection.execute(sa.delete(state).where(state.c.name == name))
    connection.execute(sa.insert(state), {"name": name, "value": value})


def _source() -> sa.ColumnElement[str]:
    first_path = (
        sa.select(sa.func.min(sources.c.path))
        .where(sources.c.document_id == documents.c.id)
        .correlate(documents)
        .scalar_subquery()
    )
    return sa.func.coalesce(documents.c.source_url, first_path).label("source")


def _summary() -> sa.Select[Any]:
    number = (
        sa.select(sa.func.count())
        .where(passages.c.document_id == documents.c.id)
        .correlate(documents)
        .scalar_subquery()
    )
    return sa.select(
        documents.c.id,
        documents.c.title,
        _source(),
        documents.c.media_type,
        documents.c.language,
        documents.c.pages,
        documents.c.content_hash,
        documents.c.updated_at,
        documents.c.author,
        documents.c.date,
        documents.c.notices,
        number.label("passages"),
    )


def _slice(start: sa.ColumnElement[int], end: sa.ColumnElement[int]) -> Any:
    """`text[start:end]`: SQL counts code points from 1, in SQLite as in PostgreSQL."""
    return sa.func.substr(documents.c.text, start + 1, end - start)


def _hydrated() -> sa.Select[Any]:
    return sa.select(
        passages.c.id,
        passages.c.document_id,
        documents.c.title,
        _source(),
        documents.c.content_hash,
        documents.c.language,
        passages.c.heading_path,
        passages.c.page,
        passages.c.start,
        passages.c.end,
        _slice(passages.c.start, passages.c.end).label("text"),
        _slice(passages.c.lead_start, passages.c.lead_end).label("lead_in"),
        passages.c.lead_start,
        passages.c.units,
    ).join(documents, documents.c.id == passages.c.document_id)


def _is_as_it_was(source: Source) -> bool:
    path = Path(source.path)
    status = path.stat()
    if status.st_size != source.size:
        return False
    return (
        status.st_mtime_ns == source.modified_ns or f"sha256:{sha256_of(path)}" == source.file_hash
    )


def _not_found(document_id: str) -> DocumentNotFoundError:
    return DocumentNotFoundError(
        f"there is no document {document_id!r}; it may have been removed. "
        "GET /v1/documents lists those that there are."
    )


def _page_at(blocks: Sequence[Sequence[Any]], at: int) -> int | None:
    """Page of the last of the stored blocks that begins before, or at, place `at`."""
    before = bisect_right(blocks, at, key=lambda block: block[1])
    page: int | None = blocks[before - 1][4] if before else None
    return page


def _stored_document(row: Any) -> StoredDocument:
    return StoredDocument(**{**row, "notices": tuple(row["notices"])})


def _stored_passage(row: Any) -> StoredPassage:
    return StoredPassage(
        id=row.id,
        document_id=row.document_id,
        title=row.title,
        source=row.source,
        content_hash=row.content_hash,
        language=row.language,
        heading_path=tuple(row.heading_path),
        page=row.page,
        start=row.start,
        end=row.end,
        text=row.text,
        lead_in=row.lead_in or "",
        lead_start=row.lead_start,
        units=tuple(Unit(UnitKind(kind), start, end) for kind, start, end in row.units),
    )


def _conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for column, values in (
        (documents.c.id, filters.document),
        (documents.c.language, filters.language),
        (documents.c.media_type, filters.media_type),
    ):
        if values:
            conditions.append(column.in_(values))
    if filters.folder:
        prefixes = [folder.rstrip("/") + "/" for folder in filters.folder]
        # Not LIKE, which takes «A» for «a» in SQLite.
        under = [sa.func.substr(sources.c.path, 1, len(p)) == p for p in prefixes]
        inside = sa.select(sources.c.document_id).where(sa.or_(*under))
        conditions.append(documents.c.id.in_(inside))
    if filters.updated_from:
        conditions.append(documents.c.updated_at >= filters.updated_from)
    if filters.updated_to:
        conditions.append(sa.func.substr(documents.c.updated_at, 1, 10) <= filters.updated_to)
    return conditions


def _row(document: Document, document_id: str) -> dict[str, Any]:
    return {
        "id": document_id,
        "title": document.title,
        "text": document.text,
        "blocks": [[b.kind.value, b.start, b.end, b.level, b.page] for b in document.blocks],
        "media_type": document.media_type,
        "language": document.language,
        "source_url": document.source_url,
        "pages": document.pages,
        "author": document.author,
        "date": document.date,
        "notices": list(document.notices),
        "content_hash": document.content_hash,
        "updated_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _is_sole(connection: sa.Connection, document_id: str) -> bool:
    """Whether one file only holds the document, so that it may change with the file."""
    query = sa.select(sa.func.count()).where(sources.c.document_id == document_id)
    return connection.scalar(query) == 1


def _replace_passages(
    connection: sa.Connection, document_id: str, new: Sequence[NewPassage]
) -> None:
    connection.execute(sa.delete(passages).where(passages.c.document_id == document_id))
    rows = [
        {
            "document_id": document_id,
            "start": item.passage.start,
            "end": item.passage.end,
            "heading_path": list(item.passage.heading_path),
            "page": item.passage.page,
            "lead_start": item.passage.lead_in[0] if item.passage.lead_in else None,
            "lead_end": item.passage.lead_in[1] if item.passage.lead_in else None,
            "units": [[unit.kind.value, unit.start, unit.end] for unit in item.units],
            "vector_key": item.vector_key,
        }
        for item in new
    ]
    if rows:
        connection.execute(sa.insert(passages), rows)


def _insert_vectors(
    connection: sa.Connection, new: Mapping[str, Vectors], fingerprint: str
) -> None:
    known: set[str] = set()
    for some in _batches(list(new)):
        query = sa.select(vectors.c.key).where(
            vectors.c.fingerprint == fingerprint, vectors.c.key.in_(some)
        )
        known.update(connection.scalars(query))
    rows = [
        {
            "key": key,
            "fingerprint": fingerprint,
            "vector": made.passage.astype("<f4").tobytes(),
            "units": made.units.astype("<f2").tobytes(),
        }
        for key, made in new.items()
        if key not in known
    ]
    if rows:
        connection.execute(sa.insert(vectors), rows)


def _set_source(connection: sa.Connection, source: Source, document_id: str) -> None:
    connection.execute(sa.delete(sources).where(sources.c.path == source.path))
    connection.execute(
        sa.insert(sources),
        {
            "path": source.path,
            "document_id": document_id,
            "size": source.size,
            "modified_ns": source.modified_ns,
            "file_hash": source.file_hash,
        },
    )


def _delete_orphans(connection: sa.Connection) -> None:
    connection.execute(
        sa.delete(documents).where(~sa.exists().where(sources.c.document_id == documents.c.id))
    )


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for at in range(0, len(values), _SQL_VARIABLES):
        yield values[at : at + _SQL_VARIABLES]
