"""What Office and OpenDocument files share: which kind an archive is, and whether it is whole."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from xml.parsers.expat import ExpatError

from index.errors import UnreadableDocumentError
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
_DAMAGED: tuple[type[Exception], ...] = (ExpatError, SyntaxError, KeyError, ValueError)
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
def naming_damage(*of_library: type[Exception]) -> Iterator[None]:
    """Has what a library says of parts that are no XML, or lack something, name a damaged file."""
    try:
        yield
    except (*_DAMAGED, *of_library) as error:
        said = normalise_line(str(error))[:_SAID_LETTERS]
        raise UnreadableDocumentError(f"the file is damaged ({said}); save it anew") from error


def too_many_rows() -> UnreadableDocumentError:
    return UnreadableDocumentError(f"more than {MAX_ROWS} rows; split the workbook")
