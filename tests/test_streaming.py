"""Streamed answers, from the real service over a real socket."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import app.answering.quoting
import app.asking.streaming
from app.kept.conversations import Conversations
from index.errors import LibraryError
from tests.running import QUESTION, Held, Running, running, wait_until

SEVERAL = "Hvilke mål har rådet?"
OFF_TOPIC = "Hva er hovedstaden i Frankrike?"

Events = Iterator[tuple[str, Any]]


@pytest.fixture(scope="module")
def service(examples_dir: Path) -> Iterator[Running]:
    with running(examples_dir, max_concurrency=1) as service:
        yield service


@pytest.fixture
def held(service: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(service.kildesvar, monkeypatch)
    yield held
    held.go_on.set()


@contextmanager
def streaming(
    service: Running, question: str = QUESTION, **fields: str
) -> Iterator[httpx.Response]:
    body = {"question": question, "stream": True, **fields}
    wait_until(service.is_free)  # a place is given back a moment after the last byte
    with service.client.stream("POST", "/v1/ask", json=body) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield response


def events_of(response: httpx.Response) -> Events:
    name = ""
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def streamed(service: Running, question: str) -> list[tuple[str, Any]]:
    with streaming(service, question) as response:
        assert response.headers["cache-control"] == "no-store"
        return list(events_of(response))


def answered(service: Running, question: str = QUESTION) -> httpx.Response:
    wait_until(service.is_free)
    return service.client.post("/v1/ask", json={"question": question})


def data(events: list[tuple[str, Any]], name: str) -> list[Any]:
    return [data for event, data in events if event == name]


@pytest.mark.parametrize("question", [QUESTION, SEVERAL, OFF_TOPIC])
def test_what_is_streamed_is_the_answer(service: Running, question: str) -> None:
    events = streamed(service, question)
    answer = answered(service, question).json()
    assert answer["answered"] == (question != OFF_TOPIC)
    assert [data for event, data in events[:3] if event == "stage"] == [
        {"name": "retrieve"},
        {"name": "read"},
        {"name": "compose"},
    ]
    assert [event for event, _ in events].count("answer") == 1
    name, last = events[-1]
    assert name == "answer"
    for kept in (answer, last):
        assert set(kept.pop("timings")) == {"embed", "retrieve", "read", "compose", "total"}
        kept.pop("answer_id", None)
    assert last == answer
    assert "".join(token["text"] for token in data(events, "token")) == answer["answer"]
    assert data(events, "citation") == answer["citations"]


def test_a_citation_comes_before_the_text_that_cites_it(service: Running) -> None:
    cited = 0
    for name, data in streamed(service, SEVERAL):
        if name == "citation":
            cited += 1
            assert data["number"] == cited
            quote = data["quote"]
        if name == "token":
            assert f"{quote} [{cited}]" in data["text"]
    assert cited > 1, "the question must have an answer of several quotes"


def test_a_turn_is_kept_before_the_answer_says_so(service: Running) -> None:
    with streaming(service, conversation_id="s-1") as response:
        answer = next(data for name, data in events_of(response) if name == "answer")
        [turn] = Conversations(service.kildesvar.library, 90).read("s-1").turns
    assert answer["conversation_id"] == "s-1"
    assert turn.answer == answer["answer"]


def test_each_stage_is_told_before_its_work_is_done(service: Running, held: Held) -> None:
    with streaming(service) as response:
        events = events_of(response)
        assert next(events) == ("stage", {"name": "retrieve"})
        assert next(events) == ("stage", {"name": "read"})
        assert held.begun.wait(10)
        held.go_on.set()
        assert next(events) == ("stage", {"name": "compose"})
        assert [name for name, _ in events] == ["citation", "token", "answer"]


def test_a_place_is_held_until_the_work_is_done_also_when_the_reader_leaves(
    service: Running, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed: list[object] = []
    compose = app.answering.quoting.compose

    def noted(question: str, *given: Any) -> Any:
        composed.extend([question] * (question == QUESTION))
        return compose(question, *given)

    monkeypatch.setattr(app.answering.quoting, "compose", noted)
    with streaming(service):
        assert held.begun.wait(10)
        refused = service.client.post("/v1/ask", json={"question": QUESTION, "stream": True})
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["content-type"] == "application/problem+json"
    time.sleep(0.3)
    again = service.client.post("/v1/ask", json={"question": QUESTION})
    assert again.status_code == 429, "it still reads"
    held.go_on.set()
    wait_until(service.is_free)
    assert not composed, "nobody waits for the answer"


def test_silence_is_broken_by_comments(
    service: Running, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.asking.streaming, "_SILENCE", 0.05)
    with streaming(service) as response:
        lines = response.iter_lines()
        comments = 0
        while comments < 3:
            comments += next(lines).startswith(": ")
        held.go_on.set()
        assert "event: answer" in list(lines)


@pytest.mark.parametrize(
    ("error", "status"),
    [(LibraryError("dokumentene ble byttet ut"), 503), (RuntimeError("a secret path"), 500)],
)
def test_what_fails_on_the_way_is_told_as_the_last_event(
    service: Running,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(service.kildesvar.reader, "read", broken)
    name, problem = streamed(service, QUESTION)[-1]
    assert name == "error"
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert (problem["status"], problem["instance"]) == (status, "/v1/ask")
    assert (str(error) == problem["detail"]) == (status == 503)
    assert "secret" not in problem["detail"]
    assert bool([r for r in caplog.records if r.exc_info]) == (status == 500)
    answer = answered(service)
    assert answer.status_code == status
    assert answer.json() == problem


def test_what_is_known_before_the_first_byte_is_an_ordinary_problem(
    service: Running, tmp_path: Path
) -> None:
    body = {"question": "", "stream": True}
    assert service.client.post("/v1/ask", json=body).status_code == 422
    with running(tmp_path) as empty:
        response = empty.client.post("/v1/ask", json={"question": QUESTION, "stream": True})
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"


def test_a_service_that_stops_ends_the_stream(
    examples_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(examples_dir, 0, max_concurrency=1) as service:
        held = Held(service.kildesvar, monkeypatch)
        with streaming(service) as response:
            events = events_of(response)
            assert held.begun.wait(10)
            service.stop()
            held.go_on.set()
            *_, (name, problem) = events  # to its end, without an error of the connection
        assert name == "error"
        assert problem["status"] == 503
        service.thread.join(10)
        assert not service.thread.is_alive()
