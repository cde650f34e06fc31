"""Answers in a language model's words: what is kept of them, and what is given where they fail.

The model is a scripted one behind a real server; everything else is the service as it is.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import app.answering.support
from app.answering.notices import Notice, notice
from app.assembly import Kildesvar
from app.settings import load_settings
from tests.model_server import (
    Behaviour,
    Exchange,
    ScriptedServer,
    cut_after,
    in_turn,
    no_json,
    refuses,
    says,
    scripted_server,
)
from tests.running import Running, running

QUESTION = "Hvor mange medlemmer har bransjen?"
OFF_TOPIC = "Hva er hovedstaden i Frankrike?"
TRUE = "Per april 2024 har bransjen 1369 medlemmer."
FURTHER = "Bak medlemstallet står 15.515 årsverk."
FALSE = "Bransjen har 4711 medlemmer."


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="module")
def service(examples_dir: Path, server: ScriptedServer) -> Iterator[Running]:
    """The example documents, with answers that the scripted model writes."""
    settings = {"llm_url": server.url, "llm_model": "prøve", "llm_patience": 3, "llm_seconds": 8}
    with running(examples_dir, **settings) as service:
        yield service


@pytest.fixture
def client(service: Running, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    # Whatever failed in the test before, the model is not put to rest.
    monkeypatch.setattr(service.kildesvar.language_model, "_rests_until", 0.0)
    return service.client


def ask(client: httpx.Client, question: str = QUESTION, **more: Any) -> dict[str, Any]:
    response = client.post("/v1/ask", json={"question": question, **more})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    for citation in answer["citations"]:
        document = client.get(f"/v1/documents/{citation['document_id']}").json()
        assert document["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert document["content_hash"] == citation["content_hash"]
    if answer["answered"]:
        numbers = {int(n) for n in re.findall(r"\[(\d+)\]", answer["answer"])}
        assert numbers == {citation["number"] for citation in answer["citations"]}
    return answer


def citing(*sentences: str, words: str = "1369") -> Behaviour:
    """Says the sentences, each with «#» as the number of the source that has `words`."""

    def behave(exchange: Exchange) -> None:
        sources = re.findall(r"^\[(\d)\] .*?(?=^\[\d\] |^Spørsmål:)", exchange.prompt, re.M | re.S)
        texts = re.split(r"^\[\d\] ", exchange.prompt, flags=re.MULTILINE)[1:]
        number = next(n for n, text in zip(sources, texts, strict=True) if words in text)
        exchange.write(*(f"{sentence} ".replace("#", number) for sentence in sentences))

    return behave


class TestProse:
    def test_what_the_sources_say_is_said_with_its_place(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(citing(f"{TRUE} [#]", f"{FURTHER} [#]"))
        answer = ask(client)
        assert answer["answer"] == f"{TRUE} [1] {FURTHER} [2]"
        assert answer["composed_by"] == "model"
        assert answer["notice"] is None
        assert [c["quote"] for c in answer["citations"]] == [
            "Bransjen har 1369 medlemmer per april 2024.",
            "Bak medlemstallet står 15.515 årsverk.",
        ]
        assert answer["short_answer"] == "1369"
        assert answer["citations"][0]["short_answer"] is not None
        assert answer["draft"] == {
            "sentences": 2, "supported": 2, "recall": 1.0, "precision": 1.0
        }  # fmt: skip

    def test_what_they_do_not_say_is_left_out(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(citing(f"{FALSE} [#]", f"{TRUE} [#]", "Kari Nordmann leder bransjen. [#]"))
        answer = ask(client)
        assert answer["answer"] == f"{TRUE} [1]"
        assert answer["notice"] == notice("shortened", QUESTION)
        assert (answer["draft"]["sentences"], answer["draft"]["supported"]) == (3, 1)
        assert answer["draft"]["recall"] == pytest.approx(1 / 3)
        assert answer["draft"]["precision"] == pytest.approx(1 / 3)

    @pytest.mark.parametrize("markers", ["", " [99]", " [0]"])
    def test_a_source_that_there_is_none_of_is_found_or_the_sentence_left_out(
        self, client: httpx.Client, server: ScriptedServer, markers: str
    ) -> None:
        server.will(says(f"{TRUE}{markers} {FALSE}{markers}"))
        answer = ask(client)
        assert answer["answer"] == f"{TRUE} [1]"
        assert answer["draft"]["recall"] == 0
        assert answer["draft"]["precision"] == (0 if markers else None)

    def test_another_source_than_the_one_that_says_it_is_no_source(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(citing(f"{TRUE} [#]", words="Virke"))
        answer = ask(client)
        assert answer["composed_by"] == "quotes"
        assert answer["notice"] == notice("unsupported", QUESTION)
        assert answer["draft"]["supported"] == 0

    def test_the_same_is_said_once_and_paragraphs_stay(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(citing(f"{TRUE} [#]\n\n", f"{TRUE} [#]", f"- {FURTHER} [#]\n"))
        assert ask(client)["answer"] == f"{TRUE} [1]\n\n{FURTHER} [2]"

    def test_a_short_answer_that_the_prose_lacks_is_not_shown(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(citing(f"{FURTHER} [#]"))
        answer = ask(client)
        assert answer["composed_by"] == "model"
        assert answer["short_answer"] is None

    def test_what_the_documents_do_not_answer_no_model_is_asked(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(says("Paris er hovedstaden i Frankrike. [1]"))
        answer = ask(client, OFF_TOPIC)
        assert not answer["answered"]
        assert answer["notice"] is None
        assert server.asked == []

    def test_a_sentence_is_kept_with_all_of_its_places_or_not_at_all(
        self,
        client: httpx.Client,
        server: ScriptedServer,
        service: Running,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """As when one of two documents is changed while the answer is written."""
        two = "Tre ansatte arbeidet bare med denne bransjen, og to områder kom til i 2023."
        monkeypatch.setattr(app.answering.support, "THRESHOLD", 0.1)
        server.will(citing(f"{TRUE} [#]", f"{two} [#]"))
        assert ask(client)["answer"] == f"{TRUE} [1] {two} [2] [3]"
        excerpt = service.kildesvar.library.excerpt

        def without_one(document_id: str, start: int, end: int) -> Any:
            found = excerpt(document_id, start, end)
            return None if found and found.text.startswith("To områder") else found

        monkeypatch.setattr(service.kildesvar.library, "excerpt", without_one)
        assert ask(client)["answer"] == f"{TRUE} [1]"

    def test_what_refers_to_a_sentence_left_out_is_left_out_too(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        led = "Den ledes av et valgt styre der hvert område er representert."
        server.will(citing(f"{FALSE} [#]", f"{led} [#]", f"{TRUE} [#]"))
        assert ask(client)["answer"] == f"{TRUE} [1]"
        server.will(citing(f"{TRUE} [#]", f"{led} [#]"))
        assert ask(client)["answer"] == f"{TRUE} [1] {led} [2]"

    def test_a_heading_is_no_sentence_left_out(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(citing("## Svar\n\n", f"{TRUE} [#]"))
        answer = ask(client)
        assert answer["notice"] is None
        assert answer["draft"]["sentences"] == 1

    def test_a_short_answer_is_whole_words_of_the_prose(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        led = "Den ledes av et valgt styre der hvert område er representert."
        question = "Hvor mange nye områder kom til i 2023?"
        server.will(citing(f"{led} [#]", "To områder kom til i 2023. [#]"))
        answer = ask(client, question)
        assert answer["short_answer"] in {None, "To", "to"}
        server.will(citing(f"{led} [#]"))
        assert ask(client, question)["short_answer"] is None

    def test_thoughts_are_no_answer(self, client: httpx.Client, server: ScriptedServer) -> None:
        server.will(citing(f"<think>{FALSE} [#]</think>{TRUE} [#]"))
        answer = ask(client)
        assert answer["answer"] == f"{TRUE} [1]"
        assert answer["draft"]["sentences"] == 1


def hangs(exchange: Exchange) -> None:
    exchange.begin()
    time.sleep(3.6)
    exchange.cut()


FAILURES: dict[str, tuple[Behaviour, Notice]] = {
    "slow": (hangs, "slow"),
    "cut before a sentence was whole": (cut_after("Bransjen har"), "failed"),
    "garbage": (no_json, "failed"),
    "wrong key": (refuses(401), "failed"),
    "rate-limited": (refuses(429, Retry_After_Ms="20"), "busy"),
    "out of order": (refuses(500, Retry_After_Ms="20"), "failed"),
    "filtered": (says("", finish="content_filter"), "failed"),
    "silent": (says(""), "failed"),
    "half a sentence": (says("Bransjen har 1369", finish="length"), "failed"),
    "without a source": (says("Jeg vet ikke. Det er fint vær."), "unsupported"),
    "declines": (says("INTET SVAR"), "declined"),
    "a prompt that is too long": (
        refuses(400, {"message": "too long", "code": "context_length_exceeded"}),
        "failed",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_model_that_fails_costs_the_prose_and_not_the_answer(
    client: httpx.Client, server: ScriptedServer, service: Running, failure: str
) -> None:
    behaviour, kind = FAILURES[failure]
    server.will(behaviour)
    answer = ask(client)
    kildesvar = service.kildesvar
    quoted = kildesvar.quoting_answerer.answer(kildesvar.generation(), QUESTION)
    assert answer["answer"] == quoted.answer
    assert answer["composed_by"] == "quotes"
    assert answer["short_answer"] == quoted.short_answer
    assert answer["notice"] == notice(kind, QUESTION)


def test_a_model_that_is_not_there_is_not_waited_for(examples_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        kildesvar = Kildesvar(load_settings(data_dir=examples_dir, llm_url=url, llm_model="prøve"))
        for _ in range(2):
            answer = kildesvar.answerer.answer(kildesvar.generation(), QUESTION)
            assert answer.answered
            assert answer.notice == notice("unreachable", QUESTION)
        kildesvar.close()


def test_what_was_verified_before_the_model_broke_off_is_kept(
    client: httpx.Client, server: ScriptedServer
) -> None:
    server.will(cut_after(f"{TRUE} [1] Bak medlemstallet "))
    answer = ask(client)
    assert answer["answer"] == f"{TRUE} [1]"
    assert answer["composed_by"] == "model"
    assert answer["notice"] == notice("interrupted", QUESTION)


def test_half_a_sentence_is_none(client: httpx.Client, server: ScriptedServer) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        exchange.chunk({"content": f"{TRUE} [1] Den ledes av et valgt styre, men"}, "length")
        exchange.end()

    server.will(behave)
    answer = ask(client)
    assert answer["answer"] == f"{TRUE} [1]"
    assert answer["notice"] == notice("interrupted", QUESTION)


def test_a_prompt_that_is_too_long_is_made_shorter(
    client: httpx.Client, server: ScriptedServer
) -> None:
    refusal = refuses(400, {"message": "no", "code": "context_length_exceeded"})
    server.will(in_turn([refusal, citing(f"{TRUE} [#]")]))
    assert ask(client)["composed_by"] == "model"
    first, second = (sum(len(m["content"]) for m in asked["messages"]) for asked in server.asked)
    assert second < first


@pytest.mark.parametrize(
    ("question", "language"),
    [(QUESTION, "bokmål"), ("Kor mange medlemer har bransjen?", "nynorsk"),
     ("How many members does the sector have?", "engelsk")],
)  # fmt: skip
def test_the_model_is_asked_for_the_language_of_the_question(
    client: httpx.Client, server: ScriptedServer, question: str, language: str
) -> None:
    server.will(says("INTET SVAR"))
    answer = ask(client, question)
    assert answer["answered"]
    assert language in server.asked[0]["messages"][0]["content"]
    assert answer["notice"] == notice("declined", question)


class TestStreams:
    def test_a_sentence_is_sent_once_it_is_verified(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(citing(f"{FALSE} [#]", f"{TRUE} [#]", f"{FURTHER} [#]"))
        events = streamed(client, QUESTION)
        names = [name for name, _ in events]
        assert names == [
            *["stage"] * 3, "citation", "token", "citation", "token", "answer"
        ]  # fmt: skip
        tokens = [data["text"] for name, data in events if name == "token"]
        assert "".join(tokens) == events[-1][1]["answer"] == f"{TRUE} [1] {FURTHER} [2]"

    @pytest.mark.parametrize("pause", [0.03, 0.6])
    @pytest.mark.parametrize("stream", [True, False])
    def test_when_the_reader_leaves_the_model_may_stop(
        self, client: httpx.Client, server: ScriptedServer, stream: bool, pause: float
    ) -> None:
        asked = threading.Event()

        def endless(exchange: Exchange) -> None:
            exchange.begin()
            while True:
                exchange.chunk({"content": "bla "})
                time.sleep(pause)

        def behave(exchange: Exchange) -> None:
            asked.set()
            endless(exchange)

        server.will(behave)
        body = json.dumps({"question": QUESTION, "stream": stream}).encode()
        head = f"POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as reader:
            reader.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
            assert asked.wait(20)
        assert server.left.wait(3), "nobody reads what it writes"


def streamed(client: httpx.Client, question: str) -> list[tuple[str, Any]]:
    response = client.post("/v1/ask", json={"question": question, "stream": True})
    found = re.findall(r"event: (\w+)\ndata: (.*)\n", response.text)
    return [(name, json.loads(data)) for name, data in found]


class TestFollowUps:
    MESSAGES = (
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "1369\n\nBransjen har 1369 medlemmer per april 2024. [1]"},
    )

    def searched(self, client: httpx.Client, server: ScriptedServer, *behaviours: Behaviour) -> str:
        server.will(in_turn(behaviours))
        answer = ask(client, "Og årsverk?", messages=list(self.MESSAGES))
        question: str = answer["question"]
        return question

    def test_the_model_rewrites_them(self, client: httpx.Client, server: ScriptedServer) -> None:
        rewritten = "Hvor mange årsverk har medlemmer i bransjen?"
        asked = self.searched(client, server, says(f"Spørsmål: «{rewritten}»\n\nSlik."), says(""))
        assert asked == rewritten
        conversation = server.asked[0]["messages"][1]["content"]
        assert QUESTION in conversation
        assert "Og årsverk?" in conversation

    @pytest.mark.parametrize(
        "behaviour",
        [
            says("Hvor mange årsverk har Virke i Bergen?"),  # nobody said that
            says(""),
            says("x" * 3000),
            refuses(500, Retry_After_Ms="20"),
        ],
    )
    def test_rules_do_it_where_the_model_cannot(
        self, client: httpx.Client, server: ScriptedServer, behaviour: Behaviour
    ) -> None:
        assert self.searched(client, server, behaviour) == "Hvor mange årsverk har bransjen?"

    def test_a_stage_tells_of_it(self, client: httpx.Client, server: ScriptedServer) -> None:
        server.will(says(""))
        body = {"question": "Og årsverk?", "messages": list(self.MESSAGES), "stream": True}
        text = client.post("/v1/ask", json=body).text
        assert re.findall(r'data: {"name":"(\w+)"}', text)[0] == "rewrite"

    def test_without_turns_before_nothing_is_rewritten(
        self, client: httpx.Client, server: ScriptedServer
    ) -> None:
        server.will(says("INTET SVAR"))
        ask(client)
        assert len(server.asked) == 1
