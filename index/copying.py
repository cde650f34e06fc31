"""A library copied between a PostgreSQL database and a SQLite file, table by table, some rows at a
time: neither need fit in memory."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from index.library import Library
from index.tables import METADATA, audit, keys, sessions

_ROWS = 200
_WAITS = 60.0
_STAY = (audit, keys, sessions)
"""What is not replaced in a database that there is: what was done was done, and who may come in is
known better now."""


def copy_to_file(library: Library, file: Path) -> None:
    """Makes a SQLite library at `file`, which is not there yet, of what a database holds now.

    Others go on reading and writing meanwhile. Raises LibraryError.
    """
    with closing(Library.open(file)) as copy, library.engine.connect() as reading:
        _empty(copy)
        for table in METADATA.sorted_tables:
            for rows in _rows_of(reading, table):
                with copy.transaction() as writing:
                    writing.execute(sa.insert(table), rows)
        with copy.transaction() as writing:
            for table in _counting_tables():
                if table.dialect_options["sqlite"]["autoincrement"]:
                    _set_last_of_file(writing, table, last_id(reading, table))
        copy.empty_log()


def copy_from_file(file: Path, library: Library) -> None:
    """Makes a database hold what the SQLite library at `file` does, in one transaction.

    But for what is to stay: entries of the audit log and keys of the file are added, and its
    sessions are not. Ids of those tables are given anew. Raises LibraryError.
    """
    with (
        closing(Library.open(file)) as copy,
        copy.engine.connect() as reading,
        library.transaction(_WAITS) as writing,
    ):
        for table in reversed(METADATA.sorted_tables):
            if table not in _STAY:
                writing.execute(sa.delete(table))
        for table in METADATA.sorted_tables:
            if table is not sessions:
                for rows in _rows_of(reading, table):
                    _add(writing, table, rows)
        for table in _counting_tables():
            _raise_last(writing, table, _last_of_file(reading, table))


def last_id(connection: sa.Connection, table: sa.Table) -> int:
    """The last id of the table that a PostgreSQL database has given, 0 if none; it goes on after
    that."""
    last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END"
    query = sa.text(f"{last} FROM {_sequence(table)}")
    return int(connection.scalar(query) or 0)


def _rows_of(connection: sa.Connection, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    query = sa.select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS)
    for some in connection.execute(query).mappings().partitions():
        yield [dict(row) for row in some]


def _add(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if table is audit:
        rows = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    statement = insert(table).on_conflict_do_nothing() if table is keys else insert(table)
    connection.execute(statement, rows)


def _empty(copy: Library) -> None:
    with copy.transaction() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(sa.delete(table))


def _counting_tables() -> Iterator[sa.Table]:
    """Those whose rows the database numbers."""
    for table in METADATA.sorted_tables:
        if table.autoincrement_column is not None:
            yield table


def _sequence(table: sa.Table) -> str:
    assert table.autoincrement_column is not None
    return f"{table.name}_{table.autoincrement_column.name}_seq"


def _last_of_file(connection: sa.Connection, table: sa.Table) -> int:
    assert table.autoincrement_column is not None
    highest = sa.select(sa.func.max(table.autoincrement_column))
    given = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    return max(connection.scalar(highest) or 0, connection.scalar(given, {"name": table.name}) or 0)


def _set_last_of_file(connection: sa.Connection, table: sa.Table, last: int) -> None:
    values = {"name": table.name, "last": last}
    connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
    connection.execute(sa.text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), values)


def _raise_last(connection: sa.Connection, table: sa.Table, last: int) -> None:
    higher = max(last, last_id(connection, table))
    if higher:
        query = sa.text("SELECT setval(CAST(:sequence AS regclass), :last)")
        connection.execute(query, {"sequence": _sequence(table), "last": higher})
