"""Who a request is from, and how soon it is noticed that a key or a session has ended."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.datastructures import Headers

from app.access import deadline
from app.access.authentication import FORGETS_AFTER, Authenticator
from app.access.callers import Caller, Role
from app.access.errors import KeyRejectedError
from app.access.keys import KeptKey, Keys, hash_of
from app.access.sessions import COOKIE, Sessions
from index.errors import LibraryError, LibraryUnavailableError
from index.library import Library
from tests.libraries import library_in


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Callers:
    """An authenticator over an empty library, asked from an ordinary thread."""

    def __init__(self, library: Library, portal: BlockingPortal) -> None:
        self.library = library
        self.keys, self.sessions = Keys(library), Sessions(library, hours=1)
        self.clock = Clock()
        self.authenticator = Authenticator(self.keys, self.sessions, clock=self.clock)
        self.portal = portal

    def of(self, **headers: str) -> Caller | None:
        return self.portal.call(self.authenticator.caller, Headers(headers))

    def with_key(self, text: str) -> Caller | None:
        return self.of(authorization=f"Bearer {text}")

    def with_session(self, secret: str) -> Caller | None:
        return self.of(cookie=f"other=1; {COOKIE}={secret}")


@pytest.fixture
def callers(tmp_path: Path) -> Iterator[Callers]:
    library = library_in(tmp_path)
    with start_blocking_portal() as portal:
        yield Callers(library, portal)
    library.close()


def test_nobody(callers: Callers) -> None:
    assert callers.of() is None
    assert callers.of(cookie="other=1") is None
    assert callers.with_session("unknown") is None


def test_a_key_that_another_process_revokes_is_refused_within_a_second(callers: Callers) -> None:
    key, text = callers.keys.create("x", Role.READ)
    assert callers.with_key(text) == key.caller
    callers.keys.revoke(key.id)
    callers.clock.seconds += FORGETS_AFTER
    with pytest.raises(KeyRejectedError, match="revoked"):
        callers.with_key(text)


def test_a_new_key_holds_at_once(callers: Callers) -> None:
    with pytest.raises(KeyRejectedError):
        callers.with_key(f"kv_{'0' * 16}_{'A' * 43}")
    _, text = callers.keys.create("x", Role.READ)
    assert callers.with_key(text) is not None


def test_an_expired_key_is_refused_though_it_is_remembered(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = callers.keys.create("x", Role.READ, expires_in_days=1)
    assert callers.with_key(text) is not None
    monkeypatch.setattr("app.access.keys.now", lambda: "9999")
    with pytest.raises(KeyRejectedError, match="expired"):
        callers.with_key(text)


def test_the_library_is_asked_once_a_second(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = callers.keys.create("x", Role.READ)
    asked: list[str] = []
    find = callers.keys.find

    def counted(key_id: str) -> KeptKey | None:
        asked.append(key_id)
        return find(key_id)

    monkeypatch.setattr(callers.keys, "find", counted)
    for _ in range(3):
        callers.with_key(text)
    assert len(asked) == 1
    callers.clock.seconds += FORGETS_AFTER
    callers.with_key(text)
    assert len(asked) == 2


def test_a_session_is_its_keys(callers: Callers) -> None:
    key, _ = callers.keys.create("x", Role.WRITE)
    secret = callers.sessions.begin(key)
    assert callers.with_session(secret) == key.caller


def test_a_key_goes_before_a_session(callers: Callers) -> None:
    key, _ = callers.keys.create("x", Role.WRITE)
    other, text = callers.keys.create("y", Role.READ)
    cookie = f"{COOKIE}={callers.sessions.begin(key)}"
    assert callers.of(cookie=cookie, authorization=f"Bearer {text}") == other.caller
    with pytest.raises(KeyRejectedError):
        callers.of(cookie=cookie, authorization="Bearer wrong")


def test_a_session_ends_with_its_key(callers: Callers) -> None:
    key, _ = callers.keys.create("x", Role.WRITE)
    secret = callers.sessions.begin(key)
    assert callers.with_session(secret) is not None
    callers.keys.revoke(key.id)
    callers.clock.seconds += FORGETS_AFTER
    assert callers.with_session(secret) is None


def test_a_session_ends_with_its_time(callers: Callers) -> None:
    key, _ = callers.keys.create("x", Role.WRITE)
    callers.sessions.lasts = timedelta(seconds=-1)
    secret = callers.sessions.begin(key)
    assert callers.with_session(secret) is None
    assert callers.sessions.forget_before("9999") == 1


def test_signing_out_ends_a_session_at_once(callers: Callers) -> None:
    key, _ = callers.keys.create("x", Role.WRITE)
    secret, other = callers.sessions.begin(key), callers.sessions.begin(key)
    assert callers.with_session(secret) is not None
    callers.portal.call(callers.authenticator.sign_out, secret)
    assert callers.with_session(secret) is None
    assert callers.with_session(other) is not None
    callers.portal.call(callers.authenticator.sign_out, secret)


def test_the_secret_of_a_session_is_not_kept(callers: Callers) -> None:
    key, _ = callers.keys.create("x", Role.WRITE)
    secret = callers.sessions.begin(key)
    assert callers.sessions.find(hash_of(secret)) is not None
    assert callers.sessions.find(secret) is None
    assert callers.with_session(hash_of(secret)) is None


def test_who_is_there_is_not_guessed_when_the_library_cannot_be_asked(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = callers.keys.create("x", Role.READ)

    def broken(_: str) -> None:
        raise sa.exc.OperationalError("", None, Exception("disk I/O error"))

    monkeypatch.setattr(callers.keys, "find", broken)
    with pytest.raises(LibraryError, match="disk I/O error"):
        callers.with_key(text)


def test_nobody_waits_for_a_library_that_says_nothing(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = callers.keys.create("x", Role.READ)
    go_on = threading.Event()
    monkeypatch.setattr(deadline, "_WITHIN", 0.05)
    monkeypatch.setattr(callers.keys, "find", lambda _: go_on.wait(20))
    try:
        for _ in range(6):  # more than there are threads
            with pytest.raises(LibraryUnavailableError, match="within"):
                callers.with_key(text)
    finally:
        go_on.set()
