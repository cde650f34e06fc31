"""Uploaded files: received in pieces, and kept whole or not at all.

    uploads/
        shared                     its mark, where several hosts see it
        incoming/8c1f…             being received
        8c1f…/årsmelding.pdf       16 hex digits, and the person's own name for it

A file comes to its place by a rename, when it is on the disk; what was broken off, was too large,
or did not fit on the disk is removed at once.
"""

import errno
import os
import re
import secrets
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from anyio.to_thread import run_sync
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.file_names import safe_file_name
from app.uploads_mark import UploadsMark
from index.errors import DiskFullError, KildesvarError, LibraryError
from index.files import UPLOAD_FOLDER, sync

FILE_FIELD = "file"
COLLECTION_FIELD = "collection"
_MAX_FIELD_BYTES = 1000

FORM_BYTES = 16 * 1024
"""That a form may have around its file."""

_ABANDONED_SECONDS = 600.0
"""After which a file that was being received, and did not grow, was left by a killed process."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that was sent, in its place on the disk, and the collection that was named for it."""

    path: Path
    collection: str | None


class UploadRefusedError(KildesvarError):
    """The request is no form with one whole file in it."""


class UploadTooLargeError(KildesvarError):
    """The uploaded file is larger than what is taken."""


class Uploads:
    """The folder of uploaded files.

    `max_bytes` is the most that one may have; `received_bytes` were kept since the start. `mark` is
    there where several hosts share the folder.
    """

    def __init__(self, folder: Path, max_bytes: int, mark: UploadsMark | None = None) -> None:
        # As the ingest names its sources.
        self.folder = folder
        self.max_bytes = max_bytes
        self.received_bytes = 0
        sep = re.escape(os.sep)
        self._uploaded = re.compile(
            rf"{re.escape(str(folder))}{sep}{UPLOAD_FOLDER}{sep}[^{sep}]+", re.DOTALL
        )
        self._mark = mark

    async def receive(self, content_type: str, pieces: AsyncIterable[bytes]) -> Received:
        """The file in the form that `pieces` make up, once it is on the disk.

        Raises UploadRefusedError, UploadTooLargeError, FileNameError, UnsupportedFormatError,
        UploadsNotSharedError, DiskFullError or LibraryError, or what `pieces` raise; then nothing
        is left of it.
        """
        if self._mark is not None:
            await run_sync(self._mark.require)  # or no other host would ever see it
        form = _Form(self._boundary(content_type), self._incoming(), self.max_bytes)
        try:
            async for piece in pieces:
                await run_sync(self._take, form, piece)
            path = await run_sync(self._keep, form)
            self.received_bytes += form.size
            return Received(path, form.collection)
        finally:
            form.discard()

    def require_shared(self) -> None:
        """Raises UploadsNotSharedError where other hosts keep their files elsewhere."""
        if self._mark is not None:
            self._mark.require()

    def holds(self, path: str) -> bool:
        """Whether the file is one that was uploaded: others may lie in the same folder."""
        return self._uploaded.fullmatch(path) is not None

    def folder_of(self, path: str) -> str:
        """The folder that a file is shown under; uploads, each in one of its own, under theirs."""
        # Of each of some hundred candidates: `Path` takes ten times as long.
        return str(self.folder) if self.holds(path) else path.rpartition(os.sep)[0] or os.sep

    def remove(self, path: str) -> None:
        """Deletes an uploaded file, and its folder; one that is gone already is no error.

        Raises LibraryError when it cannot be deleted.
        """
        if not self.holds(path):
            raise ValueError(f"{path} was not uploaded")
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as error:
            raise LibraryError(
                f"cannot delete {path}: {error.strerror}; mend its rights or its disk, then delete "
                "the file"
            ) from error
        with suppress(OSError):
            Path(path).parent.rmdir()

    def remove_abandoned(self) -> None:
        """Deletes what killed processes were receiving, on whatever host."""
        received = list(self._incoming_folder.glob("*"))
        if not received:
            return
        now = self._time_there()
        for path in received:
            with suppress(FileNotFoundError):
                if now - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()

    def _time_there(self) -> float:
        """The time by the clock that the folder's files are dated by, which may be another's."""
        probe = self._incoming_folder / secrets.token_hex(8)
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    @property
    def _incoming_folder(self) -> Path:
        return self.folder / "incoming"

    def _incoming(self) -> Path:
        with self._storing():
            self._incoming_folder.mkdir(parents=True, exist_ok=True)
        return self._incoming_folder / secrets.token_hex(8)

    def _boundary(self, content_type: str) -> bytes:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise UploadRefusedError(
                f"send the file as multipart/form-data, in a field named «{FILE_FIELD}»"
            )
        return options[b"boundary"]

    def _take(self, form: "_Form", piece: bytes) -> None:
        with self._storing():
            form.write(piece)

    def _keep(self, form: "_Form") -> Path:
        with self._storing():
            received, name = form.finish()
            place = self.folder / received.name / name
            place.parent.mkdir()
            try:
                received.rename(place)
                for folder in (place.parent, self.folder, self.folder.parent):
                    sync(folder)
            except OSError:
                self.remove(str(place))
                raise
        return place

    @contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise DiskFullError(
                    f"there is no room for the file in {self.folder}; nothing of it was kept. "
                    "Make room there, then send it again."
                ) from error
            raise LibraryError(
                f"cannot write to {self.folder}: {error.strerror}; mend its rights, then send the "
                "file again"
            ) from error


class _Form:
    """A form on its way in; the content of its file goes to `path` as it comes."""

    def __init__(self, boundary: bytes, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self.size = 0
        self._file: BinaryIO | None = None
        self._name = ""
        self._field = ""
        self._field_size = 0
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._collection: bytearray | None = None
        self._is_whole = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _malformed(error) from error

    def write(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed(error) from error

    def finish(self) -> tuple[Path, str]:
        """The received file, on the disk, and its name."""
        if not self._is_whole:
            raise UploadRefusedError("the form ends too early; send the file again")
        if self._file is None:
            raise UploadRefusedError(
                f"the form has no file; send it in a field named «{FILE_FIELD}»"
            )
        self._file.close()
        sync(self._path)
        return self._path, self._name

    @property
    def collection(self) -> str | None:
        """The collection that is named, before the file or after it."""
        return _decoded(bytes(self._collection)).strip() or None if self._collection else None

    def discard(self) -> None:
        """Closes and deletes the file, unless it was moved to its place."""
        if self._file is not None:
            with suppress(OSError):  # of what does not fit on the disk some may be unwritten
                self._file.close()
            self._path.unlink(missing_ok=True)

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._field = _decoded(options.get(b"name", b""))
        self._field_size = 0
        if self._field == FILE_FIELD:
            self._begin_file(options.get(b"filename"))
        elif self._field == COLLECTION_FIELD:
            self._begin_collection()
        else:
            raise UploadRefusedError(
                f"the form has a field named «{self._field}»; the file goes into one named "
                f"«{FILE_FIELD}»"
            )

    def _begin_file(self, name: bytes | None) -> None:
        if name is None:
            raise UploadRefusedError(
                f"«{FILE_FIELD}» holds text; send a file in it, with its name as `filename`"
            )
        if self._file is not None:
            raise UploadRefusedError("the form has several files; send one at a time")
        self._name = safe_file_name(_decoded(name))
        self._file = self._path.open("xb")

    def _begin_collection(self) -> None:
        if self._collection is not None:
            raise UploadRefusedError("the form names several collections; name one")
        self._collection = bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field != FILE_FIELD:
            self._field_size += end - start
            if self._field_size > _MAX_FIELD_BYTES:
                raise UploadRefusedError(f"«{self._field}» is too long")
            assert self._collection is not None
            self._collection += data[start:end]
            return
        self.size += end - start
        if self.size > self._max_bytes:
            raise UploadTooLargeError(too_large(self._max_bytes))
        assert self._file is not None
        self._file.write(memoryview(data)[start:end])

    def _on_end(self) -> None:
        self._is_whole = True


def too_large(max_bytes: int) -> str:
    return (
        f"a file may have at most {max_bytes // 1024**2} MB (KILDESVAR_MAX_UPLOAD_MB); split it. "
        "Nothing of it was kept"
    )


def _malformed(error: FormParserError) -> UploadRefusedError:
    return UploadRefusedError(f"the form cannot be read: {error}")


def _decoded(value: bytes) -> str:
    """Browsers and curl send UTF-8; old programs send the letters of western Europe."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")
