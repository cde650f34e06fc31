"""OpenDocument files (ODT, ODP, ODS): our own walk over their XML, parsed by lxml.

OASIS, "Open Document Format for Office Applications", version 1.3, part 3.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from itertools import chain
from typing import Any

from lxml import etree

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.readers.delimited import table_rows
from index.readers.office import MAX_ROWS, require_whole, too_many_rows
from index.text import normalise_line

_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
_PREFIXES = {
    f"{_OASIS}:{name}:1.0": prefix
    for name, prefix in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("drawing", "draw"),
        ("presentation", "presentation"),
        ("svg-compatible", "svg"),
    )
}
_NAMESPACES = {prefix: uri for uri, prefix in _PREFIXES.items()}
_SKIPPED = frozenset(
    "office:annotation office:forms svg:desc svg:title table:tracked-changes text:note-citation "  # noqa: SIM905
    "text:table-of-content text:tracked-changes".split()
)
_FRAME = frozenset({"date-time", "footer", "header", "page", "page-number"})
_LENGTH = re.compile(r"(-?\d+(?:\.\d+)?)(cm|mm|in|pt)?")
_CENTIMETRES = {"cm": 1.0, "mm": 0.1, "in": 2.54, "pt": 0.0353}


def read_opendocument(raw: bytes) -> tuple[list[Piece], int | None]:
    """The blocks of a text, a presentation or a workbook, and the number of slides.

    Raises UnreadableDocumentError for what is damaged or too large.
    """
    require_whole(raw)
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            root = etree.fromstring(archive.read("content.xml"), parser)
    except (KeyError, etree.XMLSyntaxError) as error:
        raise UnreadableDocumentError(f"the file is damaged ({error}); save it anew") from error
    walker = _Walker(is_workbook=root.find(".//office:spreadsheet", _NAMESPACES) is not None)
    pieces = [
        piece
        for body in root.iterfind("office:body", _NAMESPACES)
        for piece in chain(walker.walk(body), walker.left_over())
    ]
    return pieces, walker.page


class _Walker:
    """Turns elements into pieces; `page` is the slide that it has come to."""

    def __init__(self, is_workbook: bool) -> None:
        self._is_workbook = is_workbook
        self._rows = 0
        self._aside: list[Any] = []
        """Text boxes that stand in a paragraph: they come after it."""
        self._notes: list[Any] = []
        """Footnotes: they come at the end."""
        self.page: int | None = None

    def walk(self, parent: Any, depth: int = 0, is_title: bool = False) -> Iterator[Piece]:
        for node in _from_top_to_bottom(parent):
            match _tag(node):
                case tag if tag in _SKIPPED or _attribute(node, "presentation:class") in _FRAME:
                    continue
                case "text:h":
                    yield self._heading(node, _number(node, "text:outline-level"))
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
                case _:
                    titled = is_title or _attribute(node, "presentation:class") == "title"
                    yield from self.walk(node, depth, titled)
            while self._aside:
                yield from self.walk(self._aside.pop(0))

    def left_over(self) -> Iterator[Piece]:
        """The footnotes."""
        while self._notes:
            yield from self.walk(self._notes.pop(0))

    def _heading(self, node: Any, level: int) -> Piece:
        return Piece(BlockKind.HEADING, self._text(node), min(max(level, 1), 6), self.page)

    def _paragraph(self, node: Any, depth: int) -> Piece:
        if depth:
            return Piece(BlockKind.LIST_ITEM, self._text(node), depth, self.page, marker="- ")
        return Piece(BlockKind.PARAGRAPH, self._text(node), page=self.page)

    def _table(self, table: Any) -> Iterator[Piece]:
        pieces = table_rows(self._cells(row) for row in _rows(table))
        self._rows += len(pieces)
        if self._rows > MAX_ROWS:
            raise too_many_rows()
        if self._is_workbook and pieces:
            yield Piece(BlockKind.HEADING, _attribute(table, "table:name") or "", 1)
        for piece in pieces:
            yield Piece(piece.kind, piece.text, page=self.page)

    def _cells(self, row: Any) -> list[str]:
        cells: list[str] = []
        empty = 0
        for cell in row:
            if _tag(cell) not in {"table:table-cell", "table:covered-table-cell"}:
                continue
            text = normalise_line(" ".join(map(self._text, _paragraphs(cell))))
            count = _number(cell, "table:number-columns-repeated")
            if not text:
                empty += count  # put in only where another cell follows: a sheet ends in thousands
                continue
            cells += [""] * empty + [text] * count
            empty = 0
        return cells

    def _text(self, node: Any) -> str:
        return normalise_line("".join(self._words(node)))

    def _words(self, node: Any) -> Iterator[str]:
        yield node.text or ""
        for child in node:
            match _tag(child):
                case tag if tag in _SKIPPED:
                    pass
                case "text:s" | "text:tab" | "text:line-break":
                    yield " "
                case "text:note-body":
                    self._notes.append(child)
                case tag if tag.startswith("draw:") and tag != "draw:a":
                    self._aside.append(child)
                case _:
                    yield from self._words(child)
            yield child.tail or ""


def _tag(node: Any) -> str:
    if not isinstance(node.tag, str):  # a comment or a processing instruction
        return ""
    name = etree.QName(node)
    return f"{_PREFIXES.get(name.namespace or '', '')}:{name.localname}"


def _attribute(node: Any, name: str) -> str | None:
    prefix, _, local = name.partition(":")
    value: str | None = node.get(f"{{{_NAMESPACES[prefix]}}}{local}")
    return value


def _number(node: Any, name: str) -> int:
    value = _attribute(node, name) or ""
    return int(value) if value.isdecimal() else 1


def _rows(table: Any) -> Iterator[Any]:
    """A table's own rows, not those of tables in its cells."""
    for child in table:
        match _tag(child):
            case "table:table-row":
                yield child
            case "table:table-header-rows" | "table:table-rows" | "table:table-row-group":
                yield from _rows(child)


def _paragraphs(cell: Any) -> Iterator[Any]:
    for child in cell:
        if _tag(child) in {"text:p", "text:h"}:
            yield child
        elif _tag(child) not in _SKIPPED:
            yield from _paragraphs(child)


def _from_top_to_bottom(parent: Any) -> list[Any]:
    """Children in order; those of a slide by their place on it, its notes last."""
    if _tag(parent) != "draw:page":
        return list(parent)
    return sorted(
        parent,
        key=lambda node: (
            _tag(node) == "presentation:notes",
            _length(node, "svg:y"),
            _length(node, "svg:x"),
        ),
    )


def _length(node: Any, name: str) -> float:
    """Distance from the slide's edge in centimetres; a group is where its first shape is."""
    while _tag(node) == "draw:g" and len(node):
        node = node[0]
    found = _LENGTH.match(_attribute(node, name) or "")
    return float(found.group(1)) * _CENTIMETRES[found.group(2) or "cm"] if found else 0.0
