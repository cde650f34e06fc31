"""The library: documents, their sources, passages and vectors. The one thing never to be lost.

Every change is one transaction, acknowledged when it is on disk (WAL with full sync). Whatever
else there is (FAISS file, lexical index) is derived from here and can be made again.
"""

import contextlib
import os
import secrets
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from index.documents import Block, BlockKind, Document
from index.embedding.encoder import Matrix, Vector
from index.errors import DocumentNotFoundError, LibraryError, OriginalGoneError
from index.files import sha256_of, sync
from index.passages import Passage
from index.schema import HEAD, migrate, recorded_revision
from index.tables import documents, left_out, passages, sources, state, vectors
from index.units import Unit, UnitKind

Ids = npt.NDArray[np.int64]

_SQL_VARIABLES = 500
"""How many values go into one IN list: well below every database's limit."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that a document was read from, and what tells whether it is to be read again.

    `readers` says which readers read it, with which settings.
    """

    path: str
    size: int
    modified_ns: int
    file_hash: str
    readers: str = ""


_SOURCE_FIELDS = ("path", "size", "modified_ns", "file_hash", "readers")
_SOURCE_COLUMNS = tuple(sources.c[name] for name in _SOURCE_FIELDS)
_LEFT_OUT_COLUMNS = tuple(left_out.c[name] for name in _SOURCE_FIELDS)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not read as long as it is as it was, and why, in one line."""

    source: Source
    reason: str


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
class IndexedPassage:
    """What of a passage goes into a generation: its words in their context, and float32[d]."""

    id: int
    document_id: str
    title: str
    heading_path: tuple[str, ...]
    lead_in: str
    text: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class Edition:
    """All passages that were cut and embedded by one recipe. Their ids are no other edition's."""

    number: int
    recipe: str | None


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

        Before it is migrated a copy is kept beside it, `library-0001.sqlite3` of schema 0001.

        Raises LibraryError when the file cannot be opened or is no library.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
            sa.event.listen(engine, "connect", _configure_sqlite)
            sa.event.listen(engine, "begin", _begin)
            with engine.connect() as connection:
                revision = recorded_revision(connection)
            if revision != HEAD:
                if revision is not None:
                    _keep_copy(engine, path.with_name(f"{path.stem}-{revision}{path.suffix}"))
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

    # Reading

    def revision(self) -> int:
        """Counts the changes to what can be searched: what a generation is compared with."""
        with self._engine.connect() as connection:
            return _revision(connection)

    def edition(self) -> Edition:
        """The edition that is searched; its recipe is None as long as there are no passages."""
        with self._engine.connect() as connection:
            return Edition(_edition(connection), _state(connection, "recipe"))

    def is_empty(self) -> bool:
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(documents.c.id).limit(1)) is None

    def sources(self) -> dict[str, Source]:
        """Every file that documents were read from, by path."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*_SOURCE_COLUMNS))
            return {row.path: Source(*row) for row in rows}

    def left_out(self) -> dict[str, LeftOut]:
        """Every file that is not read as long as it is as it was, by path."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*_LEFT_OUT_COLUMNS, left_out.c.reason))
            return {row.path: LeftOut(Source(*row[:-1]), row.reason) for row in rows}

    def titles(self, paths: Sequence[str]) -> dict[str, str]:
        """Titles of the documents that were read from those files, by path."""
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for some in _batches(paths):
                query = sa.select(sources.c.path, documents.c.title).join(documents)
                rows = connection.execute(query.where(sources.c.path.in_(some)))
                found.update((row.path, row.title) for row in rows)
        return found

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
            return _document_of(connection, path)

    def count(self) -> tuple[int, int]:
        """Number of documents, and of passages."""
        with self._engine.connect() as connection:
            return (
                connection.scalar(sa.select(sa.func.count()).select_from(documents)) or 0,
                connection.scalar(_count_of_passages(_edition(connection))) or 0,
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

    def passage_ids(self, edition: int) -> Ids:
        """int64[n], ascending: every passage of an edition."""
        query = sa.select(passages.c.id).where(passages.c.edition == edition)
        with self._engine.connect() as connection:
            return np.fromiter(connection.scalars(query.order_by(passages.c.id)), np.int64)

    def indexed(self, ids: Ids, fingerprint: str) -> Iterator[list[IndexedPassage]]:
        """Those of `ids` (ascending) that the library knows, in batches, with vectors of a model.

        A document's text is fetched once for the passages of it that follow each other: slicing it
        in the database would read it anew for each.
        """
        text_of = _LastText(self._engine)
        with self._engine.connect() as connection:
            for some in _batches(ids.tolist()):
                rows = connection.execute(_indexed(some, fingerprint))
                if batch := [_indexed_passage(row, text_of(row.document_id)) for row in rows]:
                    yield batch

    def document_ids(self) -> list[str]:
        with self._engine.connect() as connection:
            return list(connection.scalars(sa.select(documents.c.id).order_by(documents.c.id)))

    def documents_without(self, edition: int) -> list[str]:
        """Ids of the documents that have no passage of that edition yet."""
        cut = sa.exists().where(
            passages.c.document_id == documents.c.id, passages.c.edition == edition
        )
        query = sa.select(documents.c.id).where(~cut).order_by(documents.c.id)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def passages_of(self, document_ids: set[str], edition: int | None = None) -> list[int]:
        """Ids of the passages of those documents, of every edition if none is given."""
        found: list[int] = []
        with self._engine.connect() as connection:
            for some in _batches(sorted(document_ids)):
                query = sa.select(passages.c.id).where(passages.c.document_id.in_(some))
                if edition is not None:
                    query = query.where(passages.c.edition == edition)
                found.extend(connection.scalars(query))
        return found

    def integrity_problems(self) -> list[str]:
        """What the database finds wrong with itself."""
        with self._engine.connect() as connection:
            whole = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            foreign = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        problems = [f"the database is damaged: {said}" for said in whole if said != "ok"]
        return [*problems, *(f"{row[0]} row {row[1]} belongs to no {row[2]}" for row in foreign)]

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
        with self.transaction() as connection:
            twin = connection.scalar(
                sa.select(documents.c.id).where(documents.c.content_hash == document.content_hash)
            )
            known = _document_of(connection, source.path)
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
            connection.execute(sa.delete(passages).where(passages.c.document_id == document_id))
            _insert_passages(connection, document_id, new, _edition(connection))
            _insert_vectors(connection, new_vectors, fingerprint)
            if replaces:
                connection.execute(sa.delete(sources).where(sources.c.document_id == replaces))
            _set_source(connection, source, document_id)
            _delete_orphans(connection, [former for former in (known, replaces) if former])
            _raise_revision(connection)
            return document_id

    def add_sources(self, same: Mapping[str, Source]) -> None:
        """Another file with the very bytes of a known one, whose path is the key.

        It is one more source of that one's document; what it held before is forgotten.
        """
        with self.transaction() as connection:
            for path, source in same.items():
                document_id = _document_of(connection, path)
                assert document_id is not None, path
                _remove_sources(connection, [source.path])
                _set_source(connection, source, document_id)

    def touch(self, source: Source) -> None:
        """Notes a file's new time or size when its content is as before; nothing else changes."""
        with self.transaction() as connection:
            for table in (sources, left_out):
                connection.execute(
                    sa.update(table).where(table.c.path == source.path),
                    {"size": source.size, "modified_ns": source.modified_ns},
                )

    def remove_sources(self, paths: Sequence[str]) -> None:
        """Forgets files, and every document that no file holds any more."""
        with self.transaction() as connection:
            for some in _batches(paths):
                connection.execute(sa.delete(left_out).where(left_out.c.path.in_(some)))
            _remove_sources(connection, paths)

    def leave_out(self, source: Source, reason: str) -> None:
        """Notes a file that is not to be read as long as it is as it is now, and forgets what it
        held before."""
        with self.transaction() as connection:
            _set_left_out(connection, source, reason)
            _remove_sources(connection, [source.path])

    def remove_document(self, document_id: str, reason: str) -> list[str]:
        """Deletes a document, and gives the paths of the files that it was read from.

        They are left out for `reason`, until they change. Raises DocumentNotFoundError.
        """
        query = sa.select(*_SOURCE_COLUMNS).where(sources.c.document_id == document_id)
        with self.transaction() as connection:
            files = [Source(*row) for row in connection.execute(query)]
            if not files:
                raise _not_found(document_id)
            for source in files:
                _set_left_out(connection, source, reason)
            _remove_sources(connection, [source.path for source in files])
        return [source.path for source in files]

    def begin_edition(self, recipe: str) -> Edition:
        """The edition to be made by `recipe`: one begun by an earlier run, or a new one.

        One that was begun by another recipe is given up.
        """
        with self.transaction() as connection:
            number, begun = _edition(connection) + 1, _state(connection, "next_recipe")
            if begun != recipe:
                connection.execute(sa.delete(passages).where(passages.c.edition >= number))
                _set_state(connection, "next_recipe", recipe)
        return Edition(number, recipe)

    def add_to_edition(
        self,
        edition: Edition,
        document_id: str,
        new: Sequence[NewPassage],
        new_vectors: Mapping[str, Vectors],
        fingerprint: str,
    ) -> None:
        """A document's passages of a coming edition, with their vectors; none is searched yet."""
        with self.transaction() as connection:
            _insert_passages(connection, document_id, new, edition.number)
            _insert_vectors(connection, new_vectors, fingerprint)

    def switch_edition(self, edition: Edition) -> None:
        """From now on `edition` is what counts. Passages of the one before it stay, for those who
        still search it, until `forget_editions`."""
        with self.transaction() as connection:
            _set_state(connection, "edition", str(edition.number))
            _set_state(connection, "recipe", edition.recipe or "")
            _set_state(connection, "next_recipe", None)

    def give_up_next_edition(self) -> None:
        """Deletes what an earlier run began, if any did, by a recipe that is no longer wanted."""
        with self._engine.connect() as connection:
            if _state(connection, "next_recipe") is None:
                return
        with self.transaction() as connection:
            later = passages.c.edition > _edition(connection)
            connection.execute(sa.delete(passages).where(later))
            _set_state(connection, "next_recipe", None)

    def forget_unused(self, editions: Collection[int], fingerprints: Collection[str]) -> None:
        """Deletes passages of other editions, then cached vectors that no passage has, and those
        of other models."""
        unused = ~sa.exists().where(passages.c.vector_key == vectors.c.key)
        other_model = vectors.c.fingerprint.not_in(fingerprints)
        with self.transaction() as connection:
            connection.execute(sa.delete(passages).where(passages.c.edition.not_in(editions)))
            connection.execute(sa.delete(vectors).where(sa.or_(unused, other_model)))
        self._empty_log()

    def _empty_log(self) -> None:
        """Writes the log into the database, and cuts it off: deleted text must not live on in it.

        As far as no reader needs it; the next call does the rest.
        """
        _execute_alone(self._engine, "PRAGMA wal_checkpoint(TRUNCATE)")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All that is written within, or nothing. Raises LibraryError when it cannot be written."""
        try:
            with _immediately(self._engine) as connection, connection.begin():
                yield connection
        except sa.exc.OperationalError as error:
            raise LibraryError(
                f"the library could not be written: {error.orig}. Nothing of this change was "
                "stored; make room or mend the folder's rights, then run the same command again."
            ) from error


def _keep_copy(engine: sa.Engine, copy: Path) -> None:
    """Writes the library as it is to `copy`, unless an earlier try at the same has."""
    if copy.exists():
        return
    unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    _execute_alone(engine, "VACUUM INTO ?", str(unfinished))
    sync(unfinished)
    unfinished.rename(copy)
    sync(copy.parent)


def _immediately(engine: sa.Engine) -> sa.Connection:
    """A connection whose transactions take the write lock at once, so that none begins on sand."""
    return engine.connect().execution_options(immediate=True)


def _execute_alone(engine: sa.Engine, statement: str, *values: str) -> None:
    """Executes what SQLite does not do within a transaction."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute(statement, values)
    finally:
        connection.close()


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
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not just let go
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.close()


def _revision(connection: sa.Connection) -> int:
    return int(_state(connection, "revision") or 0)


def _raise_revision(connection: sa.Connection) -> None:
    _set_state(connection, "revision", str(_revision(connection) + 1))


def _edition(connection: sa.Connection) -> int:
    return int(_state(connection, "edition") or 1)


def _state(connection: sa.Connection, name: str) -> str | None:
    return connection.scalar(sa.select(state.c.value).where(state.c.name == name))


def _set_state(connection: sa.Connection, name: str, value: str | None) -> None:
    connection.execute(sa.delete(state).where(state.c.name == name))
    if value is not None:
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
    edition = sa.select(sa.cast(state.c.value, sa.Integer)).where(state.c.name == "edition")
    number = (
        _count_of_passages(sa.func.coalesce(edition.scalar_subquery(), 1))
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


def _count_of_passages(edition: Any) -> sa.Select[Any]:
    return sa.select(sa.func.count(passages.c.id)).where(passages.c.edition == edition)


class _LastText:
    """Texts of documents by id, of which the last is kept."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._id, self._text = "", ""

    def __call__(self, document_id: str) -> str:
        if document_id != self._id:
            query = sa.select(documents.c.text).where(documents.c.id == document_id)
            with self._engine.connect() as connection:
                self._id, self._text = document_id, connection.scalar(query) or ""
        return self._text


def _indexed(ids: Sequence[int], fingerprint: str) -> sa.Select[Any]:
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


def _indexed_passage(row: Any, text: str) -> IndexedPassage:
    lead_in = text[row.lead_start : row.lead_end] if row.lead_start is not None else ""
    return IndexedPassage(
        id=row.id,
        document_id=row.document_id,
        title=row.title,
        heading_path=tuple(row.heading_path),
        lead_in=lead_in,
        text=text[row.start : row.end],
        vector=np.frombuffer(row.vector, dtype="<f4"),
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


def _document_of(connection: sa.Connection, path: str) -> str | None:
    return connection.scalar(sa.select(sources.c.document_id).where(sources.c.path == path))


def _is_sole(connection: sa.Connection, document_id: str) -> bool:
    """Whether one file only holds the document, so that it may change with the file."""
    query = sa.select(sa.func.count()).where(sources.c.document_id == document_id)
    return connection.scalar(query) == 1


def _insert_passages(
    connection: sa.Connection, document_id: str, new: Sequence[NewPassage], edition: int
) -> None:
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
            "edition": edition,
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
    connection.execute(sa.delete(left_out).where(left_out.c.path == source.path))
    connection.execute(sa.insert(sources), {**asdict(source), "document_id": document_id})


def _set_left_out(connection: sa.Connection, source: Source, reason: str) -> None:
    connection.execute(sa.delete(left_out).where(left_out.c.path == source.path))
    connection.execute(sa.insert(left_out), {**asdict(source), "reason": reason})


def _remove_sources(connection: sa.Connection, paths: Sequence[str]) -> None:
    """Forgets files, and every document that no file holds any more; if so, raises the revision."""
    deleted = 0
    for some in _batches(list(paths)):
        held = sa.select(sources.c.document_id).where(sources.c.path.in_(some))
        document_ids = list(connection.scalars(held))
        connection.execute(sa.delete(sources).where(sources.c.path.in_(some)))
        deleted += _delete_orphans(connection, document_ids)
    if deleted:
        _raise_revision(connection)


def _delete_orphans(connection: sa.Connection, document_ids: Sequence[str]) -> int:
    """Deletes those of the documents that no file holds any more; how many they were."""
    orphan = ~sa.exists().where(sources.c.document_id == documents.c.id)
    query = sa.delete(documents).where(documents.c.id.in_(document_ids), orphan)
    return connection.execute(query).rowcount


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for at in range(0, len(values), _SQL_VARIABLES):
        yield values[at : at + _SQL_VARIABLES]
