"""`kildesvar config`: all settings, their origins, and all that is wrong with them."""

import json
import re
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from app.cli import app
from app.settings import Settings
from tests.model_server import says, scripted_server


def printed(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["config", *arguments])
    assert result.exit_code == status, result.output
    return result.output


def as_json(*arguments: str, status: int = 0) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(printed("--json", *arguments, status=status))
    return content


@pytest.fixture(autouse=True)
def _free_port(monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> None:
    monkeypatch.setenv("KILDESVAR_PORT", "0")


def test_every_setting_is_printed_with_its_origin(tmp_path: Path) -> None:
    data_dir, file = tmp_path / "data", tmp_path / "settings.toml"
    file.write_text("candidates = 50\n")
    arguments = ["--data-dir", str(data_dir), "--config", str(file)]
    lines = printed(*arguments).splitlines()
    assert [line.split()[0] for line in lines[: len(Settings.model_fields)]] == [
        f"KILDESVAR_{field.upper()}" for field in Settings.model_fields
    ]
    assert any(line.endswith(f"  50  (file {file})") for line in lines)
    assert any(line.startswith(f"fine: data folder: {data_dir}, which will be") for line in lines)
    assert not data_dir.exists()
    content = as_json(*arguments)
    settings = content["settings"]
    assert set(settings) == {f"KILDESVAR_{field.upper()}" for field in Settings.model_fields}
    assert settings["KILDESVAR_CANDIDATES"] == {"value": 50, "from": "file", "place": str(file)}
    assert settings["KILDESVAR_PORT"]["from"] == "environment"
    assert settings["KILDESVAR_HOST"] == {"value": "127.0.0.1", "from": "default", "place": None}
    assert content["problems"] == []
    assert all(check["fine"] for check in content["checks"])


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "KILDESVAR_LLM_KEY  " in printed() and "(set, not shown)" not in printed()
    monkeypatch.setenv("KILDESVAR_LLM_KEY", "hemmelig")
    assert "(set, not shown)" in printed()
    assert as_json()["settings"]["KILDESVAR_LLM_KEY"]["value"] == "(set, not shown)"
    for output in (printed(), printed("--json")):
        assert "hemmelig" not in output


def test_groups_are_shown_as_they_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.search(r"^KILDESVAR_GROUPS +\(none\)  \(default\)$", printed(), re.MULTILINE)
    given = '{"ansatte": "read", "årsmøtet": {"role": "write", "collections": ["styret"]}}'
    monkeypatch.setenv("KILDESVAR_GROUPS", given)
    assert f"  {given}  (environment)" in printed()
    assert as_json()["settings"]["KILDESVAR_GROUPS"]["value"] == json.loads(given)


def test_wrong_settings_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILDESVAR_PORT", "99999")
    monkeypatch.setenv("KILDESVAR_CAUTIOUS", "strict")
    lines = printed(status=2).splitlines()
    assert len(lines) == 2 and all(line.startswith("wrong: ") for line in lines)
    assert len(as_json(status=2)["problems"]) == 2


def test_what_this_machine_cannot_keep_is_named_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILDESVAR_MODELS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("KILDESVAR_DATA_DIR", "/proc/kildesvar")
    monkeypatch.setenv("KILDESVAR_OCR", "on")
    monkeypatch.setenv("PATH", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("KILDESVAR_PORT", str(taken.getsockname()[1]))
        content = as_json(status=2)
    wrong = {check["name"]: check["says"] for check in content["checks"] if not check["fine"]}
    assert "KILDESVAR_DATA_DIR" in wrong["data folder"]
    assert "kildesvar prepare" in wrong["embedding model"]
    assert "kildesvar prepare" in wrong["reader"]
    assert "choose another --host or --port" in wrong["address"]
    assert "KILDESVAR_PORT" in wrong["address"]
    assert "KILDESVAR_OCR=off" in wrong["recognition of text"]
    assert len(content["problems"]) == len(wrong) == 5


def test_on_several_hosts_the_folder_of_uploads_needs_the_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILDESVAR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KILDESVAR_DATABASE_URL", "postgresql://navn:hemmelig@db.example/k")
    monkeypatch.setenv("KILDESVAR_OPENSEARCH_URL", "http://search.example:9200")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=63 * 1024**2))
    content = as_json(status=2)
    wrong = [check["name"] for check in content["checks"] if not check["fine"]]
    assert wrong == ["uploads folder"]
    monkeypatch.setenv("KILDESVAR_UPLOADS_DIR", "/proc/kildesvar")
    assert "name another with KILDESVAR_UPLOADS_DIR" in printed(status=2)


def test_the_port_of_a_service_that_runs_is_no_fault(
    service_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILDESVAR_PORT", service_url.rpartition(":")[2])
    assert "where a Kildesvar answers already" in printed()


def test_a_port_where_something_else_listens_is_no_database(
    service_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = service_url.rpartition(":")[2]
    monkeypatch.setenv("KILDESVAR_DATABASE_URL", f"postgresql://navn:ord@127.0.0.1:{port}/k")
    assert "whether it is PostgreSQL that listens there" in printed("--check", status=2)


def test_a_language_model_is_asked_when_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILDESVAR_LLM_MODEL", "navn")
    with scripted_server() as server:
        monkeypatch.setenv("KILDESVAR_LLM_URL", server.url)
        printed()
        assert not server.asked
        assert f"navn writes, at {server.url}" in printed("--check")
        server.will(says(""))
        assert "wrote nothing" in printed("--check", status=2)
    monkeypatch.setenv("KILDESVAR_LLM_URL", "http://127.0.0.1:9/v1")
    assert "mend KILDESVAR_LLM_URL" in printed("--check", status=2)


def test_every_command_takes_a_file_of_settings() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    commands = dict(group.commands)
    for name in [name for name, command in commands.items() if isinstance(command, TyperGroup)]:
        within = commands.pop(name)
        assert isinstance(within, TyperGroup)
        commands |= {f"{name} {command}": each for command, each in within.commands.items()}
    for name, command in commands.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--data-dir", "--config"} <= options, name
