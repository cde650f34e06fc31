"""Evidence units: the pieces of a passage that an answer is quoted from."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from index.documents import Block, BlockKind, Document
from index.passages import Passage, Span
from index.sentences import split_sentences

SHORT_LINE = 60
"""Lines of fewer letters, one below the other, are read as one."""


class UnitKind(StrEnum):
    SENTENCE = "sentence"
    HEADING = "heading"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"


@dataclass(frozen=True, slots=True)
class Unit:
    """A span of the document's text that reads as a whole."""

    kind: UnitKind
    start: int
    end: int


_KINDS = {
    BlockKind.HEADING: UnitKind.HEADING,
    BlockKind.LIST_ITEM: UnitKind.LIST_ITEM,
    BlockKind.TABLE_ROW: UnitKind.TABLE_ROW,
}


def units_of(document: Document, passage: Passage) -> tuple[Unit, ...]:
    """The units of `passage` in reading order; they lie within it and do not overlap."""
    found: list[Unit] = []
    for block in _overlapping(document.blocks, passage):
        start, end = max(block.start, passage.start), min(block.end, passage.end)
        if block.kind in _KINDS:
            found.append(Unit(_KINDS[block.kind], start, end))
            continue
        for first, last in _sentences(document.text[start:end]):
            found.append(Unit(UnitKind.SENTENCE, start + first, start + last))
    return tuple(found)


def _sentences(text: str) -> list[Span]:
    """The sentences of a paragraph; an address or a signature of short lines is one of them.

    «Kari Nordmann / rådsleder» says who leads; its lines by themselves say nothing.
    """
    lines = text.split("\n")
    if len(lines) > 1 and all(len(line) < SHORT_LINE for line in lines):
        return [(0, len(text))]
    return split_sentences(text)


def _overlapping(blocks: Sequence[Block], passage: Passage) -> list[Block]:
    return [block for block in blocks if block.start < passage.end and passage.start < block.end]
