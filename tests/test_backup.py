"""Backup and restore, on real libraries and while others read them."""

import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.access.callers import Role
from app.access.keys import Keys, hash_of
from app.access.sessions import Sessions
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.kept.conversations import Conversations
from app.settings import load_settings
from index.backup import back_up, restore
from index.errors import BackupError, KildesvarError
from index.generations import Generations
from index.lock import writing
from tests.conftest import EXAMPLES, LOCAL, ROOT

QUESTIONS = ROOT / "tests/questions/examples.jsonl"
PASSING = {"timings", "generation", "answer_id"}


@pytest.fixture
def kildesvar(tmp_path: Path, model_folder: Path) -> Iterator[Kildesvar]:
    """Over a library of its own that holds two of the example documents."""
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    kildesvar.ingester().ingest(sorted(EXAMPLES.iterdir())[:2])
    yield kildesvar
    kildesvar.close()


def backed_up(kildesvar: Kildesvar, file: Path) -> Path:
    back_up(kildesvar.settings.library_path, kildesvar.settings.data_dir / "uploads", file)
    return file


def restored(file: Path, data_dir: Path) -> Kildesvar:
    """A Kildesvar over what `file` holds, in `data_dir`."""
    settings = load_settings(data_dir=data_dir)
    with writing(data_dir):
        last_id = Generations(settings.generations_dir).last_id()
        restore(file, settings.library_path, data_dir / "uploads", last_id)
        kildesvar = Kildesvar(settings)
        kildesvar.ingester().publish()
    return kildesvar


def answers(kildesvar: Kildesvar) -> list[dict[str, Any]]:
    """All that the service says to the example questions, but for what is new each time."""
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    found = []
    for line in QUESTIONS.read_text(encoding="utf-8").splitlines()[:12]:
        asked = {"question": json.loads(line)["question"], "conversation_id": "s-1"}
        body = client.post("/v1/ask", json=asked).json()
        found.append({k: v for k, v in body.items() if k not in PASSING})
    return found


def test_a_restored_library_answers_as_the_one_that_was_backed_up(
    kildesvar: Kildesvar, tmp_path: Path
) -> None:
    before = answers(kildesvar)
    assert any(answer["answered"] for answer in before)
    conversation = Conversations(kildesvar.library, 90).read("s-1")
    assert len(conversation.turns) == 12
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    again = restored(file, tmp_path / "annet sted")
    assert Conversations(again.library, 90).read("s-1") == conversation
    Conversations(again.library, 90).records.delete("s-1")
    assert json.dumps(answers(again)) == json.dumps(before)
    again.close()


def test_a_restore_over_a_library_in_use_takes_all_of_it_back(
    kildesvar: Kildesvar, tmp_path: Path
) -> None:
    before = answers(kildesvar)
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    extra = tmp_path / "ny.txt"
    extra.write_text("Kvernbekken har nitten medlemmer.\n", encoding="utf-8")
    kildesvar.ingester().ingest([extra])
    ids = kildesvar.library.passage_ids(kildesvar.library.edition().number).tolist()
    restored(file, kildesvar.settings.data_dir).close()
    assert kildesvar.library.count()[0] == 2
    assert kildesvar.library.passages(ids) == {}, "no passage of before is taken for another"
    assert answers(kildesvar) == before
    extra.write_text("Kvernbekken har tjue medlemmer.\n", encoding="utf-8")
    assert kildesvar.ingester().ingest([extra]).documents == 3


def test_a_restore_lets_nobody_in_again(kildesvar: Kildesvar, tmp_path: Path) -> None:
    keys = Keys(kildesvar.library)
    before, _ = keys.create("before", Role.READ)
    sessions = Sessions(kildesvar.library, 12)
    ended = sessions.begin(before)
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    keys.revoke(before.id)
    after, _ = keys.create("after", Role.READ)
    lasting = sessions.begin(after)
    again = restored(file, kildesvar.settings.data_dir)
    states = {key.id: key.state for key in Keys(again.library).all()}
    assert states == {before.id: "revoked", after.id: "valid"}
    found = [Sessions(again.library, 12).find(hash_of(secret)) for secret in (ended, lasting)]
    assert [session is not None for session in found] == [False, True]
    again.close()
    elsewhere = restored(file, tmp_path / "annet sted")
    assert [key.id for key in Keys(elsewhere.library).all()] == [before.id]
    assert Sessions(elsewhere.library, 12).find(hash_of(ended)) is None
    elsewhere.close()


def test_others_go_on_reading_and_writing_meanwhile(kildesvar: Kildesvar, tmp_path: Path) -> None:
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    failures: list[Exception] = []
    counts: set[int] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                counts.add(kildesvar.library.count()[0])
                kildesvar.library.documents(10)
            except KildesvarError as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(5):
            backed_up(kildesvar, tmp_path / f"{number}.zip")
            with writing(kildesvar.settings.data_dir):
                restore(file, kildesvar.settings.library_path, tmp_path / "data/uploads")
    finally:
        stop.set()
        reader.join()
    assert (failures, counts) == ([], {2})


def test_uploads_and_their_paths_come_along(kildesvar: Kildesvar, tmp_path: Path) -> None:
    upload = kildesvar.settings.data_dir / "uploads/0123456789abcdef/årsmelding på nynorsk.txt"
    upload.parent.mkdir(parents=True)
    upload.write_text("Rådet har tolv medlemer og møtest kvar månad.\n", encoding="utf-8")
    kildesvar.ingester().ingest([upload])
    others = kildesvar.settings.data_dir / "uploads/felles/budsjett.txt"
    others.parent.mkdir()
    others.touch()
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.startswith("uploads/")]
    assert names == [f"uploads/0123456789abcdef/{upload.name}"]
    again = restored(file, tmp_path / "annet sted")
    [document] = [d for d in again.library.documents(9) if d.title == upload.stem]
    original = again.library.original(document.id)
    assert original.is_relative_to(tmp_path / "annet sted")
    assert original.read_bytes() == upload.read_bytes()
    again.close()


def test_a_file_that_exists_is_not_overwritten(kildesvar: Kildesvar, tmp_path: Path) -> None:
    file = tmp_path / "kopi.zip"
    file.write_text("viktig", encoding="utf-8")
    with pytest.raises(BackupError, match="exists already"):
        backed_up(kildesvar, file)
    assert file.read_text(encoding="utf-8") == "viktig"


def test_a_place_that_cannot_be_written_is_named(kildesvar: Kildesvar, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="finnes-ikke"):
        backed_up(kildesvar, tmp_path / "finnes-ikke/kopi.zip")


def test_a_backup_that_fails_leaves_nothing_behind(
    kildesvar: Kildesvar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", no_room)
    before = set(tmp_path.iterdir())
    with pytest.raises(BackupError, match="No space left"):
        backed_up(kildesvar, tmp_path / "kopi.zip")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "newer", "outside"])
def test_what_is_no_whole_backup_changes_nothing(
    kildesvar: Kildesvar, tmp_path: Path, damage: str
) -> None:
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    raw = bytearray(file.read_bytes())
    match damage:
        case "cut":
            file.write_bytes(raw[: len(raw) // 2])
        case "flipped":
            at = raw.index(b"samhandling")
            raw[at] ^= 1
            file.write_bytes(raw)
        case "other":
            file.write_text("ingen kopi", encoding="utf-8")
        case "newer":
            rewrite(file, {"format": 2})
        case "outside":
            rewrite(file, {"checksums": {"library.sqlite3": "x", "uploads/../../ut.txt": "x"}})
    target = tmp_path / "mål"
    with pytest.raises(BackupError, match=r"nothing was changed|newer version"):
        restored(file, target)
    assert {path.name for path in target.iterdir()} <= {"writer.lock"}
    assert not (tmp_path / "ut.txt").exists()


def rewrite(file: Path, changes: dict[str, object]) -> None:
    """Alters what a backup says of itself."""
    with zipfile.ZipFile(file) as archive:
        library, about = archive.read("library.sqlite3"), json.loads(archive.read("backup.json"))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("uploads/../../ut.txt", b"ut")
        archive.writestr("library.sqlite3", library)
        archive.writestr("backup.json", json.dumps({**about, **changes}))


def test_a_library_that_was_lost_comes_back_and_is_published(
    kildesvar: Kildesvar, tmp_path: Path
) -> None:
    """By its numbers alone it would pass for the one that the generation was made of."""
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    before = answers(kildesvar)
    extra = tmp_path / "ny.txt"
    extra.write_text("Kvernbekken har nitten medlemmer.\n", encoding="utf-8")
    kildesvar.ingester().ingest([extra])
    last = Generations(kildesvar.settings.generations_dir).last_id()
    data_dir = kildesvar.settings.data_dir
    kildesvar.close()
    for path in data_dir.glob("library.sqlite3*"):
        path.unlink()
    again = restored(file, data_dir)
    assert again.library.passage_ids(again.library.edition().number).min() > last
    assert answers(again) == before
    again.close()


def test_a_damaged_library_is_moved_aside(kildesvar: Kildesvar, tmp_path: Path) -> None:
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    before = answers(kildesvar)
    settings = kildesvar.settings
    kildesvar.close()
    settings.library_path.write_bytes(b"no database any more" * 100)
    again = restored(file, settings.data_dir)
    assert answers(again) == before
    assert (settings.data_dir / "damaged-library.sqlite3").exists()
    again.close()


def test_ids_go_on_after_those_that_were_ever_used(kildesvar: Kildesvar, tmp_path: Path) -> None:
    file = backed_up(kildesvar, tmp_path / "kopi.zip")
    with sqlite3.connect(kildesvar.settings.library_path) as live:
        live.execute("UPDATE sqlite_sequence SET seq = 100000 WHERE name = 'passages'")
    live.close()
    restored(file, kildesvar.settings.data_dir).close()
    ids = kildesvar.library.passage_ids(kildesvar.library.edition().number)
    assert ids.min() > 100000
