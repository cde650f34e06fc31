"""PDF: text by pdf_oxide, which knows the order of columns; PDFium opens the file and checks it.

A PDF holds letters at places on pages and nothing else. Lines, paragraphs, headings, lists and
tables are recovered here from places and sizes; headings also from the file's bookmarks.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median

import pypdfium2 as pdfium
from pdf_oxide import PdfDocument, TextSpan

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.readers.plain import (
    BULLET,
    NUMBER,
    SENTENCE_END,
    SHORT_LINE,
    joined_lines,
    read_plain,
)
from index.sentences import split_sentences
from index.text import normalise, normalise_line

log = logging.getLogger("kildesvar")

MAX_PAGES = 5000

_AGREEMENT = 0.03
"""Share of a page's letters that pdf_oxide may lack or have twice before PDFium is believed."""
_HEADING_SIZE = 1.12
"""Type this much larger than that of most letters makes a heading."""
_HEADING_LETTERS = 150
_MAX_LEVEL = 6
_CELL_GAP = 1.2
"""White space within a line, in sizes of its type, that parts two cells of a table."""
_PARAGRAPH_GAP = 1.35
"""Distance to the line before, in usual distances of lines, that begins a paragraph."""
_COLUMN_LETTERS, _COLUMN_SHARE = 20, 0.25
"""A page has columns when on this share of its lines two texts of so many letters stand apart."""
_INDENT = 40.0
"""Points by which lines of one column may begin apart from each other."""
_LETTER_WIDTH = 0.6
"""Of a letter, in sizes of its type: rather too wide, so that a line is broken only for sure."""
_EDGE_LINES = 3
"""Lines at the top and at the bottom of a page that may be running headers and footers."""
_RUNNING_SHARE, _RUNNING_PAGES = 0.4, 3
"""On how many of the pages a running header stands."""


_BULLET_OF_OLD = "\x7f"
"""The bullet's place in PDF's own encoding, which pdf_oxide hands on as it is."""
_SAME_HEIGHT = 4.0
"""Points within which two lines of different pages stand at the same place."""

_Running = tuple[int, str]
"""Height and words of a line that many pages have."""
_SECTION = re.compile(r"\d{1,2}(?:\.\d{1,2})+\.?")
_NUMERALS = re.compile(r"(?<!\d)\d{1,4}(?!\d)")


@dataclass(frozen=True, slots=True)
class PdfFile:
    """What a PDF says of itself, and its blocks in reading order."""

    title: str
    pieces: list[Piece]
    pages: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page. Places are points from the lower left corner of the page."""

    cells: tuple[str, ...]
    left: float
    right: float
    base: float
    size: float
    bold: bool
    page: int

    @property
    def text(self) -> str:
        return normalise_line(" ".join(self.cells))


def read_pdf(raw: bytes) -> PdfFile:
    """The text of a PDF.

    Raises UnreadableDocumentError when it is damaged, asks for a password, has more than
    `MAX_PAGES` pages, or is made of pictures without a text layer.
    """
    try:
        return _read(raw)
    except pdfium.PdfiumError as error:
        raise UnreadableDocumentError(_reason(error)) from error


def _read(raw: bytes) -> PdfFile:
    checked = pdfium.PdfDocument(raw)
    count = len(checked)
    if count > MAX_PAGES:
        raise UnreadableDocumentError(
            f"the PDF has {count} pages; the limit is {MAX_PAGES}: split it"
        )
    document = _opened(raw)
    pages: list[list[_Line]] = []
    plain: list[Piece] = []
    for number in range(count):
        text = _pdfium_text(checked, number)
        lines = _trusted_lines(document, number, text)
        pages.append(lines or [])
        if lines is None:
            plain += [replace(piece, page=number + 1) for piece in read_plain(text)]
    running = _running(pages)
    lines = [line for page in pages for line in page if not _is_running(line, page, running)]
    pieces = sorted([*_pieces(lines, _outline(checked)), *plain], key=lambda piece: piece.page or 0)
    if not pieces:
        raise UnreadableDocumentError(
            "no text layer: the pages are pictures; run OCR on the file (`ocrmypdf -l nor IN OUT`) "
            "and ingest what it gives"
        )
    return PdfFile(_title(checked, pieces), pieces, count)


def _title(document: pdfium.PdfDocument, pieces: Sequence[Piece]) -> str:
    """The title that the file states, if its first page has it too.

    Word processors state a file name or the title of an earlier document.
    """
    title = normalise_line(document.get_metadata_value("Title") or "")
    first = " ".join(piece.text for piece in pieces if piece.page == 1).casefold()
    return title if title.casefold() in first else ""


def _reason(error: pdfium.PdfiumError) -> str:
    if "password" in str(error).lower():
        return "the PDF asks for a password; save it without one"
    return "the PDF is damaged or was cut off; fetch it again"


# Lines


def _opened(raw: bytes) -> PdfDocument | None:
    try:
        return PdfDocument.from_bytes(raw)
    except (RuntimeError, ValueError, OSError) as error:
        log.info("pdf_oxide cannot open what PDFium can: %s", error)
        return None


def _trusted_lines(document: PdfDocument | None, number: int, text: str) -> list[_Line] | None:
    """Lines of a page in reading order; None where pdf_oxide missed or doubled letters.

    `text` is what PDFium sees there.
    """
    letters = sum(map(str.isalnum, text))
    if not letters:
        return []
    if document is None:
        return None
    try:
        lines = _ordered(document, number)
    except (RuntimeError, ValueError) as error:
        log.info("pdf_oxide cannot read page %d: %s", number + 1, error)
        return None
    read = sum(letter.isalnum() for line in lines for cell in line.cells for letter in cell)
    return lines if abs(read - letters) <= _AGREEMENT * letters else None


def _ordered(document: PdfDocument, number: int) -> list[_Line]:
    """Lines of a page: row by row, as tables want it, or column by column where it has columns."""
    lines = _lines(document.extract_spans(number), number + 1)
    side_by_side = sum(
        len(line.cells) > 1 and min(map(len, line.cells)) >= _COLUMN_LETTERS for line in lines
    )
    if side_by_side > _COLUMN_SHARE * len(lines):
        spans = document.extract_spans(number, reading_order="column_aware")
        lines = _lines(spans, number + 1)
    return lines


def _pdfium_text(checked: pdfium.PdfDocument, number: int) -> str:
    page = checked[number]
    text_page = page.get_textpage()
    # PDFium marks a hyphen at the end of a line by a character that is none.
    text = text_page.get_text_range().replace("\ufffe", "\u00ad").replace("\x02", "\u00ad")
    text_page.close()
    page.close()
    return normalise(text)


def _lines(spans: Sequence[TextSpan], page: int) -> list[_Line]:
    lines: list[list[TextSpan]] = []
    for span in spans:
        if not span.text.strip():
            continue
        if lines and _goes_on(lines[-1][-1], span):
            lines[-1].append(span)
        else:
            lines.append([span])
    return [_line(line, page) for line in lines]


def _goes_on(left: TextSpan, right: TextSpan) -> bool:
    """Whether two spans stand on one line, the right one to the right."""
    begin, base, width, _ = left.bbox
    same_base = abs(base - right.bbox[1]) < 0.4 * max(left.font_size, right.font_size)
    return bool(same_base and right.bbox[0] > begin + 0.5 * width)


def _line(spans: Sequence[TextSpan], page: int) -> _Line:
    cells = [spans[0].text.replace(_BULLET_OF_OLD, "•")]
    for left, right in pairwise(spans):
        gap = right.bbox[0] - (left.bbox[0] + left.bbox[2])
        is_marker = len(cells) == 1 and _is_marker(cells[0])
        if gap > _CELL_GAP * right.font_size and not is_marker and not _numbers(cells, right.text):
            cells.append(right.text)
        elif is_marker or gap > 0.15 * right.font_size:
            cells[-1] += f" {right.text}"
        else:
            cells[-1] += right.text
    letters = sum(len(span.text) for span in spans)
    bold = sum(len(span.text) for span in spans if span.is_bold)
    return _Line(
        tuple(filter(None, map(normalise_line, cells))),
        left=spans[0].bbox[0],
        right=spans[-1].bbox[0] + spans[-1].bbox[2],
        base=spans[0].bbox[1],
        size=round(max(span.font_size for span in spans), 1),
        bold=bold > 0.8 * letters,
        page=page,
    )


def _numbers(cells: Sequence[str], words: str) -> bool:
    """Whether the only cell so far is a section's number («1.2») that `words` go with."""
    return len(cells) == 1 and bool(_SECTION.fullmatch(cells[0].strip())) and words[:1].isalpha()


def _is_marker(text: str) -> bool:
    marked = f"{normalise_line(text)} x"
    return bool(BULLET.match(marked) or NUMBER.match(marked)) and len(marked) < 6


# Running headers and footers


def _edges(page: Sequence[_Line]) -> list[_Line]:
    """The uppermost and lowest lines of a page, but for headings and rows of tables."""
    body = _body_size(page)
    rows = {line for pair in pairwise(page) if all(len(x.cells) > 1 for x in pair) for line in pair}
    page = [line for line in page if line not in rows and line.size < _HEADING_SIZE * body]
    by_height = sorted(page, key=lambda line: -line.base)
    return by_height[:_EDGE_LINES] + by_height[_EDGE_LINES:][-_EDGE_LINES:]


def _running(pages: Sequence[Sequence[_Line]]) -> set[_Running]:
    """What stands at the same place at the edge of many pages."""
    counts = Counter(
        sight for page in pages for sight in {s for line in _edges(page) for s in _sights(line)}
    )
    least = max(_RUNNING_PAGES, _RUNNING_SHARE * sum(map(bool, pages)))
    return {sight for sight, count in counts.items() if count >= least}


def _is_running(line: _Line, page: Sequence[_Line], running: set[_Running]) -> bool:
    return line in _edges(page) and not running.isdisjoint(_sights(line))


def _sights(line: _Line) -> Iterator[_Running]:
    """The line as it stands, and with each of its numbers counted from that of the page.

    So «Side 3 av 9» is the same on every page, but a row of a table is not.
    """
    height = round(line.base / _SAME_HEIGHT)
    yield height, line.text
    for number in _NUMERALS.finditer(line.text):
        ahead = f"#{int(number.group()) - line.page}"
        yield height, line.text[: number.start()] + ahead + line.text[number.end() :]


# Blocks


def _pieces(lines: Sequence[_Line], outline: Mapping[str, int]) -> Iterator[Piece]:
    body = _body_size(lines)
    levels = _levels(lines, body, outline)
    pitch = _pitch(lines)
    margins = _margins(lines)
    blocks = list(_blocks(lines, levels, margins, pitch))
    yield from _over_pages(blocks, [_piece(block, levels, margins) for block in blocks])


def _body_size(lines: Sequence[_Line]) -> float:
    letters: Counter[float] = Counter()
    for line in lines:
        letters[line.size] += len(line.text)
    return letters.most_common(1)[0][0] if letters else 0.0


def _pitch(lines: Sequence[_Line]) -> float:
    """The usual distance of two lines of a paragraph, as a share of the type's size."""
    distances = [
        (upper.base - lower.base) / upper.size
        for upper, lower in pairwise(lines)
        if upper.size and upper.size == lower.size and 0 < upper.base - lower.base < 3 * upper.size
    ]
    return median(distances) if distances else 1.2


def _levels(lines: Sequence[_Line], body: float, outline: Mapping[str, int]) -> dict[_Line, int]:
    """Levels of the lines that are headings: as the bookmarks say, else by size, else by weight."""
    large = {line.size for line in lines if line.size >= _HEADING_SIZE * body}
    by_size = {size: level for level, size in enumerate(sorted(large, reverse=True), 1)}
    lowest = min(len(by_size) + 1, _MAX_LEVEL)
    levels: dict[_Line, int] = {}
    for at, line in enumerate(lines):
        if len(line.text) > _HEADING_LETTERS or not _has_word(line.text):
            continue
        if level := outline.get(line.text.casefold()):
            levels[line] = level
        elif len(line.cells) > 1:
            continue
        elif line.size in by_size:
            levels[line] = min(by_size[line.size], _MAX_LEVEL)
        elif line.bold and _stands_alone(lines, at):
            levels[line] = lowest
    return levels


def _has_word(text: str) -> bool:
    return any(letter.isalpha() for letter in text)


def _stands_alone(lines: Sequence[_Line], at: int) -> bool:
    """Whether a bold line ends no sentence and what is not bold follows."""
    line = lines[at]
    below = lines[at + 1] if at + 1 < len(lines) else None
    return (
        below is not None
        and not below.bold
        and len(line.text) < 80
        and not SENTENCE_END.search(line.text)
        and not BULLET.match(line.text)
    )


def _margins(lines: Sequence[_Line]) -> dict[_Line, float]:
    """Where the column of each line ends at the right."""
    margins: dict[_Line, float] = {}
    for _, group in groupby(lines, key=lambda line: line.page):
        page = list(group)
        for line in page:
            column = [
                other.right
                for other in page
                if abs(other.left - line.left) < _INDENT and len(other.cells) == 1
            ]
            margins[line] = max(column, default=line.right)
    return margins


def _blocks(
    lines: Sequence[_Line],
    levels: Mapping[_Line, int],
    margins: Mapping[_Line, float],
    pitch: float,
) -> Iterator[list[_Line]]:
    """Lines that belong together."""
    block: list[_Line] = []
    for line in lines:
        if block and not _continues(block, line, levels, margins, pitch):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _continues(
    block: Sequence[_Line],
    line: _Line,
    levels: Mapping[_Line, int],
    margins: Mapping[_Line, float],
    pitch: float,
) -> bool:
    above = block[-1]
    if len(above.cells) > 1 or len(line.cells) > 1 or _begins_item(line):
        return False
    if levels.get(above) != levels.get(line) or above.page != line.page:
        return False
    distance = above.base - line.base
    is_near = 0 < distance <= _PARAGRAPH_GAP * pitch * above.size
    if not is_near or abs(above.size - line.size) >= 0.6:
        return False
    return (
        not _was_broken(above, line, margins[above])
        or _begins_item(block[0])
        or (
            max(len(above.text), len(line.text)) < SHORT_LINE
            and not SENTENCE_END.search(above.text)
        )
    )


def _was_broken(above: _Line, line: _Line, margin: float) -> bool:
    """Whether its author ended the line above: the next one's first word had fitted on it.

    `margin` is where the lines of the column end.
    """
    first_word = line.text.partition(" ")[0]
    room = (len(first_word) + 1) * _LETTER_WIDTH * line.size
    return not first_word[:1].islower() and above.right + room < margin


def _text(block: Sequence[_Line], margins: Mapping[_Line, float]) -> str:
    """The block on one line, but for where its author broke a line."""
    parts: list[list[str]] = [[block[0].text]]
    for above, line in pairwise(block):
        if _was_broken(above, line, margins[above]):
            parts.append([])
        parts[-1].append(line.text)
    return "\n".join(map(joined_lines, parts))


def _begins_item(line: _Line) -> bool:
    return bool(BULLET.match(line.text) or NUMBER.match(line.text))


def _piece(
    block: Sequence[_Line], levels: Mapping[_Line, int], margins: Mapping[_Line, float]
) -> Piece:
    first = block[0]
    text = _text(block, margins)
    if first in levels:
        return Piece(BlockKind.HEADING, normalise_line(text), levels[first], first.page)
    if len(first.cells) > 1:
        return Piece(BlockKind.TABLE_ROW, " | ".join(first.cells), page=first.page)
    if bullet := BULLET.match(text):
        marker = f"{bullet.group('marker')} "
        return Piece(BlockKind.LIST_ITEM, text[bullet.end() :], 1, first.page, marker)
    if NUMBER.match(text):
        return Piece(BlockKind.LIST_ITEM, text, 1, first.page)
    return Piece(BlockKind.PARAGRAPH, text, page=first.page)


def _over_pages(blocks: Sequence[Sequence[_Line]], pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Makes whole the sentences that the end of a page or column broke.

    What follows such a sentence stays a piece of its own, on its own page.
    """
    whole = pieces[0] if pieces else None
    for (above, below), piece in zip(pairwise(blocks), pieces[1:], strict=True):
        assert whole is not None
        if _is_broken(above[-1], below[0]) and _is_rest(whole, piece):
            end = split_sentences(piece.text)[0][1]
            whole = replace(whole, text=joined_lines([whole.text, piece.text[:end]]))
            after = piece.text[end:].strip()
            if not after:
                continue
            piece = replace(piece, text=after)  # noqa: PLW2901
        yield whole
        whole = piece
    if whole is not None:
        yield whole


def _is_broken(above: _Line, below: _Line) -> bool:
    """Whether a page or a column ends between two lines."""
    return below.page != above.page or below.base > above.base


def _is_rest(half: Piece, rest: Piece) -> bool:
    return (
        half.kind in {BlockKind.PARAGRAPH, BlockKind.LIST_ITEM}
        and rest.kind is BlockKind.PARAGRAPH
        and not SENTENCE_END.search(half.text)
        and not half.text.endswith(":")
        and rest.text[:1].islower()
    )


def _outline(document: pdfium.PdfDocument) -> dict[str, int]:
    """Level of each bookmark, by its words in lower case."""
    found = [(mark.level, normalise_line(mark.get_title() or "")) for mark in document.get_toc()]
    return {title.casefold(): min(level + 1, _MAX_LEVEL) for level, title in found if title}
