"""The worker: reads what was uploaded, file by file, in the order in which it came."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep, time
from typing import TYPE_CHECKING

from app.access.callers import Caller, Role
from app.assembly import Kildesvar
from app.sight.acting import Actor, acting, request_id
from index.errors import (
    DocumentNotFoundError,
    FileGoneError,
    GenerationMismatchError,
    InaccessibleFileError,
    KildesvarError,
    LibraryBusyError,
    LibraryError,
    ReaderUnavailableError,
    UnreadableDocumentError,
)
from index.files import is_there
from index.jobs import Job, JobKind, JobState

if TYPE_CHECKING:
    from index.ingest import IngestReport, Progress

log = logging.getLogger("kildesvar")

_LOOKS_EVERY = 0.5
"""Seconds between two looks at the lock, while another process holds it."""
_RETRIES_EVERY = 30.0
"""Seconds until a job is tried again that could not be written, on a full disk say."""
_GIVES_WAY = 0.2
"""Seconds between two jobs, in which one who waits for the lock gets it."""
_STOPS_WITHIN = 20.0
"""Seconds that the current file has at the end; then it is left to the next start."""

_NOT_THE_FILES_FAULT = (
    GenerationMismatchError,
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


class StoppingError(Exception):
    """The service ends; the job is left as it is."""


class Worker:
    """One thread that works on the jobs of one Kildesvar, until stopped."""

    def __init__(
        self, kildesvar: Kildesvar, finished: Callable[["JobEnd"], None] = lambda _: None
    ) -> None:
        """`finished` is told how each job ends."""
        self._finished = finished
        self._began = (0.0, 0.0)
        self._report: IngestReport | None = None
        self._kildesvar = kildesvar
        self._jobs = kildesvar.jobs
        self._uploads = kildesvar.uploads
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

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
                log.warning("the current upload takes long; it is read at the next start")

    def wake(self) -> None:
        """There is a new job."""
        self._woken.set()

    def _run(self) -> None:
        self._tidy()
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                is_more = self._work_on_next()
            except LibraryBusyError:
                self._stopping.wait(_LOOKS_EVERY)
            except StoppingError:
                return
            except Exception as error:  # nothing may end the thread, or every later file waits
                log.error("uploads wait for %.0f s", _RETRIES_EVERY, exc_info=error)
                self._stopping.wait(_RETRIES_EVERY)
            else:
                if is_more:
                    self._stopping.wait(_GIVES_WAY)
                else:
                    self._keep_house()
                    self._woken.wait(_RETRIES_EVERY)  # another service may have died

    def _keep_house(self) -> None:
        """Publishes what could not be published before, and removes what nobody reads any more."""
        try:
            self._kildesvar.publish_if_stale()
            self._kildesvar.tidy()
        except KildesvarError as error:
            log.info("%s", error)

    def _work_on_next(self) -> bool:
        """Works on the oldest job; False when there is none.

        Raises LibraryBusyError when another process is writing, and LibraryError when nothing can
        be written now; the job then waits.
        """
        if self._jobs.next() is None:
            return False
        with self._kildesvar.writing():
            job = self._jobs.next()  # who held the lock may have worked on the other
            if job is not None:
                self._work_on(job)
        return True

    def _work_on(self, job: Job) -> None:
        name, sent_in = self._kildesvar.audit.who_queued(job.id)
        sender = Caller(job.owner, name, Role.WRITE)
        with acting(Actor(sender, sent_in, job.id, rereads=job.kind is JobKind.REREAD)):
            self._try(job)

    def _try(self, job: Job) -> None:
        self._began, self._report = (time(), monotonic()), None
        self._jobs.start(job.id)
        try:
            if job.kind is JobKind.REREAD:
                self._read_again(job)
            else:
                self._ingest(job)
        except _NOT_THE_FILES_FAULT as error:
            self._jobs.put_off(job.id, str(error))
            raise
        except KildesvarError as error:
            self._fail(job, str(error))
        except StoppingError:
            raise
        except Exception as error:  # a failure of ours must cost one file, not all later ones
            log.exception("unforeseen error while reading %s", job.path)
            self._jobs.fail(
                job.id, f"unforeseen error ({type(error).__name__}: {error}); please report it"
            )
            self._tell(job, JobState.FAILED)

    def _ingest(self, job: Job) -> None:
        former = self._former(job)
        ingester = self._kildesvar.ingester(lambda progress: self._advance(job, progress))
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
        self._finish(job)

    def _read_again(self, job: Job) -> None:
        """Reads the document's files again. A file of a folder may lie on a drive that is away for
        long, which no upload shall wait for: what cannot be opened fails at once."""
        ingester = self._kildesvar.ingester(lambda progress: self._advance(job, progress))
        report = self._report = ingester.reread(self._files_of(job))
        for skipped in report.skipped:
            raise UnreadableDocumentError(
                f"{skipped.path}: {skipped.reason}; what was read of it before still answers"
            )
        self._finish(job)

    def _finish(self, job: Job) -> None:
        """Marks a job as done, once questions are answered from what it brought: while another
        thread opens the new generation, they are answered from the one before."""
        try:
            self._kildesvar.take_up_newest()
        except KildesvarError as error:
            log.debug("%s", error)  # it is said to whoever asks
        self._jobs.finish(job.id, self._kildesvar.library.document_of(job.path))
        self._tell(job, JobState.DONE)

    def _tell(self, job: Job, state: JobState) -> None:
        began, start = self._began
        took = monotonic() - start
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

    def _advance(self, job: Job, progress: "Progress") -> None:
        if self._stopping.is_set():
            raise StoppingError
        self._jobs.advance(job.id, progress.files_done, progress.files_total)

    def _fail(self, job: Job, reason: str) -> None:
        was_sent = job.kind is not JobKind.REREAD
        if was_sent and self._kildesvar.library.document_of(job.path) is None:
            self._uploads.remove(job.path)
            self._kildesvar.library.remove_sources([job.path])  # it is not left out, but gone
        self._jobs.fail(job.id, reason)
        self._tell(job, JobState.FAILED)

    def _tidy(self) -> None:
        """Deletes what killed processes left: files that no document has, or has no longer.

        Only those that a finished job brought: what is unknown here is not ours to delete.
        """
        try:
            self._uploads.remove_abandoned()
            finished = self._jobs.finished_paths()
            sources = self._kildesvar.library.sources()  # after them: some may be done meanwhile
            for path in finished:
                if path not in sources:
                    self._uploads.remove(path)
        except (KildesvarError, OSError) as error:
            log.warning("could not tidy up after earlier uploads: %s", error)


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
