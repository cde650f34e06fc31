"""One writer to a library at a time; a lock that dies with its process."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from index.errors import LibraryBusyError, LibraryError


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
