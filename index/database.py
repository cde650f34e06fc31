"""The SQLite file beneath the library: how it is opened, migrated and written through to disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from index.errors import LibraryError
from index.files import sync
from index.schema import HEAD, migrate, recorded_revision
from index.text import alphabetical, folded

BUSY_SECONDS = 10.0
"""How long a transaction waits for another who writes, unless told otherwise."""


def open_database(path: Path) -> sa.Engine:
    """The database at `path`, made or migrated forward as needed; before that a copy is kept.

    Raises LibraryError when the file cannot be opened or is no library.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What documents say, and what people ask, must not come into a log with an error.
        url = sa.URL.create("sqlite", database=str(path))
        engine = sa.create_engine(url, hide_parameters=True)
        sa.event.listen(engine, "connect", _configure_sqlite)
        sa.event.listen(engine, "begin", _begin)
        with engine.connect() as connection:
            revision = recorded_revision(connection)
        if revision != HEAD:
            if revision is not None:
                _keep_copy(engine, path.with_name(f"{path.stem}-{revision}{path.suffix}"))
            with (
                immediately(engine) as connection,
                _without_foreign_keys(connection),
                connection.begin(),
            ):
                migrate(connection)
    except (OSError, sa.exc.DatabaseError) as error:
        reason = getattr(error, "orig", None) or error
        raise LibraryError(
            f"cannot open the library {path}: {reason}. Check that the folder can be written, "
            "that the disk is not full, and that the file is Kildesvar's own."
        ) from error
    return engine


def _keep_copy(engine: sa.Engine, copy: Path) -> None:
    """Writes the library as it is to `copy`, unless an earlier try at the same has."""
    if copy.exists():
        return
    unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    execute_alone(engine, "VACUUM INTO ?", str(unfinished))
    sync(unfinished)
    unfinished.rename(copy)
    sync(copy.parent)


def immediately(engine: sa.Engine) -> sa.Connection:
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
def waiting(connection: sa.Connection, seconds: float) -> Iterator[None]:
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


def execute_alone(engine: sa.Engine, statement: str, *values: str) -> None:
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
    # SQLite's own `lower` knows the letters of English only.
    connection.create_function("folded", 1, folded, deterministic=True)
    connection.create_function("alphabetical", 1, alphabetical, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not just let go
    _set_busy_timeout(cursor, BUSY_SECONDS)
    cursor.close()
