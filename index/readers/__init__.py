"""Documents as they come -> `Document`. One module per family of formats; `read` chooses.

A new format is a module with a function from text or bytes to pieces, and a line in `_READERS`.
"""

import os
from collections.abc import Callable
from pathlib import Path

from index.documents import BlockKind, Document, Piece, assemble
from index.errors import UnreadableDocumentError
from index.files import accessed
from index.language import detect_language
from index.readers.encoding import decode, decode_html
from index.readers.html import read_html
from index.readers.markdown import read_markdown
from index.readers.plain import read_plain
from index.text import normalise_line

MAX_FILE_BYTES = 100 * 1024 * 1024
_LANGUAGES = frozenset({"nb", "nn", "en"})


def read(path: Path) -> Document:
    """The document in the file at `path`.

    Raises UnreadableDocumentError with a reason that fits one line of a report: an unknown type,
    a file too large, empty, binary, or without any text in it.
    """
    require_readable(path)
    document = _READERS[path.suffix.lower()](accessed(path.read_bytes), path)
    if not document.text:
        raise UnreadableDocumentError("there is no text in the file")
    return document


def require_readable(path: Path) -> os.stat_result:
    """The file's status, once it is sure that `read` knows its type and that it is not too large.

    Raises UnreadableDocumentError otherwise. It costs a stat, so that a film in the folder is not
    read through to be refused.
    """
    if path.suffix.lower() not in _READERS:
        known = ", ".join(sorted(_READERS))
        kind = f"{path.suffix} files" if path.suffix else "files without an extension"
        raise UnreadableDocumentError(f"{kind} cannot be read yet (only {known})")
    status = accessed(path.stat)
    if status.st_size > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024**2
        raise UnreadableDocumentError(
            f"the file is {status.st_size // 1024**2} MB; the limit is {limit} MB: split it"
        )
    return status


def _text_document(raw: bytes, path: Path) -> Document:
    return _document(read_plain(decode(raw)), path, "text/plain")


def _markdown_document(raw: bytes, path: Path) -> Document:
    fields, pieces = read_markdown(decode(raw))
    source = fields.get("source") or fields.get("url") or ""
    return _document(
        pieces,
        path,
        "text/markdown",
        title=fields.get("title", ""),
        language=fields.get("language") or fields.get("lang"),
        source_url=source if source.startswith(("http://", "https://")) else None,
    )


def _html_document(raw: bytes, path: Path) -> Document:
    page = read_html(decode_html(raw))
    return _document(page.pieces, path, "text/html", page.title, page.language, page.source_url)


def _document(  # noqa: PLR0913, PLR0917 - one argument per thing that a format may know
    pieces: list[Piece],
    path: Path,
    media_type: str,
    title: str = "",
    language: str | None = None,
    source_url: str | None = None,
) -> Document:
    text, blocks = assemble(pieces)
    return Document(
        # Some file systems write «å» as two characters; a title must not.
        title=title or _first_heading(pieces) or normalise_line(path.stem),
        text=text,
        blocks=blocks,
        media_type=media_type,
        language=language if language in _LANGUAGES else detect_language(text),
        source_url=source_url,
    )


def _first_heading(pieces: list[Piece]) -> str:
    headings = (piece.text for piece in pieces if piece.kind is BlockKind.HEADING)
    return normalise_line(next(headings, ""))


_READERS: dict[str, Callable[[bytes, Path], Document]] = {
    ".txt": _text_document,
    ".text": _text_document,
    ".md": _markdown_document,
    ".markdown": _markdown_document,
    ".html": _html_document,
    ".htm": _html_document,
    ".xhtml": _html_document,
}
