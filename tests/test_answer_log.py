"""The answer log over the real service: what it notes, what it never does, and what it forgets."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.answering.answerer import Answer
from app.answering.citations import Citation
from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.kept import answer_log as answer_log_module
from app.kept.answer_log import AnswerLog
from app.kept.answer_records import AnswerRecords, Verdict
from app.settings import load_settings
from index.errors import AnswerNotFoundError, AnswersNotKeptError, LibraryError
from index.library import Library
from index.tables import answers
from tests.conftest import LOCAL, serving
from tests.libraries import address_in, library_in, written_by_another

QUESTION = "Hvem leder utvalget for tursteier?"
TEXT = "Utvalget for tursteier ledes av Sunniva Hareide.\n"


def made_answer(question: str = "hva koster turstiene?", quote: str = "åtte kroner") -> Answer:
    citation = Citation(
        1, "d" * 16, "Tittel", "/d/a.txt", "sha256:e", None, ("Avsnitt",), 3, 14, quote, None
    )
    timings = {"total": 20.5}
    return Answer(True, quote, None, 0.9, [citation], [], question, timings, "000003", 1)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = library_in(tmp_path)
    yield library
    library.close()


@pytest.fixture
def answer_log(library: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnswerLog]:
    """Over an empty library, with its thread, and without patience."""
    monkeypatch.setattr(answer_log_module, "_GATHERS", 0.02)
    monkeypatch.setattr(answer_log_module, "_RETRIES_EVERY", 0.05)
    answer_log = AnswerLog(AnswerRecords(library), 90)
    answer_log.start()
    yield answer_log
    answer_log.stop()


def kept(library: Library) -> list[dict[str, Any]]:
    with library.engine.connect() as connection:
        rows = connection.execute(sa.select(answers).order_by(answers.c.asked_at))
        return [dict(row) for row in rows.mappings()]


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)


def test_an_answer_is_noted_without_the_documents_words(
    answer_log: AnswerLog, library: Library
) -> None:
    answer_id = answer_log.record(
        "kva kostar turstiane?", made_answer(quote="HEMMELIG"), "user:kari"
    )
    wait_for(lambda: len(kept(library)) == 1)
    [row] = kept(library)
    assert row.pop("asked_at") <= datetime.now(UTC).isoformat()
    assert row == {
        "id": answer_id,
        "question": "kva kostar turstiane?",
        "answered": True,
        "confidence": 0.9,
        "total_ms": 20.5,
        "generation": "000003",
        "citations": [{"document_id": "d" * 16, "content_hash": "sha256:e", "start": 3, "end": 14}],
        "owner": "user:kari",
    }


@pytest.mark.sqlite
def test_no_answer_waits_for_whoever_writes_to_the_library(
    answer_log: AnswerLog, library: Library, tmp_path: Path
) -> None:
    with written_by_another(address_in(tmp_path)):
        ids = [answer_log.record("Hva?", made_answer()) for _ in range(3)]
        time.sleep(0.2)
        assert None not in ids
        assert kept(library) == []
    wait_for(lambda: len(kept(library)) == 3)
    assert [row["id"] for row in kept(library)] == ids


@pytest.mark.sqlite
def test_a_full_disk_is_said_once_and_what_waits_is_written_later(
    library: Library, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    is_full = threading.Event()
    is_full.set()

    @sa.event.listens_for(library.engine, "begin")
    def less_room(connection: sa.Connection) -> None:
        most = 1 if is_full.is_set() else 2**30
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    answer_log: AnswerLog = request.getfixturevalue("answer_log")
    long = "Hva koster det? " * 100
    with caplog.at_level(logging.WARNING):
        for _ in range(40):
            assert answer_log.record(long, made_answer())
            time.sleep(0.01)
        time.sleep(0.3)
        with pytest.raises(LibraryError, match="disk is full"):
            answer_log.judge("x", Verdict.UP, None)
        assert len(kept(library)) < 40  # a few may find room in pages that are there
        is_full.clear()
        wait_for(lambda: len(kept(library)) == 40)
    [warning] = [record.getMessage() for record in caplog.records]
    assert "disk is full" in warning


def test_what_waits_is_bounded(
    library: Library, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answer_log_module, "_MOST_WAITING", 3)
    answer_log = AnswerLog(AnswerRecords(library), 90)  # without its thread
    ids = [answer_log.record("Hva?", made_answer()) for _ in range(5)]
    assert [answer_id is None for answer_id in ids] == [False] * 3 + [True] * 2
    assert len(caplog.records) == 1
    answer_log.flush()
    assert answer_log.record("Hva?", made_answer())


def test_a_failure_of_ours_costs_some_answers_and_no_later_ones(
    answer_log: AnswerLog, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    answer_log.record("med \ud800 i seg", made_answer())  # which nothing lets in
    wait_for(lambda: "could not be recorded" in caplog.text)
    assert answer_log.record("Hva nå?", made_answer())
    wait_for(lambda: [row["question"] for row in kept(library)] == ["Hva nå?"])


def test_what_waits_at_the_end_is_written(library: Library) -> None:
    for number in range(1, 20):  # it may come at any moment of the thread
        answer_log = AnswerLog(AnswerRecords(library), 90)
        answer_log.start()
        answer_log.record("Hva?", made_answer())
        answer_log.stop()
        assert len(kept(library)) == number


def test_an_answer_that_still_waits_can_be_judged(library: Library) -> None:
    answer_log = AnswerLog(AnswerRecords(library), 90)  # without its thread
    answer_id = answer_log.record("Hva?", made_answer())
    assert answer_id
    answer_log.judge(answer_id, Verdict.DOWN, "Det stemmer ikke.")
    [item] = AnswerRecords(library).feedback()
    assert (item.answer_id, item.reason) == (answer_id, "Det stemmer ikke.")
    assert datetime.fromisoformat(item.given_at).utcoffset() == timedelta(0)
    with pytest.raises(AnswerNotFoundError):
        answer_log.judge("0" * 16, Verdict.UP, None)


def test_where_nothing_is_kept_nothing_is_noted(library: Library) -> None:
    answer_log = AnswerLog(AnswerRecords(library), 0)
    assert answer_log.record("Hva?", made_answer()) is None
    answer_log.flush()
    assert kept(library) == []
    with pytest.raises(AnswersNotKeptError, match="KILDESVAR_KEEP_ANSWERS_DAYS"):
        answer_log.judge("0" * 16, Verdict.UP, None)


# Over HTTP


@pytest.fixture
def own(tmp_path: Path, model_folder: Path) -> Iterator[Kildesvar]:
    """A Kildesvar over a library of one document."""
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    (tmp_path / "utvalget.txt").write_text(TEXT, encoding="utf-8")
    kildesvar.ingester().ingest([tmp_path / "utvalget.txt"])
    yield kildesvar
    kildesvar.close()


@pytest.fixture
def own_client(own: Kildesvar) -> Iterator[TestClient]:
    with TestClient(create_service(own), base_url=LOCAL) as client:
        yield client


def asked(client: TestClient | httpx.Client, question: str = QUESTION) -> dict[str, Any]:
    body: dict[str, Any] = client.post("/v1/ask", json={"question": question}).json()
    return body


def test_from_a_question_to_what_was_thought_of_its_answer(
    own_client: TestClient, own: Kildesvar
) -> None:
    client = own_client
    answer = asked(client)
    refusal = asked(client, "Hva er hovedstaden i Frankrike?")
    client.get("/v1/search", params={"q": "utvalget"})
    verdicts: list[dict[str, Any]] = [
        {"answer_id": answer["answer_id"], "verdict": "down", "reason": "For kort."},
        {"answer_id": refusal["answer_id"], "verdict": "down"},
        {"answer_id": answer["answer_id"], "verdict": "up", "reason": ""},
    ]
    for verdict in verdicts:
        response = client.post("/v1/feedback", json=verdict)
        assert (response.status_code, response.content) == (204, b"")
    body = client.get("/v1/feedback").json()
    assert body["total"] == 2
    newest, oldest = body["feedback"]
    spans = [
        {name: citation[name] for name in ("document_id", "content_hash", "start", "end")}
        for citation in answer["citations"]
    ]
    assert spans
    assert datetime.fromisoformat(newest.pop("given_at")).utcoffset() == timedelta(0)
    assert newest.pop("confidence") == pytest.approx(answer["confidence"], abs=1e-4)
    assert newest == {
        "answer_id": answer["answer_id"],
        "verdict": "up",
        "reason": None,
        "question": QUESTION,
        "answered": True,
        "citations": spans,
    }
    assert (oldest["answered"], oldest["citations"]) == (False, [])
    unknown = client.post("/v1/feedback", json={"answer_id": "finnes-ikke", "verdict": "up"})
    assert unknown.status_code == 404
    assert "finnes-ikke" in unknown.json()["detail"]
    second = client.get("/v1/feedback", params={"limit": 1, "offset": 1}).json()
    assert second == {"feedback": [oldest], "total": 2}
    wait_for(lambda: len(kept(own.library)) == 2)  # the search is no question
    assert all("Hareide" not in str(row) for row in kept(own.library)), "no word of a document"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"answer_id": "\\ud800", "verdict": "up"}', "answer_id"),
        ('{"answer_id": "x", "verdict": "up", "reason": "\\ud800"}', "reason"),
        ('{"answer_id": "x", "verdict": "\\ud800"}', "verdict"),
        (f'{{"answer_id": "x", "verdict": "up", "reason": "{"å" * 1001}"}}', "1000"),
        ('{"answer_id": "x", "verdict": "sideways"}', "verdict"),
        ('{"answer_id": "x", "verdict": "up", "resaon": "x"}', "resaon"),
        ('{"verdict": "up"}', "answer_id"),
        ("", "request body"),
    ],
)
def test_feedback_that_cannot_be_taken(client: TestClient, body: str, says: str) -> None:
    headers = {"content-type": "application/json"}
    response = client.post("/v1/feedback", content=body, headers=headers)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert says in response.json()["detail"]


def test_a_service_that_keeps_nothing_says_so(tmp_path: Path, model_folder: Path) -> None:
    own = Kildesvar(load_settings(data_dir=tmp_path, keep_answers_days=0))
    (tmp_path / "utvalget.txt").write_text(TEXT, encoding="utf-8")
    own.ingester().ingest([tmp_path / "utvalget.txt"])
    with TestClient(create_service(own), base_url=LOCAL) as client:
        answer = asked(client)
        assert answer["answered"]
        assert answer["answer_id"] is None
        response = client.post("/v1/feedback", json={"answer_id": "0" * 16, "verdict": "up"})
        assert response.status_code == 409
        assert "KILDESVAR_KEEP_ANSWERS_DAYS" in response.json()["detail"]
        assert client.get("/v1/feedback").json() == {"feedback": [], "total": 0}
        assert client.get("/v1/statistics").json()["answers"]["kept_days"] == 0
    own.close()


def test_those_who_judge_take_no_place_of_those_who_ask(
    own: Kildesvar,
) -> None:
    service = create_service(own)
    client = TestClient(service, base_url=LOCAL)
    answer_id = asked(client)["answer_id"]
    service.state.writing = full = Gate(1)
    inside = full.enter()
    next(inside)
    verdict = {"answer_id": answer_id, "verdict": "up"}
    response = client.post("/v1/feedback", json=verdict)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    for method in ("PATCH", "DELETE"):
        refused = client.request(method, "/v1/conversations/a", json={"title": "Ny"})
        assert refused.status_code == 429, "they write as well"
    assert asked(client)["answered"]
    next(inside, None)
    assert client.post("/v1/feedback", json=verdict).status_code == 204


def test_what_was_judged_survives_a_kill(tmp_path: Path, own: Kildesvar) -> None:
    data_dir = own.settings.data_dir
    with serving(data_dir) as (url, process), httpx.Client(base_url=url) as client:
        verdict = {"answer_id": asked(client)["answer_id"], "verdict": "down", "reason": "Nei."}
        assert client.post("/v1/feedback", json=verdict).status_code == 204
        process.kill()
        process.wait()
    [item] = AnswerRecords(own.library).feedback()
    assert (item.answer_id, item.reason) == (verdict["answer_id"], "Nei.")
    assert item.question == QUESTION


def test_a_service_that_is_stopped_has_noted_its_last_answer(own: Kildesvar) -> None:
    with serving(own.settings.data_dir) as (url, process), httpx.Client(base_url=url) as client:
        answer_id = asked(client)["answer_id"]
        process.terminate()
        process.wait(timeout=20)
    assert [row["id"] for row in kept(own.library)] == [answer_id]
