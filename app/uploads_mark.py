"""The mark of the folder of uploaded files: by it a host knows whether it sees what all others see.

Where several hosts serve one library, each file that was sent to one of them is read by any. The
first of them puts a mark into its folder and tells the library of it; a host that does not find it
in its own has another folder, by mistake or since nothing is mounted there.
"""

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from index.changes import set_state
from index.errors import LibraryError, UploadsNotSharedError
from index.files import sync
from index.library import Library
from index.queries import state_of
from index.tables import jobs, sources

_FILE = "shared"
_STATE = "uploads"


@dataclass(frozen=True, slots=True)
class _Known:
    """What the library knows of the folder: its mark, and its name on all hosts."""

    mark: str
    folder: str


class UploadsMark:
    """The mark of a `folder`, in which this host keeps what is sent to a `library`."""

    def __init__(self, folder: Path, library: Library) -> None:
        self._folder = folder
        self._library = library

    def require(self) -> None:
        """Marks the first folder that is asked about. Raises UploadsNotSharedError for another, or
        for the same under another name, and LibraryError."""
        with self._library.engine.connect() as connection:
            known = _known(connection)
        if known is None or (known.folder != str(self._folder) and not self._is_used(known)):
            known = self._begin()
        if self._mark_here() != known.mark:
            raise UploadsNotSharedError(
                f"{self._folder} on {socket.gethostname()} is not the folder of uploaded files "
                f"that this library's other hosts use, which they know as {known.folder}: set "
                "KILDESVAR_UPLOADS_DIR to one that all of them see, and mount it. If this is the "
                f"right one all the same, write {known.mark} into its file «{_FILE}»"
            )
        if known.folder != str(self._folder):
            raise UploadsNotSharedError(
                f"the folder of uploaded files is {self._folder} on {socket.gethostname()}, and "
                f"{known.folder} on this library's other hosts; mount it under that name here too, "
                "and set KILDESVAR_UPLOADS_DIR to it"
            )

    def _begin(self) -> _Known:
        """Takes this folder for the one of all hosts, unless another was quicker."""
        with self._library.transaction() as connection:
            known = _known(connection)
            if known is None or not self._is_used(known):
                known = _Known(self._mark_here() or self._new_mark(), str(self._folder))
                set_state(connection, _STATE, json.dumps(asdict(known)))
        return known

    def _is_used(self, known: _Known) -> bool:
        """Whether any file is known that was sent into the folder of that name."""
        within = f"{known.folder}{os.sep}"
        with self._library.engine.connect() as connection:
            return any(
                connection.scalar(sa.select(column).where(begins).limit(1)) is not None
                for column in (sources.c.path, jobs.c.path)
                for begins in [column.startswith(within, autoescape=True)]
            )

    def _mark_here(self) -> str | None:
        try:
            return (self._folder / _FILE).read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise LibraryError(
                f"cannot read {self._folder / _FILE}: {error}; mend its rights"
            ) from error

    def _new_mark(self) -> str:
        mark, file = secrets.token_hex(8), self._folder / _FILE
        unfinished = file.with_name(f"{_FILE}.{mark}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(f"{mark}\n", encoding="ascii")
            sync(unfinished)
            unfinished.rename(file)
            sync(self._folder)
        except OSError as error:
            raise LibraryError(
                f"cannot write to {self._folder}: {error.strerror}; mend its rights, or make room"
            ) from error
        return mark


def _known(connection: sa.Connection) -> _Known | None:
    said = state_of(connection, _STATE)
    return _Known(**json.loads(said)) if said else None
