"""One writer to a library at a time; a lock that dies with its process."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from index.errors import LibraryBusyError


@contextlib.contextmanager
def writing(data_dir: Path) -> Iterator[None]:
    """Holds the writer's lock of `data_dir`. Raises LibraryBusyError when another process does."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(data_dir / "writer.lock")
    try:
        with lock.acquire(timeout=0):
            yield
    except Timeout as error:
        raise LibraryBusyError(
            f"another process is writing to {data_dir}; wait until its ingest is done, "
            "then run the command again"
        ) from error
