"""One writer to a library at a time, and files that are not to be removed while they are held.

Both kinds of lock die with their process.
"""

import contextlib
import os
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from index.errors import LibraryBusyError, LibraryError

if os.name != "nt":
    import fcntl

WAITS_TO_BE_ALONE = 60.0
"""Seconds that a command waits until all are done who share the writer's lock."""

BUSY_SECONDS = 10.0
"""How long a transaction waits for another who writes, unless told otherwise."""

IsHeld = Callable[[], bool]
"""Whether a lock is held still, which a database may have let go with its connection."""


@contextlib.contextmanager
def writing(data_dir: Path) -> Iterator[None]:
    """Holds the writer's lock of `data_dir`. Raises LibraryBusyError when another process does,
    and LibraryError when the folder cannot be written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        held = FileLock(data_dir / "writer.lock").acquire(timeout=0)
    except Timeout as error:
        raise LibraryBusyError(
            f"another process is writing to {data_dir}; wait until its ingest is done, "
            "then run the command again"
        ) from error
    except OSError as error:
        raise LibraryError(
            f"cannot write to the data folder {data_dir}: {error.strerror}; mend its rights, or "
            "name another with --data-dir"
        ) from error
    with held:
        yield


class Hold:
    """Keeps a file from those who would remove it `unless_held`, as long as this object lives.

    A shared lock (flock(2)): any number of processes may hold the same file.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is not None:
            weakref.finalize(self, os.close, descriptor)


def hold(path: Path) -> Hold | None:
    """Holds the file at `path`; None when it is not there, or was just removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    held = Hold(descriptor)
    if os.name != "nt":
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return held if path.exists() else None  # it may have been removed before it was held


@contextlib.contextmanager
def unless_held(path: Path) -> Iterator[bool]:
    """Gives whether no process holds the file; if so, none can until the block ends.

    A file that is not there is held by nobody. On Windows no open file can be removed anyway.
    """
    if os.name == "nt" or not path.exists():
        yield True
        return
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
