"""The audit log: each change with who made it, in the transaction of the change, without words."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.access.callers import Caller, Role
from app.access.keys import Keys
from app.assembly import Kildesvar
from app.cli import app
from app.hosting.service import create_service
from app.kept.conversation_records import ConversationRecords, KeptTurn
from app.moments import iso, now
from app.settings import load_settings
from app.sight.acting import Actor, acting
from app.sight.audit import Action, Audit, AuditEntry
from index.backup import back_up
from index.library import Library
from tests.conftest import LOCAL, ROOT
from tests.guarding import browser_at, guarded
from tests.libraries import library_in
from tests.running import wait_until

KARI = Caller("key-1", "Kari", Role.ADMIN)


@pytest.fixture
def kildesvar(tmp_path: Path, model_folder: Path) -> Iterator[Kildesvar]:
    """Over a library of its own, without documents."""
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    yield kildesvar
    kildesvar.close()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = library_in(tmp_path)
    yield library
    library.close()


def noted(audit: Audit) -> list[tuple[str, str]]:
    """Action and caller's name, oldest first."""
    return [(entry.action, entry.name) for entry in reversed(audit.entries())]


def test_what_is_noted_is_read_again_newest_first(library: Library) -> None:
    audit = Audit(library)
    with acting(Actor(KARI, "r-1")):
        audit.note(Action.KEY_CREATED, "key-2", {"role": "read"})
    audit.note(Action.SIGN_IN_FAILED, "key-2", caller=KARI)
    newest, oldest = audit.entries()
    assert oldest == AuditEntry(
        oldest.id, oldest.at, "key-1", "Kari", "key.created", "key-2", {"role": "read"}, "r-1"
    )
    assert (newest.action, newest.caller, newest.request_id) == ("sign-in.failed", "key-1", None)
    assert audit.entries(limit=1, offset=1) == [oldest]
    assert audit.entries(since=newest.at) == [newest]
    assert (audit.count(), audit.count(since=newest.at)) == (2, 1)


def test_a_note_within_a_transaction_is_undone_with_it(library: Library) -> None:
    audit = Audit(library)
    with pytest.raises(RuntimeError), library.transaction() as connection:
        audit.note(Action.KEY_REVOKED, "key-2", connection=connection)
        raise RuntimeError
    assert audit.count() == 0


def test_what_is_too_old_is_forgotten(library: Library) -> None:
    audit = Audit(library)
    audit.note(Action.KEY_REVOKED, "key-2")
    assert audit.forget_before(iso(datetime.now(UTC) - timedelta(days=1))) == 0
    assert audit.forget_before(iso(datetime.now(UTC) + timedelta(days=1))) == 1
    assert audit.count() == 0


def test_an_ingest_notes_each_document(kildesvar: Kildesvar, tmp_path: Path) -> None:
    folder = tmp_path / "mappe"
    folder.mkdir()
    note = folder / "notat.txt"
    for text in ("Planen ble vedtatt i mars.", "Planen ble vedtatt i april."):
        note.write_text(text, encoding="utf-8")
        kildesvar.ingester().ingest([folder])
    (folder / "kopi.txt").write_bytes(note.read_bytes())
    kildesvar.ingester().ingest([folder])
    note.unlink()
    (folder / "kopi.txt").unlink()
    kildesvar.ingester().ingest([folder], accept_removals=True)
    actions = ("document.added", "document.replaced", "document.deleted")
    assert noted(kildesvar.audit) == [(action, "command line") for action in actions]
    assert len({entry.subject for entry in kildesvar.audit.entries()}) == 1, "it is one document"
    assert {repr(entry.details) for entry in kildesvar.audit.entries()} == {"{}"}


def test_what_cannot_be_noted_does_not_happen(
    kildesvar: Kildesvar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "notat.txt"
    note.write_text("Planen ble vedtatt i mars.", encoding="utf-8")
    kildesvar.ingester().ingest([note])
    with kildesvar.library.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    [document] = kildesvar.library.documents(10)
    with pytest.raises(Exception, match="full"):
        kildesvar.library.remove_document(document.id, "deleted")
    assert kildesvar.library.documents(10) == [document]


def test_what_is_sent_is_noted_when_it_comes_and_when_it_is_read(kildesvar: Kildesvar) -> None:
    service = create_service(kildesvar)
    with TestClient(service, base_url=LOCAL) as client:

        def sent(method: str, path: str, text: str | None = None) -> None:
            files = {"file": ("hemmelig-navn.txt", text)} if text else None
            job_id = client.request(method, path, files=files).json()["job_id"]
            wait_until(lambda: client.get(f"/v1/jobs/{job_id}").json()["state"] == "done")

        sent("POST", "/v1/documents", "Kommisjonen ledes av Solveig.")
        [document] = client.get("/v1/documents").json()["documents"]
        sent("PUT", f"/v1/documents/{document['id']}", "Kommisjonen ledes av Torbjørn.")
        sent("POST", f"/v1/documents/{document['id']}/reindex")
        client.delete(f"/v1/documents/{document['id']}")
        entries = Audit(Library.open(kildesvar.settings.library_path)).entries()
    entries.reverse()
    assert [entry.action for entry in entries] == [
        *("document.queued", "document.added"),
        *("document.queued", "document.replaced"),
        *("document.queued", "document.reindexed"),
        "document.deleted",
    ]
    assert {entry.name for entry in entries} == {"anyone"}
    assert {entry.subject for entry in entries if "job" in entry.details} == {document["id"]}
    for queued, done in zip(entries[:-1:2], entries[1:-1:2], strict=True):
        assert (done.details["job"], done.request_id) == (queued.subject, queued.request_id)
    assert all(entry.request_id for entry in entries)
    assert "hemmelig" not in repr(entries)


def test_commands_note_what_they_do_and_list_it(kildesvar: Kildesvar, tmp_path: Path) -> None:
    data_dir = str(kildesvar.settings.data_dir)
    file = tmp_path / "kopi.zip"
    back_up(kildesvar.settings.library_path, kildesvar.settings.uploads_dir, file)
    kildesvar.audit.note(Action.KEY_REVOKED, "key-2", caller=KARI)
    kildesvar.close()
    run = CliRunner()
    assert run.invoke(app, ["restore", str(file), "--yes", "--data-dir", data_dir]).exit_code == 0
    assert run.invoke(app, ["compact", "--data-dir", data_dir]).exit_code == 0
    listed = run.invoke(app, ["audit", "--json", "--data-dir", data_dir])
    entries = [json.loads(line) for line in listed.output.splitlines()]
    assert [(entry["action"], entry["name"]) for entry in entries] == [
        ("library.compacted", "command line"),
        ("library.restored", "command line"),
        ("key.revoked", "Kari"),  # though the backup was made before
    ]
    said = run.invoke(app, ["audit", "--since", "2020-01-01", "--data-dir", data_dir]).output
    assert len(said.splitlines()) == 3
    assert "Kari (key-1)" in said
    later = ["audit", "--since", "2999-01-01", "--data-dir", data_dir]
    assert run.invoke(app, later).output == ""


def test_keys_are_noted_when_they_are_made_and_revoked(library: Library) -> None:
    keys = Keys(library)
    key, text = keys.create("Intranett", Role.READ)
    for _ in range(2):
        keys.revoke(key.id)
    revoked, created = Audit(library).entries()
    assert (created.action, created.subject, revoked.action) == (
        "key.created",
        key.id,
        "key.revoked",
    )
    assert created.details == {"name": "Intranett", "role": "read", "expires_at": None}
    assert text.rpartition("_")[2] not in repr((revoked, created))


def test_what_others_do_to_a_conversation_is_noted_and_not_what_its_owner_does(
    library: Library,
) -> None:
    records = ConversationRecords(library)
    turn = KeptTurn(now(), "Hva koster det?", False, 1, ())
    for name in ("a", "b"):
        records.add(name, None, turn, "Hva koster det?", waits=10, owner=KARI.id)
    with acting(Actor(KARI)):
        records.rename("a", "Kostnader", KARI.id)
        records.delete("a", KARI.id)
    assert Audit(library).count() == 0
    with acting(Actor(Caller("key-2", "Ola", Role.ADMIN))):
        records.rename("b", "Kostnader", KARI.id)
    records.delete("b", KARI.id)
    entries = Audit(library).entries()
    assert [(entry.action, entry.name, entry.subject) for entry in entries] == [
        ("conversation.deleted", "command line", "b"),
        ("conversation.renamed", "Ola", "b"),
    ]
    assert "koster" not in repr(entries).lower()


def test_sign_ins_are_noted_and_no_key_with_them(kildesvar: Kildesvar) -> None:
    key, text = Keys(kildesvar.library).create("Lesesalen", Role.READ)
    browser = browser_at(guarded(kildesvar))
    for given, status in ((text, 204), (f"{text}x", 401)):
        own_page = {"Sec-Fetch-Site": "same-origin"}
        assert browser.post("/sign-in", json={"key": given}, headers=own_page).status_code == status
    failed, signed_in = kildesvar.audit.entries(limit=2)
    assert (signed_in.action, signed_in.subject, signed_in.name) == (
        "sign-in.succeeded",
        key.id,
        "Lesesalen",
    )
    assert (failed.action, failed.name) == ("sign-in.failed", "anyone")
    assert failed.details["client"]
    assert text.rpartition("_")[2] not in repr((failed, signed_in))


def test_every_action_is_documented() -> None:
    text = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    table = text.partition("## Who changed what")[2].partition("## Metrics")[0]
    assert [action for action in Action if f"`{action}`" not in table] == []
