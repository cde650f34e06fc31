"""Conversations on a real SQLite file."""

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kept import conversation_records
from app.kept.conversation_records import ConversationRecords, KeptCitation, KeptTurn
from index.errors import ConversationNotFoundError
from index.library import Library
from index.records import CitedSpan
from index.tables import conversations, turn_citations, turns
from tests.libraries import library_in

SPAN = CitedSpan("d" * 16, "sha256:" + "e" * 64, 3, 28)
CITED = (KeptCitation(1, SPAN, (5, 9)), KeptCitation(2, SPAN, None))
# Nothing lets a NUL in, nor half a character.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def turn(
    question: str = "Hvor mange bor på Værøy?",
    asked_at: str = "2026-11-25T10",
    citations: Sequence[KeptCitation] = CITED,
) -> KeptTurn:
    return KeptTurn(asked_at, question, bool(citations), 5, tuple(citations))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return library_in(tmp_path)


@pytest.fixture
def records(library: Library) -> ConversationRecords:
    return ConversationRecords(library)


def add(
    records: ConversationRecords, conversation_id: str, kept: KeptTurn, key: int | None = None
) -> bool:
    return records.add(conversation_id, key, kept, kept.question, waits=10)


def rows(library: Library) -> list[int]:
    with library.engine.connect() as connection:
        return [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (conversations, turns, turn_citations)
        ]


def test_a_conversation_begins_and_goes_on(records: ConversationRecords) -> None:
    assert add(records, "a", turn("Hva?", "2026-11-25T10"))
    begun = records.find("a")
    assert add(records, "a", turn("Og nå?", "2026-11-25T11", ()), begun.key)
    kept = records.find("a")
    assert kept.key == begun.key
    assert kept.turns == (turn("Hva?", "2026-11-25T10"), turn("Og nå?", "2026-11-25T11", ()))
    summary = kept.summary
    assert (summary.id, summary.title, summary.turns) == ("a", "Hva?", 2)
    assert (summary.created_at, summary.updated_at) == ("2026-11-25T10", "2026-11-25T11")
    assert records.find("a", last=1).turns == kept.turns[1:]
    assert records.find("a", last=1).summary == summary


def test_what_was_last_gone_on_with_comes_first(records: ConversationRecords) -> None:
    for hour, name in enumerate(["a", "b", "c"], 10):
        add(records, name, turn(asked_at=f"2026-11-25T{hour}"))
    add(records, "a", turn(asked_at="2026-11-25T13"), records.find("a").key)
    assert [summary.id for summary in records.summaries()] == ["a", "c", "b"]
    assert [summary.turns for summary in records.summaries()] == [2, 1, 1]
    assert [summary.id for summary in records.summaries(1, 1)] == ["c"]
    assert records.count() == 3
    renamed = records.rename("b", "Øyene")
    assert (renamed.title, renamed.updated_at) == ("Øyene", "2026-11-25T11")
    assert [summary.id for summary in records.summaries()] == ["a", "c", "b"], "nobody asked more"
    assert records.find("b").summary == renamed


def test_what_is_unknown_is_neither_read_nor_changed(records: ConversationRecords) -> None:
    for change in (records.find, records.delete, lambda name: records.rename(name, "Ny")):
        with pytest.raises(ConversationNotFoundError, match=r"'finnes-ikke'.*/v1/conversations"):
            change("finnes-ikke")
    assert records.count() == 0


@pytest.mark.sqlite
def test_what_is_deleted_is_gone_with_its_words(
    records: ConversationRecords, library: Library, tmp_path: Path
) -> None:
    add(records, "a", turn("Hva tjener Hemmeligmann?"))
    add(records, "a", turn("Og Privatmann?"), records.find("a").key)
    add(records, "b", turn())
    records.delete("a")
    assert rows(library) == [1, 1, 2]
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("library.sqlite3*"))
    assert b"Hemmeligmann" not in raw
    assert b"Privatmann" not in raw
    assert "Værøy".encode() in raw, "what is not deleted is there, and the files are the right ones"


def test_a_turn_on_its_way_comes_into_no_other_conversation(
    records: ConversationRecords, library: Library
) -> None:
    add(records, "a", turn())
    key = records.find("a").key
    records.delete("a")
    assert not add(records, "a", turn(), key), "it has been deleted"
    assert records.count() == 0
    add(records, "a", turn("Nytt?"))
    assert not add(records, "a", turn(), key), "it is another"
    add(records, "b", turn())
    assert not add(records, "b", turn(), records.find("a").key)
    assert rows(library)[1] == 2


def test_who_begins_at_the_same_time_goes_on_with_what_the_other_began(
    records: ConversationRecords,
) -> None:
    assert add(records, "a", turn("Først?"))
    assert add(records, "a", turn("Samtidig?"), key=None)
    kept = records.find("a")
    assert kept.summary.title == "Først?"
    assert [item.question for item in kept.turns] == ["Først?", "Samtidig?"]


def test_a_conversation_takes_so_many_turns_and_no_more(
    records: ConversationRecords, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_records, "MAX_TURNS", 2)
    add(records, "a", turn(asked_at="1"))
    key = records.find("a").key
    assert add(records, "a", turn(asked_at="2"), key)
    assert not add(records, "a", turn(asked_at="3"), key)
    assert rows(library) == [1, 2, 4]
    assert records.find("a").summary.updated_at == "2"


def test_what_nobody_went_on_with_is_forgotten(
    records: ConversationRecords, library: Library
) -> None:
    add(records, "a", turn(asked_at="2026-08-01"))
    add(records, "b", turn(asked_at="2026-08-01"))
    add(records, "b", turn(asked_at="2026-10-01"), records.find("b").key)
    assert records.forget_before("2026-09-01") == 1
    assert records.forget_before("2026-09-01") == 0
    assert [summary.id for summary in records.summaries()] == ["b"]
    assert rows(library) == [1, 2, 4]


def test_turns_of_several_processes_are_all_kept_whole(tmp_path: Path) -> None:
    def ask(name: str) -> None:
        library = library_in(tmp_path)  # as another process has its own
        records = ConversationRecords(library)
        for number in range(10):
            assert add(records, "a", turn(f"{name} {number}"))
            for kept in records.find("a").turns:
                assert kept.citations == CITED
        library.close()

    failures: list[object] = []
    threading_hook, threading.excepthook = threading.excepthook, failures.append
    try:
        threads = [threading.Thread(target=ask, args=(name,)) for name in ("én", "to", "tre")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = threading_hook
    assert not failures
    asked = [kept.question for kept in ConversationRecords(library_in(tmp_path)).find("a").turns]
    for name in ("én", "to", "tre"):
        own = [question for question in asked if question.startswith(name)]
        assert own == [f"{name} {number}" for number in range(10)]
    assert len(asked) == 30


SPANS = st.builds(CitedSpan, TEXTS, TEXTS, st.integers(0, 9), st.integers(0, 9))
SHORT = st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9))


@settings(max_examples=25, deadline=None)
@given(question=TEXTS, cited=st.lists(st.tuples(SPANS, SHORT), max_size=4), answered=st.booleans())
def test_what_was_kept_comes_back_letter_for_letter(
    question: str, cited: list[tuple[CitedSpan, tuple[int, int] | None]], answered: bool
) -> None:
    citations = tuple(KeptCitation(at, span, short) for at, (span, short) in enumerate(cited, 1))
    kept = KeptTurn("2026-11-25T10", question, answered, 7, citations)
    with tempfile.TemporaryDirectory() as folder:
        library = library_in(Path(folder))
        records = ConversationRecords(library)
        add(records, "a", kept)
        found = records.find("a")
        library.close()
    assert found.turns == (kept,)
    assert found.summary.title == question
