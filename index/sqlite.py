"""The SQLite file beneath a library: how it is opened, migrated and written through to disk."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from index.errors import LibraryError
from index.files import sync
from index.lock import BUSY_SECONDS, IsHeld
from index.lock import writing as holding_file
from index.schema import HEAD, migrate, recorded_revision
from index.text import alphabetical, folded


class SqliteDatabase:
    """A library's database in one file. Any number of threads and processes read it."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        self._path = path
        self.engine = engine

    @classmethod
    def open(cls, path: Path) -> "SqliteDatabase":
        """The database at `path`, made or migrated forward as needed; before that a copy is kept.

        Raises LibraryError when the file cannot be opened or is no library.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # What documents say, and what people ask, must not come into a log with an error.
            url = sa.URL.create("sqlite", database=str(path))
            engine = sa.create_engine(url, hide_parameters=True)
            sa.event.listen(engine, "connect", _configure)
            sa.event.listen(engine, "begin", _begin)
            _bring_up_to_date(engine, path)
        except (OSError, sa.exc.DatabaseError) as error:
            reason = getattr(error, "orig", None) or error
            raise LibraryError(
                f"cannot open the library {path}: {reason}. Check that the folder can be written, "
                "that the disk is not full, and that the file is Kildesvar's own."
            ) from error
        return cls(path, engine)

    @contextmanager
    def transaction(self, waits: float, alone: bool) -> Iterator[sa.Connection]:
        """See `index.database`. In SQLite each that writes is alone."""
        del alone
        try:
            with (
                _immediately(self.engine) as connection,
                _waiting(connection, waits),
                connection.begin(),
            ):
                yield connection
        except sa.exc.OperationalError as error:
            raise LibraryError(
                f"the library could not be written: {error.orig}. Nothing of this change was "
                "stored; make room or mend the folder's rights, then run the same command again."
            ) from error

    def writing(self, exclusive: bool, waits: float | None = None) -> AbstractContextManager[None]:
        """See `index.database`. A file has one writer, who shares it with nobody."""
        del exclusive, waits
        return writing(self._path)

    @contextmanager
    def unless_others_write(self) -> Iterator[bool]:
        """Who asks holds the lock, and nobody shares it."""
        yield True

    @contextmanager
    def following(self) -> Iterator[IsHeld | None]:
        """Who asks holds the writer's lock, and nobody shares it."""
        yield lambda: True

    def look(self, within: float) -> None:
        try:
            with self.engine.connect() as connection, _waiting(connection, within):
                recorded_revision(connection)
        except sa.exc.SQLAlchemyError as error:
            raise LibraryError(
                f"the library cannot be read: {getattr(error, 'orig', None) or error}; see that "
                "its folder is there, or restore a backup (`kildesvar restore`)"
            ) from error

    def size(self) -> int:
        return self._path.stat().st_size

    def empty_log(self) -> None:
        """Writes the log into the database and cuts it off, as far as no reader needs it; the next
        call does the rest."""
        _execute_alone(self.engine, "PRAGMA wal_checkpoint(TRUNCATE)")

    def damage(self) -> list[str]:
        try:
            with self.engine.connect() as connection:
                found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        except sa.exc.DatabaseError as error:  # some harm it does not list, but fails on
            found = [str(error.orig)]
        return [f"the database is damaged: {said}" for said in found if said != "ok"]

    def strays(self) -> list[str]:
        with self.engine.connect() as connection:
            foreign = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [f"{row[0]} row {row[1]} belongs to no {row[2]}" for row in foreign]


def writing(path: Path) -> AbstractContextManager[None]:
    """Holds the writer's lock of the library at `path`, which lies beside it."""
    return holding_file(path.parent)


def _bring_up_to_date(engine: sa.Engine, path: Path) -> None:
    with engine.connect() as connection:
        revision = recorded_revision(connection)
    if revision == HEAD:
        return
    if revision is not None:
        _keep_copy(engine, path.with_name(f"{path.stem}-{revision}{path.suffix}"))
    with _immediately(engine) as connection, _without_foreign_keys(connection), connection.begin():
        migrate(connection)


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


@contextmanager
def _without_foreign_keys(connection: sa.Connection) -> Iterator[None]:
    """Within, a table can be dropped without what refers to it; not to be told in a transaction."""
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        cursor.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _waiting(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Within, no transaction of `connection` waits longer than that for another who writes."""
    if seconds == BUSY_SECONDS:
        yield
        return
    cursor = connection.connection.cursor()
    _set_busy_timeout(cursor, seconds)
    try:
        yield
    finally:
        _set_busy_timeout(cursor, BUSY_SECONDS)


def _set_busy_timeout(cursor: Any, seconds: float) -> None:
    cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


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


def _configure(connection: Any, _: Any) -> None:
    # Python's driver would begin transactions by itself, and not before a CREATE TABLE: a migration
    # that was killed midway would then be half there. `_begin` does it instead.
    connection.isolation_level = None
    # SQLite's own `lower` knows the letters of English only.
    connection.create_function("folded", 1, _folded, deterministic=True)
    connection.create_function("alphabetical", 1, alphabetical, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not just let go
    _set_busy_timeout(cursor, BUSY_SECONDS)
    cursor.close()


def _folded(text: str | None) -> str | None:
    return None if text is None else folded(text)
