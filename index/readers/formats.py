"""From a file to a `Document`, by the parser that its format needs.

A new format is a module with a function from text or bytes to pieces, a line in `_READERS`, and one
in `index.readers.EXTENSIONS`. Imports all parsers but those of Word, PowerPoint and Excel, which
take as long to import as all others together, and are imported with their first file. `isolation`
runs all of this in a process of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from index.documents import BlockKind, Document, Piece, assemble
from index.errors import UnreadableDocumentError
from index.files import PDF_HEADER, accessed
from index.language import detect_language
from index.readers import require_readable
from index.readers.delimited import read_delimited
from index.readers.encoding import decode, decode_html
from index.readers.html import read_html
from index.readers.mail import read_mail
from index.readers.markdown import read_markdown
from index.readers.office import (
    OLD_OR_LOCKED,
    office_kind,
    old_or_locked,
    require_whole,
)
from index.readers.opendocument import read_opendocument
from index.readers.pdf import read_pdf
from index.readers.plain import read_plain
from index.readers.properties import core_properties, opendocument_properties
from index.readers.rtf import RTF_HEADER, read_rtf
from index.readers.stated import Stated, author_of, day_of, web_address
from index.text import normalise_line

_HEADER_BYTES = 1024
"""Within which a PDF's header stands."""
_ZIP = b"PK\x03\x04"
_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_IMPORTED_LATER = ("mammoth", "openpyxl", "pptx")
_LANGUAGES = frozenset({"nb", "nn", "en"})
_NOTHING = Stated()


def read(path: Path, ocr: bool = False) -> Document:
    """The document in the file at `path`; with `ocr` pictures of pages are recognised.

    Raises UnreadableDocumentError with a reason that fits one line of a report: an unknown type,
    a file too large, empty, binary, or without any text in it.
    """
    require_readable(path)
    raw = accessed(path.read_bytes)
    kind = _kind(raw, path.suffix.lower())
    document = _pdf_document(raw, path, ocr) if kind == ".pdf" else _READERS[kind](raw, path)
    if not document.text:
        raise UnreadableDocumentError("there is no text in the file")
    return document


def require_parsers() -> None:
    """Raises ModuleNotFoundError when one is missing of those that are imported later."""
    for name in _IMPORTED_LATER:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _kind(raw: bytes, suffix: str) -> str:
    """The extension that fits what is in the file; its name decides only between kinds of text."""
    if raw.startswith(PDF_HEADER):
        return ".pdf"
    if raw.startswith(RTF_HEADER):
        return ".rtf"
    if raw.startswith(OLD_OR_LOCKED):
        raise old_or_locked(raw)
    kind = office_kind(raw) if raw.startswith(_ZIP) else None
    # Some programs write rubbish before a PDF's header.
    if suffix == ".pdf" and kind is None and PDF_HEADER not in raw[:_HEADER_BYTES]:
        raise UnreadableDocumentError("the file is named as a PDF, but there is none in it")
    if kind is None and raw.startswith(_ZIP):
        require_whole(raw)
        raise UnreadableDocumentError(
            "the file is an archive, and no Office or OpenDocument file that can be read; unpack it"
        )
    return kind or suffix


def _pdf_document(raw: bytes, path: Path, ocr: bool = False) -> Document:
    file = read_pdf(raw, ocr)
    media_type = "application/pdf"
    return _document(file.pieces, path, media_type, file.stated, file.pages, file.notices)


def _docx_document(raw: bytes, path: Path) -> Document:
    from index.readers.word import read_docx  # noqa: PLC0415

    pieces = read_docx(raw)
    media_type = f"{_OPEN_XML}.wordprocessingml.document"
    return _document(pieces, path, media_type, core_properties(raw, pieces))


def _pptx_document(raw: bytes, path: Path) -> Document:
    from index.readers.powerpoint import read_pptx  # noqa: PLC0415

    pieces, slides = read_pptx(raw)
    media_type = f"{_OPEN_XML}.presentationml.presentation"
    return _document(pieces, path, media_type, core_properties(raw, pieces), pages=slides)


def _xlsx_document(raw: bytes, path: Path) -> Document:
    from index.readers.excel import read_xlsx  # noqa: PLC0415

    pieces = read_xlsx(raw)
    stated = _named(core_properties(raw, pieces), path)
    return _document(pieces, path, f"{_OPEN_XML}.spreadsheetml.sheet", stated)


def _opendocument(kind: str) -> Callable[[bytes, Path], Document]:
    def document(raw: bytes, path: Path) -> Document:
        pieces, slides = read_opendocument(raw)
        stated = opendocument_properties(raw, pieces)
        if kind == "spreadsheet":
            stated = _named(stated, path)
        media_type = f"application/vnd.oasis.opendocument.{kind}"
        return _document(pieces, path, media_type, stated, pages=slides)

    return document


def _named(stated: Stated, path: Path) -> Stated:
    """A workbook is called as its file where it states no title: a sheet's name is none."""
    return stated if stated.title else replace(stated, title=path.stem)


def _csv_document(raw: bytes, path: Path) -> Document:
    return _document(read_delimited(decode(raw)), path, "text/csv")


def _text_document(raw: bytes, path: Path) -> Document:
    return _document(read_plain(decode(raw)), path, "text/plain")


def _markdown_document(raw: bytes, path: Path) -> Document:
    fields, pieces = read_markdown(decode(raw))
    stated = Stated(
        title=fields.get("title", ""),
        author=author_of((fields.get("author") or fields.get("forfatter") or "").strip("[]")),
        date=day_of(fields.get("date") or fields.get("dato")),
        language=fields.get("language") or fields.get("lang"),
        source_url=web_address(fields.get("source") or fields.get("url")),
    )
    return _document(pieces, path, "text/markdown", stated)


def _html_document(raw: bytes, path: Path) -> Document:
    page = read_html(decode_html(raw))
    return _document(page.pieces, path, "text/html", page.stated)


def _mail_document(raw: bytes, path: Path) -> Document:
    mail = read_mail(raw)
    return _document(mail.pieces, path, "message/rfc822", mail.stated, notices=mail.notices)


def _rtf_document(raw: bytes, path: Path) -> Document:
    if not raw.startswith(RTF_HEADER):
        raise UnreadableDocumentError("the file is named as RTF, but there is none in it")
    file = read_rtf(raw)
    return _document(file.pieces, path, "application/rtf", file.stated, notices=file.notices)


def _doc_document(raw: bytes, path: Path) -> Document:
    # What RTF, OOXML and Word's old format are called too was known by its content.
    raise UnreadableDocumentError("the file is named as Word's, but there is no such file in it")


def _document(  # noqa: PLR0913, PLR0917 - one argument per thing that a format may know
    pieces: list[Piece],
    path: Path,
    media_type: str,
    stated: Stated = _NOTHING,
    pages: int | None = None,
    notices: tuple[str, ...] = (),
) -> Document:
    text, blocks = assemble(pieces)
    return Document(
        # Some file systems write «å» as two characters; a title must not.
        title=normalise_line(stated.title) or _first_heading(pieces) or normalise_line(path.stem),
        text=text,
        blocks=blocks,
        media_type=media_type,
        language=stated.language if stated.language in _LANGUAGES else detect_language(text),
        source_url=stated.source_url,
        pages=pages,
        author=stated.author,
        date=stated.date,
        notices=notices,
    )


def _first_heading(pieces: list[Piece]) -> str:
    headings = (normalise_line(p.text) for p in pieces if p.kind is BlockKind.HEADING)
    return next(filter(None, headings), "")


_READERS: dict[str, Callable[[bytes, Path], Document]] = {
    ".pdf": _pdf_document,
    ".docx": _docx_document,
    ".pptx": _pptx_document,
    ".xlsx": _xlsx_document,
    ".odt": _opendocument("text"),
    ".odp": _opendocument("presentation"),
    ".ods": _opendocument("spreadsheet"),
    ".csv": _csv_document,
    ".tsv": _csv_document,
    ".txt": _text_document,
    ".text": _text_document,
    ".md": _markdown_document,
    ".markdown": _markdown_document,
    ".html": _html_document,
    ".htm": _html_document,
    ".xhtml": _html_document,
    ".eml": _mail_document,
    ".rtf": _rtf_document,
    ".doc": _doc_document,
}
