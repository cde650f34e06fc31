"""CSV and its kin, and rows of cells in general."""

import csv
from collections.abc import Iterable, Sequence

from index.documents import BlockKind, Piece
from index.text import normalise, normalise_line

_DELIMITERS = ";,\t|"
_SAMPLE_LETTERS = 8192


def read_delimited(text: str) -> list[Piece]:
    """The rows of a text whose cells are parted by semicolons, commas, tabs or bars."""
    lines = normalise(text).split("\n")
    sample = "\n".join(lines)[:_SAMPLE_LETTERS]
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(sample, _DELIMITERS)
    except csv.Error:  # a single column, or cells too unlike each other to tell
        dialect = csv.excel
    return table_rows(csv.reader(lines, dialect))


def table_rows(rows: Iterable[Sequence[object]]) -> list[Piece]:
    """Rows of cells as blocks; empty rows, and empty cells at the end, are left out."""
    texts = (_trimmed([_cell(value) for value in row]) for row in rows)
    return [Piece(BlockKind.TABLE_ROW, " | ".join(row)) for row in texts if row]


def _trimmed(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row.pop()
    return row


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return normalise_line(str(value))
