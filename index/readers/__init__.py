"""Documents as they come -> `Document`. One module per family of formats; `formats.read` chooses.

What stands here imports no parser: the service knows by it what can be read.
"""

import os
import shutil
import stat
from pathlib import Path

from index.errors import UnreadableDocumentError
from index.files import accessed

MAX_FILE_BYTES = 100 * 1024 * 1024

READERS_VERSION = 2
"""Raise it when the same file would be read otherwise: files that an older version read are read
again at the next ingest."""

EXTENSIONS = frozenset(
    ".csv .doc .docx .eml .htm .html .markdown .md .odp .ods .odt .pdf .pptx .rtf "  # noqa: SIM905
    ".text .tsv .txt .xhtml .xlsx".split()
)
"""Of the files that can be read."""


def readers_of(path: Path, ocr: bool) -> str:
    """What reads the file now, in a word that changes whenever it is to be read again.

    So it does when Tesseract is asked for, and when it has been installed.
    """
    ocr = ocr and shutil.which("tesseract") is not None
    return (
        f"{READERS_VERSION}+ocr" if ocr and path.suffix.lower() == ".pdf" else f"{READERS_VERSION}"
    )


def require_readable(path: Path) -> os.stat_result:
    """The file's status, once it is sure that its type is known and that it is not too large.

    Raises UnreadableDocumentError otherwise. It costs a stat, so that a film in the folder is not
    read through to be refused.
    """
    if path.suffix.lower() not in EXTENSIONS:
        known = ", ".join(sorted(EXTENSIONS))
        kind = f"{path.suffix} files" if path.suffix else "files without an extension"
        raise UnreadableDocumentError(f"{kind} cannot be read yet (only {known})")
    status = accessed(path.stat)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UnreadableDocumentError("it is a pipe, a socket or a device, not a file")
    if status.st_size > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024**2
        raise UnreadableDocumentError(
            f"the file is {status.st_size // 1024**2} MB; the limit is {limit} MB: split it"
        )
    return status
