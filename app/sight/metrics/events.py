"""What is counted and timed when it happens, in a registry of each service's own.

No label has a value that somebody sends: routes are templates, methods and problems those that are
known. Names and meanings are in docs/monitoring.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4 as TEXT_TYPE
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as as_text
from prometheus_client.openmetrics import exposition
from prometheus_client.registry import Collector

from app.answering.answerer import Answer
from app.answering.notices import kind_of
from app.sight.metrics.shared import collector_of_all_processes
from index.jobs import JobState

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
"""Seconds: a suggestion takes some thousandths, a language model's answer some tens."""
_OPENMETRICS = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Scrape:
    """All metrics as they are now, and the media type that they are written in."""

    content: bytes
    media_type: str


class Metrics:
    """Counts what it is told of, and reads what it was given to read, whenever it is asked."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._collectors: list[Collector] = []
        self._readings: list[Callable[[], None]] = []
        self._reading = Lock()
        self._requests = self._histogram(
            "http_request",
            "Time from a request to the end of its answer.",
            *("route", "method", "status"),
        )
        self._problems = self._counter("problems", "Refusals and errors by meaning.", "problem")
        self._stages = self._histogram(
            "stage", "Time of each stage of an answer or a search.", "stage"
        )
        self._answers = self._counter("answers", "Answers given.", "outcome", "composed_by")
        self._notices = self._counter(
            "notices", "Answers that say why a language model did not write all of them.", "kind"
        )
        self._feedback = self._counter("feedback", "What people thought of answers.", "verdict")
        self._jobs = self._counter("jobs_finished", "Files that were read, or not.", "outcome")
        self._model_calls = self._histogram(
            "language_model_call", "Time that a language model wrote, by how it ended.", "outcome"
        )
        self._gate_places = self._gauge("gate_places", "How many may be in at once.", "gate")
        self._gate_taken = self._gauge("gate_taken", "How many are in.", "gate")
        self._gate_waiting = self._gauge("gate_waiting", "How many wait to be let in.", "gate")
        self._cache_sizes = self._gauge("cache_entries", "Entries that a cache holds.", "cache")
        self._cache_hits = self._counter("cache_hits", "Found in a cache.", "cache")
        self._cache_misses = self._counter("cache_misses", "Not found in a cache.", "cache")

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        name = f"kildesvar_{name}_duration_seconds"
        return Histogram(name, meaning, labels, registry=self._registry, buckets=_BUCKETS)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"kildesvar_{name}", meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        # Of several processes those that live are added up.
        return Gauge(
            f"kildesvar_{name}",
            meaning,
            labels,
            registry=self._registry,
            multiprocess_mode="livesum",
        )

    # What happens

    def requested(
        self, route: str, method: str, status: int, seconds: float, problem: str | None
    ) -> None:
        """A request is over: `route` is a template, `problem` the name of an error's class."""
        self._requests.labels(route, method, f"{status // 100}xx").observe(seconds)
        if problem is not None:
            self._problems.labels(problem).inc()

    def answered(self, answer: Answer) -> None:
        if not answer.is_cached:  # then no stage was gone through
            self.timed(answer.timings)
        outcome = "answered" if answer.answered else "refused"
        self._answers.labels(outcome, answer.composed_by).inc()
        if answer.notice and (kind := kind_of(answer.notice)):
            self._notices.labels(kind).inc()

    def timed(self, timings: Mapping[str, float]) -> None:
        """Stages took so many milliseconds; their sum, `total`, is none."""
        for stage, milliseconds in timings.items():
            if stage != "total":
                self._stages.labels(stage).observe(milliseconds / 1000)

    def judged(self, verdict: str) -> None:
        self._feedback.labels(verdict).inc()

    def job_finished(self, outcome: JobState) -> None:
        self._jobs.labels(outcome).inc()

    def language_model_called(self, outcome: str, seconds: float) -> None:
        self._model_calls.labels(outcome).observe(seconds)

    # What is read when somebody looks

    def collect_from(self, collector: Collector) -> None:
        """Reads `collector` at each scrape; what it tells is the same in every process."""
        self._collectors.append(collector)

    def read_gate(
        self,
        name: str,
        places: Callable[[], int],
        taken: Callable[[], int],
        waiting: Callable[[], int],
    ) -> None:
        """Reads from now on how full a gate is: each function gives a number as it is now."""
        self._read_gauge(self._gate_places, name, places)
        self._read_gauge(self._gate_taken, name, taken)
        self._read_gauge(self._gate_waiting, name, waiting)

    def read_cache(
        self, name: str, hits: Callable[[], int], misses: Callable[[], int], size: Callable[[], int]
    ) -> None:
        """Reads from now on how a cache does: each function gives a number as it is now."""
        self.read_count(self._cache_hits, hits, name)
        self.read_count(self._cache_misses, misses, name)
        self._read_gauge(self._cache_sizes, name, size)

    def _read_gauge(self, gauge: Gauge, label: str, number: Callable[[], int]) -> None:
        child = gauge.labels(label)
        self._readings.append(lambda: child.set(number()))

    def read_count(self, counter: Counter, count: Callable[[], int], *labels: str) -> None:
        """Reads from now on what somebody else counts, from nothing and never down."""
        child, before = counter.labels(*labels) if labels else counter, 0

        def read() -> None:
            nonlocal before
            now = count()
            child.inc(max(0, now - before))
            before = now

        self._readings.append(read)

    def new_count(self, name: str, meaning: str, count: Callable[[], int]) -> None:
        """As `read_count`, under a name of its own."""
        self.read_count(self._counter(name, meaning), count)

    def read(self) -> None:
        """Reads what is read: for a process whose figures another one shows."""
        with self._reading:
            for read in self._readings:
                read()

    def scrape(self, accept: str = "") -> Scrape:
        """What Prometheus is shown: of all processes that count together.

        OpenMetrics where `accept`, the header, names it; else the older text.
        """
        self.read()
        shown = collector_of_all_processes() or self._registry
        whole = CollectorRegistry()
        for collector in (shown, *self._collectors):
            whole.register(collector)
        if _OPENMETRICS in accept:
            content: bytes = exposition.generate_latest(whole)  # type: ignore[no-untyped-call]
            return Scrape(content, exposition.CONTENT_TYPE_LATEST)
        return Scrape(as_text(whole), TEXT_TYPE)
