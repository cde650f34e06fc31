"""What is asked of both databases in the same words, and said to each in its own.

SQLite calls back for `folded` and `alphabetical`. PostgreSQL has what is folded in columns of its
own, which it computes itself whenever a row is written (`index/migrations`), and which are in no
table here, since nobody writes them.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from index.text import AFTER_Z


class folded(FunctionElement[str]):  # noqa: N801 - as functions of SQL are
    """A column as `index.text.folded` has it: `documents.title`, `documents.source_url` or
    `sources.path`."""

    inherit_cache = True
    type = sa.Text()


class alphabetical(FunctionElement[str]):  # noqa: N801
    """The same as `index.text.alphabetical` has it."""

    inherit_cache = True
    type = sa.Text()


class row_of(FunctionElement[int]):  # noqa: N801
    """What a row of the table is found by, given its `id`: SQLite has a number for that."""

    inherit_cache = True
    type = sa.Integer()


@compiles(folded)
def _folded(element: folded, compiler: SQLCompiler, **how: Any) -> str:
    return f"folded({compiler.process(element.clauses, **how)})"


@compiles(folded, "postgresql")
def _folded_column(element: folded, compiler: SQLCompiler, **_: Any) -> str:
    table, column = _named(element, compiler)
    return f"{table}.folded_{column}"


@compiles(alphabetical)
def _alphabetical(element: alphabetical, compiler: SQLCompiler, **how: Any) -> str:
    return f"alphabetical({compiler.process(element.clauses, **how)})"


@compiles(alphabetical, "postgresql")
def _translated(element: alphabetical, compiler: SQLCompiler, **_: Any) -> str:
    table, column = _named(element, compiler)
    after = {chr(letter): sign for letter, sign in AFTER_Z.items()}
    return f"translate({table}.folded_{column}, '{''.join(after)}', '{''.join(after.values())}')"


@compiles(row_of)
def _id(element: row_of, compiler: SQLCompiler, **how: Any) -> str:
    return compiler.process(element.clauses, **how)


@compiles(row_of, "sqlite")
def _rowid(element: row_of, compiler: SQLCompiler, **_: Any) -> str:
    table, _column = _named(element, compiler)
    return f"{table}.rowid"


def _named(element: FunctionElement[Any], compiler: SQLCompiler) -> tuple[str, str]:
    """The table and the column that the function is of."""
    [column] = element.clauses
    assert isinstance(column, sa.Column)
    return compiler.preparer.quote(column.table.name), column.name
