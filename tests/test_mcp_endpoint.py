"""/mcp as a part of the service: behind its gate and its middleware, and gone when it ends."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import app.mcp.endpoint
from app.access.callers import Role
from app.access.keys import Keys
from app.answering.answerer import Answer
from app.kept.answer_log import AnswerLog
from app.mcp.tools import Tools
from app.middleware.body_limit import MAX_BODY
from tests.running import QUESTION, Held, Running, running, wait_until

ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def service(examples_dir: Path) -> Iterator[Running]:
    """A service in this process, with room for one question at a time."""
    with running(examples_dir, max_concurrency=1) as service:
        yield service


def call(service: Running, tool: str, **arguments: Any) -> dict[str, Any]:
    """The result of a tool. Without a session no handshake is needed."""
    called = {"name": tool, "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
    response = service.client.post("/mcp", json=body, headers=ACCEPT)
    assert response.status_code == 200, response.text
    assert "mcp-session-id" not in response.headers
    result: dict[str, Any] = response.json()["result"]
    return result


def text_of(result: dict[str, Any]) -> str:
    text: str = result["content"][0]["text"]
    return text


def test_who_comes_with_a_key_is_known_by_it(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, text = Keys(service.kildesvar.library).create("Assistenten", Role.READ)
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    service.client.headers["Authorization"] = f"Bearer {text[:-43]}{'A' * 43}"
    refused = service.client.post("/mcp", json=body, headers=ACCEPT)
    assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)
    recorded: list[str] = []
    record = AnswerLog.record

    def noted(log: AnswerLog, question: str, answer: Answer, owner: str = "") -> str | None:
        recorded.append(owner)
        return record(log, question, answer, owner)

    monkeypatch.setattr(AnswerLog, "record", noted)
    service.client.headers["Authorization"] = f"Bearer {text}"
    assert not call(service, "ask", question=QUESTION)["isError"]
    del service.client.headers["Authorization"]
    assert recorded == [f"key:{key.id}"]
    wait_until(service.is_free)


def test_the_gate_is_the_same_for_all(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(service.kildesvar, monkeypatch)
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(call, service, "ask", question=QUESTION)
        assert held.begun.wait(10)
        refused = service.client.post("/v1/ask", json={"question": QUESTION})
        assert refused.status_code == 429
        busy = call(service, "search", query="helse")
        assert busy["isError"]
        assert "try again in a second" in text_of(busy)
        assert not call(service, "list_documents")["isError"]
        held.go_on.set()
        assert asked.result()["structuredContent"]["answered"]
    wait_until(service.is_free)


def test_what_was_not_foreseen_is_logged_and_not_told(
    service: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(service.kildesvar.reader, "read", broken)
    wait_until(service.is_free)
    failed = call(service, "ask", question=QUESTION)
    assert failed["isError"]
    assert "not foreseen" in text_of(failed)
    assert "secret" not in str(failed)
    assert [record for record in caplog.records if record.exc_info]
    wait_until(service.is_free)


@pytest.mark.parametrize(
    ("method", "request_", "status", "told"),
    [
        ("GET", {}, 405, "Method Not Allowed"),
        ("DELETE", {}, 405, "Method Not Allowed"),
        ("POST", {"headers": {"Host": "other.example"}}, 400, "for «other.example»"),
        ("POST", {"headers": {"Origin": "https://other.example"}}, 403, "https://other.example"),
        ("POST", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403, "another site"),
        ("POST", {"content": b"x" * (MAX_BODY + 1)}, 413, "at most 2 MB"),
        ("POST", {"content": iter([b"x" * MAX_BODY, b"x"])}, 413, "at most 2 MB"),
    ],
)
def test_the_services_own_refusals_hold(
    service: Running, method: str, request_: dict[str, Any], status: int, told: str
) -> None:
    headers = {**ACCEPT, "Content-Type": "application/json", **request_.pop("headers", {})}
    with service.client.stream(method, "/mcp", headers=headers, **request_) as response:
        assert response.status_code == status  # before the rest: a stream would have no end
        response.read()
    assert response.headers["content-type"] == "application/problem+json"
    assert told in response.json()["detail"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_from_the_first_request_to_the_end_of_the_service(
    examples_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    make = app.mcp.endpoint._session_manager

    def counted(tools: Tools) -> Any:
        made.append(tools)
        return make(tools)

    monkeypatch.setattr(app.mcp.endpoint, "_session_manager", counted)
    with running(examples_dir, 0, max_concurrency=1) as service, ThreadPoolExecutor(4) as others:
        first = [others.submit(call, service, "list_documents") for _ in range(4)]
        assert [called.result()["isError"] for called in first] == [False] * 4
        assert len(made) == 1
        held = Held(service.kildesvar, monkeypatch)
        asked = others.submit(call, service, "ask", question=QUESTION)
        assert held.begun.wait(10)
        service.stop()
        held.go_on.set()
        stopped = asked.result()
        assert stopped["isError"]
        assert "being stopped" in text_of(stopped)
        service.thread.join(10)
        assert not service.thread.is_alive()
