"""Conversations that are kept: what follow-ups lean on, and what is read of them later."""

import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.answering.answerer import Answer
from app.answering.citations import Citation
from app.answering.conversation import Turn, standalone
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.kept import conversations as conversations_module
from app.kept.conversations import Conversations, title_of
from app.settings import load_settings
from index.documents import Block, BlockKind, Document
from index.errors import ConversationFullError, ConversationNotFoundError
from index.library import Library
from index.passages import Passage
from index.records import NewPassage, Source
from tests.conftest import LOCAL, ROOT, serving
from tests.libraries import address_in, library_in, written_by_another

QUESTION = "Hvem leder utvalget for tursteier?"
TEXT = "Utvalget for tursteier ledes av Sunniva Hareide.\n"
REFUSAL = "Jeg finner ikke svaret i dokumentene. Jeg søkte etter «{}» i 5 dokumenter."


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = library_in(tmp_path)
    yield library
    library.close()


@pytest.fixture
def conversations(library: Library) -> Conversations:
    return Conversations(library, 90)


def put(library: Library, text: str, path: str = "/d/a.txt") -> Document:
    """Stores a document of one paragraph."""
    block = Block(BlockKind.PARAGRAPH, 0, len(text))
    made = Document("Tittel", text, (block,), "text/plain", "nb")
    new = [NewPassage(Passage(0, len(text), ("Avsnitt",)), (), made.content_hash)]
    library.put(made, Source(path, len(text), 1, f"sha256:{path}"), new, {}, "sha256:model")
    return made


def cited(library: Library, document: Document, number: int, quote: str, short: str) -> Citation:
    """A citation of the first place where `quote` stands."""
    start = document.text.index(quote)
    within = start + quote.index(short) if short else 0
    hashes = {stored.content_hash: stored for stored in library.documents(500)}
    stored = hashes[document.content_hash]
    return Citation(
        number=number,
        document_id=stored.id,
        title="Tittel",
        source=stored.source,
        content_hash=document.content_hash,
        page=None,
        heading_path=("Avsnitt",),
        start=start,
        end=start + len(quote),
        quote=quote,
        short_answer=(within, within + len(short)) if short else None,
    )


def answer(*citations: Citation) -> Answer:
    """As the answerer makes it, as far as it is kept."""
    timings = {"total": 20.5}
    return Answer(bool(citations), "", None, 0.9, [*citations], [], "", timings, "000003", 5)


def say(conversations: Conversations, question: str, given: Answer, name: str = "a") -> str | None:
    return conversations.keep(conversations.resume(name), question, given)


# What follow-ups lean on


def follow_ups() -> list[Any]:
    path = ROOT / "tests/questions/follow_ups.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [pytest.param(line, id=line["id"]) for line in lines]


def quotes_of(content: str) -> tuple[str, list[str]]:
    """The short answer and the quotes of an answer as `messages` have it."""
    first, *others = content.split("\n\n")
    short, numbered = ("", [first, *others]) if "[" in first else (first, others)
    matches = [re.fullmatch(r"(.+) \[(\d+)\]", part, re.DOTALL) for part in numbered]
    quotes = [match[1] for match in matches if match and match[2] == str(matches.index(match) + 1)]
    assert len(quotes) == len(numbered) > 0
    return short, quotes


def keep_as(conversations: Conversations, library: Library, name: str, messages: list[Any]) -> None:
    """Keeps what `messages` say as a conversation; a document of that name says it too."""
    text = "\n\n".join(["Før.", *(part["content"] for part in messages[1::2]), "Etter."])
    document = put(library, text, f"/d/{name}.txt")
    for question, said in zip(messages[::2], messages[1::2], strict=True):
        citations: list[Citation] = []
        if not said["content"].startswith("Jeg finner ikke svaret"):
            short, quotes = quotes_of(said["content"])
            for number, quote in enumerate(quotes, 1):
                in_quote = short if number == 1 else ""
                citations.append(cited(library, document, number, quote, in_quote))
        assert say(conversations, question["content"], answer(*citations), name)


@pytest.fixture(scope="module")
def shared_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    library = library_in(tmp_path_factory.mktemp("follow-ups"))
    yield library
    library.close()


@pytest.mark.parametrize("follow_up", follow_ups())
def test_a_kept_conversation_completes_as_its_messages_do(
    shared_library: Library, follow_up: dict[str, Any]
) -> None:
    conversations, name = Conversations(shared_library, 90), follow_up["id"]
    keep_as(conversations, shared_library, name, follow_up["messages"])
    history, question = conversations.resume(name).history, follow_up["question"]
    told = tuple(Turn(part["role"], part["content"]) for part in follow_up["messages"])
    assert history == told
    assert standalone(question, history) == standalone(question, told)


def test_a_refused_follow_up_says_what_was_searched(conversations: Conversations) -> None:
    for question in ("Hvor høy er Galdhøpiggen?", "Og Glittertind?"):
        assert say(conversations, question, answer())
    first, second = conversations.read("a").turns
    assert first.answer == REFUSAL.format("Hvor høy er Galdhøpiggen?")
    assert second.answer == REFUSAL.format("Hvor høy er Glittertind?")
    assert (second.answered, second.short_answer, second.gone) == (False, None, 0)


def test_as_many_turns_are_remembered_as_messages_may_hold(conversations: Conversations) -> None:
    for number in range(22):
        assert say(conversations, f"Hva skjedde i {2000 + number}?", answer())
    history = conversations.resume("a").history
    assert len(history) == 40
    assert history[0].content == "Hva skjedde i 2002?"


# What is read


def test_an_answer_is_put_together_from_what_the_documents_say(
    conversations: Conversations, library: Library
) -> None:
    document = put(library, "Rådet har 😀 tolv medlemmer. Det møtes hver måned.")
    first = cited(library, document, 1, "Rådet har 😀 tolv medlemmer.", "tolv")
    second = cited(library, document, 2, "Det møtes hver måned.", "")
    say(conversations, "Hvor mange er med?", answer(first, second))
    [turn] = conversations.read("a").turns
    assert turn.citations == (first, second)
    assert turn.answer == "Rådet har 😀 tolv medlemmer. [1]\n\nDet møtes hver måned. [2]"
    assert (turn.short_answer, turn.answered, turn.gone) == ("tolv", True, 0)


def test_a_citation_whose_document_is_gone_or_another_is_left_out(
    conversations: Conversations, library: Library
) -> None:
    gone = put(library, "Rådet har tolv medlemmer.", "/d/a.txt")
    stays = put(library, "Rådet har tolv stoler.", "/d/b.txt")
    first = cited(library, gone, 1, gone.text, "tolv")
    second = cited(library, stays, 2, stays.text, "tolv")
    say(conversations, "Hvor mange?", answer(first, second))
    library.remove_sources(["/d/a.txt"])
    [turn] = conversations.read("a").turns
    assert turn.answer == "Rådet har tolv stoler. [2]"
    assert (turn.citations, turn.gone, turn.answered) == ((second,), 1, True)
    assert turn.short_answer is None, "what was the short answer is gone"
    put(library, "Rådet har tretten stoler.", "/d/b.txt")
    [turn] = conversations.read("a").turns
    assert (turn.answer, turn.citations, turn.gone) == ("", (), 2)
    assert conversations.resume("a").history[1] == Turn("assistant", "")


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("  Hva\n  er det? ", "Hva er det?"),
        ("ord " * 20 + "slutt", "ord " * 19 + "ord…"),
        ("å" * 70 + ", " + "ø" * 20, "å" * 70 + "…"),
        ("å" * 81, "å" * 79 + "…"),
        ("å" * 80, "å" * 80),
    ],
)
def test_a_question_becomes_a_title(question: str, title: str) -> None:
    assert title_of(question) == title


@given(st.text(min_size=1).filter(str.strip))
def test_a_title_is_short_and_on_one_line(question: str) -> None:
    title = title_of(question)
    assert 0 < len(title) <= 80
    assert len(title.splitlines()) == 1
    assert " ".join(question.split()).startswith(title.removesuffix("…"))


# What is kept, and when it is not


def test_no_answer_waits_long_for_whoever_writes_to_the_library(
    conversations: Conversations,
    library: Library,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(conversations_module, "_WAITS", 0.1)
    kept: list[str | None] = []
    with written_by_another(address_in(tmp_path)):
        asking = [
            threading.Thread(target=lambda: kept.append(say(conversations, "Hva?", answer())))
            for _ in range(8)
        ]
        began = time.monotonic()
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        assert time.monotonic() - began < 5, "a transaction would wait for ten seconds otherwise"
    assert kept == [None] * 8
    assert len(caplog.records) == 1
    with pytest.raises(ConversationNotFoundError):
        conversations.read("a")  # what was said not to be kept does not turn up later
    assert say(conversations, "Hva?", answer()) == "a"
    assert len(Conversations(library_in(tmp_path), 90).read("a").turns) == 1


@pytest.mark.sqlite
def test_a_full_disk_costs_no_answer(
    conversations: Conversations, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    assert say(conversations, "Hva?", answer())
    most = [1]

    @sa.event.listens_for(library.engine, "begin")
    def less_room(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most[0]}")

    with caplog.at_level(logging.WARNING):
        kept = [say(conversations, "Hva koster det? " * 100, answer()) for _ in range(40)]
    assert kept[-1] is None
    [warning] = [record.getMessage() for record in caplog.records]
    assert "disk is full" in warning
    found = conversations.read("a").turns
    assert len(found) == 1 + len([name for name in kept if name]), "what was kept is there"
    most[0] = 2**30
    assert say(conversations, "Hva nå?", answer()) == "a"


def test_a_failure_of_ours_costs_no_answer(
    conversations: Conversations, caplog: pytest.LogCaptureFixture
) -> None:
    assert say(conversations, "med \ud800 i seg", answer()) is None  # which nothing lets in
    assert "could not be kept" in caplog.text
    assert say(conversations, "Hva nå?", answer()) == "a"


def test_a_conversation_that_is_deleted_meanwhile_does_not_come_back(
    conversations: Conversations,
) -> None:
    say(conversations, "Hva?", answer())
    resumed = conversations.resume("a")
    conversations.records.delete("a")
    assert conversations.keep(resumed, "Og nå?", answer()) is None
    assert conversations.records.count() == 0


def test_a_full_conversation_says_what_to_do(
    conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations_module, "MAX_TURNS", 2)
    for _ in range(2):
        assert say(conversations, "Hva?", answer())
    with pytest.raises(ConversationFullError, match="ask with another `conversation_id`"):
        conversations.resume("a")
    assert conversations.resume("b").history == ()


def test_where_none_are_kept_nothing_is_remembered(
    conversations: Conversations, library: Library
) -> None:
    say(conversations, "Hva?", answer())
    off = Conversations(library, 0)
    resumed = off.resume("a")
    assert resumed.history == ()
    assert off.keep(resumed, "Og nå?", answer()) is None
    assert len(conversations.read("a").turns) == 1, "it is for housekeeping to delete"


# Over HTTP


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Kildesvar]:
    """A Kildesvar over a library of two documents; each test has conversations of its own."""
    folder = tmp_path_factory.mktemp("conversations")
    kildesvar = Kildesvar(load_settings(data_dir=folder / "data"))
    (folder / "utvalget.txt").write_text(TEXT, encoding="utf-8")
    (folder / "båtene.txt").write_text("Båtene går hver time hele året.\n", encoding="utf-8")
    kildesvar.ingester().ingest([folder / "utvalget.txt", folder / "båtene.txt"])
    yield kildesvar
    kildesvar.close()


@pytest.fixture
def client(own: Kildesvar) -> TestClient:
    for summary in Conversations(own.library, 90).records.summaries():
        Conversations(own.library, 90).records.delete(summary.id)
    return TestClient(create_service(own), base_url=LOCAL)


def asked(client: TestClient | httpx.Client, question: str = QUESTION, **fields: Any) -> Any:
    response = client.post("/v1/ask", json={"question": question, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def listed(client: TestClient) -> list[str]:
    return [item["id"] for item in client.get("/v1/conversations").json()["conversations"]]


def exported(client: TestClient) -> str:
    """All that the service says of conversation s-1."""
    paths = ("", "/export", "/export?format=json")
    return "\n".join(client.get(f"/v1/conversations/s-1{path}").text for path in paths)


def test_from_the_first_question_to_the_last_word(client: TestClient) -> None:
    first = asked(client, conversation_id="s-1")
    assert first["conversation_id"] == "s-1"
    follow_up = "Og for båtene?"
    second = asked(client, follow_up, conversation_id="s-1")
    told = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": f"{first['short_answer']}\n\n{first['answer']}"},
    ]
    by_messages = asked(client, follow_up, messages=told)
    assert second["question"] == by_messages["question"] != follow_up
    assert by_messages["conversation_id"] is None
    assert asked(client, follow_up)["question"] == follow_up
    body = client.get("/v1/conversations/s-1").json()
    assert [turn["question"] for turn in body["turns"]] == [QUESTION, follow_up]
    for turn, said in zip(body["turns"], (first, second), strict=True):
        for name in ("answered", "answer", "short_answer", "citations"):
            assert turn[name] == said[name], name
        assert turn["gone"] == 0
    assert body["title"] == QUESTION
    [summary] = client.get("/v1/conversations").json()["conversations"]
    assert summary == {**body, "turns": 2}


def test_a_conversation_is_renamed_exported_and_deleted(client: TestClient) -> None:
    asked(client, conversation_id="s-1")
    [summary] = client.get("/v1/conversations").json()["conversations"]
    renamed = client.patch("/v1/conversations/s-1", json={"title": " Turstier\n og båter "})
    assert renamed.json() == {**summary, "title": "Turstier og båter"}
    assert client.get("/v1/conversations").json() == {"conversations": [renamed.json()], "total": 1}
    export = client.get("/v1/conversations/s-1/export?format=json")
    assert export.json() == client.get("/v1/conversations/s-1").json()
    assert export.headers["content-disposition"] == 'attachment; filename="kildesvar-s-1.json"'
    export = client.get("/v1/conversations/s-1/export")
    assert export.headers["content-type"] == "text/markdown; charset=utf-8"
    assert export.headers["content-disposition"] == 'attachment; filename="kildesvar-s-1.md"'
    assert export.text.startswith(f"# Turstier og båter\n\n## {QUESTION}\n")
    assert "Sunniva Hareide. \\[1\\]" in export.text
    deleted = client.delete("/v1/conversations/s-1")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert listed(client) == []
    for path in ("", "/export"):
        assert client.get(f"/v1/conversations/s-1{path}").status_code == 404
    assert asked(client, "Og for båtene?", conversation_id="s-1")["question"] == "Og for båtene?"


def test_what_was_deleted_is_in_no_conversation(
    own: Kildesvar, client: TestClient, tmp_path: Path
) -> None:
    question = "Hvem leder komiteen for fjellhytter?"
    path = tmp_path / "hyttene.txt"
    path.write_text("Komiteen for fjellhytter ledes av Oddvar Rabben.\n", encoding="utf-8")
    own.ingester().ingest([path])
    answered = asked(client, question, conversation_id="s-1")
    assert answered["short_answer"] == "Oddvar Rabben"
    before = asked(client, "Hvem er han?", conversation_id="s-1")
    assert before["question"] == "Hvem er Oddvar Rabben?", "else there is nothing to lose"
    assert "Rabben" in exported(client)
    [citation] = answered["citations"]
    assert client.delete(f"/v1/documents/{citation['document_id']}").status_code == 204
    after = asked(client, "Hvem er han?", conversation_id="s-1")
    for said in (json.dumps(after), exported(client)):
        assert "Oddvar" not in said
        assert "Rabben" not in said
    turns = client.get("/v1/conversations/s-1").json()["turns"]
    assert (turns[0]["answered"], turns[0]["answer"], turns[0]["gone"]) == (True, "", 1)
    own.library.empty_log()
    raw = b"".join(path.read_bytes() for path in own.settings.data_dir.glob("library.sqlite3*"))
    assert b"Rabben" not in raw
    assert question.encode() in raw, "the question is kept, and the files are the right ones"


def test_an_answer_that_cannot_be_kept_is_given(
    own: Kildesvar, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations_module, "_WAITS", 0.05)
    asked(client, conversation_id="s-1")
    with written_by_another(own.settings.library_path):
        body = asked(client, "Og for båtene?", conversation_id="s-1")
        assert body["conversation_id"] is None
        assert body["question"] != "Og for båtene?", "what was kept before still counts"
    assert len(client.get("/v1/conversations/s-1").json()["turns"]) == 1


def test_a_conversation_that_is_deleted_while_it_is_gone_on_with_stays_away(
    own: Kildesvar, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(client, conversation_id="s-1")
    read = own.reader.read

    def read_meanwhile(*given: Any) -> Any:
        Conversations(own.library, 90).records.delete("s-1")
        return read(*given)

    monkeypatch.setattr(own.reader, "read", read_meanwhile)
    body = asked(client, conversation_id="s-1")
    assert (body["answered"], body["conversation_id"]) == (True, None)
    assert listed(client) == []


def test_a_service_that_keeps_none_deletes_those_that_there_are(
    own: Kildesvar, client: TestClient
) -> None:
    asked(client, conversation_id="s-1")
    off = Kildesvar(load_settings(data_dir=own.settings.data_dir, keep_conversations_days=0))
    with TestClient(create_service(off), base_url=LOCAL) as other:
        body = asked(other, conversation_id="s-2")
        assert (body["answered"], body["conversation_id"]) == (True, None)
        until = time.monotonic() + 20
        while listed(other):
            assert time.monotonic() < until, "it took too long"
            time.sleep(0.02)
        assert other.get("/v1/conversations/s-1").status_code == 404


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('"conversation_id": "med mellomrom"', "conversation_id"),
        ('"conversation_id": "blåbær"', "conversation_id"),
        ('"conversation_id": "slutt\\n"', "conversation_id"),
        ('"conversation_id": ""', "conversation_id"),
        (f'"conversation_id": "{"a" * 65}"', "64"),
        (
            '"conversation_id": "a", "messages": [{"role": "user", "content": "Hva?"}]',
            "the request body: send `conversation_id` or `messages`, not both",
        ),
    ],
)
def test_what_is_no_name_of_a_conversation(client: TestClient, body: str, says: str) -> None:
    headers = {"content-type": "application/json"}
    content = f'{{"question": "Hva?", {body}}}'
    response = client.post("/v1/ask", content=content.encode(), headers=headers)
    assert response.status_code == 422
    assert says in response.json()["detail"]


def test_the_longest_name_and_the_longest_title(client: TestClient) -> None:
    name, title = "-_aZ09" + "a" * 58, "å" * 200
    assert asked(client, conversation_id=name, messages=[])["conversation_id"] == name
    renamed = client.patch(f"/v1/conversations/{name}", json={"title": title})
    assert renamed.json()["title"] == title


@pytest.mark.parametrize("title", ['""', '" \\n "', f'"{"å" * 201}"', "null", '"\\ud800"'])
def test_what_is_no_title(client: TestClient, title: str) -> None:
    content, headers = f'{{"title": {title}}}'.encode(), {"content-type": "application/json"}
    response = client.patch("/v1/conversations/s-1", content=content, headers=headers)
    assert response.status_code == 422
    assert "title" in response.json()["detail"]


def test_what_is_unknown_or_full_is_said(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = "/v1/conversations/finnes-ikke"
    for response in (
        client.get(unknown),
        client.get(f"{unknown}/export"),
        client.patch(unknown, json={"title": "Ny"}),
        client.delete(unknown),
    ):
        assert response.status_code == 404
        assert "'finnes-ikke'" in response.json()["detail"]
    assert client.get(f"{unknown}/export?format=pdf").status_code == 422
    monkeypatch.setattr(conversations_module, "MAX_TURNS", 1)
    asked(client, conversation_id="s-1")
    for stream in (False, True):
        again = {"question": "Og nå?", "conversation_id": "s-1", "stream": stream}
        full = client.post("/v1/ask", json=again)
        assert full.status_code == 409
        assert "another `conversation_id`" in full.json()["detail"]


def test_a_page_of_another_site_reads_and_deletes_nothing(client: TestClient) -> None:
    asked(client, conversation_id="s-1")
    elsewhere = {"Origin": "https://annet.example", "Sec-Fetch-Site": "cross-site"}
    for method in ("PATCH", "DELETE"):
        response = client.request(method, "/v1/conversations/s-1", headers=elsewhere)
        assert response.status_code == 403
    read = client.get("/v1/conversations", headers=elsewhere)
    assert "access-control-allow-origin" not in read.headers
    assert listed(client) == ["s-1"]


def test_what_is_said_to_be_kept_survives_a_kill(own: Kildesvar) -> None:
    data_dir = own.settings.data_dir
    with serving(data_dir) as (url, process), httpx.Client(base_url=url) as client:
        for question in (QUESTION, "Hvem er hun?"):
            assert asked(client, question, conversation_id="drept")["conversation_id"]
        process.kill()
        process.wait()
    kept = Conversations(own.library, 90).resume("drept")
    assert [turn.content for turn in kept.history[::2]] == [QUESTION, "Hvem er hun?"]
