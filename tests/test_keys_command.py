"""`kildesvar keys`: the first key is made before anything else, and shown this once."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.access.errors import KeyNotFoundError, KeyRefusedError
from app.access.keys import Keys, parsed, recognised
from app.cli import app
from index.errors import KildesvarError, NothingPublishedError
from index.library import Library


def run(folder: Path, *arguments: str) -> Any:
    done = CliRunner().invoke(app, ["keys", *arguments, "--data-dir", str(folder)])
    if isinstance(done.exception, KildesvarError):
        raise done.exception
    return done


def test_a_key_from_making_it_to_its_end(tmp_path: Path) -> None:
    for_all = run(tmp_path, "create", "Administrator", "--role", "admin")
    assert for_all.exit_code == 0
    assert "shown once" in for_all.stderr
    text = for_all.stdout.strip()
    limited = ("--role", "write", "--collection", "arkiv", "--collection", "felles")
    made = json.loads(
        run(tmp_path, "create", "Arkivet", *limited, "--expires", "30", "--json").stdout
    )
    assert {"id", "key"} <= set(made)
    assert made["collections"] == ["arkiv", "felles"]

    library = Library.open(tmp_path / "library.sqlite3")
    for key in (text, made["key"]):
        key_id, secret = parsed(key)
        assert recognised(Keys(library).find(key_id), secret).state == "valid"
    library.close()

    listed = run(tmp_path, "list").stdout.splitlines()
    assert [line.split()[1:3] for line in listed] == [["valid", "admin"], ["valid", "write"]]
    assert listed[1].endswith("Arkivet  (arkiv, felles)")
    revoked = run(tmp_path, "revoke", made["id"])
    assert revoked.stdout == f"The key «Arkivet» ({made['id']}) is revoked\n"
    lines = [json.loads(line) for line in run(tmp_path, "list", "--json").stdout.splitlines()]
    assert [line["state"] for line in lines] == ["valid", "revoked"]
    for said in (*listed, str(lines)):
        assert parsed(text)[1] not in said


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("create", " ", "--role", "read"), "between 1 and 200"),
        (("create", "x", "--role", "read", "--expires", "0"), "1 to 3650 days"),
        (("create", "x", "--role", "admin", "--collection", "a"), "leave --collection out"),
    ],
)
def test_what_cannot_be_made_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], remedy: str
) -> None:
    with pytest.raises(KeyRefusedError, match=remedy):
        run(tmp_path, *arguments)


@pytest.mark.parametrize("arguments", [("create", "x"), ("create", "x", "--role", "owner")])
def test_a_role_is_one_of_three(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, *arguments)
    assert done.exit_code == 2
    assert "--role" in done.stderr


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingPublishedError, match="there is no library"):
        run(tmp_path / "elsewhere", "list")
    assert not (tmp_path / "elsewhere").exists()
    run(tmp_path, "create", "x", "--role", "read")
    with pytest.raises(KeyNotFoundError, match="keys list"):
        run(tmp_path, "revoke", "unknown")
