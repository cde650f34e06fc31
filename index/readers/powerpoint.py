"""PowerPoint presentations (PPTX), by python-pptx."""

import io
from collections.abc import Iterator
from typing import Any

import pptx
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError

from index.documents import BlockKind, Piece
from index.readers.delimited import table_rows
from index.readers.office import naming_damage, require_whole
from index.text import normalise_line

_FRAME = {PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER}
_TITLES = {PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE}


def read_pptx(raw: bytes) -> tuple[list[Piece], int]:
    """A presentation slide by slide: title, what stands on it from top to bottom, then notes.

    A block's page is the number of its slide; how many there are is given too.
    """
    require_whole(raw)
    with naming_damage(PythonPptxError):
        slides = pptx.Presentation(io.BytesIO(raw)).slides
        numbered = enumerate(slides, 1)
        pieces = [piece for number, slide in numbered for piece in _slide(slide, number)]
    return pieces, len(slides)


def _slide(slide: Any, number: int) -> Iterator[Piece]:
    shapes = [shape for shape in _shapes(slide.shapes) if _placeholder(shape) not in _FRAME]
    for shape in shapes:
        if _placeholder(shape) in _TITLES:
            yield Piece(BlockKind.HEADING, normalise_line(shape.text_frame.text), 1, number)
    for shape in shapes:
        if getattr(shape, "has_table", False) and shape.has_table:
            rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
            yield from (Piece(p.kind, p.text, page=number) for p in table_rows(rows))
        elif shape.has_text_frame and _placeholder(shape) not in _TITLES:
            yield from _frame(shape, number)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        for paragraph in slide.notes_slide.notes_text_frame.paragraphs:
            yield Piece(BlockKind.PARAGRAPH, _text(paragraph), page=number)


def _shapes(shapes: Any) -> Iterator[Any]:
    """From top to bottom; the shapes of a group, which has places of its own, at its place."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _placeholder(shape: Any) -> Any:
    return shape.placeholder_format.type if shape.is_placeholder else None


def _frame(shape: Any, number: int) -> Iterator[Piece]:
    """Paragraphs of a text box; several in a slide's body are the points that it makes."""
    paragraphs = [p for p in shape.text_frame.paragraphs if _text(p)]
    is_body = shape.is_placeholder and _placeholder(shape) != PP_PLACEHOLDER.SUBTITLE
    for paragraph in paragraphs:
        if is_body and len(paragraphs) > 1:
            yield Piece(
                BlockKind.LIST_ITEM, _text(paragraph), paragraph.level + 1, number, marker="• "
            )
        else:
            yield Piece(BlockKind.PARAGRAPH, _text(paragraph), page=number)


def _text(paragraph: Any) -> str:
    return normalise_line(paragraph.text)
