"""The `kildesvar` command as a person runs it: a process, its output, its exit status."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, ROOT


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {n: v for n, v in os.environ.items() if not n.startswith("KILDESVAR_")}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def data_dir(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("data"))
    done = run("ingest", str(EXAMPLES), "--data-dir", folder, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["documents"], report["added"], report["published"]) == (5, 5, True)
    return folder


def test_ask(data_dir: str) -> None:
    done = run("ask", "Hvor mange medlemmer har bransjen?", "--data-dir", data_dir)
    assert done.returncode == 0
    assert "1369 medlemmer" in done.stdout
    assert "[1]" in done.stdout
    assert "aarsberetning-helse-og-velferd.md" in done.stdout


def test_ask_for_machines(data_dir: str) -> None:
    done = run("ask", "Hva er hovedstaden i Frankrike?", "--json", KILDESVAR_DATA_DIR=data_dir)
    body = json.loads(done.stdout)
    assert (done.returncode, body["answered"], body["citations"]) == (0, False, [])


def test_search(data_dir: str) -> None:
    done = run("search", "samhandlingsbudsjett", "--data-dir", data_dir, "--limit", "1", "--json")
    [hit] = json.loads(done.stdout)["hits"]
    assert "amhandlingsbudsjett" in hit["text"]
    plain = run("search", "samhandlingsbudsjett", "--data-dir", data_dir)
    assert plain.stdout.startswith(" 1. ")


def test_status(data_dir: str) -> None:
    status = json.loads(run("status", "--data-dir", data_dir, "--json").stdout)
    assert (status["documents"], status["up_to_date"]) == (5, True)


def test_a_second_ingest_does_nothing(data_dir: str) -> None:
    done = run("ingest", str(EXAMPLES), "--data-dir", data_dir)
    assert done.returncode == 0
    assert "5 unchanged" in done.stdout
    assert "is current" in done.stdout
    skipped = run("ingest", "finnes-ikke", "--if-empty", "--data-dir", data_dir)
    assert skipped.returncode == 0


def test_skipped_files_give_exit_status_1(tmp_path: Path, model_folder: Path) -> None:
    folder = tmp_path / "dokumenter"
    folder.mkdir()
    (folder / "bra.txt").write_text("Dette kan leses.\n", encoding="utf-8")
    (folder / "bilde.png").write_bytes(b"\x89PNG")
    done = run("ingest", str(folder), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "skipped" in done.stdout
    assert "bilde.png" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (("ask", "Hva?", "--data-dir", "/finnes/ikke"), {}, "kildesvar ingest FOLDER"),
        (("status", "--data-dir", "/finnes/ikke"), {}, "no library"),
        (("status",), {"KILDESVAR_PROT": "1"}, "KILDESVAR_PROT"),
        (("serve", "--port", "99999"), {}, "KILDESVAR_PORT"),
        (("ask", " "), {}, "between 1 and 2000"),
        (("ask", "x" * 2001), {}, "between 1 and 2000"),
        (("prepare",), {"KILDESVAR_MODEL": "finnes/ikke/modell"}, "finnes/ikke/modell"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    data_dir: str, arguments: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    given = {"KILDESVAR_DATA_DIR": data_dir, **environment}
    done = run(*arguments, **given)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_folder_is_refused(tmp_path: Path, model_folder: Path) -> None:
    done = run("ingest", str(tmp_path / "finnes-ikke"), "--data-dir", str(tmp_path / "data"))
    assert (done.returncode, "does not exist" in done.stderr) == (2, True)


def test_a_taken_port_is_named(data_dir: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", "--port", port, "--data-dir", data_dir)
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
