"""Following folders: what changes in them is in the library a moment later."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

import watchfiles

from app.assembly import Kildesvar
from index.errors import IngestRefusedError, LibraryBusyError, LibraryError
from index.ingest import IngestReport
from index.lock import writing

log = logging.getLogger("kildesvar")

_QUIET_MS = 500
"""Nothing must change for so long before a folder is read: a file that is being copied is not."""
_LONGEST_MS = 10_000
"""After which it is read all the same."""
_AT_LEAST_EVERY_MS = 5 * 60 * 1000
"""For changes that a file system does not tell of."""
_BUSY_SECONDS = 2.0


def follow(
    kildesvar: Kildesvar,
    paths: Sequence[Path],
    on_report: Callable[[IngestReport], None],
    stop: Event | None = None,
    poll: bool = False,
) -> None:
    """Ingests `paths` now, and again whenever something changes in them, until `stop` is set.

    `poll` is for file systems that tell of no changes, such as network drives. What cannot be done
    now (another process is writing, a disk is not there) is logged, and tried again. Raises
    IngestRefusedError for paths that there is nothing to follow in from the start.
    """
    stop = stop or Event()
    on_report(_ingested(kildesvar, paths))
    changes = watchfiles.watch(
        *paths,
        watch_filter=None,
        step=_QUIET_MS,
        debounce=_LONGEST_MS,
        rust_timeout=_AT_LEAST_EVERY_MS,
        yield_on_timeout=True,
        force_polling=poll,
        stop_event=stop,
    )
    for _ in changes:
        try:
            report = _ingested(kildesvar, paths)
        except (IngestRefusedError, LibraryError) as error:
            log.warning("%s", error)
            continue
        if report.published or report.moved:
            on_report(report)


def _ingested(kildesvar: Kildesvar, paths: Sequence[Path]) -> IngestReport:
    """What an ingest did, once no other process was writing."""
    while True:
        try:
            with writing(kildesvar.settings.data_dir):
                return kildesvar.ingester().ingest(paths)
        except LibraryBusyError as error:
            log.info("%s", error)
            time.sleep(_BUSY_SECONDS)
