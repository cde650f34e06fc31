"""The worker: reads what was uploaded, file by file, in the order in which it came.

Several may share a library in PostgreSQL, each in a process of its own, on whatever host: each job
is one worker's by a lease, which it extends for as long as it lives.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import random
from time import monotonic, sleep, time
from typing import TYPE_CHECKING

from cachetools import TTLCache

from app.access.callers import Caller, Role
from app.assembly import Kildesvar
from app.sight.acting import Actor, acting, request_id
from index.database_clock import seconds
from index.errors import (
    DocumentNotFoundError,
    FileGoneError,
    GenerationMismatchError,
    InaccessibleFileError,
    IndexConfigurationError,
    IndexUnavailableError,
    KildesvarError,
    LeaseLostError,
    LibraryBusyError,
    LibraryError,
    LibraryUnavailableError,
    ReaderUnavailableError,
    UnreadableDocumentError,
    UploadsNotSharedError,
)
from index.files import is_there
from index.jobs import LEASE_SECONDS, MOST_ATTEMPTS, Job, JobKind, JobState, Lease

if TYPE_CHECKING:
    from index.ingest import Ingester, IngestReport, Progress

log = logging.getLogger("kildesvar")

_LOOKS_EVERY = 0.5
"""Seconds between two looks at the lock, while another process holds it."""
_LOOKS_FOR_MORE_EVERY = 1.0
"""Seconds between two looks for jobs, where other hosts may queue some."""
_LOOKS_FOR_INDEX_EVERY = 5.0
"""Seconds until a job is tried again whose words could not be brought into the index."""
_RETRIES_EVERY = 30.0
"""Seconds until a job is tried again that could not be written, on a full disk say."""
_SAYS_AGAIN_AFTER = 60.0
"""Seconds after which the log says anew what keeps all uploads waiting."""
_HEARTBEATS_EVERY = LEASE_SECONDS / 6
_LOOKS_ELSEWHERE_EVERY = 60.0
"""Seconds for which a job is left to other hosts whose file is not seen here."""
_MOST_ELSEWHERE = 10_000
_LEFT_TO_OTHERS = timedelta(minutes=10)
"""For which a file that lies in somebody's folder may be seen by another host, if by any."""
_GIVES_WAY = 0.2
"""Seconds between two jobs, in which one who waits for the lock gets it."""
_STOPS_WITHIN = 20.0
"""Seconds that the current file has at the end; then it is left to others or the next start."""

_NOT_THE_FILES_FAULT = (
    GenerationMismatchError,
    IndexConfigurationError,
    InaccessibleFileError,
    LibraryError,
    ReaderUnavailableError,
)
"""Then the job waits, and is tried again."""

_TURN_WITHIN = 5.0
_TURN_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended: `began` is a reading of `time.time`, and `seconds` is what it took.

    There is a `report` when its file was gone through. `request_id` is of who sent it.
    """

    id: str
    kind: JobKind
    state: JobState
    began: float
    seconds: float
    report: "IngestReport | None"
    request_id: str | None


class FileElsewhereError(KildesvarError):
    """The file is not on this host, and may be on another."""


class StoppingError(Exception):
    """The service ends; the job is left as it is."""


class Worker:
    """One thread that works on the jobs of one Kildesvar, until stopped."""

    def __init__(
        self, kildesvar: Kildesvar, finished: Callable[["JobEnd"], None] = lambda _: None
    ) -> None:
        """`finished` is told how each job ends."""
        self.name = f"{socket.gethostname()[:50]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._finished = finished
        self._began = (0.0, 0.0)
        self._report: IngestReport | None = None
        self._kildesvar = kildesvar
        self._jobs = kildesvar.jobs
        self._uploads = kildesvar.uploads
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._lease: Lease | None = None
        self._not_given_back: Lease | None = None
        """That the database could not be told of, when it was gone."""
        self._has_others = kildesvar.library.is_shared
        self._elsewhere: TTLCache[str, None] = TTLCache(_MOST_ELSEWHERE, _LOOKS_ELSEWHERE_EVERY)
        """Jobs whose files this host cannot see."""
        self._kept_house = 0.0
        self._said: tuple[type[KildesvarError] | None, float] = (None, 0.0)
        """Of which kind the last error was that the log has, and when it was said."""

    def start(self) -> None:
        self._stopping.clear()
        # A daemon, so that a file which takes long does not keep the process.
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the current file, or leaves the file to the next start."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(_STOPS_WITHIN)
            if self._thread.is_alive():
                then = "by another worker" if self._has_others else "at the next start"
                log.warning("the current upload takes long; it is read %s", then)
                self._give_back()

    def wake(self) -> None:
        """There is a new job."""
        self._woken.set()

    def _run(self) -> None:
        self._tidy()
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                is_more = self._work_on_next()
            except LibraryBusyError:  # at different times, lest two keep each other waiting
                self._stopping.wait(_LOOKS_EVERY * (0.5 + random()))
            except StoppingError:
                return
            except (IndexUnavailableError, LibraryUnavailableError) as error:
                self._say_why(error)
                self._stopping.wait(_LOOKS_FOR_MORE_EVERY)
            except Exception as error:  # nothing may end the thread, or every later file waits
                log.error("uploads wait for %.0f s", _RETRIES_EVERY, exc_info=error)
                self._stopping.wait(_RETRIES_EVERY)
            else:
                if is_more:
                    self._stopping.wait(0 if self._has_others else _GIVES_WAY)
                else:
                    self._keep_house()
                    # Another service may have died, or queued a job.
                    self._woken.wait(_LOOKS_FOR_MORE_EVERY if self._has_others else _RETRIES_EVERY)

    def _say_why(self, error: KildesvarError) -> None:
        """Has the log say what keeps uploads waiting, and again after a minute, if that lasts."""
        said, at = self._said
        if type(error) is not said or monotonic() - at > _SAYS_AGAIN_AFTER:
            self._said = (type(error), monotonic())
            log.warning("uploads wait: %s", error)

    def _keep_house(self) -> None:
        """Publishes what could not be published before, and removes what nobody reads any more."""
        if monotonic() - self._kept_house < _RETRIES_EVERY and self._has_others:
            return
        self._kept_house = monotonic()
        try:
            self._kildesvar.publish_if_stale()
            self._kildesvar.tidy()
        except KildesvarError as error:
            log.info("%s", error)

    def _work_on_next(self) -> bool:
        """Works on the oldest job that is free; False when there is none.

        Raises LibraryBusyError when another process is writing, and LibraryError when nothing can
        be written now; the job then waits.
        """
        if self._not_given_back is not None:
            with suppress(LeaseLostError):
                self._not_given_back.give_back()
            self._not_given_back = None
        if not self._jobs.are_waiting():
            return False
        with self._kildesvar.writing():
            # Who held the lock may have worked on the others.
            lease = self._jobs.claim(self.name, list(self._elsewhere))
            if lease is not None:
                self._work_on(lease)
        return lease is not None

    def _work_on(self, lease: Lease) -> None:
        job = lease.job
        name, sent_in = self._kildesvar.audit.who_queued(job.id)
        sender = Caller(job.owner, name, Role.WRITE)
        self._lease = lease
        try:
            with (
                acting(Actor(sender, sent_in, job.id, rereads=job.kind is JobKind.REREAD)),
                self._heartbeats(lease),
            ):
                self._try(lease)
        except LeaseLostError as error:
            log.warning("%s; this one leaves it", error)
        except LibraryUnavailableError:
            self._not_given_back = lease
            raise
        finally:
            self._lease = None

    @contextmanager
    def _heartbeats(self, lease: Lease) -> Iterator[None]:
        """Within, the lease is extended again and again; only where others may want the job."""
        if not self._has_others:
            yield
            return
        done = threading.Event()
        heart = threading.Thread(target=_beat, args=(lease, done), name="heartbeat", daemon=True)
        heart.start()
        try:
            yield
        finally:
            done.set()

    def _give_back(self) -> None:
        """Lets others have the job at once that this will not end."""
        lease = self._lease
        try:
            if lease is not None:
                lease.give_back()
        except KildesvarError as error:
            log.info("%s", error)

    def _try(self, lease: Lease) -> None:
        job = lease.job
        self._began, self._report = (time(), monotonic()), None
        if job.attempts > MOST_ATTEMPTS:
            lease.fail(
                f"whoever began to read it died, {MOST_ATTEMPTS} times; the file may take more "
                "memory than there is, or crash the program. Split it, or report it"
            )
            self._tell(job, JobState.FAILED)
            return
        try:
            self._require_here(job)
            if job.kind is JobKind.REREAD:
                self._read_again(lease)
            else:
                self._ingest(lease)
        except LeaseLostError:
            raise
        except (FileElsewhereError, UploadsNotSharedError) as error:
            log.warning("a job is left to other hosts: %s", error)
            self._elsewhere[job.id] = None
            lease.put_off(self._told(error))
        except InaccessibleFileError as error:  # others may be accessible
            lease.put_off(str(error), _RETRIES_EVERY)
        except (LibraryBusyError, LibraryUnavailableError) as error:
            lease.put_off(self._told(error), _LOOKS_EVERY)
            raise
        except IndexUnavailableError as error:
            lease.put_off(self._told(error), _LOOKS_FOR_INDEX_EVERY)
            raise
        except _NOT_THE_FILES_FAULT as error:
            lease.put_off(self._told(error), _RETRIES_EVERY)
            raise
        except KildesvarError as error:
            self._fail(lease, str(error))
        except StoppingError:
            lease.give_back()
            raise
        except Exception as error:  # a failure of ours must cost one file, not all later ones
            log.exception("unforeseen error while reading %s", job.path)
            lease.fail(f"unforeseen error ({type(error).__name__}: {error}); please report it")
            self._tell(job, JobState.FAILED)

    def _told(self, error: KildesvarError) -> str:
        """What whoever sent the file is told of an error."""
        return str(self._kildesvar.reasons.without_places(error))

    def _require_here(self, job: Job) -> None:
        """Raises UploadsNotSharedError or FileElsewhereError when another host may see the file
        that is not to be seen here."""
        if not self._has_others or is_there(Path(job.path)):
            return
        self._uploads.require_shared()
        if self._uploads.holds(job.path) or job.kind is not JobKind.REREAD:
            return
        with self._kildesvar.library.engine.connect() as connection:
            now = datetime.fromtimestamp(seconds(connection), UTC)  # by which jobs are dated
        is_new = now - datetime.fromisoformat(job.created_at) < _LEFT_TO_OTHERS
        if is_new and not any(is_there(Path(path)) for path in self._paths_of(job)):
            raise FileElsewhereError(f"{job.path} is not to be seen on this host")

    def _ingest(self, lease: Lease) -> None:
        job = lease.job
        former = self._former(job)
        ingester = self._ingester(lease)
        # Whatever was deleted before, this file was sent on purpose.
        report = self._report = ingester.ingest(
            [Path(job.path)],
            retry=True,
            replaces=job.replaces,
            collection=self._collection_of(job),
        )
        for skipped in report.skipped:
            raise (UnreadableDocumentError if skipped.lasts else InaccessibleFileError)(
                skipped.reason
            )
        for earlier in former:
            self._uploads.remove(earlier)
        self._finish(lease)

    def _read_again(self, lease: Lease) -> None:
        """Reads the document's files again. A file of a folder may lie on a drive that is away for
        long, which no upload shall wait for: what cannot be opened fails at once."""
        ingester = self._ingester(lease)
        report = self._report = ingester.reread(self._files_of(lease.job))
        for skipped in report.skipped:
            raise UnreadableDocumentError(
                f"{skipped.path}: {skipped.reason}; what was read of it before still answers"
            )
        self._finish(lease)

    def _ingester(self, lease: Lease) -> "Ingester":
        """One that changes nothing once the lease is lost."""
        return self._kildesvar.ingester(
            lambda progress: self._advance(lease, progress), guard=lease.require
        )

    def _finish(self, lease: Lease) -> None:
        """Marks a job as done, once questions are answered from what it brought: while another
        thread opens the new generation, they are answered from the one before."""
        try:
            self._kildesvar.take_up_newest()
        except KildesvarError as error:
            log.debug("%s", error)  # it is said to whoever asks
        lease.finish(self._kildesvar.library.document_of(lease.job.path))
        self._tell(lease.job, JobState.DONE)

    def _tell(self, job: Job, state: JobState) -> None:
        began, start = self._began
        took = monotonic() - start
        log.info("job %s is %s after %.1f s", job.id, state, took)
        self._finished(JobEnd(job.id, job.kind, state, began, took, self._report, request_id()))

    def _files_of(self, job: Job) -> list[Path]:
        """The document's files that are there; the first comes last, and gives it its title.

        Raises DocumentNotFoundError or FileGoneError.
        """
        paths = [Path(path) for path in reversed(self._paths_of(job))]
        if not any(map(is_there, paths)):
            raise FileGoneError(f"{job.path} is not there any more; what was read of it stays")
        return [path for path in paths if is_there(path)]

    def _paths_of(self, job: Job) -> list[str]:
        library = self._kildesvar.library
        try:
            return library.files_of(job.document_id or "")
        except DocumentNotFoundError as error:
            # Killed after it went into another document of the same text, it is that one's.
            document_id = library.document_of(job.path)
            if document_id:
                return library.files_of(document_id)
            raise DocumentNotFoundError(
                "the document has been deleted since it was to be read again"
            ) from error

    def _former(self, job: Job) -> list[str]:
        """Uploaded files that the document to be replaced was read from until now."""
        if job.replaces is None:
            return []
        try:
            files = self._kildesvar.library.files_of(job.replaces)
        except DocumentNotFoundError as error:
            # Killed after it went into another document of the same text, it is done.
            if self._kildesvar.library.document_of(job.path):
                return []
            raise DocumentNotFoundError(
                "the document that the file was to replace has been deleted; send the file as a "
                "new document"
            ) from error
        return [path for path in files if path != job.path and self._uploads.holds(path)]

    def _collection_of(self, job: Job) -> str:
        """That of the document to be replaced, which may be moved since; else the job's own."""
        library = self._kildesvar.library
        held = job.replaces or library.document_of(job.path)
        try:
            return library.collection_of(held) if held else job.collection
        except DocumentNotFoundError:  # it went into another of the same text
            return job.collection

    def _advance(self, lease: Lease, progress: "Progress") -> None:
        if self._stopping.is_set():
            raise StoppingError
        lease.advance(progress.files_done, progress.files_total)

    def _fail(self, lease: Lease, reason: str) -> None:
        job = lease.job
        lease.fail(reason)
        was_sent = job.kind is not JobKind.REREAD and self._uploads.holds(job.path)
        if was_sent and self._kildesvar.library.document_of(job.path) is None:
            self._uploads.remove(job.path)
            self._kildesvar.library.remove_sources([job.path])  # it is not left out, but gone
        self._tell(job, JobState.FAILED)

    def _tidy(self) -> None:
        """Deletes what killed processes left: files that no document has, or has no longer.

        Only those that a finished job brought: what is unknown here is not ours to delete.
        """
        try:
            self._uploads.require_shared()
            self._uploads.remove_abandoned()
            finished = self._jobs.finished_paths()
            # After them: some may be done meanwhile.
            sources = self._kildesvar.library.sources(finished)
            for path in finished:
                if path not in sources and self._uploads.holds(path):
                    self._uploads.remove(path)
        except (KildesvarError, OSError) as error:
            log.warning("could not tidy up after earlier uploads: %s", error)


def _beat(lease: Lease, done: threading.Event) -> None:
    """Extends the lease until it is `done`, or lost, which whoever writes next is told."""
    while not done.wait(_HEARTBEATS_EVERY):
        try:
            lease.extend()
        except LeaseLostError:
            return
        except KildesvarError as error:  # the next may get through
            log.info("%s", error)
        except Exception as error:
            log.error("a lease could not be extended", exc_info=error)


@contextmanager
def writing_in_turn(kildesvar: Kildesvar) -> Iterator[None]:
    """Holds `Kildesvar.writing`, for which it waits some seconds: one file may be done by then.

    Raises LibraryBusyError when it is not.
    """
    with ExitStack() as held:
        until = monotonic() + _TURN_WITHIN
        while True:
            try:
                held.enter_context(kildesvar.writing())
                break
            except LibraryBusyError:
                if monotonic() > until:
                    raise
                sleep(_TURN_EVERY)
        yield
