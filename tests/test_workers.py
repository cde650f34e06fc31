"""Several processes that serve one library on one socket, asked all the time."""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.conftest import serving
from tests.running import QUESTION, wait_until

SEARCH = "/v1/search?q=medlemmer"


@dataclass
class Askers:
    """Ask until told to stop: one goes on with its connection, one opens another each time."""

    url: str
    answers: int = 0
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(limits,))
            for limits in (httpx.Limits(), httpx.Limits(max_keepalive_connections=0))
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, limits: httpx.Limits) -> None:
        with httpx.Client(base_url=self.url, limits=limits, timeout=30) as client:
            while not self._stopping.is_set():
                try:
                    status = client.get(SEARCH).status_code
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                else:
                    self.answers += 1
                    if status != 200:
                        self.failures.append(str(status))

    def wait_for_more(self) -> None:
        """Until some more have been answered."""
        enough = self.answers + 10
        wait_until(lambda: self.answers >= enough, 30)


@dataclass(frozen=True)
class Service:
    """A service of two processes, and the files that it is configured by and logs to."""

    url: str
    process: "subprocess.Popen[bytes]"
    data_dir: Path
    file: Path

    @property
    def log(self) -> str:
        return (self.data_dir / "service.log").read_text(encoding="utf-8")

    def workers(self) -> list[int]:
        """Those that serve now, from the oldest to the youngest."""
        serving = [int(number) for number in re.findall(r"worker (\d+) serves", self.log)]
        left = {int(number) for number in re.findall(r"worker (\d+) (?:ends|died)", self.log)}
        return [number for number in serving if number not in left]

    def two_serve(self) -> bool:
        return len(self.workers()) == 2


@pytest.fixture(scope="module")
def service(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("workers")
    data_dir = shutil.copytree(ingested, folder / "data")
    file = folder / "kildesvar.toml"
    file.write_text("workers = 2\nthreads = 2\n")
    with serving(data_dir, config=str(file)) as (url, process):
        service = Service(url, process, data_dir, file)
        wait_until(service.two_serve, 60)
        yield service
    assert process.returncode == 0
    assert "Traceback" not in service.log
    assert service.log.count("http://") == 1, "the address is announced once"


def test_settings_are_taken_up_without_a_request_lost(service: Service) -> None:
    former = set(service.workers())
    service.file.write_text("workers = 2\nthreads = 2\ncandidates = 50\n")
    with Askers(service.url) as askers:
        askers.wait_for_more()
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: service.log.count("has ended") == 2 and service.two_serve(), 90)
        askers.wait_for_more()
    assert askers.failures == []
    assert not former & set(service.workers())
    assert "KILDESVAR_CANDIDATES=50 (file)" in service.log


def test_a_worker_that_is_killed_costs_its_own_requests_only(service: Service) -> None:
    killed, kept = service.workers()
    with Askers(service.url) as askers:
        askers.wait_for_more()
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: f"worker {killed} died (killed by SIGKILL)" in service.log)
        askers.wait_for_more()
        wait_until(service.two_serve, 60)
        failed = len(askers.failures)
        askers.wait_for_more()
    assert failed <= 2, "one request of each asker was under way"
    assert len(askers.failures) == failed
    assert service.workers()[0] == kept


def test_what_one_acknowledges_the_others_know(service: Service) -> None:
    """Each request goes over a connection of its own, and so to any of them."""
    for number in range(6):
        answer = httpx.post(f"{service.url}/v1/ask", json={"question": QUESTION}).json()
        verdict = {"answer_id": answer["answer_id"], "verdict": "up"}
        judged = httpx.post(f"{service.url}/v1/feedback", json=verdict)
        assert judged.status_code == 204, (number, judged.text)


def test_a_document_is_read_by_one_of_them_and_found_by_all(service: Service) -> None:
    """Also when the one that took it in is killed."""
    text = "Brua over Skarvåna ble bygd i 1987, og eies av fylket.\n"
    sent = httpx.post(f"{service.url}/v1/documents", files={"file": ("bru.md", text.encode())})
    assert sent.status_code == 202
    killed, _ = service.workers()
    os.kill(killed, signal.SIGKILL)
    job = f"{service.url}/v1/jobs/{sent.json()['job_id']}"
    wait_until(lambda: service.two_serve() and httpx.get(job).json()["state"] == "done", 90)
    for _ in range(6):
        found = httpx.get(f"{service.url}/v1/search?q=Skarvåna").json()
        assert found["hits"][0]["title"], found


def test_a_generation_that_is_damaged_under_them_is_made_anew(service: Service) -> None:
    """A file that is cut short while it is mapped into memory ends whoever reads there."""
    generations = service.data_dir / "generations"
    damaged = (generations / "current").read_text()
    for path in (generations / damaged).rglob("*"):
        if path.is_file() and path.suffix != ".json":
            os.truncate(path, 0)

    def is_answered() -> bool:
        try:
            answer = httpx.post(f"{service.url}/v1/ask", json={"question": QUESTION}, timeout=30)
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and "1369" in answer.json()["answer"]

    wait_until(lambda: is_answered() and (generations / "current").read_text() != damaged, 120)
    wait_until(service.two_serve, 60)
    for _ in range(6):
        assert is_answered()
