"""Reading in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from index.errors import (
    InaccessibleFileError,
    ReaderUnavailableError,
    UnreadableDocumentError,
)
from index.readers import formats, isolation
from index.readers.formats import read
from index.readers.isolation import IsolatedReader
from tests.conftest import ROOT

DOCUMENT = "# Mål\n\nPlanen har to mål:\n\n- kortere ventetid\n- flere fagfolk\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "plan.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    return path


class Scripted(IsolatedReader):
    """A reader whose first processes run some code in place of the parsers."""

    def __init__(self, *codes: str, seconds: float = 30) -> None:
        super().__init__(seconds)
        self.codes = list(codes)

    def _command(self) -> list[str]:
        return [sys.executable, "-c", self.codes.pop(0)] if self.codes else super()._command()


READY = "print('ready', flush=True); "


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
    with Scripted(READY + "import time; time.sleep(60)", seconds=3) as reader:
        with pytest.raises(UnreadableDocumentError, match="took more than"):
            reader.read(path)
        assert reader.read(path).title == "Mål"


@pytest.mark.parametrize(
    "code", ["import os; os.abort()", "input(); print('halvt', end='')", "raise SystemExit(3)"]
)
def test_a_parser_that_crashes_costs_one_line_and_is_started_anew(path: Path, code: str) -> None:
    with Scripted(READY + code) as reader:
        with pytest.raises(UnreadableDocumentError, match="crashed"):
            reader.read(path)
        assert reader.read(path).title == "Mål"


def test_a_file_is_read_while_something_else_is_done(path: Path) -> None:
    with IsolatedReader() as reader:
        reader.begin(path)
        assert reader.finish() == read(path)
        reader.begin(path)
        reader.close()
        assert reader.read(path) == read(path), "a file that was given up is no answer to another"


def test_a_crash_is_the_fault_of_the_file_that_was_begun(path: Path) -> None:
    with Scripted(READY + "raise SystemExit(3)") as reader:
        reader.begin(path)
        with pytest.raises(UnreadableDocumentError, match="status 3"):
            reader.finish()
        assert reader.read(path).title == "Mål"


@pytest.mark.skipif(sys.platform == "win32", reason="the system knows no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_makes_no_file_unreadable(path: Path, number: int) -> None:
    with IsolatedReader() as reader:
        reader.read(path)
        assert reader._process is not None
        os.kill(reader._process.pid, number)
        assert reader.read(path).title == "Mål"


def test_a_process_that_cannot_start_is_no_files_fault(path: Path) -> None:
    with pytest.raises(ReaderUnavailableError, match="no room here"):
        Scripted("raise SystemExit('no room here')").read(path)


@pytest.mark.skipif(sys.platform == "win32", reason="the system knows no such limit")
def test_a_lower_limit_of_the_system_holds(path: Path) -> None:
    code = (
        "import resource; most = 2 * 1024**3; "
        "resource.setrlimit(resource.RLIMIT_AS, (most, most)); "
        "from index.readers.isolation import _serve; _serve(3 * 1024**3)"
    )
    with Scripted(code) as reader:
        assert reader.read(path).title == "Mål"


def test_an_unforeseen_error_is_named_and_logged(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer = '{"unforeseen": "KeyError: 7", "trace": "Traceback: here"}'
    with (
        Scripted(f"{READY}input(); print('{answer}', flush=True); input()") as reader,
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


def test_what_is_imported_with_a_first_file_of_its_kind_is_missed_before_any_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = formats._IMPORTED_LATER
    code = f"import sys, index.readers.formats; print({{*{later}}} & {{*sys.modules}})"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=ROOT) == b"set()\n"
    formats.require_parsers()
    monkeypatch.setattr(formats, "_IMPORTED_LATER", ("a_parser_that_is_none",))
    with pytest.raises(ModuleNotFoundError, match="a_parser_that_is_none"):
        formats.require_parsers()


def test_a_parser_that_cannot_be_loaded_is_no_files_fault(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(*_: object) -> None:
        raise ImportError("cannot import name 'x'")

    monkeypatch.setattr(formats, "read", replaced)
    assert "install Kildesvar anew" in isolation._answer(path, ocr=False)["inaccessible"]
