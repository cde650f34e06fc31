"""Markdown, parsed by markdown-it (CommonMark and tables), with optional front matter."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from index.documents import BlockKind, Piece
from index.text import normalise

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_PARSER = MarkdownIt("commonmark").enable("table")


def read_markdown(text: str) -> tuple[dict[str, str], list[Piece]]:
    """Front matter as lower-case keys and plain values, and the blocks in reading order."""
    text = normalise(text)
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    return _fields(front.group(1)) if front else {}, list(_Walker().walk(_PARSER.parse(body)))


def _fields(front_matter: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in front_matter.split("\n"))
    return {
        key.strip().lower(): value.strip().strip("\"'") for key, colon, value in pairs if colon
    }


@dataclass
class _Walker:
    """Follows the token stream; remembers the lists it is in and the row it is filling."""

    lists: list[int | None] = field(default_factory=list)  # next number, or None for bullets
    item_started: bool = False
    cells: list[str] = field(default_factory=list)
    heading_level: int = 0
    in_cell: bool = False

    def walk(self, tokens: list[Token]) -> Iterator[Piece]:
        for token in tokens:
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
                    self.item_started = True
                case "tr_open":
                    self.cells = []
                case "tr_close":
                    yield Piece(BlockKind.TABLE_ROW, " | ".join(self.cells))
                case "th_open" | "td_open":
                    self.in_cell = True
                case "th_close" | "td_close":
                    self.in_cell = False
                case "inline":
                    yield from self._inline(_plain(token))
                case "fence" | "code_block":
                    yield Piece(BlockKind.PARAGRAPH, token.content)
                case "html_block":
                    stripped = re.sub(r"<!--.*?-->|<[^>]*>", " ", token.content, flags=re.DOTALL)
                    yield Piece(BlockKind.PARAGRAPH, stripped)

    def _inline(self, text: str) -> Iterator[Piece]:
        if self.in_cell:
            self.cells.append(" ".join(text.split()))
        elif self.heading_level:
            yield Piece(BlockKind.HEADING, " ".join(text.split()), self.heading_level)
        elif self.lists:
            yield self._list_item(" ".join(text.split()))
        else:
            yield Piece(BlockKind.PARAGRAPH, text)

    def _list_item(self, text: str) -> Piece:
        """The first paragraph of an item carries its bullet or number, the others only its depth."""
        marker = ""
        if self.item_started:
            self.item_started = False
            number = self.lists[-1]
            if number is None:
                marker = "- "
            else:
                text = f"{number}. {text}"
                self.lists[-1] = number + 1
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
    return "".join(parts)
