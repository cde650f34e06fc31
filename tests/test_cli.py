"""The `kildesvar` command as a person runs it: a process, its output, its exit status."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import typer

from app import cli
from app.commands import library
from app.kept.answer_records import AnswerRecord, AnswerRecords, Verdict
from app.kept.conversation_records import ConversationRecords, KeptTurn
from index.library import Library
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


def test_feedback(data_dir: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    shutil.copytree(data_dir, folder)
    opened = Library.open(Path(folder, "library.sqlite3"))
    records = AnswerRecords(opened)
    for number in range(2):
        question = f"Hva koster\n\x1b[31mår {number}?"
        records.add([AnswerRecord(str(number), "2026", question, bool(number), 0.5, 20, "1", ())])
        records.judge(str(number), Verdict.DOWN, "For kort – på Ås.", f"2026-11-2{number}T10:11:12")
    opened.close()
    plain = run("feedback", "--data-dir", folder)
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.splitlines() == [
        "2026-11-21 10:11  down  answered  Hva koster [31mår 1?",
        f"{'':34}For kort – på Ås.",
        "2026-11-20 10:11  down  refused   Hva koster [31mår 0?",
        f"{'':34}For kort – på Ås.",
    ]
    lines = run("feedback", "--json", "--data-dir", folder, PYTHONIOENCODING="ascii").stdout
    newest, oldest = [json.loads(line) for line in lines.splitlines()]
    assert newest["question"] == "Hva koster\n\x1b[31mår 1?"
    assert (oldest["answer_id"], oldest["citations"]) == ("0", [])
    file, elsewhere = str(tmp_path / "kopi.zip"), str(tmp_path / "annet sted")
    assert run("backup", file, "--data-dir", folder).returncode == 0
    assert run("restore", file, "--data-dir", elsewhere).returncode == 0
    assert run("compact", "--data-dir", elsewhere).returncode == 0
    assert run("check", "--data-dir", elsewhere).returncode == 0
    again = run("feedback", "--json", "--data-dir", elsewhere, PYTHONIOENCODING="ascii").stdout
    assert again == lines, "a backup carries what people said"


def test_conversations(tmp_path: Path) -> None:
    opened = Library.open(tmp_path / "library.sqlite3")
    for number, title in enumerate(["Hva koster\n\x1b[31mår?", "Øyene"]):
        turn = KeptTurn(f"2026-11-2{number}T10:11:12", title, False, 1, ())
        assert ConversationRecords(opened).add(f"s-{number}", None, turn, title, waits=10)
    for owner in ("user:kari", "user:ola"):
        ConversationRecords(opened).add("s-2", None, turn, "Felles", 10, owner)
    opened.close()
    folder = ("--data-dir", str(tmp_path))
    several = run("conversations", "delete", "s-2", *folder)
    assert (several.returncode, "user:kari, user:ola; add --owner" in several.stderr) == (2, True)
    for owner in ("user:kari", "user:ola"):
        assert run("conversations", "delete", "s-2", "--owner", owner, *folder).returncode == 0
    plain = run("conversations", "list", *folder)
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.splitlines() == [
        "2026-11-21 10:11    1  –  s-1  Øyene",
        "2026-11-20 10:11    1  –  s-0  Hva koster [31mår?",
    ]
    markdown = run("conversations", "export", "s-0", *folder).stdout
    assert markdown.startswith("# Hva koster \\[31mår?\n\n## Hva koster \\[31mår?\n\n2026-11-20")
    as_json = run("conversations", "export", "s-1", "--json", *folder, PYTHONIOENCODING="ascii")
    assert json.loads(as_json.stdout)["turns"][0]["question"] == "Øyene"
    deleted = run("conversations", "delete", "s-1", *folder)
    assert deleted.stdout == "Conversation s-1 is deleted\n"
    lines = run("conversations", "list", "--json", *folder).stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["s-0"]


def test_backup_restore_check_and_compact(data_dir: str, tmp_path: Path) -> None:
    file, elsewhere = str(tmp_path / "kopi.zip"), str(tmp_path / "annet sted")
    done = run("backup", file, "--data-dir", data_dir)
    assert (done.returncode, done.stdout) == (0, f"5 documents are in {file}\n"), done.stderr
    assert run("restore", file, "--data-dir", elsewhere).returncode == 0
    again = run("restore", file, "--data-dir", elsewhere)
    assert again.returncode == 2
    assert "holds 5 documents" in again.stderr
    assert "--yes" in again.stderr
    restored = run("restore", file, "--yes", "--json", "--data-dir", elsewhere)
    assert json.loads(restored.stdout)["documents"] == 5
    compacted = run("compact", "--json", "--data-dir", elsewhere)
    checked = run("check", "--json", "--data-dir", elsewhere)
    assert checked.returncode == 0
    report = json.loads(checked.stdout)
    assert (report["documents"], report["problems"]) == (5, [])
    assert json.loads(compacted.stdout)["passages"] == report["passages"]
    [path] = Path(elsewhere, "generations").glob("0*/default/base/ids.npy")
    path.write_bytes(path.read_bytes()[:-1])
    harmed = run("check", "--data-dir", elsewhere)
    assert harmed.returncode == 1
    assert "is damaged" in harmed.stdout


def test_the_report_of_an_ingest_is_a_file_too(tmp_path: Path, model_folder: Path) -> None:
    folder = tmp_path / "dokumenter"
    folder.mkdir()
    (folder / "tom.txt").touch()
    (folder / "en.txt").write_text("Rådet har tolv medlemmer.\n", encoding="utf-8")
    report = tmp_path / "rapport.json"
    given = ("ingest", str(folder), "--report", str(report), "--data-dir", str(tmp_path / "data"))
    assert run(*given).returncode == 1
    [skipped] = json.loads(report.read_text(encoding="utf-8"))["skipped"]
    assert (Path(skipped["path"]).name, skipped["reason"]) == ("tom.txt", "the file is empty")


def test_a_watched_folder_is_followed(tmp_path: Path, model_folder: Path) -> None:
    folder = tmp_path / "dokumenter"
    folder.mkdir()
    (folder / "en.txt").write_text("Rådet har tolv medlemmer.\n", encoding="utf-8")
    command = [sys.executable, "-m", "app.cli", "watch", str(folder), "--json"]
    watching = subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "data")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests in the background of a shell pass on that it is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    assert watching.stdout is not None

    def next_report() -> dict[str, int]:
        assert watching.stdout is not None
        report: dict[str, int] = json.loads(watching.stdout.readline())
        return {name: report[name] for name in ("added", "changed", "removed", "documents")}

    try:
        assert next_report() == {"added": 1, "changed": 0, "removed": 0, "documents": 1}
        (folder / "to.txt").write_text("Budsjettet er fire millioner.\n", encoding="utf-8")
        assert next_report() == {"added": 1, "changed": 0, "removed": 0, "documents": 2}
        (folder / "to.txt").write_text("Budsjettet er fem millioner.\n", encoding="utf-8")
        assert next_report() == {"added": 0, "changed": 1, "removed": 0, "documents": 2}
        (folder / "to.txt").unlink()
        assert next_report() == {"added": 0, "changed": 0, "removed": 1, "documents": 1}
    finally:
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=20)
    assert watching.returncode == 0, said
    assert "Traceback" not in said


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path: Path, model_folder: Path) -> None:
    done = run("watch", str(tmp_path / "finnes-ikke"), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert "does not exist" in done.stderr


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
        (("serve", "--port", "99999"), {}, "--port: "),
        (("ask",), {}, "'question'"),
        (("serve", "--prot", "1"), {}, "--prot"),
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


def test_prepare_takes_the_options_of_every_command(tmp_path: Path, model_folder: Path) -> None:
    done = run("prepare", "--data-dir", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"folder": str(model_folder)}


def test_serve_for_machines_until_ctrl_c(data_dir: str) -> None:
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, "--data-dir", data_dir],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            address = json.loads("".join(process.stdout.readline() for _ in range(3)))["address"]
            with urllib.request.urlopen(f"{address}healthz", timeout=20) as response:
                assert response.status == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
            assert process.stdout.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KeyboardInterrupt(), 130, "stopped; what was stored is kept"),
        (typer.Abort(), 130, "stopped; what was stored is kept"),
        (RuntimeError("noe rart"), 2, "RuntimeError: noe rart"),
        (RuntimeError("noe rart"), 2, "KILDESVAR_LOG_LEVEL=debug"),
    ],
)
def test_a_command_that_breaks_off(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    says: str,
) -> None:
    assert broken_off(monkeypatch, error) == status
    [line] = capsys.readouterr().err.splitlines()
    assert says in line


def test_the_place_of_an_unforeseen_error_is_shown_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KILDESVAR_LOG_LEVEL", "debug")
    assert broken_off(monkeypatch, RuntimeError("noe rart")) == 2
    assert "Traceback" in capsys.readouterr().err


def broken_off(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> object:
    """The exit status of a command in whose midst `error` is raised."""

    def broken(**_: object) -> None:
        raise error

    monkeypatch.setattr(library, "load_settings", broken)
    monkeypatch.setattr(sys, "argv", ["kildesvar", "status"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_a_reader_that_goes_away_is_no_disaster(data_dir: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "status", "--data-dir", data_dir],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (2, "")


def test_a_terminal_without_every_letter(data_dir: str) -> None:
    given = ("search", "samhandlingsbudsjett", "--data-dir", data_dir)
    plain = run(*given, PYTHONIOENCODING="ascii")
    assert plain.returncode == 0, plain.stderr
    assert " ? " in plain.stdout  # for «›»
    hits = json.loads(run(*given, "--json").stdout)["hits"]
    assert json.loads(run(*given, "--json", PYTHONIOENCODING="ascii").stdout)["hits"] == hits
