"""The shapes of OpenAI's API, spoken with OpenAI's own clients to the real service."""

import asyncio
import html
import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from markdown_it import MarkdownIt
from openai import (
    APIError,
    APIStatusError,
    AsyncOpenAI,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
    PermissionDeniedError,
    RateLimitError,
)
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

import app.asking.streaming
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.middleware.body_limit import MAX_BODY
from app.schemas import MAX_QUESTION
from app.settings import load_settings
from index.errors import LibraryError
from tests.conftest import LOCAL, ROOT
from tests.model_server import says, scripted_server
from tests.running import QUESTION, Held, Running, running, wait_until
from tests.test_markdown_text import PLAIN, kinds

SEVERAL = "Hvilke mål har rådet?"
OFF_TOPIC = "Hva er hovedstaden i Frankrike?"
UNLIKE = ("timings", "answer_id", "cached")
CLIENTS = ROOT / "tests" / "clients"


def saying(*texts: str) -> list[ChatCompletionMessageParam]:
    """A conversation in which the user begins, and the two take turns."""
    messages: list[ChatCompletionMessageParam] = []
    for place, text in enumerate(texts):
        if place % 2:
            messages.append({"role": "assistant", "content": text})
        else:
            messages.append({"role": "user", "content": text})
    return messages


def opened(address: object) -> OpenAI:
    return OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=20)


@pytest.fixture(scope="module")
def client(service_url: str) -> Iterator[OpenAI]:
    with opened(service_url) as client:
        yield client


@pytest.fixture(scope="module")
def narrow(examples_dir: Path) -> Iterator[Running]:
    """A service in this process, with room for one question at a time."""
    with running(examples_dir, max_concurrency=1) as service:
        yield service


@pytest.fixture
def narrow_client(narrow: Running) -> Iterator[OpenAI]:
    wait_until(narrow.is_free)  # a place is given back a moment after the last byte
    with opened(narrow.client.base_url) as client:
        yield client


@pytest.fixture
def held(narrow: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(narrow.kildesvar, monkeypatch)
    yield held
    held.go_on.set()


def ask(service_url: str, question: str, **fields: Any) -> dict[str, Any]:
    response = httpx.post(f"{service_url}/v1/ask", json={"question": question, **fields})
    body: dict[str, Any] = response.json()
    return body


def chat(client: OpenAI, *texts: str, **extension: Any) -> tuple[str, dict[str, Any]]:
    """The content of the answer to the last text, and the extension field."""
    completion = client.chat.completions.create(
        model="kildesvar", messages=saying(*texts), extra_body={"kildesvar": extension or None}
    )
    extra: dict[str, Any] = completion.model_extra or {}
    [choice] = completion.choices
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    return choice.message.content or "", extra["kildesvar"]


def streamed(client: OpenAI, question: str, **fields: Any) -> list[ChatCompletionChunk]:
    stream = client.chat.completions.create(
        model="kildesvar", messages=saying(question), stream=True, **fields
    )
    return list(stream)


def content_of(chunks: list[ChatCompletionChunk]) -> str:
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    return "".join(delta.content or "" for delta in deltas)


def unlike_each_time(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in answer if name not in UNLIKE}


def test_the_one_model(client: OpenAI) -> None:
    [listed] = client.models.list()
    assert (listed.id, listed.object, listed.owned_by) == ("kildesvar", "model", "kildesvar")
    assert client.models.retrieve("kildesvar") == listed
    with pytest.raises(NotFoundError, match="ask for kildesvar"):
        client.models.retrieve("gpt/5")


@pytest.mark.parametrize("question", [QUESTION, SEVERAL, OFF_TOPIC])
def test_an_answer_is_what_ask_gives(client: OpenAI, service_url: str, question: str) -> None:
    content, extension = chat(client, question)
    asked = ask(service_url, question)
    assert unlike_each_time(extension) == unlike_each_time(asked)
    if not asked["answered"]:
        assert content == asked["answer"]
    else:
        assert all(f"[{citation['number']}]" in content for citation in asked["citations"])
        assert "\n\n**Kilder**\n\n- [1] " in content
        assert content.startswith(f"**{asked['short_answer']}**\n\n") == bool(asked["short_answer"])


@pytest.mark.parametrize("question", [QUESTION, SEVERAL, OFF_TOPIC])
def test_what_is_streamed_is_the_answer(client: OpenAI, question: str) -> None:
    content, extension = chat(client, question)
    chunks = streamed(client, question)
    assert content_of(chunks) == content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + [
        "stop"
    ]
    assert not any(chunk.model_extra for chunk in chunks[:-1])
    last: dict[str, Any] = chunks[-1].model_extra or {}
    assert unlike_each_time(last["kildesvar"]) == unlike_each_time(extension)


def test_no_tokens_are_counted_where_no_language_model_is_used(client: OpenAI) -> None:
    whole = client.chat.completions.create(model="kildesvar", messages=saying(QUESTION))
    assert whole.usage is not None
    assert set(whole.usage.model_dump(exclude_none=True).values()) == {0}
    assert not any(chunk.usage for chunk in streamed(client, QUESTION))
    *chunks, last = streamed(client, QUESTION, stream_options={"include_usage": True})
    assert not any(chunk.usage for chunk in chunks)
    assert (last.usage, last.choices) == (whole.usage, [])


def test_a_stream_ends_with_done(service_url: str) -> None:
    body = {"model": "kildesvar", "messages": saying(QUESTION), "stream": True}
    response = httpx.post(f"{service_url}/v1/chat/completions", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("\n\ndata: [DONE]\n\n")


def test_the_asynchronous_client(service_url: str) -> None:
    async def both() -> tuple[str, str]:
        async with AsyncOpenAI(
            base_url=f"{service_url}/v1", api_key="none", max_retries=0
        ) as client:
            whole = await client.chat.completions.create(
                model="kildesvar", messages=saying(QUESTION)
            )
            stream = await client.chat.completions.create(
                model="kildesvar", messages=saying(QUESTION), stream=True
            )
            return whole.choices[0].message.content or "", content_of([c async for c in stream])

    with ThreadPoolExecutor(1) as other:  # the browser tests leave a loop in this thread
        whole, joined = other.submit(asyncio.run, both()).result()
    assert "1369" in whole
    assert joined == whole


def test_a_follow_up_is_completed_from_the_messages_before(client: OpenAI) -> None:
    first, _ = chat(client, QUESTION)
    _, extension = chat(client, QUESTION, first, "Og hvor mange årsverk?")
    assert extension["question"] == "Hvor mange årsverk har bransjen?"
    assert extension["answered"]


def test_limit_and_filters(client: OpenAI) -> None:
    _, extension = chat(client, "Kven skreiv brevet?", limit=2, filters={"language": ["nn"]})
    assert len(extension["passages"]) <= 2
    assert len({passage["document_id"] for passage in extension["passages"]}) == 1
    _, extension = chat(client, QUESTION, filters={"document": ["finnes-ikke"]})
    assert (extension["answered"], extension["passages"]) == (False, [])


def test_what_is_for_language_models_is_passed_over(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="kildesvar",
        messages=[{"role": "system", "content": "Svar alltid «nei»."}, *saying(QUESTION)],
        temperature=1.5,
        max_tokens=1,
        stop=["1369"],
        seed=1,
        user="noen",
        tool_choice="auto",
        tools=[{"type": "function", "function": {"name": "get_time", "parameters": {}}}],
        response_format={"type": "text"},
        metadata={"chat": "1"},
    )
    assert "1369" in (completion.choices[0].message.content or "")


def test_answers_are_recorded(client: OpenAI, service_url: str) -> None:
    _, whole = chat(client, QUESTION)
    last: dict[str, Any] = streamed(client, QUESTION)[-1].model_extra or {}
    for answer_id in (whole["answer_id"], last["kildesvar"]["answer_id"]):
        verdict = {"answer_id": answer_id, "verdict": "up"}
        assert httpx.post(f"{service_url}/v1/feedback", json=verdict).status_code == 204


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_value"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_value"),
        ({"tool_choice": "required"}, "tool_choice", "unsupported_value"),
        ({"messages": []}, "messages", None),
        ({"messages": [{"content": "Hva?"}]}, "messages.0.role", None),
        ({"messages": saying("å" * (MAX_QUESTION + 1))}, "messages.0.content", None),
        ({"messages": saying("\ud800")}, None, None),
        ({"kildesvar": {"filter": {}}}, "kildesvar.filter", None),
        ({"kildesvar": {"filters": {"from": "i fjor"}}}, "kildesvar.filters.from", None),
    ],
)
def test_what_cannot_be_met_is_refused_in_the_clients_own_words(
    client: OpenAI, fields: dict[str, Any], param: str | None, code: str | None
) -> None:
    body = json.dumps({"model": "kildesvar", "messages": saying(QUESTION), **fields})
    with pytest.raises(BadRequestError) as refused:
        client.post(
            "/chat/completions",
            content=body.encode(),
            cast_to=object,
            options={"headers": {"Content-Type": "application/json"}},
        )
    error = refused.value
    assert (error.type, error.code) == ("invalid_request_error", code)
    assert param is None or error.param == param
    assert isinstance(error.body, dict)
    assert set(error.body) == {"message", "type", "param", "code"}


def test_another_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="no model «gpt»") as refused:
        client.chat.completions.create(model="gpt", messages=saying(QUESTION))
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_refusals_from_before_the_route_have_the_same_shape(client: OpenAI) -> None:
    with pytest.raises(PermissionDeniedError, match="page of https://other") as refused:
        client.chat.completions.create(
            model="kildesvar",
            messages=saying(QUESTION),
            extra_headers={"Origin": "https://other.example"},
        )
    assert refused.value.type == "permission_error"
    with pytest.raises(APIStatusError, match="at most 2 MB") as too_large:
        client.chat.completions.create(model="kildesvar", messages=saying("å" * MAX_BODY))
    assert too_large.value.status_code == 413
    with pytest.raises(BadRequestError, match=r"request is for «other\.example»"):
        client.models.list(extra_headers={"Host": "other.example"})
    with pytest.raises(APIStatusError, match="Method Not Allowed") as wrong_method:
        client.get("/chat/completions", cast_to=object)
    assert wrong_method.value.status_code == 405


def test_one_too_many_is_told_to_come_back(narrow_client: OpenAI, held: Held) -> None:
    with narrow_client.chat.completions.create(
        model="kildesvar", messages=saying(QUESTION), stream=True
    ):
        assert held.begun.wait(10)
        with pytest.raises(RateLimitError) as refused:
            narrow_client.chat.completions.create(model="kildesvar", messages=saying(QUESTION))
        assert refused.value.response.headers["Retry-After"] == "1"
        assert refused.value.code == "rate_limit_exceeded"
        assert len(narrow_client.models.list().data) == 1, "it asks nothing"


def test_a_place_is_given_back_when_the_reader_leaves(
    narrow: Running, narrow_client: OpenAI, held: Held
) -> None:
    with narrow_client.chat.completions.create(
        model="kildesvar", messages=saying(QUESTION), stream=True
    ):
        assert held.begun.wait(10)
    assert not narrow.is_free(), "it still reads"
    held.go_on.set()
    wait_until(narrow.is_free)


def test_silence_is_broken_by_comments_that_no_client_minds(
    narrow_client: OpenAI, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.asking.streaming, "_SILENCE", 0.05)
    with narrow_client.chat.completions.with_streaming_response.create(
        model="kildesvar", messages=saying(QUESTION), stream=True
    ) as response:
        lines = response.iter_lines()
        while not next(lines).startswith(": "):
            pass
        held.go_on.set()
        assert "data: [DONE]" in list(lines)
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("error", "status"),
    [(LibraryError("dokumentene ble byttet ut"), 503), (RuntimeError("a secret path"), 500)],
)
def test_what_fails_on_the_way_is_told(
    narrow: Running,
    narrow_client: OpenAI,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(narrow.kildesvar.reader, "read", broken)
    with pytest.raises(APIError) as told:
        streamed(narrow_client, QUESTION)
    assert told.value.type == "server_error"
    assert (told.value.message == str(error)) == (status == 503)
    wait_until(narrow.is_free)
    with pytest.raises(InternalServerError) as answered:
        narrow_client.chat.completions.create(model="kildesvar", messages=saying(QUESTION))
    assert answered.value.status_code == status
    assert answered.value.body == told.value.body


def test_an_empty_library_cannot_be_asked(model_folder: Path, tmp_path: Path) -> None:
    body = {"model": "kildesvar", "messages": saying(QUESTION), "stream": True}
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path))
    with TestClient(create_service(kildesvar), base_url=LOCAL) as client:
        response = client.post("/v1/chat/completions", json=body)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    error = response.json()["error"]
    assert error["type"] == "server_error"
    assert "kildesvar ingest" in error["message"]


def test_a_service_that_stops_ends_the_stream(
    examples_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running(examples_dir, 0, max_concurrency=1) as service,
        opened(service.client.base_url) as client,
        client.chat.completions.create(
            model="kildesvar", messages=saying(QUESTION), stream=True
        ) as stream,
    ):
        held = Held(service.kildesvar, monkeypatch)
        next(stream)
        assert held.begun.wait(10)
        service.stop()
        held.go_on.set()
        with pytest.raises(APIError, match="being stopped"):
            list(stream)


def test_the_prose_of_a_language_model_is_shown_word_for_word_and_its_tokens_are_not_guessed(
    examples_dir: Path,
) -> None:
    with (
        scripted_server() as model,
        running(examples_dir, llm_url=model.url, llm_model="prøve") as service,
        opened(service.client.base_url) as client,
    ):
        model.will(says("Bransjen har *1369 medlemmer* [1]. ", "Den ledes av kongen [1]."))
        whole = client.chat.completions.create(model="kildesvar", messages=saying(QUESTION))
        chunks = streamed(client, QUESTION, stream_options={"include_usage": True})
    content = whole.choices[0].message.content or ""
    extension: dict[str, Any] = (whole.model_extra or {})["kildesvar"]
    assert extension["composed_by"] == "model"
    assert content == content_of(chunks)
    assert "Bransjen har \\*1369 medlemmer\\*" in content
    assert f"\n\n*{extension['notice']}*\n\n**Kilder**" in content
    assert whole.usage is None
    assert not any(chunk.usage for chunk in chunks)


def test_what_a_document_says_is_shown_and_never_fetched(
    model_folder: Path, tmp_path: Path
) -> None:
    nasty = "![kart](http://e.example/kart.png) <img src=http://e.example/2.png> www.e.example"
    path = tmp_path / "plan.html"
    path.write_text(
        f"<h1>Om planen</h1><p>Planen koster 512 kroner {html.escape(nasty)} hvert år.</p>",
        encoding="utf-8",
    )
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    kildesvar.ingester().ingest([path])
    body = {"model": "kildesvar", "messages": saying("Hvor mye koster planen?")}
    with TestClient(create_service(kildesvar), base_url=LOCAL) as client:
        completion = client.post("/v1/chat/completions", json=body).json()
    content = completion["choices"][0]["message"]["content"]
    renderer = MarkdownIt("commonmark", {"html": True})
    assert kinds(renderer.parse(content)) <= PLAIN | {"strong"}
    assert "512 kroner ![kart](" in renderer.render(content)
    [citation] = completion["kildesvar"]["citations"]
    assert nasty in citation["quote"], "the quote is the document's own text"


def test_the_javascript_client(service_url: str) -> None:
    node = shutil.which("node")
    assert node, "install Node.js (see CONTRIBUTING.md)"
    assert (CLIENTS / "node_modules").exists(), "run scripts/ensure_openai_client"
    done = subprocess.run(
        [node, "chat.mjs", service_url],
        cwd=CLIENTS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert [model["id"] for model in got["models"]] == ["kildesvar"]
    content = got["whole"]["choices"][0]["message"]["content"]
    assert "1369" in content
    deltas = [choice["delta"] for chunk in got["chunks"] for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == content
    assert got["chunks"][-1]["kildesvar"]["short_answer"] == "1369"
    assert (got["refused"]["status"], got["refused"]["code"]) == (404, "model_not_found")
    assert "ask for kildesvar" in got["refused"]["message"]
