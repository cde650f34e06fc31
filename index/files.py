"""Files on disk: their hashes, and their refusal to be opened as an error that names itself."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from index.errors import InaccessibleFileError

Accessed = TypeVar("Accessed")


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's bytes in hex, read in pieces: a model need not fit in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


PDF_HEADER = b"%PDF-"


def starts_as_pdf(path: Path) -> bool:
    """Whether the file's content is a PDF, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(PDF_HEADER)) == PDF_HEADER


def accessed(access: Callable[[], Accessed]) -> Accessed:
    """What `access` gives; an OSError of its becomes an InaccessibleFileError."""
    try:
        return access()
    except OSError as error:
        raise InaccessibleFileError(f"cannot open the file: {error.strerror}") from error


def sync(path: Path) -> None:
    """Writes a file, or a folder's list of names, through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
