"""How a service ends."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.commands import service
from tests.running import QUESTION, Held, running, wait_until


def test_a_request_that_was_begun_is_answered_when_the_service_is_stopped(
    examples_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(examples_dir) as own, ThreadPoolExecutor(1) as other:
        held = Held(own.kildesvar, monkeypatch)
        asked = other.submit(own.client.post, "/v1/ask", json={"question": QUESTION})
        assert held.begun.wait(10)
        own.stop()
        wait_until(lambda: not own.server.servers[0].is_serving())
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{own.client.base_url}/healthz")
        held.go_on.set()
        answer = asked.result()
        assert answer.status_code == 200
        assert "1369" in answer.json()["answer"]
        assert answer.headers["connection"] == "close"
        own.thread.join(10)
        assert not own.thread.is_alive()


def test_one_that_retires_is_hurried_by_a_signal(
    examples_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(examples_dir, 0.1) as own, ThreadPoolExecutor(1) as other:
        held = Held(own.kildesvar, monkeypatch)
        asked = other.submit(own.client.post, "/v1/ask", json={"question": QUESTION})
        assert held.begun.wait(10)
        own.server.retire(600)
        wait_until(lambda: not own.server.servers[0].is_serving())
        own.stop()
        wait_until(own.server._state.cutting.is_set)
        held.go_on.set()
        assert asked.result().status_code == 503
        own.thread.join(10)
        assert not own.thread.is_alive(), "what waits to be written is written at its end"


@pytest.mark.parametrize("is_at_terminal", [True, False])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_settings_are_read_anew_on_a_hangup_that_no_terminal_sent(
    workers: str, is_at_terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setenv("KILDESVAR_WORKERS", workers)
    monkeypatch.setattr(service, "prepared", lambda _: None)
    monkeypatch.setattr(service, "configure_logging", lambda _: None)
    monkeypatch.setattr("os.isatty", lambda _: is_at_terminal)
    monkeypatch.setattr(service, "hear_hangups", lambda: heard.append("alone"))
    monkeypatch.setattr(service, "_serve_alone", lambda *_: None)
    monkeypatch.setattr(
        "app.hosting.supervisor.run_workers",
        lambda _, read_anew, __: heard.extend(["several"] if read_anew else []),
    )
    service.serve(data_dir=tmp_path)
    assert bool(heard) is not is_at_terminal


def test_a_single_process_says_what_it_takes_to_read_settings_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        service.hear_hangups()
        signal.raise_signal(signal.SIGHUP)
        assert "set KILDESVAR_WORKERS to 2 or more" in caplog.text
    finally:
        signal.signal(signal.SIGHUP, before)
