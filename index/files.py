"""Files on disk: their hashes, and their refusal to be opened as an error that names itself."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from index.errors import InaccessibleFileError

Accessed = TypeVar("Accessed")


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's bytes in hex, read in pieces: a model need not fit in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checksums:
    """SHA-256 of files, each computed once as long as nothing about it changes.

    What several folders share by hard links is one file here too.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], str] = {}

    def of(self, folder: Path) -> dict[str, str]:
        """Of every file below `folder`, by relative path."""
        return {
            path.relative_to(folder).as_posix(): self._sha256(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def _sha256(self, path: Path) -> str:
        status = path.stat()
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in self._known:
            self._known[key] = sha256_of(path)
        return self._known[key]


def link_or_copy(path: Path, copy: Path) -> None:
    """`copy` is the same file as `path`, by a hard link where the file system has such."""
    try:
        os.link(path, copy)
    except OSError:
        shutil.copyfile(path, copy)


def sync(*paths: Path) -> None:
    """Writes files, and the lists of names of folders, through to the disk."""
    for path in paths:
        if os.name == "nt" and path.is_dir():  # which cannot be opened there
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


UPLOAD_FOLDER = "[0-9a-f]" * 16
"""What the folders are named, for `re` and for `glob`, that files which were sent lie in, each in
one of its own. What else lies beside those belongs to somebody else."""

PDF_HEADER = b"%PDF-"


def starts_as_pdf(path: Path) -> bool:
    """Whether the file's content is a PDF, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(PDF_HEADER)) == PDF_HEADER


def is_there(path: Path) -> bool:
    """Whether there is anything at `path`; if it cannot be told, reading it will say why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def accessed(access: Callable[[], Accessed]) -> Accessed:
    """What `access` gives; an OSError of its becomes an InaccessibleFileError."""
    try:
        return access()
    except OSError as error:
        raise InaccessibleFileError(f"cannot open the file: {error.strerror}") from error


def nearest(folder: Path) -> Path:
    """The folder, or as long as it is not made, the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
