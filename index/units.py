"""Evidence units: the pieces of a passage that an answer is quoted from."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from index.documents import Block, BlockKind, Document
from index.passages import Passage
from index.sentences import split_sentences


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
        for first, last in split_sentences(document.text[start:end]):
            found.append(Unit(UnitKind.SENTENCE, start + first, start + last))
    return tuple(found)


def _overlapping(blocks: Sequence[Block], passage: Passage) -> list[Block]:
    return [block for block in blocks if block.start < passage.end and passage.start < block.end]
