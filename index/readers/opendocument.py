"""OpenDocument files (ODT, ODP, ODS), by odfdo."""

import io
import re
from collections.abc import Iterator
from typing import Any

from lxml.etree import XMLSyntaxError
from odfdo import Document
from odfdo.security import SecurityError

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.readers.delimited import table_rows
from index.readers.office import MAX_ROWS, require_whole, too_many_rows
from index.text import normalise_line

_SKIPPED = frozenset({"text:tracked-changes", "text:table-of-content", "office:annotation"})
_FRAME = frozenset({"date-time", "footer", "header", "page", "page-number"})
_LENGTH = re.compile(r"(-?\d+(?:\.\d+)?)(cm|mm|in|pt)?")
_CENTIMETRES = {"cm": 1.0, "mm": 0.1, "in": 2.54, "pt": 0.0353}


def read_opendocument(raw: bytes) -> tuple[list[Piece], int | None]:
    """The blocks of a text, a presentation or a workbook, and the number of slides.

    Raises UnreadableDocumentError for what is damaged or too large.
    """
    require_whole(raw)
    try:
        document = Document(io.BytesIO(raw))
        document.body  # noqa: B018 - parsed only now
    except (SecurityError, XMLSyntaxError, KeyError, TypeError, ValueError, OSError) as error:
        raise UnreadableDocumentError(
            f"the file is damaged or packed strangely ({error}); save it anew"
        ) from error
    walker = _Walker(is_workbook=document.get_type().startswith("spreadsheet"))
    pieces = list(walker.walk(document.body))
    return pieces, walker.page


class _Walker:
    """Turns elements into pieces; `page` is the slide that it has come to."""

    def __init__(self, is_workbook: bool) -> None:
        self._is_workbook = is_workbook
        self._rows = 0
        self.page: int | None = None

    def walk(self, parent: Any, depth: int = 0, is_title: bool = False) -> Iterator[Piece]:
        for node in _from_top_to_bottom(parent):
            match node.tag:
                case "text:h":
                    yield self._heading(node, int(node.get_attribute("text:outline-level") or 1))
                case "text:p" if is_title:
                    yield self._heading(node, 1)
                case "text:p":
                    yield self._paragraph(node, depth)
                case "text:list":
                    yield from self.walk(node, depth + 1)
                case "table:table":
                    yield from self._table(node)
                case "draw:page":
                    self.page = (self.page or 0) + 1
                    yield from self.walk(node)
                case tag if tag in _SKIPPED or _class_of(node) in _FRAME:
                    pass
                case _:
                    yield from self.walk(node, depth, is_title or _class_of(node) == "title")

    def _heading(self, node: Any, level: int) -> Piece:
        return Piece(BlockKind.HEADING, _text(node), min(max(level, 1), 6), self.page)

    def _paragraph(self, node: Any, depth: int) -> Piece:
        if depth:
            return Piece(BlockKind.LIST_ITEM, _text(node), depth, self.page, marker="- ")
        return Piece(BlockKind.PARAGRAPH, _text(node), page=self.page)

    def _table(self, table: Any) -> Iterator[Piece]:
        rows = [
            [" ".join(map(_text, cell.get_elements("descendant::text:p"))) for cell in _cells(row)]
            for row in table.get_elements("descendant::table:table-row")
        ]
        pieces = table_rows(rows)
        self._rows += len(pieces)
        if self._rows > MAX_ROWS:
            raise too_many_rows()
        if self._is_workbook and pieces:
            yield Piece(BlockKind.HEADING, table.get_attribute("table:name") or "", 1)
        for piece in pieces:
            yield Piece(piece.kind, piece.text, page=self.page)


def _cells(row: Any) -> list[Any]:
    return [cell for cell in row.children if cell.tag == "table:table-cell"]


def _class_of(node: Any) -> str | None:
    name: str | None = node.get_attribute("presentation:class")
    return name


def _from_top_to_bottom(parent: Any) -> list[Any]:
    """Children in order; those of a slide by their place on it, its notes last."""
    if parent.tag != "draw:page":
        return list(parent.children)
    return sorted(
        parent.children,
        key=lambda node: (node.tag == "presentation:notes", _length(node, "y"), _length(node, "x")),
    )


def _length(node: Any, side: str) -> float:
    """Distance from the slide's edge in centimetres; a group is where its first shape is."""
    while node.tag == "draw:g" and node.children:
        node = node.children[0]
    found = _LENGTH.match(node.get_attribute(f"svg:{side}") or "")
    return float(found.group(1)) * _CENTIMETRES[found.group(2) or "cm"] if found else 0.0


def _text(node: Any) -> str:
    return normalise_line(node.text_recursive)
