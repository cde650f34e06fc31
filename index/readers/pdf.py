"""PDF: text by pdf_oxide, which knows the order of columns; PDFium opens the file and checks it.

A PDF holds letters at places on pages and nothing else; `layout` makes blocks of them.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import unescape
from itertools import pairwise

import pypdfium2 as pdfium
from pdf_oxide import PdfDocument, TextSpan
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE, FPDF_PAGEOBJ_PATH

from index.documents import Piece
from index.errors import UnreadableDocumentError
from index.readers import ocr as recognition
from index.readers.layout import MAX_LEVEL, Line, blocks_of
from index.readers.plain import BULLET, NUMBER, read_plain
from index.readers.stated import Stated, author_of, day_of, title_within
from index.text import normalise, normalise_line

log = logging.getLogger("kildesvar")

MAX_PAGES = 5000

_AGREEMENT = 0.03
"""Share of a page's letters that pdf_oxide may lack or have twice before PDFium is believed."""
_CELL_GAP = 1.2
"""White space within a line, in sizes of its type, that parts two cells of a table."""
_COLUMN_LETTERS, _COLUMN_SHARE = 20, 0.25
"""A page has columns when on this share of its lines two texts of so many letters stand apart."""
_WITH_POINTS = re.compile(r"\d+(?:\.\d+)+")
_BULLET_OF_OLD = "\x7f"
"""The bullet's place in PDF's own encoding, which pdf_oxide hands on as it is."""
_XML_AUTHOR = re.compile(
    rb"<dc:creator>\s{0,99}<rdf:(?:Seq|Bag)>\s{0,99}<rdf:li[^>]{0,99}>([^<]{1,300})<"
)
_XML_DATE = re.compile(rb"<xmp:CreateDate>([^<]{8,40})<")
_MANY_LINES = 200
"""A page with more of them and no text may have its letters drawn."""
_SECTION = re.compile(r"\d{1,2}(?:\.\d{1,2})+\.?")


@dataclass(frozen=True, slots=True)
class PdfFile:
    """What a PDF says of itself, and its blocks in reading order."""

    stated: Stated
    pieces: list[Piece]
    pages: int
    notices: tuple[str, ...] = ()


def read_pdf(raw: bytes, ocr: bool = False) -> PdfFile:
    """The text of a PDF; with `ocr` also that of pages which are pictures.

    Raises UnreadableDocumentError when it is damaged, asks for a password, has more than
    `MAX_PAGES` pages, or is made of pictures that could not be read.
    """
    try:
        return _read(raw, ocr)
    except pdfium.PdfiumError as error:
        raise UnreadableDocumentError(_reason(error)) from error


def _read(raw: bytes, ocr: bool) -> PdfFile:
    checked = pdfium.PdfDocument(raw)
    count = len(checked)
    if count > MAX_PAGES:
        raise UnreadableDocumentError(
            f"the PDF has {count} pages; the limit is {MAX_PAGES}: split it"
        )
    document = _opened(raw)
    pages: list[list[Line]] = []
    plain: list[Piece] = []
    pictures = _Pictures(ocr)
    for number in range(count):
        text = _pdfium_text(checked, number)
        lines = _trusted_lines(document, number, text)
        pages.append(lines or [])
        if lines is None:
            plain += [replace(piece, page=number + 1) for piece in read_plain(text)]
        elif not text.strip():
            plain += pictures.read(checked, number)
    blocks = blocks_of(pages, _outline(checked))
    pieces = sorted([*blocks, *plain], key=lambda piece: piece.page or 0)
    if pictures.unread and not pieces:
        raise UnreadableDocumentError(pictures.refusal())
    return PdfFile(_stated(checked, raw, pieces), pieces, count, tuple(pictures.notices()))


def _stated(document: pdfium.PdfDocument, raw: bytes, pieces: Sequence[Piece]) -> Stated:
    """What the file states; its title counts if its first page has it too."""
    value = document.get_metadata_value
    return Stated(
        title=title_within(value("Title"), [piece for piece in pieces if piece.page == 1]),
        author=author_of(value("Author")) or author_of(_in_xml(_XML_AUTHOR, raw)),
        date=day_of(value("CreationDate")) or day_of(_in_xml(_XML_DATE, raw)),
    )


def _in_xml(pattern: re.Pattern[bytes], raw: bytes) -> str:
    """What the file's own description says, which is XML that stands in it as it is (XMP)."""
    found = pattern.search(raw)
    return unescape(found[1].decode("utf-8", "replace")) if found else ""


def _reason(error: pdfium.PdfiumError) -> str:
    if "password" in str(error).lower():
        return "the PDF asks for a password; save it without one"
    return "the PDF is damaged or was cut off; fetch it again"


# Pages without text


@dataclass
class _Pictures:
    """The pages without a text layer that show something: recognised, or named."""

    ocr: bool
    unread: list[int] = field(default_factory=list)
    recognised: list[int] = field(default_factory=list)
    slow: list[int] = field(default_factory=list)
    missing: str = ""

    def read(self, document: pdfium.PdfDocument, number: int) -> list[Piece]:
        """What the page at `number`, from 0, shows; nothing where it cannot be recognised."""
        page = document[number]
        try:
            if not _shows_something(page):
                return []
            if not self.ocr or self.missing or len(self.recognised) >= recognition.MAX_PAGES:
                self.unread.append(number + 1)
                return []
            return self._recognised(page, number + 1)
        finally:
            page.close()

    def _recognised(self, page: pdfium.PdfPage, number: int) -> list[Piece]:
        try:
            text = recognition.page_text(page)
        except recognition.OcrTimeoutError:
            self.slow.append(number)
        except recognition.OcrUnavailableError as error:
            self.missing = str(error)
        else:
            self.recognised.append(number)
            return [replace(piece, page=number) for piece in read_plain(text)]
        self.unread.append(number)
        return []

    def refusal(self) -> str:
        if self.missing:
            return f"no text layer: the pages are pictures, and {self.missing}"
        if self.slow:
            return (
                f"no text layer, and recognising a page took over {recognition.PAGE_SECONDS:.0f} s"
            )
        return (
            "no text layer: the pages are pictures; run OCR on the file (`ocrmypdf -l nor IN OUT`) "
            "and ingest what it gives, or set KILDESVAR_OCR=on"
        )

    def notices(self) -> Iterator[str]:
        if self.recognised:
            yield f"{_named(self.recognised, 'was', 'were')} read by OCR; letters may be wrong"
        if self.unread:
            named = _named(self.unread, "has", "have")
            one = "was" if len(self.unread) == 1 else "were"
            yield f"{named} no text layer and {one} not read; {self._remedy()}"

    def _remedy(self) -> str:
        if self.missing:
            return self.missing
        if self.slow:
            return f"recognising it took over {recognition.PAGE_SECONDS:.0f} s a page"
        if self.ocr:
            return f"OCR ends after {recognition.MAX_PAGES} pages: split the file"
        return "run OCR on the file (`ocrmypdf -l nor IN OUT`), or set KILDESVAR_OCR=on"


def _shows_something(page: pdfium.PdfPage) -> bool:
    """Whether a page has a picture, or so many lines that they may be letters."""
    drawn = 0
    for shown in page.get_objects():
        drawn += shown.type == FPDF_PAGEOBJ_PATH
        if shown.type == FPDF_PAGEOBJ_IMAGE or drawn > _MANY_LINES:
            return True
    return False


def _named(numbers: Sequence[int], one: str, several: str) -> str:
    """«page 3 has», «pages 3-5 and 9 have»."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    names = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"page {listed} {one}" if len(numbers) == 1 else f"pages {listed} {several}"


# Lines


def _opened(raw: bytes) -> PdfDocument | None:
    try:
        return PdfDocument.from_bytes(raw)
    except (RuntimeError, ValueError, OSError) as error:
        log.info("pdf_oxide cannot open what PDFium can: %s", error)
        return None


def _trusted_lines(document: PdfDocument | None, number: int, text: str) -> list[Line] | None:
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
    lines = [replace(line, cells=_unjoined(line.cells, text)) for line in lines]
    read = sum(letter.isalnum() for line in lines for cell in line.cells for letter in cell)
    return lines if abs(read - letters) <= _AGREEMENT * letters else None


def _unjoined(cells: Sequence[str], text: str) -> tuple[str, ...]:
    """`cells` without the points that pdf_oxide puts between numbers of two cells («2007.32»).

    `text` is what PDFium sees on the page.
    """
    seen = set(text.split())

    def apart(found: re.Match[str]) -> str:
        parts = found[0].split(".")
        return " ".join(parts) if found[0] not in text and seen.issuperset(parts) else found[0]

    return tuple(_WITH_POINTS.sub(apart, cell) for cell in cells)


def _ordered(document: PdfDocument, number: int) -> list[Line]:
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


def _lines(spans: Sequence[TextSpan], page: int) -> list[Line]:
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


def _line(spans: Sequence[TextSpan], page: int) -> Line:
    first = spans[0].text.replace(_BULLET_OF_OLD, "•")
    cells = [first]
    for left, right in pairwise(spans):
        gap = right.bbox[0] - (left.bbox[0] + left.bbox[2])
        is_marker = len(cells) == 1 and _is_marker(cells[0])
        if gap > _CELL_GAP * right.font_size and not is_marker and not _numbers(cells, right.text):
            cells.append(right.text)
        elif is_marker or gap > 0.15 * right.font_size:
            cells[-1] += f" {right.text}"
        else:
            cells[-1] += right.text
    # A bullet is often larger than the words after it.
    words = spans[1:] if len(spans) > 1 and _is_marker(first) else spans
    letters = sum(len(span.text) for span in spans)
    bold = sum(len(span.text) for span in spans if span.is_bold)
    return Line(
        tuple(filter(None, map(normalise_line, cells))),
        left=spans[0].bbox[0],
        right=spans[-1].bbox[0] + spans[-1].bbox[2],
        base=spans[0].bbox[1],
        size=round(max(span.font_size for span in words), 1),
        bold=bold > 0.8 * letters,
        page=page,
    )


def _numbers(cells: Sequence[str], words: str) -> bool:
    """Whether the only cell so far is a section's number («1.2») that `words` go with."""
    return len(cells) == 1 and bool(_SECTION.fullmatch(cells[0].strip())) and words[:1].isalpha()


def _is_marker(text: str) -> bool:
    marked = f"{normalise_line(text)} x"
    return bool(BULLET.match(marked) or NUMBER.match(marked)) and len(marked) < 6


def _outline(document: pdfium.PdfDocument) -> dict[str, int]:
    """Level of each bookmark, by its words in lower case."""
    found = [(mark.level, normalise_line(mark.get_title() or "")) for mark in document.get_toc()]
    return {title.casefold(): min(level + 1, MAX_LEVEL) for level, title in found if title}
