"""Answers and verdicts on a real SQLite file."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kept import housekeeping
from app.kept.answer_records import AnswerRecord, AnswerRecords, Verdict
from index.errors import AnswerNotFoundError
from index.library import Library
from index.records import CitedSpan
from index.tables import answers
from index.tables import feedback as verdicts
from tests.libraries import library_in

SPAN = CitedSpan("d" * 16, "sha256:" + "e" * 64, 3, 28)
# Nothing lets a NUL in, nor half a character.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def record(
    answer_id: str = "a" * 16,
    asked_at: str = "2026-11-25T10:00:00.000000+00:00",
    question: str = "Hvor mange bor på Værøy?",
    citations: Sequence[CitedSpan] = (SPAN,),
) -> AnswerRecord:
    return AnswerRecord(answer_id, asked_at, question, True, 0.8, 31.5, "000007", tuple(citations))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return library_in(tmp_path)


@pytest.fixture
def records(library: Library) -> AnswerRecords:
    return AnswerRecords(library)


def test_a_verdict_comes_with_what_it_is_about(records: AnswerRecords) -> None:
    records.add([record()])
    assert (records.feedback(), records.count_feedback()) == ([], 0)
    records.judge("a" * 16, Verdict.DOWN, "Tallet er fra i fjor.", "2026-11-25T11")
    [item] = records.feedback()
    assert (item.verdict, item.reason, item.given_at) == (
        "down",
        "Tallet er fra i fjor.",
        "2026-11-25T11",
    )
    assert (item.question, item.answered, item.confidence) == (
        "Hvor mange bor på Værøy?",
        True,
        0.8,
    )
    assert item.citations == (SPAN,)


def test_what_may_have_been_recorded_is_so_once(records: AnswerRecords, library: Library) -> None:
    """As when a connection was lost before it was told."""
    first, second = record("1"), record("2")
    records.add([first])
    records.add([first, second])
    with library.engine.connect() as connection:
        assert sorted(connection.scalars(sa.select(answers.c.id))) == ["1", "2"]


def test_a_later_verdict_takes_the_place_of_the_earlier(records: AnswerRecords) -> None:
    records.add([record(), record("b" * 16)])
    records.judge("a" * 16, Verdict.DOWN, "feil", "2026-11-25T11")
    records.judge("b" * 16, Verdict.UP, None, "2026-11-25T12")
    records.judge("a" * 16, Verdict.UP, None, "2026-11-25T13")
    found = [(item.answer_id[0], item.verdict, item.reason) for item in records.feedback()]
    assert found == [("a", "up", None), ("b", "up", None)], "the newest first"
    assert [item.answer_id[0] for item in records.feedback(1, 1)] == ["b"]
    assert records.count_feedback() == 2


def test_an_unknown_answer_cannot_be_judged(records: AnswerRecords) -> None:
    with pytest.raises(AnswerNotFoundError, match="Ask again"):
        records.judge("finnes ikke", Verdict.UP, None, "2026-11-25T11")
    assert records.count_feedback() == 0


@pytest.mark.sqlite
def test_what_is_old_is_forgotten_with_its_verdict_and_its_words(
    records: AnswerRecords, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_AT_ONCE", 2)
    old = [
        record(f"{number:016x}", f"2026-08-0{number + 1}", "Hva tjener Hemmeligmann?")
        for number in range(5)
    ]
    records.add([*old, record()])
    records.judge(old[3].id, Verdict.DOWN, "Jeg heter Privatmann.", "2026-11-25T11")
    records.judge("a" * 16, Verdict.UP, None, "2026-11-25T12")
    assert records.forget_before("2026-09-01") == 5
    assert records.forget_before("2026-09-01") == 0
    assert [item.answer_id for item in records.feedback()] == ["a" * 16]
    with library.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(verdicts)) == 1
    files = list(tmp_path.glob("library.sqlite3*"))
    raw = b"".join(path.read_bytes() for path in files)
    assert b"Hemmeligmann" not in raw
    assert b"Privatmann" not in raw
    assert "Værøy".encode() in raw, "what is not old is there, and the files are the right ones"


@settings(max_examples=25, deadline=None)
@given(
    question=TEXTS,
    reason=st.none() | TEXTS,
    spans=st.lists(st.builds(CitedSpan, TEXTS, TEXTS, st.integers(0, 9), st.integers(0, 9))),
)
def test_what_was_said_comes_back_letter_for_letter(
    question: str, reason: str | None, spans: list[CitedSpan]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = library_in(Path(folder))
        records = AnswerRecords(library)
        records.add([record(question=question, citations=spans)])
        records.judge("a" * 16, Verdict.UP, reason, "2026-11-25T11")
        [item] = records.feedback()
        library.close()
    assert (item.question, item.reason, list(item.citations)) == (question, reason, spans)
