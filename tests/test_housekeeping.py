"""Housekeeping: what is too old is forgotten, whatever happens to other things."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.access.callers import Role
from app.access.keys import Keys
from app.access.sessions import Sessions
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.kept import housekeeping as housekeeping_module
from app.kept.answer_records import AnswerRecord, AnswerRecords
from app.kept.conversation_records import ConversationRecords, KeptTurn
from app.kept.housekeeping import Housekeeping, Retention
from app.kept.trusted_clock import ClockFile, TrustedClock
from app.moments import iso
from app.settings import load_settings
from index.errors import LibraryError
from tests.libraries import library_in


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)


@pytest.mark.parametrize(("days", "kept"), [(0, []), (30, ["ny"])])
def test_what_is_older_than_it_may_be_is_forgotten_at_the_start(
    tmp_path: Path, days: int, kept: list[str]
) -> None:
    library = library_in(tmp_path)
    answers, conversations = AnswerRecords(library), ConversationRecords(library)
    for name, age in (("gammel", 31), ("ny", 29)):
        moment = iso(datetime.now(UTC) - timedelta(days=age))
        answers.add([AnswerRecord(name, moment, "Hva?", True, 0.5, 20, "1", ())])
        turn = KeptTurn(moment, "Hva?", False, 1, ())
        assert conversations.add(name, None, turn, "Hva?", waits=10)
    own = Housekeeping(
        [
            Retention("answers", days, answers.forget_before),
            Retention("conversations", days, conversations.forget_before),
        ],
        TrustedClock(ClockFile(tmp_path / "clock")),
    )
    own.start()
    wait_for(lambda: conversations.count() == len(kept))
    own.stop()
    assert [summary.id for summary in conversations.summaries()] == kept
    with library.engine.connect() as connection:
        assert list(connection.exec_driver_sql("SELECT id FROM answers").scalars()) == kept
        count = connection.exec_driver_sql("SELECT count(*) FROM turns").scalar()
    assert count == len(kept)
    library.close()


def test_a_clock_that_has_jumped_ends_no_session(model_folder: Path, tmp_path: Path) -> None:
    """But what is not to be kept at all is not, whatever the clock says."""
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path, keep_answers_days=0))
    library = kildesvar.library
    key, _ = Keys(library).create("Kari", Role.READ)
    Sessions(library, hours=-1).begin(key)
    answers = AnswerRecords(library)
    answers.add([AnswerRecord("1", iso(datetime.now(UTC)), "Hva?", True, 0.5, 20, "1", ())])
    before_the_jump = datetime.now(UTC) - timedelta(days=400)
    (tmp_path / "clock").write_text(before_the_jump.isoformat(), encoding="ascii")

    def count(table: str) -> int:
        with library.engine.connect() as connection:
            found: int = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
        return found

    assert (count("answers"), count("sessions")) == (1, 1)
    with TestClient(create_service(kildesvar)):
        wait_for(lambda: count("answers") == 0)
        assert count("sessions") == 1, "it would have been the first to go"


@pytest.mark.parametrize(
    "error", [LibraryError("the disk is full"), RuntimeError("a mistake of ours")]
)
def test_what_cannot_be_forgotten_is_tried_again_and_keeps_nothing_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(housekeeping_module, "_RETRIES_EVERY", 0.02)
    tries: list[str] = []
    forgotten = threading.Event()

    def fail_twice(moment: str) -> int:
        tries.append(moment)
        if len(tries) < 3:
            raise error
        return 0

    def forget(_: str) -> int:
        forgotten.set()
        return 1

    own = Housekeeping(
        [Retention("answers", 9, fail_twice), Retention("turns", 9, forget)],
        TrustedClock(ClockFile(tmp_path / "clock")),
    )
    with caplog.at_level(logging.WARNING):
        own.start()
        wait_for(lambda: len(tries) == 3)
        time.sleep(0.1)
        own.stop()
    assert len(tries) == 3, "done, it waits for an hour"
    assert forgotten.is_set()
    foreseen = isinstance(error, LibraryError)
    assert len(caplog.records) == (1 if foreseen else 2), "a full disk is said once"
    assert all("answers" in record.getMessage() for record in caplog.records)


def test_a_clock_that_fails_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping_module, "_RETRIES_EVERY", 0.01)
    clock, forgotten = TrustedClock(ClockFile(tmp_path / "clock")), threading.Event()
    now, failures = clock.now, [RuntimeError("a mistake of ours")]

    def fails_once() -> datetime | None:
        if failures:
            raise failures.pop()
        return now()

    def forget(_: str) -> int:
        forgotten.set()
        return 0

    monkeypatch.setattr(clock, "now", fails_once)
    own = Housekeeping([Retention("turns", 9, forget)], clock)
    own.start()
    assert forgotten.wait(20)
    own.stop()
