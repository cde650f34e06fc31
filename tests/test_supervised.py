"""One process that serves by orders, with the test in the place of its parent."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.hosting.listening import address_of, listen
from app.hosting.supervised import RETIRE, Orders
from app.settings import Settings, load_settings


@contextmanager
def started(settings: Settings, shared: Path) -> Iterator[tuple[Any, Any, str]]:
    """The process, what it reports, and its address."""
    reports, its_end = os.pipe()
    with listen("127.0.0.1", 0) as listening, os.fdopen(reports, encoding="utf-8") as said:
        descriptors = (listening.fileno(), its_end)
        command = [sys.executable, "-I", "-m", "app.hosting.supervised"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=descriptors)
        os.close(its_end)
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(Orders(settings, *descriptors, shared, 10.0)))
        process.stdin.flush()
        try:
            yield process, said, address_of("127.0.0.1", listening)
        finally:
            process.stdin.close()
            process.wait(30)


def test_it_ends_with_its_parent(examples_dir: Path, tmp_path: Path) -> None:
    with started(load_settings(data_dir=examples_dir, threads=1), tmp_path) as (process, said, url):
        assert json.loads(said.readline()) == {"state": "ready"}
        assert httpx.get(f"{url}healthz").status_code == 200
        process.stdin.close()
        assert process.wait(30) in {0, -15}
        assert said.readline() == ""


def test_one_that_retires_says_with_each_answer_that_it_is_the_last(
    examples_dir: Path, tmp_path: Path
) -> None:
    settings = load_settings(data_dir=examples_dir, threads=1)
    with (
        started(settings, tmp_path) as (process, said, url),
        httpx.Client(base_url=url) as client,
    ):
        said.readline()
        assert "connection" not in client.get("healthz").headers
        process.stdin.write(RETIRE)
        process.stdin.flush()
        headers: Any = {}
        while "connection" not in headers:  # on the same connection, which is not just closed
            headers = client.get("healthz").headers
        assert headers["connection"] == "close"
        assert process.wait(30) == 0


def test_why_it_cannot_serve_is_told(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, models_dir=tmp_path)
    with started(settings, tmp_path) as (process, said, _):
        told = json.loads(said.readline())
        assert told["state"] == "failed"
        assert "kildesvar prepare" in told["reason"]
        assert process.wait(30) == 2
