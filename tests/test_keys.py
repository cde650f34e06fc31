"""Keys: what they are made of, what is kept of them, and when they hold."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.access.callers import Role
from app.access.errors import KeyNotFoundError, KeyRefusedError, KeyRejectedError
from app.access.keys import Keys, parsed, recognised
from app.access.sessions import Sessions
from app.access.uses import Uses
from app.moments import now
from app.sight.audit import Audit
from index.errors import CollectionNameError, LibraryError
from index.library import Library
from index.tables import keys as keys_table
from index.tables import sessions
from tests.libraries import library_in


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    library = library_in(tmp_path_factory.mktemp("keys"))
    yield library
    library.close()


@pytest.fixture(scope="module")
def keys(library: Library) -> Keys:
    return Keys(library)


def test_a_key_holds_and_says_who_calls(keys: Keys) -> None:
    key, text = keys.create("  Intranett,\nsøkeboks ", Role.WRITE, ["personal", "personal"], 30)
    key_id, secret = parsed(text)
    caller = recognised(keys.find(key_id), secret).caller
    assert caller.id == f"key:{key.id}"
    assert (caller.name, caller.role) == ("Intranett, søkeboks", Role.WRITE)
    assert caller.collections == frozenset({"personal"})


@pytest.mark.sqlite
def test_the_secret_is_kept_nowhere(keys: Keys, library: Library) -> None:
    _, text = keys.create("hemmelig", Role.READ)
    secret = parsed(text)[1]
    with library.engine.connect() as connection:
        rows = connection.execute(sa.select(keys_table)).all()
    path = Path(library.engine.url.database or "")
    assert hashlib.sha256(secret.encode()).hexdigest() in {row.secret_hash for row in rows}
    for file in path.parent.iterdir():
        assert secret.encode() not in file.read_bytes(), file


def test_no_two_keys_are_alike(keys: Keys) -> None:
    texts = {keys.create("samme navn", Role.READ)[1] for _ in range(20)}
    assert len({part for text in texts for part in parsed(text)}) == 40


@given(st.text())
def test_whatever_is_no_key_is_rejected(text: str) -> None:
    with pytest.raises(KeyRejectedError, match="not one of this service's"):
        parsed(text)


@given(
    st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True),
    st.text(min_size=1, max_size=3),
)
def test_a_key_is_read_as_a_whole_or_not_at_all(key_id: str, secret: str, more: str) -> None:
    text = f"kv_{key_id}_{secret}"
    assert parsed(text) == (key_id, secret)
    for wrong in (text + more, more + text, text[:-1], text.upper(), text.replace("_", "-", 1)):
        with pytest.raises(KeyRejectedError):
            parsed(wrong)


@given(st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True))
def test_another_secret_is_rejected_as_another_id_is(keys: Keys, secret: str) -> None:
    key, _ = keys.create("x", Role.READ)
    for kept in (keys.find(key.id), None):
        with pytest.raises(KeyRejectedError, match="not one of this service's"):
            recognised(kept, secret)


@pytest.mark.parametrize("name", ["", " \n ", "a" * 201, "a\x1b[31mb"])
def test_a_name_is_for_people(keys: Keys, name: str) -> None:
    with pytest.raises(KeyRefusedError, match="between 1 and 200"):
        keys.create(name, Role.READ)


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_days_are_bounded(keys: Keys, days: int) -> None:
    with pytest.raises(KeyRefusedError, match="1 to 3650 days"):
        keys.create("x", Role.READ, expires_in_days=days)


def test_an_admin_is_not_limited_to_collections(keys: Keys) -> None:
    with pytest.raises(KeyRefusedError, match="leave --collection out"):
        keys.create("x", Role.ADMIN, ["personal"])
    with pytest.raises(CollectionNameError, match="small letters"):
        keys.create("x", Role.READ, ["Personal"])


def test_a_revoked_key_stays_revoked(keys: Keys) -> None:
    key, text = keys.create("x", Role.READ)
    revoked = keys.revoke(key.id)
    assert keys.revoke(key.id) == revoked
    assert revoked.state == "revoked"
    with pytest.raises(KeyRejectedError, match="«x» has been revoked"):
        recognised(keys.find(key.id), parsed(text)[1])
    with pytest.raises(KeyNotFoundError, match="keys list"):
        keys.revoke("unknown")


def test_who_made_and_revoked_a_key_is_noted(tmp_path: Path) -> None:
    library = library_in(tmp_path)
    keys, audit = Keys(library), Audit(library)
    key, text = keys.create("Lesesalen", Role.READ)
    Sessions(library, 1).begin(key)
    keys.revoke(key.id)
    keys.revoke(key.id)
    noted = [(entry.action, entry.subject, entry.name) for entry in audit.entries()]
    assert noted == [
        ("key.revoked", key.id, "command line"),
        ("sign-in.succeeded", key.id, "Lesesalen"),
        ("key.created", key.id, "command line"),
    ]
    assert parsed(text)[1] not in str(audit.entries())
    library.close()


def test_are_any_valid(tmp_path: Path) -> None:
    library = library_in(tmp_path)
    keys = Keys(library)
    assert not keys.are_any_valid()
    key, _ = keys.create("x", Role.READ)
    assert keys.are_any_valid()
    keys.revoke(key.id)
    assert not keys.are_any_valid()
    library.close()


class TestUses:
    def used(self, keys: Keys, key_id: str) -> str | None:
        kept = keys.find(key_id)
        assert kept is not None
        return kept.key.last_used_at

    def test_a_use_is_written_by_the_way_once_a_minute(self, keys: Keys) -> None:
        key, _ = keys.create("x", Role.READ)
        uses = Uses(keys)
        uses.note(key.id)
        assert self.used(keys, key.id) is None
        uses.write()
        first = self.used(keys, key.id)
        assert first is not None
        assert key.created_at < first <= now()
        uses.note(key.id)
        assert not uses.are_waiting
        other_process = Uses(keys)
        other_process.note(key.id)
        other_process.write()
        assert self.used(keys, key.id) == first

    def test_what_cannot_be_written_fails_nothing(
        self, keys: Keys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def full(*_: object) -> None:
            raise LibraryError("the disk is full")

        uses = Uses(keys)
        monkeypatch.setattr(keys, "note_use", full)
        for key_id in ("a", "b"):
            uses.note(key_id)
            uses.write()
        assert not uses.are_waiting
        assert [record.getMessage() for record in caplog.records] == [
            "when keys were last used is not noted now: the disk is full"
        ]

    @pytest.mark.sqlite  # in PostgreSQL a use waits for nobody
    def test_who_writes_keeps_a_use_for_a_second_at_most(
        self, keys: Keys, library: Library, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key, _ = keys.create("x", Role.READ)
        uses = Uses(keys)
        monkeypatch.setattr("app.access.uses._WAITS", 0.01)
        uses.note(key.id)
        with library.transaction() as connection:
            connection.execute(sa.delete(sessions))
            uses.write()
        assert self.used(keys, key.id) is None
