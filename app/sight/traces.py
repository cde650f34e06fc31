"""Traces: how long each part of a request took, sent to an OpenTelemetry collector.

To import this takes as long as half the service, so it is imported where an address is set, and
only then. No span has a question, a document's words or a key: numbers, names of routes and stages,
and ids.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version
from threading import Thread
from time import time
from urllib.parse import urlsplit

from opentelemetry.context import Context, get_current
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.answering.answerer import Answer, Events, Stage, StageBegun
from app.work import JobEnd
from index.jobs import JobState

log = logging.getLogger("kildesvar")

Attributes = Mapping[str, str | int | float | bool]

_SENDS_WITHIN = 5.0
_STOPS_WITHIN = 3.0
_PATH = "/v1/traces"
_NANOSECONDS = 1_000_000_000


class Traces:
    """Makes spans and sends them to the collector at `url`, in a thread of its own.

    While nobody takes them there, the oldest are dropped: nobody waits for it.
    """

    def __init__(self, url: str, exporter: SpanExporter | None = None) -> None:
        """`exporter` is for who wants the spans elsewhere."""
        # It would tell of each batch that cannot be sent; `_Exporter` does so once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        about = {"service.name": "kildesvar", "service.version": version("kildesvar")}
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        chosen = exporter or OTLPSpanExporter(_endpoint(url), timeout=_SENDS_WITHIN)
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter(chosen, url)))
        self._tracer = self._provider.get_tracer("kildesvar")
        self._taken_up = TraceContextTextMapPropagator()

    def stop(self) -> None:
        """Sends what waits, or gives it up when that takes long."""
        ending = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(_STOPS_WITHIN)

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Span]:
        """A span of a request, within the trace that its `traceparent` names, if it has one."""
        parent = self._taken_up.extract(headers)
        span = self._tracer.start_span(method, context=parent, kind=SpanKind.SERVER)
        # What an error says may hold what was asked.
        with use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            yield span

    def followed(self, events: Events) -> Events:
        """The `events`, of whose stages spans are made when the last has come.

        They belong to what is worked on where this is called, whichever thread asks for the events.
        """
        return self._followed(events, get_current())

    def _followed(self, events: Events, within: Context) -> Events:
        begun, answer = dict[Stage, float](), None
        try:
            with closing(events):
                for event in events:
                    if isinstance(event, StageBegun):
                        begun[event.name] = time()
                    elif isinstance(event, Answer):
                        answer = event
                    yield event
        finally:
            self._record_stages(begun, time(), answer, within)

    def record(  # noqa: PLR0913, PLR0917 - what a span is
        self,
        name: str,
        began: float,
        ended: float,
        attributes: Attributes | None = None,
        within: Context | None = None,
        failed: bool = False,
    ) -> Context:
        """A span that is over; times are those of `time.time`. Gives where spans within it go."""
        span = self._tracer.start_span(
            name, context=within, attributes=dict(attributes or {}), start_time=_ns(began)
        )
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(_ns(ended))
        return set_span_in_context(span, within)

    def record_search(self, embed_ms: float, retrieve_ms: float, candidates: int) -> None:
        ended = time()
        embedded = ended - retrieve_ms / 1000
        self.record("embed", embedded - embed_ms / 1000, embedded)
        self.record("retrieve", embedded, ended, {"kildesvar.candidates": candidates})

    def record_job(self, job: JobEnd) -> None:
        """A job with its stages, in a trace of its own: who sent it was answered before."""
        ended, failed = job.began + job.seconds, job.state is JobState.FAILED
        about = {"kildesvar.job": job.id, "kildesvar.kind": job.kind.value}
        if job.request_id:
            about["kildesvar.request_id"] = job.request_id
        report = job.report
        counts = {"kildesvar.embedded": report.embedded} if report else {}
        within = self.record(
            f"job {job.kind.value}", job.began, ended, about, Context(), failed=failed
        )
        if report is None:
            return
        # Of one file, or of few: one after the other, but that the next is read meanwhile.
        read = job.began + report.seconds - report.model_seconds - report.publish_seconds
        embedded = read + report.model_seconds
        published = embedded + report.publish_seconds
        self.record("read", job.began, read, within=within)
        self.record("embed", read, embedded, counts, within)
        self.record("publish", embedded, published, within=within)
        self.record("take up", published, ended, within=within)

    def _record_stages(
        self, begun: Mapping[Stage, float], ended: float, answer: Answer | None, within: Context
    ) -> None:
        names = list(begun)
        ends = dict(zip(names, [*list(begun.values())[1:], ended], strict=True))
        for name in names:
            began, until, is_last = begun[name], ends[name], name == names[-1]
            about: dict[str, str | int | float | bool] = {}
            if answer is not None and name == "retrieve":
                embedded = min(until, began + answer.timings["embed"] / 1000)
                self.record("embed", began, embedded, within=within)
                began, about["kildesvar.candidates"] = embedded, answer.candidates
                about["kildesvar.documents"] = answer.documents
            if answer is not None and name == "compose":
                about["kildesvar.answered"] = answer.answered
                about["kildesvar.composed_by"] = answer.composed_by
                about["kildesvar.citations"] = len(answer.citations)
                about["kildesvar.confidence"] = answer.confidence
            failed = answer is None and is_last
            self.record(name, began, until, about, within, failed=failed)


class _Exporter(SpanExporter):
    """Says once that spans cannot be sent, until they are again."""

    def __init__(self, exporter: SpanExporter, url: str) -> None:
        self._exporter = exporter
        self._url = url
        self._has_complained = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # of a library's: the thread that sends must not end
            log.debug("spans could not be sent: %s", type(error).__name__)
            result = SpanExportResult.FAILURE
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._has_complained:
            log.warning("traces cannot be sent to %s now; they are dropped", self._url)
        self._has_complained = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _endpoint(url: str) -> str:
    """The whole address: that of a server alone stands for OTLP's own path on it."""
    return url.rstrip("/") + _PATH if urlsplit(url).path in {"", "/"} else url


def _ns(moment: float) -> int:
    return round(moment * _NANOSECONDS)
