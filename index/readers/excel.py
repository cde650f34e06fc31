"""Excel workbooks (XLSX), by openpyxl."""

import io

import openpyxl

from index.documents import BlockKind, Piece
from index.readers.delimited import table_rows
from index.readers.office import MAX_ROWS, naming_damage, require_whole, too_many_rows


def read_xlsx(raw: bytes) -> list[Piece]:
    """A workbook's sheets: each a heading and its rows, with the values that formulas last had.

    Raises UnreadableDocumentError for more than `MAX_ROWS` rows.
    """
    require_whole(raw)
    with naming_damage():
        return _sheets(openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True))


def _sheets(book: openpyxl.Workbook) -> list[Piece]:
    pieces: list[Piece] = []
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # some programs state them wrongly
        rows = table_rows(sheet.iter_rows(values_only=True))
        if rows:
            pieces += [Piece(BlockKind.HEADING, sheet.title, 1), *rows]
        if len(pieces) > MAX_ROWS:
            raise too_many_rows()
    return pieces
