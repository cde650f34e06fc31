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
