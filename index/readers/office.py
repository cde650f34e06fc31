"""Word, PowerPoint and Excel files of the XML kind (DOCX, PPTX, XLSX), each by its own library.

mammoth keeps what others lose of a Word file (tracked changes, text boxes, footnotes, nested
tables); none of them knows a Word file's pages.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.parsers.expat import ExpatError

import mammoth
import openpyxl
import pptx
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError
from selectolax.lexbor import LexborHTMLParser

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.readers.delimited import table_rows
from index.readers.html import read_html
from index.text import normalise_line

MAX_UNPACKED_BYTES = 500 * 1024 * 1024
"""Of all parts of a file together, as its archive declares them."""
_SAID_LETTERS = 120
MAX_ROWS = 200_000
"""Of all sheets of a workbook together."""

OLD_OR_LOCKED = b"\xd0\xcf\x11\xe0"
"""How Office files with a password begin, and those of the formats before 2007."""
_KINDS_OF_OLD = (
    ("EncryptedPackage", "the file has a password; save it without one"),
    ("WordDocument", "the file is of Word's format before 2007; save it as .docx"),
    ("PowerPoint Document", "the file is of PowerPoint's format before 2007; save it as .pptx"),
    ("Workbook", "the file is of Excel's format before 2007; save it as .xlsx"),
    ("__substg1.0_", "the file is a mail in Outlook's own format; save it as .eml or as PDF"),
)
_TITLE_STYLES = "\n".join(f"p[style-name='{name}'] => h1:fresh" for name in ("Title", "Tittel"))
# mammoth's own: «[1]» in the text, and an arrow back from the note.
_FOOTNOTE_LINKS = re.compile(
    r'<sup><a [^>]*id="[^"]*note-ref-[^"]*"[^>]*>[^<]*</a></sup>'
    r'|<a href="#[^"]*note-ref-[^"]*">[^<]*</a>'
)
_FRAME = {PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER}
_TITLES = {PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE}


BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a method of compression that is none
    OSError,
    RuntimeError,  # an archive with a password
    ValueError,  # places outside the file
)
_MAIN_PARTS = {
    "word/document.xml": ".docx",
    "ppt/presentation.xml": ".pptx",
    "xl/workbook.xml": ".xlsx",
}
_OPEN_DOCUMENT_PART = "mimetype"
_OPEN_DOCUMENTS = {
    f"application/vnd.oasis.opendocument.{name}": kind
    for name, kind in (("text", ".odt"), ("presentation", ".odp"), ("spreadsheet", ".ods"))
}


def office_kind(raw: bytes) -> str | None:
    """The extension that an Office file should have; None for another archive or a broken one."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = set(archive.namelist())
            if _OPEN_DOCUMENT_PART in names:
                with archive.open(_OPEN_DOCUMENT_PART) as part:
                    return _OPEN_DOCUMENTS.get(part.read(100).decode().strip())
    except BROKEN_ARCHIVE:
        return None
    return next((kind for part, kind in _MAIN_PARTS.items() if part in names), None)


def old_or_locked(raw: bytes) -> UnreadableDocumentError:
    """Why a file that begins as `OLD_OR_LOCKED` cannot be read, by the names of its parts."""
    known = (reason for name, reason in _KINDS_OF_OLD if name.encode("utf-16-le") in raw)
    return UnreadableDocumentError(
        next(
            known,
            "the file has a password or is of the format before 2007; save it anew without a "
            "password, as .docx, .pptx or .xlsx",
        )
    )


def require_whole(raw: bytes) -> None:
    """Raises UnreadableDocumentError for what is damaged, locked, or would fill the memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
            if unpacked <= MAX_UNPACKED_BYTES and (broken := archive.testzip()):
                raise UnreadableDocumentError(f"the file is damaged ({broken}); fetch it again")
    except BROKEN_ARCHIVE as error:
        raise UnreadableDocumentError(
            "the file is damaged, was cut off, or is no Office file; fetch it again"
        ) from error
    if unpacked > MAX_UNPACKED_BYTES:
        limit = MAX_UNPACKED_BYTES // 1024**2
        raise UnreadableDocumentError(
            f"the file unpacks to {unpacked // 1024**2} MB; the limit is {limit} MB: split it"
        )


@contextmanager
def _sound() -> Iterator[None]:
    """Has what a library says of parts that are no XML, or lack something, name a damaged file."""
    try:
        yield
    except (ExpatError, SyntaxError, KeyError, ValueError, PythonPptxError) as error:
        said = normalise_line(str(error))[:_SAID_LETTERS]
        raise UnreadableDocumentError(f"the file is damaged ({said}); save it anew") from error


def too_many_rows() -> UnreadableDocumentError:
    return UnreadableDocumentError(f"more than {MAX_ROWS} rows; split the workbook")


def read_docx(raw: bytes) -> list[Piece]:
    """A Word file's headings, paragraphs, lists and tables, as mammoth gives them in HTML."""
    require_whole(raw)
    with _sound():
        result = mammoth.convert_to_html(
            io.BytesIO(raw),
            style_map=_TITLE_STYLES,
            convert_image=mammoth.images.img_element(lambda _: {}),
        )
    return read_html(_renumbered(_FOOTNOTE_LINKS.sub("", result.value))).pieces


def _renumbered(html: str) -> str:
    """The page with numbered lists that go on after bullets between their items.

    mammoth ends a list where another begins, and would have each of its parts begin at 1.
    """
    tree = LexborHTMLParser(html)
    count = 0
    for node in tree.body.iter() if tree.body else ():
        if node.tag == "ol":
            node.attrs["start"] = str(count + 1)
            count += sum(child.tag == "li" for child in node.iter())
        elif node.tag != "ul":
            count = 0
    return tree.html or ""


def read_pptx(raw: bytes) -> tuple[list[Piece], int]:
    """A presentation slide by slide: title, what stands on it from top to bottom, then notes.

    A block's page is the number of its slide; how many there are is given too.
    """
    require_whole(raw)
    with _sound():
        slides = pptx.Presentation(io.BytesIO(raw)).slides
        numbered = enumerate(slides, 1)
        pieces = [piece for number, slide in numbered for piece in _slide(slide, number)]
    return pieces, len(slides)


def read_xlsx(raw: bytes) -> list[Piece]:
    """A workbook's sheets: each a heading and its rows, with the values that formulas last had.

    Raises UnreadableDocumentError for more than `MAX_ROWS` rows.
    """
    require_whole(raw)
    with _sound():
        return _sheets(openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True))


def _sheets(book: openpyxl.Workbook) -> list[Piece]:
    pieces: list[Piece] = []
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # some programs state them wrongly
        rows = table_rows(sheet.iter_rows(values_only=True))
        if rows:
            pieces += [Piece(BlockKind.HEADING, sheet.title, 1), *rows]
        if len(pieces) > MAX_ROWS:
            raise too_many_rows()
    return pieces


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
