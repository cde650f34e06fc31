"""A running service whose library others change: it goes on answering, and takes up what is new."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, serving


@pytest.fixture
def data_dir(examples_dir: Path, tmp_path: Path) -> Path:
    shutil.copytree(examples_dir, tmp_path / "data")
    return tmp_path / "data"


def kildesvar(*arguments: str, **settings: str) -> None:
    clean = {n: v for n, v in os.environ.items() if not n.startswith("KILDESVAR_")}
    command = [sys.executable, "-m", "app.cli", *arguments]
    environment = {**clean, **settings}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def asked(url: str, question: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/v1/ask",
        json.dumps({"question": question}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        body: dict[str, Any] = json.load(response)
        return body


@contextmanager
def pestered(url: str) -> Iterator[list[str]]:
    """Questions one after the other meanwhile; gives what went wrong with them."""
    wrong: list[str] = []
    asked_times = 0
    stop = threading.Event()

    def pester() -> None:
        while not stop.is_set():
            try:
                nonlocal asked_times
                asked_times += 1
                if not asked(url, "Hvor mange medlemmer har bransjen?")["answered"]:
                    wrong.append("not answered")
            except urllib.error.HTTPError as error:
                wrong.append(f"{error.code}: {error.read().decode()}")

    threads = [threading.Thread(target=pester) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert asked_times > 10


def _answer(url: str, question: str) -> str:
    """The answer; none while the service says that it cannot give one now."""
    try:
        answer: str = asked(url, question)["answer"]
    except urllib.error.HTTPError as error:
        assert error.code == 503, error.read()
        return ""
    return answer


def eventually(url: str, question: str, words: str, is_there: bool = True) -> None:
    """Asks until the answer has the words, or has them no more."""
    until = time.monotonic() + 20
    while (words in _answer(url, question)) is not is_there:
        assert time.monotonic() < until, f"{words} is {'not' if is_there else 'still'} there"
        time.sleep(0.1)


def test_what_another_process_ingests_is_answered_and_no_question_is_lost(
    data_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "nye"
    folder.mkdir()
    with serving(data_dir) as (url, _), pestered(url) as wrong:
        for guests in (7001, 7002, 7003):
            text = f"Til sommerfesten på rådhuset kom det {guests} gjester.\n"
            (folder / "fest.txt").write_text(text, encoding="utf-8")
            kildesvar("ingest", str(folder), "--data-dir", str(data_dir))
            eventually(url, "Hvor mange gjester kom til sommerfesten på rådhuset?", str(guests))
        (folder / "fest.txt").write_text("Noe helt annet.\n", encoding="utf-8")
        kildesvar("ingest", str(folder), "--data-dir", str(data_dir))
        question = "Hvor mange gjester kom til sommerfesten på rådhuset?"
        eventually(url, question, "7003", is_there=False)
    assert wrong == []


def test_a_library_that_is_cut_anew_or_restored_is_answered_from_all_the_while(
    data_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "kopi.zip"
    own = ("--data-dir", str(data_dir))
    with serving(data_dir) as (url, _), pestered(url) as wrong:
        kildesvar("backup", str(file), *own)
        kildesvar("ingest", str(ROOT / "examples"), *own, KILDESVAR_PASSAGE_TOKENS="100")
        kildesvar("compact", *own, KILDESVAR_PASSAGE_TOKENS="100")
        kildesvar("restore", str(file), "--yes", *own)
        eventually(url, "Hvor mange medlemmer har bransjen?", "1369")
    # Between a restore and its index, for moments, the service may say that it is being replaced.
    assert [said for said in wrong if "were replaced a moment ago" not in said] == []
