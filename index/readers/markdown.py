"""Markdown, parsed by markdown-it (CommonMark and tables), with optional front matter."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.readers.html import read_html
from index.text import normalise, normalise_line

# Lines of fields between two rulers. Anything else between them is text, and stays in the document.
_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\n((?:(?:[\w-]+[ \w-]*:|[ \t]+\S|- |#).*\n)*+)---[ \t]*(?:\n|\Z)"
)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_MAX_NESTING = 100
_BLOCKS = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).enable("table").disable("inline")
# Its time on a line full of «[» grows with the depth, and no text needs links deep within links.
_INLINE = MarkdownIt("commonmark", {"maxNesting": 5})


def read_markdown(text: str) -> tuple[dict[str, str], list[Piece]]:
    """Front matter as lower-case keys and plain values, and the blocks in reading order."""
    text = normalise(text)
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    return _fields(front.group(1)) if front else {}, list(_Walker().walk(_parsed(body)))


def _fields(front_matter: str) -> dict[str, str]:
    """The fields at the margin; what is indented belongs to one of them."""
    pairs = (line.partition(":") for line in front_matter.split("\n") if line[:1].strip())
    return {key.strip().lower(): value.strip().strip("\"'") for key, colon, value in pairs if colon}


def _parsed(body: str) -> list[Token]:
    references: dict[str, Any] = {}
    tokens = _BLOCKS.parse(body, references)
    if any(token.level >= _MAX_NESTING - 1 for token in tokens):
        # The parser leaves out what lies deeper, and says nothing.
        raise UnreadableDocumentError(
            f"lists or quotes are nested more than {_MAX_NESTING} levels deep; make them flatter"
        )
    for token in tokens:
        if token.type == "inline":
            token.children = _INLINE.parseInline(token.content, references)[0].children
    return tokens


@dataclass
class _Walker:
    """Follows the token stream; remembers the lists it is in and the row it is filling."""

    lists: list[int | None] = field(default_factory=list)  # next number, or None for bullets
    marker: int | str = ""  # of the item that has just begun, until its first words use it
    cells: list[str] = field(default_factory=list)
    heading_level: int = 0
    in_cell: bool = False

    def walk(self, tokens: list[Token]) -> Iterator[Piece]:
        for token in tokens:
            match token.type:
                case "inline":
                    yield from self._inline(_plain(token))
                case "tr_close" if any(self.cells):
                    yield Piece(BlockKind.TABLE_ROW, " | ".join(self.cells))
                case "fence" | "code_block":
                    yield Piece(BlockKind.PARAGRAPH, token.content)
                case "html_block":
                    yield from read_html(token.content).pieces
                case _:
                    self._enter_or_leave(token)

    def _enter_or_leave(self, token: Token) -> None:
        match token.type:
            case "heading_open":
                self.heading_level = int(token.tag[1])
            case "heading_close":
                self.heading_level = 0
            case "bullet_list_open":
                self.lists.append(None)
            case "ordered_list_open":
                self.lists.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()
            case "list_item_open":
                self._start_item()
            case "tr_open":
                self.cells = []
            case "th_open" | "td_open" | "th_close" | "td_close":
                self.in_cell = token.nesting == 1

    def _start_item(self) -> None:
        number = self.lists[-1]
        self.marker = "- " if number is None else number
        if number is not None:
            self.lists[-1] = number + 1

    def _inline(self, text: str) -> Iterator[Piece]:
        if self.in_cell:
            self.cells.append(normalise_line(text))
        elif self.heading_level:
            yield Piece(BlockKind.HEADING, normalise_line(text), self.heading_level)
        elif self.lists:
            yield self._list_item(normalise_line(text))
        else:
            yield Piece(BlockKind.PARAGRAPH, text)

    def _list_item(self, text: str) -> Piece:
        """The first paragraph of an item has its bullet or number, the others only its depth."""
        marker, self.marker = self.marker, ""
        if isinstance(marker, int):
            return Piece(BlockKind.LIST_ITEM, f"{marker}. {text}", len(self.lists))
        return Piece(BlockKind.LIST_ITEM, text, len(self.lists), marker=marker)


def _plain(token: Token) -> str:
    """The text that a reader of the rendered page sees."""
    parts = []
    for child in token.children or []:
        match child.type:
            case "text" | "code_inline":
                parts.append(child.content)
            case "image":
                parts.append(child.content)  # the alternative text
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n")
            case "html_inline" if _LINE_BREAK.fullmatch(child.content):
                parts.append("\n")
    return "".join(parts)
