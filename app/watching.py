"""Following folders: what changes in them is in the library a moment later."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread

import watchfiles

from app.assembly import Kildesvar
from index.errors import (
    IndexConfigurationError,
    IndexUnavailableError,
    IngestRefusedError,
    LibraryBusyError,
    LibraryError,
    LibraryUnavailableError,
)
from index.folders import Skipped
from index.ingest import IngestReport

log = logging.getLogger("kildesvar")

_QUIET_MS = 500
"""Nothing must change for so long before a folder is read: a file that is being copied is not."""
_LONGEST_MS = 10_000
"""After which it is read all the same."""
_SOON = 2.0
"""Seconds after the first ingest until a second, for what changed before the watch had begun."""
_AT_LEAST_EVERY = 300.0
"""Seconds, for changes that a file system does not tell of."""
_BUSY_SECONDS = 2.0


def follow(  # noqa: PLR0913, PLR0917 - what a person can ask for
    kildesvar: Kildesvar,
    paths: Sequence[Path],
    on_report: Callable[[IngestReport], None],
    stop: Event | None = None,
    poll: bool = False,
    collection: str | None = None,
) -> None:
    """Ingests `paths` now, and again whenever something changes in them, until `stop` is set.

    `collection` is as in `Ingester.ingest`.

    `poll` is for file systems that tell of no changes, such as network drives. What cannot be done
    now (another process is writing, a disk is not there) is logged, and tried again. Raises
    IngestRefusedError for paths that there is nothing to follow in from the start.
    """
    stop = stop or Event()
    changed = Event()
    Thread(target=_tell, args=(paths, changed, stop, poll), daemon=True).start()
    report = _ingested(kildesvar, paths, stop, collection)
    on_report(report)
    named = report.skipped
    wait = _SOON
    while not stop.is_set():
        changed.wait(wait)
        changed.clear()
        wait = _AT_LEAST_EVERY
        try:
            report = _ingested(kildesvar, paths, stop, collection)
        except IngestRefusedError as error:
            log.warning("%s (`kildesvar ingest` takes --yes)", error)
            continue
        except (IndexConfigurationError, LibraryError) as error:
            log.warning("%s", error)
            continue
        if _is_news(report, named):
            on_report(report)
        named = report.skipped


def _tell(paths: Sequence[Path], changed: Event, stop: Event, poll: bool) -> None:
    """Sets `changed` whenever something has changed and a moment was quiet."""
    try:
        for _ in watchfiles.watch(
            *paths,
            watch_filter=None,
            step=_QUIET_MS,
            debounce=_LONGEST_MS,
            force_polling=poll,
            stop_event=stop,
        ):
            changed.set()
    except OSError as error:  # no folder, or more than the system can watch
        log.warning("changes are looked for every %.0f s only: %s", _AT_LEAST_EVERY, error)


def _is_news(report: IngestReport, named: Sequence[Skipped]) -> bool:
    changes = report.added + report.changed + report.moved + report.removed
    return bool(changes) or report.published or report.skipped != named


def _ingested(
    kildesvar: Kildesvar, paths: Sequence[Path], stop: Event, collection: str | None
) -> IngestReport:
    """What an ingest did, once no other process was writing and it is in the index."""
    while True:
        try:
            with kildesvar.writing():
                report = kildesvar.ingester(renews=True).ingest(paths, collection=collection)
            kildesvar.tidy()
            return report
        except (IndexUnavailableError, LibraryBusyError, LibraryUnavailableError) as error:
            log.info("%s", error)
            if stop.wait(_BUSY_SECONDS):
                raise
