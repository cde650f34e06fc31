"""CSV and its kin, and rows of cells in general."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, time

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.text import normalise, normalise_line

_DELIMITERS = ";\t|,"
"""The comma last: it also parts decimals, and words of a sentence."""
_SAMPLE_ROWS = 50
_AGREEMENT = 0.9
"""Share of the rows that a delimiter must part into the same number of cells."""


def read_delimited(text: str) -> list[Piece]:
    """The rows of a text whose cells are parted by semicolons, tabs, bars or commas.

    Raises UnreadableDocumentError when a quotation mark is never closed.
    """
    text = normalise(text)
    delimiter = _delimiter(text)
    if delimiter is None:
        return table_rows([line] for line in text.split("\n"))
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        return table_rows(rows)
    except csv.Error as error:
        raise UnreadableDocumentError(
            f"the table cannot be read around line {rows.line_num} ({error}); is a quotation mark "
            "not closed?"
        ) from error


def _delimiter(text: str) -> str | None:
    """The first of the delimiters that parts the rows alike; None when there is but one column."""
    sample = [line for line in text.split("\n") if line.strip()][:_SAMPLE_ROWS]
    for delimiter in _DELIMITERS:
        try:
            widths = Counter(len(row) for row in csv.reader(sample, delimiter=delimiter))
        except csv.Error:
            continue
        if not widths:
            return None
        width, count = widths.most_common(1)[0]
        if width > 1 and count >= _AGREEMENT * widths.total():
            return delimiter
    return None


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
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    return normalise_line(str(value))
