"""Metrics: what happens is counted, under no name that anybody sends, also in several processes."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from app.answering.notices import kind_of, notice
from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from app.sight.metrics.events import Metrics
from app.sight.metrics.shared import counting_processes, process_ended
from tests.conftest import LOCAL, ROOT
from tests.running import QUESTION, wait_until

Value = Callable[..., float]


@pytest.fixture
def own(kildesvar: Kildesvar) -> TestClient:
    """A service that nobody else has asked."""
    return TestClient(create_service(kildesvar), base_url=LOCAL)


def values(client: TestClient) -> Value:
    """Reads a sample of a scrape by its name and labels; 0 for one that there is not."""
    text = client.get("/metrics").text
    samples = [sample for family in parse_text(text) for sample in family.samples]

    def value(name: str, /, **labels: str) -> float:
        wanted = [s for s in samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(sample.value for sample in wanted)

    return value


def test_requests_are_counted_by_route_method_and_status(own: TestClient) -> None:
    own.get("/healthz")
    own.get("/v1/documents/a")
    own.get("/v1/documents/b")
    own.request("BREW", "/kaffe")
    own.post("/v1/ask", json={"question": QUESTION}, headers={"Origin": "https://b.example"})
    value, name = values(own), "kildesvar_http_request_duration_seconds_count"
    assert value(name, route="/healthz", method="GET", status="2xx") == 1
    assert value(name, route="/v1/documents/{document_id}", method="GET", status="4xx") == 2
    assert value(name, route="none", method="OTHER", status="4xx") == 1
    assert value(name, route="none", method="POST", status="4xx") == 1
    assert value("kildesvar_problems_total", problem="DocumentNotFoundError") == 2
    assert "kaffe" not in own.get("/metrics").text


def test_answers_and_their_stages_are_counted(own: TestClient) -> None:
    answer = own.post("/v1/ask", json={"question": QUESTION}).json()
    own.post("/v1/ask", json={"question": "Hva er hovedstaden i Australia?"})
    own.get("/v1/search", params={"q": QUESTION})
    value = values(own)
    assert value("kildesvar_answers_total", outcome="answered", composed_by="quotes") == 1
    assert value("kildesvar_answers_total", outcome="refused") == 1
    counts = {
        stage: value("kildesvar_stage_duration_seconds_count", stage=stage)
        for stage in ("embed", "retrieve", "read", "compose", "total")
    }
    assert counts == {"embed": 3, "retrieve": 3, "read": 2, "compose": 2, "total": 0}
    spent = value("kildesvar_stage_duration_seconds_sum", stage="read")
    assert answer["timings"]["read"] / 1000 < spent < 10


def test_an_answer_given_again_is_a_hit_and_went_through_no_stage(
    kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembering = kildesvar.settings.model_copy(update={"cached_answers_mb": 8})
    monkeypatch.setattr(kildesvar, "settings", remembering)
    own = TestClient(create_service(kildesvar), base_url=LOCAL)
    for _ in range(3):
        own.post("/v1/ask", json={"question": QUESTION})
    value = values(own)
    assert value("kildesvar_answers_total", outcome="answered") == 3
    assert value("kildesvar_stage_duration_seconds_count", stage="read") == 1
    assert value("kildesvar_cache_misses_total", cache="answers") == 1
    assert value("kildesvar_cache_hits_total", cache="answers") == 2
    assert value("kildesvar_cache_entries", cache="answers") == 1


def test_a_wrong_key_is_counted_by_its_name(own: TestClient) -> None:
    assert own.get("/v1/jobs", headers={"Authorization": "Bearer kv_a_b"}).status_code == 401
    assert values(own)("kildesvar_problems_total", problem="KeyRejectedError") == 1


def test_who_comes_too_often_is_counted_by_name(
    kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = {"requests_per_minute": 1, "request_burst": 1, "wrong_keys_per_minute": 1}
    monkeypatch.setattr(kildesvar, "settings", kildesvar.settings.model_copy(update=once))
    own = TestClient(create_service(kildesvar), base_url=LOCAL)
    assert [own.get("/v1/jobs").status_code for _ in range(2)] == [200, 429]
    wrong = {"Authorization": "Bearer kv_a_b"}
    assert [own.get("/v1/jobs", headers=wrong).status_code for _ in range(2)] == [401, 429]
    value = values(own)
    assert value("kildesvar_problems_total", problem="TooManyRequests") == 1
    assert value("kildesvar_problems_total", problem="TooManyWrongKeys") == 1


def test_the_state_of_the_service_is_shown(own: TestClient, kildesvar: Kildesvar) -> None:
    own.get("/readyz")
    value, generation = values(own), kildesvar.generation()
    assert value("kildesvar_generation_info", name=generation.name) == 1
    assert value("kildesvar_generation_documents") == 5
    assert value("kildesvar_generation_passages") == generation.manifest.passages
    assert value("kildesvar_generation_current") == 1
    assert value("kildesvar_generation_made_timestamp_seconds") > 1.7e9
    assert value("kildesvar_library_revision") == kildesvar.library.version().revision
    assert value("kildesvar_library_readable") == 1
    assert value("kildesvar_library_bytes") > 10_000
    assert 0 < value("kildesvar_disk_free_bytes") <= value("kildesvar_disk_size_bytes")
    assert value("kildesvar_gate_places", gate="answers") == kildesvar.settings.places
    assert value("kildesvar_build_info") == 1
    assert value("kildesvar_processes") == 1
    if sys.platform == "linux":
        assert value("process_resident_memory_bytes") > 10_000_000
        assert value("process_open_fds") > 3
        assert value("process_cpu_seconds_total") > 0


def test_a_scrape_opens_no_newer_generation(
    own: TestClient, kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = kildesvar.generation()
    monkeypatch.setattr(kildesvar.engine, "current_name", lambda: "a newer one")
    monkeypatch.setattr(kildesvar.engine, "open", lambda _: pytest.fail("it is opened"))
    assert values(own)("kildesvar_generation_info", name=held.name) == 1


def test_a_gate_is_read_as_it_is_at_the_moment(own: TestClient) -> None:
    entered = own.app.state.gate.enter()  # type: ignore[attr-defined]
    next(entered)
    assert values(own)("kildesvar_gate_taken", gate="answers") == 1
    entered.close()
    assert values(own)("kildesvar_gate_taken", gate="answers") == 0


def test_a_service_that_is_full_says_how_often(
    own: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Gate(1)
    entered = full.enter()
    next(entered)
    monkeypatch.setattr(own.app.state, "gate", full)  # type: ignore[attr-defined]
    assert own.post("/v1/ask", json={"question": QUESTION}).status_code == 429
    assert values(own)("kildesvar_problems_total", problem="TooBusyError") == 1


def test_jobs_and_uploads_are_counted(ingested: Path, tmp_path: Path) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path))
    with TestClient(create_service(kildesvar), base_url=LOCAL) as client:
        for name, content in (("a.txt", b"Planen ble vedtatt i mars."), ("b.pdf", b"ikke PDF")):
            client.post("/v1/documents", files={"file": (name, content)})
        wait_until(lambda: values(client)("kildesvar_jobs", state="done") == 1, 20)
        wait_until(lambda: values(client)("kildesvar_jobs", state="failed") == 1, 20)
        value = values(client)
        assert value("kildesvar_jobs_finished_total", outcome="done") == 1
        assert value("kildesvar_jobs_finished_total", outcome="failed") == 1
        assert value("kildesvar_upload_received_bytes_total") == 34
        answer = client.post("/v1/ask", json={"question": "Når ble planen vedtatt?"}).json()
        verdict = {"answer_id": answer["answer_id"], "verdict": "down"}
        client.post("/v1/feedback", json=verdict)
        assert values(client)("kildesvar_feedback_total", verdict="down") == 1


def test_what_cannot_be_read_is_left_out(own: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(shutil, "disk_usage", fail)
    value = values(own)
    assert value("kildesvar_library_readable") == 0
    assert value("kildesvar_disk_size_bytes") == 0
    assert value("kildesvar_library_revision") > 0


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics"),
        ("application/openmetrics-text;version=tull", "application/openmetrics"),
    ],
)
def test_metrics_come_in_the_form_that_is_asked_for(
    own: TestClient, accept: str, kind: str
) -> None:
    answer = own.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(kind)
    parse = parse_text if kind == "text/plain" else parse_openmetrics
    names = {family.name for family in parse(answer.text)}
    assert "kildesvar_http_request_duration_seconds" in names
    assert all(re.fullmatch(r"(kildesvar|process)_[a-z_]+", name) for name in names)


def test_what_somebody_else_counts_is_read_on(own: TestClient) -> None:
    metrics: Metrics = own.app.state.witness.metrics  # type: ignore[attr-defined]
    cache = {"hits": 2, "misses": 3, "size": 3}
    metrics.read_cache("questions", *((lambda n=name: cache[n]) for name in cache))
    assert values(own)("kildesvar_cache_hits_total", cache="questions") == 2
    cache.update(hits=5, size=0)
    value = values(own)
    assert value("kildesvar_cache_hits_total", cache="questions") == 5
    assert value("kildesvar_cache_misses_total", cache="questions") == 3
    assert value("kildesvar_cache_entries", cache="questions") == 0


@pytest.mark.parametrize("question", ["Hvem leder den?", "Kven leier ho?", "Who leads it?"])
def test_a_notice_is_known_by_its_words(question: str) -> None:
    for kind in ("slow", "busy", "unsupported", "interrupted"):
        assert kind_of(notice(kind, question)) == kind
    assert kind_of("Noe annet.") is None


_COUNTING = """
import sys
from pathlib import Path
from app.sight.metrics.shared import count_together
count_together(Path(sys.argv[3]))
from app.sight.metrics.events import Metrics
from app.sight.metrics.states import ProcessState

metrics = Metrics()
metrics.collect_from(ProcessState())
metrics.read_gate("answers", lambda: 4, lambda: int(sys.argv[1]), lambda: 0)
metrics.requested("/healthz", "GET", 200, 0.002, None)
print(metrics.scrape().content.decode() if sys.argv[2] == "show" else metrics.read(), flush=True)
sys.stdin.read()
"""


def test_several_processes_count_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(taken: str, then: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", _COUNTING, taken, then, str(tmp_path)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    with begun("1", "read") as first:
        assert first.stdout is not None
        first.stdout.readline()
        with begun("2", "show") as second:
            living = {first.pid, second.pid}
            shown, _ = second.communicate(timeout=60)
        first.communicate(timeout=60)
    samples = [s for family in parse_text(shown) for s in family.samples]
    found = {(s.name, s.labels.get("gate")): s.value for s in samples}
    assert found["kildesvar_gate_taken", "answers"] == 3
    assert found["kildesvar_http_request_duration_seconds_count", None] == 2
    assert found["kildesvar_processes", None] == 2
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert set(counting_processes()) == living
    process_ended(first.pid, tmp_path)
    assert counting_processes() == [second.pid]


def test_every_metric_is_documented_and_no_other(own: TestClient) -> None:
    own.get("/readyz")
    text = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    table = text.partition("## Metrics")[2]
    documented = set(re.findall(r"`((?:kildesvar|process)_\w+)`", table))
    named = {family.name for family in parse_openmetrics(openmetrics(own))}  # type: ignore[no-untyped-call]
    shown = {name.removesuffix("_total").removesuffix("_info") for name in documented}
    assert shown == named


def openmetrics(client: TestClient) -> str:
    return client.get("/metrics", headers={"Accept": "application/openmetrics-text"}).text
