"""The real service on a real socket, within the test's own process."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn

from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.hosting.server import Server
from app.hosting.service import create_service
from app.hosting.slow_clients import TimedProtocol
from app.settings import load_settings
from index.reading.reader import Reading
from index.records import StoredPassage

T = TypeVar("T")

QUESTION = "Hvor mange medlemmer har bransjen?"


@dataclass(frozen=True, slots=True)
class Running:
    """A service on a socket of its own, in a thread of the test."""

    kildesvar: Kildesvar
    server: Server
    thread: threading.Thread
    client: httpx.Client
    gate: Gate

    def is_free(self) -> bool:
        return self.gate.is_quiet

    def stop(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)


@contextmanager
def running(
    data_dir: Path, finishes_within: float = 5.0, /, **settings: object
) -> Iterator[Running]:
    """Without a queue and without remembered answers, unless a test says otherwise: it looks at a
    single place, or at what is done anew."""
    alone = {"max_waiting": 0, "cached_answers_mb": 0}
    kildesvar = Kildesvar(load_settings(data_dir=data_dir, **{**alone, **settings}))
    service = create_service(kildesvar)
    config = uvicorn.Config(service, http=TimedProtocol, port=0, log_config=None)
    server = Server(config, service.state, finishes_within=finishes_within)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        running = Running(kildesvar, server, thread, client, service.state.gate)
        try:
            yield running
        finally:
            running.stop()
            thread.join(30)
            assert not thread.is_alive()


class Held:
    """Keeps the reader at its work on QUESTION until told to go on.

    Other questions are read: the service asks some by itself, to offer them as examples.
    """

    def __init__(self, kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        read = kildesvar.reader.read

        def held(question: str, passages: Sequence[StoredPassage]) -> list[Reading]:
            if question == QUESTION:
                self.begun.set()
                assert self.go_on.wait(20)
            return read(question, passages)

        monkeypatch.setattr(kildesvar.reader, "read", held)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, in an event loop of its own."""
    with ThreadPoolExecutor(1) as other:  # the browser tests leave a loop in this thread
        return other.submit(asyncio.run, work).result()


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)
