"""What a document is once it has been read: one string, and blocks that are spans of it."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from index.text import normalise_line


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"


@dataclass(frozen=True, slots=True)
class Block:
    """A span of the document's text: `text[start:end]`, in Unicode code points, end exclusive.

    `level` is the rank of a heading (1 to 6) or the depth of a list item (from 1), else 0.
    `page` is the page or slide number, from 1, or None where the format has none.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document as read, and what its file says of itself.

    `source_url` is where the file comes from, `date` the ISO day that it is of; both are None where
    the file does not say so. `notices` are what those who look after the documents should know of
    it, a sentence each, such as pages that could not be read.
    """

    title: str
    text: str
    blocks: tuple[Block, ...]
    media_type: str
    language: str
    source_url: str | None = None
    pages: int | None = None
    author: str | None = None
    date: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def content_hash(self) -> str:
        """SHA-256 of `text` in UTF-8, as `sha256:<hex>`: what spans of a citation refer to."""
        return "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Piece:
    """A block before the document's text is put together: what a reader hands over.

    `marker` is a list item's bullet. It stands in the text, before the block and outside its span,
    so that a list reads as a list while one item is quoted without its bullet.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None
    marker: str = ""


@dataclass
class TextBuilder:
    """Joins pieces into the document's one string and notes where each of them came to stand."""

    parts: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    length: int = 0

    def add(self, piece: Piece) -> None:
        text = "\n".join(filter(None, map(normalise_line, piece.text.split("\n"))))
        if not text:
            return
        self._append(self._separator(piece))
        self._append(piece.marker)
        start = self.length
        self._append(text)
        self.blocks.append(Block(piece.kind, start, self.length, piece.level, piece.page))

    def _separator(self, piece: Piece) -> str:
        if not self.blocks:
            return ""
        joined = (BlockKind.LIST_ITEM, BlockKind.TABLE_ROW)
        same_run = piece.kind in joined and self.blocks[-1].kind is piece.kind
        return "\n" if same_run else "\n\n"

    def _append(self, part: str) -> None:
        self.parts.append(part)
        self.length += len(part)


def assemble(pieces: Iterable[Piece]) -> tuple[str, tuple[Block, ...]]:
    """The text of a document, and its blocks as spans of that text; empty pieces are left out."""
    builder = TextBuilder()
    for piece in pieces:
        builder.add(piece)
    return "".join(builder.parts), tuple(builder.blocks)


def heading_paths(blocks: Sequence[Block], text: str) -> list[tuple[str, ...]]:
    """For each block the headings it stands under, outermost first (a heading is not its own)."""
    paths: list[tuple[str, ...]] = []
    open_headings: list[tuple[int, str]] = []
    for block in blocks:
        if block.kind is BlockKind.HEADING:
            while open_headings and open_headings[-1][0] >= block.level:
                open_headings.pop()
        paths.append(tuple(title for _, title in open_headings))
        if block.kind is BlockKind.HEADING:
            open_headings.append((block.level, " ".join(text[block.start : block.end].split())))
    return paths
