"""Traces: how long each part took, to a real collector, and nothing of what was said."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from app.assembly import Kildesvar
from app.hosting import service as service_module
from app.hosting.service import create_service
from app.language_model import LanguageModelCall
from app.settings import SettingsError, load_settings
from app.sight.metrics.events import Metrics
from app.sight.traces import Traces
from app.sight.witness import Witness
from tests.conftest import LOCAL
from tests.running import QUESTION, wait_until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Takes spans as OTLP has them, over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Span] = []
        self.received = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received += body
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.serve_forever)
    thread.start()
    yield collector
    collector.shutdown()
    thread.join()
    collector.server_close()


def attributes(span: Span) -> dict[str, object]:
    found = {}
    for attribute in span.attributes:
        kind = attribute.value.WhichOneof("value")
        assert kind
        found[attribute.key] = getattr(attribute.value, kind)
    return found


def seconds(span: Span) -> float:
    return float(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9


def test_a_request_and_its_stages_are_one_trace_without_words(
    collector: Collector, tmp_path: Path, model_folder: Path
) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path, traces_url=collector.url))
    with TestClient(create_service(kildesvar), base_url=LOCAL) as client:
        file = {"file": ("hemmelig.txt", "Bransjen har 1369 medlemmer. Den vokser.")}
        job_id = client.post("/v1/documents", files=file).json()["job_id"]
        wait_until(lambda: client.get(f"/v1/jobs/{job_id}").json()["state"] == "done", 20)
        traceparent = f"00-{TRACE}-{PARENT}-01"
        headers = {"traceparent": traceparent, "X-Request-Id": "r-17", "Cookie": "other=Bearer"}
        asked = client.post("/v1/ask", json={"question": QUESTION}, headers=headers).json()
        client.get("/v1/search", params={"q": QUESTION})
        client.get("/v1/documents/finnes-ikke")
    # Stopped, it has sent them all.
    [answered] = collector.named("POST /v1/ask")
    assert (answered.trace_id.hex(), answered.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(answered) == {
        "http.request.method": "POST",
        "http.route": "/v1/ask",
        "http.response.status_code": 200,
        "kildesvar.request_id": "r-17",
    }
    of_it = {span.name: span for span in collector.spans if span.trace_id.hex() == TRACE}
    assert of_it.keys() == {"POST /v1/ask", "wait", "embed", "retrieve", "read", "compose"}
    stages = [of_it[name] for name in ("embed", "retrieve", "read", "compose")]
    assert {span.parent_span_id for span in stages} == {answered.span_id}
    starts = [span.start_time_unix_nano for span in stages]
    assert starts == sorted(starts)
    assert sum(map(seconds, stages)) <= seconds(answered)
    assert attributes(of_it["retrieve"]) == {
        "kildesvar.candidates": 1,
        "kildesvar.documents": 1,
    }
    assert attributes(of_it["compose"])["kildesvar.answered"] is asked["answered"] is True
    assert {span.name for span in collector.named("job add")} == {"job add"}
    [job] = collector.named("job add")
    of_job = {span.name for span in collector.spans if span.parent_span_id == job.span_id}
    assert of_job == {"read", "embed", "publish", "take up"}
    assert attributes(job)["kildesvar.job"] == job_id
    assert len(collector.named("embed")) == 3
    for word in ("medlemmer", "1369", "hemmelig", "finnes-ikke", "Bearer"):
        assert word.encode() not in collector.received


def test_calls_of_a_language_model_are_spans(collector: Collector) -> None:
    traces = Traces(f"{collector.url}/v1/traces")
    witness = Witness(Metrics(), traces)
    witness.language_model_called(LanguageModelCall(time.time(), 1.5, "LanguageModelSlowError", 12))
    witness.waited(0.25)
    traces.stop()
    [call], [wait] = collector.named("language model"), collector.named("wait")
    assert seconds(call) == pytest.approx(1.5)
    assert attributes(call) == {
        "kildesvar.outcome": "LanguageModelSlowError",
        "kildesvar.letters": 12,
    }
    assert call.status.code == 2
    assert seconds(wait) == pytest.approx(0.25)


class Away(SpanExporter):
    """Sends nothing, and says so or fails; the last time it works."""

    def __init__(self) -> None:
        self.tried = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.tried += 1
        if self.tried == 2:
            raise OSError("no route")
        return SpanExportResult.SUCCESS if self.tried == 4 else SpanExportResult.FAILURE


def test_a_collector_that_is_away_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    away = Away()
    traces = Traces("http://127.0.0.1:9", away)
    with caplog.at_level(logging.INFO):
        for number in range(1, 5):
            traces.record("wait", time.time(), time.time())
            traces._provider.force_flush()
            assert away.tried == number
        traces.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "traces cannot be sent to http://127.0.0.1:9 now; they are dropped"
    ]


def test_a_service_without_a_collector_answers_and_stops(
    kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens there: neither an answer nor the end waits for it."""
    monkeypatch.setattr(service_module, "traces_to", lambda _: Traces("http://127.0.0.1:9"))
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    assert client.post("/v1/ask", json={"question": QUESTION}).json()["answered"]
    began = time.monotonic()
    client.app.state.witness.traces.stop()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("url", ["localhost:4318", "http://a:b@localhost:4318", "http://c/?key=a"])
def test_what_is_no_address_of_a_collector_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILDESVAR_TRACES_URL", url)
    with pytest.raises(SettingsError, match="KILDESVAR_TRACES_URL"):
        load_settings()


def test_the_framework_tells_nobody_anything(kildesvar: Kildesvar) -> None:
    """It would, of errors and so of questions, where FASTAPI_OTEL_AUTO_CONFIGURE is set."""
    config = create_service(kildesvar)._native_telemetry.config
    told = ("tracing", "metrics", "logs", "operation_spans", "auto_configure")
    assert [config[name] for name in told] == [False] * len(told)  # type: ignore[literal-required]
