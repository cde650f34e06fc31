"""What is read when somebody looks: the state of the library, of its disk, and of processes."""

import logging
import platform
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from time import monotonic

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from app.assembly import Kildesvar
from app.sight.metrics.shared import counting_processes
from index.errors import KildesvarError
from index.files import UPLOAD_FOLDER, nearest
from index.jobs import JobState
from index.outbox import Outbox
from index.tables import jobs

log = logging.getLogger("kildesvar")

_UPLOADS_EVERY = 60.0
"""Seconds for which the size of the uploads is taken to be the same: to look takes a while."""


class LibraryState(Collector):
    """The library, its generation, its jobs, and the room that there is for more.

    What cannot be read now is left out, and `kildesvar_library_readable` is 0.
    """

    def __init__(self, kildesvar: Kildesvar) -> None:
        self._kildesvar = kildesvar
        self._uploads = 0
        self._uploads_read = -_UPLOADS_EVERY

    def collect(self) -> Iterator[Metric]:
        yield _info("kildesvar_build", "Which program this is.", _build())
        families: list[Metric] = []
        readable = 1
        for part in (self._library, self._jobs, self._outbox, self._generation, self._room):
            try:
                families += part()
            except (KildesvarError, sa.exc.SQLAlchemyError, OSError) as error:
                log.debug("a metric cannot be read: %s", error)
                readable = 0
        yield from families
        yield _gauge("kildesvar_library_readable", "Whether all of these can be read.", readable)

    def _library(self) -> list[Metric]:
        found = self._kildesvar.library.version()
        return [
            _gauge(
                "kildesvar_library_revision",
                "How many changes there were to what is searched.",
                found.revision,
            )
        ]

    def _jobs(self) -> list[Metric]:
        family = GaugeMetricFamily("kildesvar_jobs", "Jobs by state.", labels=["state"])
        query = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
        with self._kildesvar.library.engine.connect() as connection:
            counted = {row[0]: row[1] for row in connection.execute(query)}
        for state in JobState:
            family.add_metric([state.value], counted.get(state, 0))
        return [family]

    def _outbox(self) -> list[Metric]:
        waiting = Outbox(self._kildesvar.library).waiting()
        return [
            _gauge(
                "kildesvar_outbox_rows",
                "Changes that the index in a cluster does not know yet.",
                waiting.rows,
            ),
            _gauge(
                "kildesvar_outbox_oldest_seconds",
                "How long the oldest of them has waited.",
                waiting.seconds,
            ),
        ]

    def _generation(self) -> list[Metric]:
        generation = self._kildesvar.generation_at_hand
        if generation is None:
            return []
        manifest = generation.manifest
        is_newest = manifest.name == self._kildesvar.engine.current_name()
        is_current = is_newest and self._kildesvar.is_current()
        return [
            _info("kildesvar_generation", "What is answered from.", {"name": manifest.name}),
            _gauge("kildesvar_generation_documents", "Documents in it.", manifest.documents),
            _gauge("kildesvar_generation_passages", "Passages in it.", manifest.passages),
            _gauge(
                "kildesvar_generation_made_timestamp_seconds",
                "When it was published.",
                generation.made_at,
            ),
            _gauge(
                "kildesvar_generation_current",
                "Whether it holds all that the library does.",
                int(is_current),
            ),
        ]

    def _room(self) -> list[Metric]:
        disk = shutil.disk_usage(self._folder_that_grows())
        return [
            _gauge("kildesvar_disk_free_bytes", "Room left on its disk for what comes.", disk.free),
            _gauge("kildesvar_disk_size_bytes", "Room there is in all.", disk.total),
            _gauge(
                "kildesvar_library_bytes",
                "Size of the library's database.",
                self._kildesvar.library.size(),
            ),
            _gauge("kildesvar_uploads_bytes", "Size of what was sent.", self._size_of_uploads()),
        ]

    def _folder_that_grows(self) -> Path:
        """Where room may run out: on several hosts the data folder has next to nothing in it."""
        settings = self._kildesvar.settings
        if self._kildesvar.library.is_shared and settings.opensearch_url:
            return nearest(settings.uploads_dir)
        return settings.data_dir

    def _size_of_uploads(self) -> int:
        if monotonic() - self._uploads_read >= _UPLOADS_EVERY:
            self._uploads = _size_of(self._kildesvar.settings.uploads_dir)
            self._uploads_read = monotonic()
        return self._uploads


class ProcessState(Collector):
    """Processor time, memory and open files, of all processes that serve; Linux only."""

    def collect(self) -> Iterator[Metric]:
        living = counting_processes()
        yield _gauge("kildesvar_processes", "Processes that serve.", len(living))
        added: dict[str, Metric] = {}
        for process_id in living:
            for family in _of_process(process_id):
                _add(added.setdefault(family.name, family), family)
        yield from added.values()


def _of_process(process_id: int) -> list[Metric]:
    collector = ProcessCollector(pid=lambda: process_id, registry=CollectorRegistry())
    return list(collector.collect())


def _add(whole: Metric, part: Metric) -> None:
    """Adds the figures up; of the beginnings the first counts, of the limits the lowest."""
    if whole is part:
        return
    chosen = min if whole.name in _LEAST else sum
    whole.samples = [
        mine._replace(value=chosen((mine.value, theirs.value)))
        for mine, theirs in zip(whole.samples, part.samples, strict=True)
    ]


_LEAST = {"process_start_time_seconds", "process_max_fds"}


def _build() -> dict[str, str]:
    return {"version": version("kildesvar"), "python": platform.python_version()}


def _size_of(folder: Path) -> int:
    size = 0
    for path in folder.glob(f"{UPLOAD_FOLDER}/*"):
        with suppress(FileNotFoundError):  # it is renamed or deleted meanwhile
            found = path.stat()
            size += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return size


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _info(name: str, meaning: str, labels: dict[str, str]) -> Metric:
    return InfoMetricFamily(name, meaning, value=labels)
