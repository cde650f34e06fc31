"""Where settings come from, and what is said of those that are wrong."""

from pathlib import Path

import pytest

from app.setting_sources import Origin
from app.settings import Configuration, SettingsError, configuration


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of settings that the environment names."""
    path = tmp_path / "kildesvar.toml"
    monkeypatch.setenv("KILDESVAR_CONFIG", str(path))
    return path


def problems_of(**given: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        configuration(**given)
    return refused.value.problems


def test_the_command_line_goes_before_the_environment_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('host = "::1"\nport = 1\nthreads = 1\n')
    monkeypatch.setenv("KILDESVAR_PORT", "2")
    monkeypatch.setenv("KILDESVAR_THREADS", "2")
    read = configuration(threads=3, host=None)
    assert (read.settings.host, read.settings.port, read.settings.threads) == ("::1", 2, 3)
    assert read.origin("host") == Origin("file", str(file))
    assert read.origin("port") == Origin("environment", "KILDESVAR_PORT")
    assert read.origin("threads") == Origin("command line", "--threads")
    assert read.origin("candidates").kind == "default"
    assert "KILDESVAR_PORT=2 (environment)" in read.summary
    assert "CANDIDATES" not in read.summary


def test_a_file_is_named_on_the_command_line_too(tmp_path: Path, file: Path) -> None:
    file.write_text("port = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("port = 2\n")
    assert configuration(config=other).settings.port == 2


def test_a_list_is_a_list_in_a_file(file: Path) -> None:
    file.write_text('allowed_origins = ["https://A.example", "https://b.example:443"]\n')
    origins = configuration().settings.allowed_origins
    assert origins == ("https://a.example", "https://b.example")


def test_a_table_is_a_table_in_a_file(file: Path) -> None:
    file.write_text('[groups]\nansatte = "read"\narkiv = {role = "write"}\n')
    roles = {name: grant.role for name, grant in configuration().settings.groups.items()}
    assert roles == {"ansatte": "read", "arkiv": "write"}


def test_all_that_is_wrong_is_named_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('prt = 80\nconfig = "x"\ndense_weight = 7\n[llm]\nmodel = "a"\n')
    monkeypatch.setenv("KILDESVAR_HOSST", "here")
    monkeypatch.setenv("KILDESVAR_PORT", "port")
    found = problems_of(threads=1000)
    expected = [
        f"unknown setting prt in {file} (is it port?)",
        f"config in {file}: a file of settings names no other",
        f"unknown setting llm in {file}",
        "unknown setting KILDESVAR_HOSST (is it KILDESVAR_HOST?)",
        "KILDESVAR_PORT: ",
        "--threads: ",
        f"dense_weight in {file}: ",
    ]
    for beginning in expected:
        assert sum(problem.startswith(beginning) for problem in found) == 1, (beginning, found)
    assert len(found) == len(expected)


def test_a_file_that_is_no_toml_or_not_there_is_an_error(file: Path) -> None:
    assert any("cannot be read (No such file" in problem for problem in problems_of())
    file.write_text("port: 80")
    assert any(f"{file} is not TOML" in problem for problem in problems_of())
    file.write_bytes(b'host = "\xff"')
    assert any("cannot be read" in problem for problem in problems_of())
    file.write_bytes(b"#" * (1024**2 + 1))
    assert any("more than" in problem for problem in problems_of())


def with_key(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Configuration:
    monkeypatch.setenv("KILDESVAR_LLM_URL", "http://localhost:1/v1")
    monkeypatch.setenv("KILDESVAR_LLM_MODEL", "navn")
    for name, value in variables.items():
        monkeypatch.setenv(f"KILDESVAR_{name}", value)
    return configuration()


def test_a_secret_comes_from_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "llm_key"
    secret.write_text("hemmelig\n")
    read = with_key(monkeypatch, LLM_KEY_FILE=str(secret))
    assert read.settings.llm_key.get_secret_value() == "hemmelig"
    assert read.origin("llm_key") == Origin("environment", "KILDESVAR_LLM_KEY_FILE")
    assert "hemmelig" not in read.summary
    monkeypatch.setenv("KILDESVAR_LLM_KEY", "annet")
    [problem] = problems_of()
    assert "KILDESVAR_LLM_KEY and KILDESVAR_LLM_KEY_FILE are both set" in problem
    monkeypatch.delenv("KILDESVAR_LLM_KEY")
    secret.write_text("to ord")
    [problem] = problems_of()
    assert problem.startswith("KILDESVAR_LLM_KEY_FILE: ") and "to ord" not in problem


def test_the_environment_goes_before_the_secret_that_a_file_names(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "llm_key"
    secret.write_text("fra-fil")
    file.write_text(f'llm_key_file = "{secret}"\n')
    assert with_key(monkeypatch).settings.llm_key.get_secret_value() == "fra-fil"
    read = with_key(monkeypatch, LLM_KEY="fra-miljoet")
    assert read.settings.llm_key.get_secret_value() == "fra-miljoet"
    assert read.origin("llm_key") == Origin("environment", "KILDESVAR_LLM_KEY")
