"""Reading in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from index.errors import InaccessibleFileError, UnreadableDocumentError
from index.readers.formats import read
from index.readers.isolation import IsolatedReader

DOCUMENT = "# Mål\n\nPlanen har to mål:\n\n- kortere ventetid\n- flere fagfolk\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "plan.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    return path


class Scripted(IsolatedReader):
    """A reader whose process runs some code in place of the parsers."""

    def __init__(self, code: str, seconds: float = 30) -> None:
        super().__init__(seconds)
        self.code = code

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", self.code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )


def test_it_reads_what_is_read_in_this_process(path: Path) -> None:
    with IsolatedReader() as reader:
        assert reader.read(path) == read(path)
        assert reader.read(path) == read(path)


def test_reasons_pass_through(path: Path) -> None:
    path.write_bytes(b"\x00\x01")
    with IsolatedReader() as reader:
        with pytest.raises(InaccessibleFileError, match="cannot open"):
            reader.read(path.with_name("borte.md"))
        with pytest.raises(UnreadableDocumentError) as there:
            reader.read(path)
    with pytest.raises(UnreadableDocumentError) as here:
        read(path)
    assert str(there.value) == str(here.value)


def test_a_parser_that_hangs_is_ended_and_the_next_file_read(path: Path) -> None:
    reader = Scripted("import time; time.sleep(60)", seconds=0.5)
    with pytest.raises(UnreadableDocumentError, match="took more than"):
        reader.read(path)
    with IsolatedReader() as sound:
        assert sound.read(path).title == "Mål"


@pytest.mark.parametrize(
    "code", ["import os; os.abort()", "input(); print('halvt', end='')", "raise SystemExit(3)"]
)
def test_a_parser_that_crashes_costs_one_line_and_is_started_anew(path: Path, code: str) -> None:
    reader = Scripted(code)
    for _ in range(2):
        with pytest.raises(UnreadableDocumentError, match="crashed"):
            reader.read(path)
    assert reader.close() == 0


def test_an_unforeseen_error_is_named_and_logged(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer = '{"unforeseen": "KeyError: 7", "trace": "Traceback: here"}'
    with (
        Scripted(f"input(); print('{answer}', flush=True); input()") as reader,
        pytest.raises(UnreadableDocumentError, match="KeyError: 7"),
    ):
        reader.read(path)
    assert "Traceback: here" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="the system knows no such limit")
def test_memory_is_held_to_a_size(path: Path) -> None:
    path.write_text("Mye tekst uten ende. " * 4_000_000, encoding="utf-8")
    with IsolatedReader(memory_bytes=400 * 1024**2) as reader:
        with pytest.raises(UnreadableDocumentError, match=r"too much memory|crashed"):
            reader.read(path)
        path.write_text(DOCUMENT, encoding="utf-8")
        assert reader.read(path).title == "Mål"
