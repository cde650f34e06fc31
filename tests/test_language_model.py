"""The language model's client, against a server that does what servers do."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.language_model import (
    LanguageModel,
    LanguageModelBrokenError,
    LanguageModelBusyError,
    LanguageModelError,
    LanguageModelRefusedError,
    LanguageModelSettings,
    LanguageModelSlowError,
    LanguageModelUnreachableError,
    Message,
    PromptTooLongError,
)
from tests.model_server import (
    Behaviour,
    Exchange,
    ScriptedServer,
    in_turn,
    refuses,
    says,
    scripted_server,
)

ASKED: list[Message] = [{"role": "user", "content": "Hei"}]


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def settings(url: str) -> LanguageModelSettings:
    return LanguageModelSettings(
        url=url,
        model="prøve",
        key="hemmelig",
        context_tokens=2048,
        answer_tokens=100,
        patience=5,
        seconds=5,
        concurrency=1,
    )


@pytest.fixture
def model(server: ScriptedServer) -> Iterator[LanguageModel]:
    model = LanguageModel(settings(server.url))
    yield model
    model.close()


def written(model: LanguageModel) -> str:
    return "".join(model.stream(ASKED, 50))


def test_it_gives_the_text_as_it_comes(server: ScriptedServer, model: LanguageModel) -> None:
    server.will(says("Blå", "bær", " på ", "øya."))
    assert [piece for piece in model.stream(ASKED, 50) if piece] == ["Blå", "bær", " på ", "øya."]
    [asked] = server.asked
    assert asked["messages"] == ASKED
    assert (asked["model"], asked["max_tokens"], asked["temperature"]) == ("prøve", 50, 0)
    assert asked["stream"] is True


def test_silence_can_be_ended(server: ScriptedServer, model: LanguageModel) -> None:
    def goes_on_for_ever(exchange: Exchange) -> None:
        exchange.begin()
        while True:
            exchange.chunk({"content": "x"})
            time.sleep(0.4)

    server.will(goes_on_for_ever)
    stream = model.stream(ASKED, 50)
    assert "x" in [next(stream) for _ in range(3)]
    assert "" in [next(stream) for _ in range(4)], "silence shows"
    stream.close()
    assert server.left.wait(5), "the server must be let go, too"


def test_the_place_is_free_again_afterwards(server: ScriptedServer, model: LanguageModel) -> None:
    server.will(says("a", "b", pause=0.2))
    first = model.stream(ASKED, 50)
    next(first)
    with pytest.raises(LanguageModelBusyError, match="KILDESVAR_LLM_CONCURRENCY"):
        written(model)
    first.close()
    server.will(says("c"))
    assert written(model) == "c"


FAILURES: list[tuple[str, Behaviour, type[LanguageModelError], str]] = [
    ("wrong key", refuses(401), LanguageModelRefusedError, "KILDESVAR_LLM_KEY"),
    ("no such model", refuses(404), LanguageModelRefusedError, "KILDESVAR_LLM_MODEL"),
    ("rate limit", refuses(429, Retry_After_Ms="20"), LanguageModelBusyError, "takes no more"),
    ("failing", refuses(500, Retry_After_Ms="20"), LanguageModelRefusedError, "refused"),
    (
        "too long for OpenAI",
        refuses(400, {"message": "too many tokens", "code": "context_length_exceeded"}),
        PromptTooLongError,
        "KILDESVAR_LLM_CONTEXT_TOKENS",
    ),
    (
        "too long for llama.cpp",
        refuses(
            400, {"message": "request (9 tokens) exceeds", "type": "exceed_context_size_error"}
        ),
        PromptTooLongError,
        "KILDESVAR_LLM_CONTEXT_TOKENS",
    ),
    (
        "too long for vLLM",
        refuses(400, {"message": "This model's maximum context length is 9 tokens. max_tokens"}),
        PromptTooLongError,
        "KILDESVAR_LLM_CONTEXT_TOKENS",
    ),
    ("no end", says("Bransjen har", finish=None), LanguageModelBrokenError, "broke off"),
    ("held back", says("", finish="content_filter"), LanguageModelRefusedError, "filter"),
]


@pytest.mark.parametrize(
    ("behaviour", "error", "words"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES]
)
def test_a_failure_says_what_to_do(
    server: ScriptedServer,
    model: LanguageModel,
    behaviour: Behaviour,
    error: type[LanguageModelError],
    words: str,
) -> None:
    server.will(behaviour)
    with pytest.raises(error, match=words):
        written(model)


def cut(exchange: Exchange) -> None:
    exchange.begin()
    exchange.chunk({"content": "Bransjen"})
    exchange.cut()


def no_json(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line("data: {«ikke json»")
    exchange.end()


def a_web_page(exchange: Exchange) -> None:
    exchange.begin("text/html")
    exchange.line("<h1>Velkommen</h1>")
    exchange.end()


def other_json(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line('data: {"choices": [{"delta": "Hei", "finish_reason": 7}]}')
    exchange.end()


def no_text(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line('data: {"choices": [{"delta": {"content": {"a": 1}}, "finish_reason": null}]}')
    exchange.end()


def an_error_midway(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line('data: {"error": {"message": "out of memory"}}')
    exchange.end()


@pytest.mark.parametrize("behaviour", [cut, no_json, a_web_page, other_json, no_text])
def test_garbage_is_no_answer(
    server: ScriptedServer, model: LanguageModel, behaviour: Behaviour
) -> None:
    server.will(behaviour)
    with pytest.raises(LanguageModelBrokenError):
        written(model)


def test_an_error_in_the_stream_is_none_either(
    server: ScriptedServer, model: LanguageModel
) -> None:
    server.will(an_error_midway)
    with pytest.raises(LanguageModelError, match="out of memory"):
        written(model)


def test_the_model_may_decline(server: ScriptedServer, model: LanguageModel) -> None:
    def declines(exchange: Exchange) -> None:
        exchange.begin()
        exchange.chunk({"refusal": "I cannot help with that."})
        exchange.end()

    server.will(declines)
    with pytest.raises(LanguageModelRefusedError, match="declined"):
        written(model)


def test_a_busy_server_is_asked_again(server: ScriptedServer, model: LanguageModel) -> None:
    server.will(
        in_turn([refuses(429, Retry_After_Ms="20"), refuses(503, Retry_After_Ms="20"), says("a")])
    )
    assert written(model) == "a"
    assert len(server.asked) == 3


@pytest.mark.parametrize("name", ["temperature", "max_tokens"])
def test_what_a_server_does_not_take_is_left_out(
    server: ScriptedServer, model: LanguageModel, name: str
) -> None:
    refusal = refuses(400, {"message": f"Unsupported parameter: {name}", "param": name})
    server.will(in_turn([refusal, says("a")]))
    assert written(model) == "a"
    assert written(model) == "a", "it is remembered"
    assert [name in asked for asked in server.asked] == [True, False, False]


def test_a_bad_request_is_not_sent_for_ever(server: ScriptedServer, model: LanguageModel) -> None:
    server.will(refuses(400, {"message": "max_tokens and temperature are wrong"}))
    with pytest.raises(LanguageModelRefusedError):
        written(model)
    assert len(server.asked) == 2


def test_a_slow_server_is_not_waited_for(server: ScriptedServer) -> None:
    go_on = threading.Event()

    def waits(exchange: Exchange) -> None:
        exchange.begin()
        go_on.wait(10)

    server.will(waits)
    model = LanguageModel(replace(settings(server.url), patience=0.3))
    with pytest.raises(LanguageModelSlowError, match="KILDESVAR_LLM_PATIENCE"):
        written(model)
    with pytest.raises(LanguageModelUnreachableError, match="asked again in 30 s"):
        written(model)
    assert len(server.asked) == 1, "the next reader is not to wait at all"
    go_on.set()
    model.close()


def test_an_answer_without_end_is_ended(server: ScriptedServer) -> None:
    server.will(says(*"abcdefghij", pause=0.2))
    model = LanguageModel(replace(settings(server.url), patience=1, seconds=0.6))
    found: list[str] = []
    with pytest.raises(LanguageModelSlowError, match="not ended"):
        found.extend(model.stream(ASKED, 50))
    server.will(says("It is not put to rest for that."))
    assert written(model)
    model.close()


def test_where_nobody_listens_nobody_is_asked() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        model = LanguageModel(settings(f"http://127.0.0.1:{taken.getsockname()[1]}/v1"))
        with pytest.raises(LanguageModelUnreachableError, match="KILDESVAR_LLM_URL"):
            written(model)
        with pytest.raises(LanguageModelUnreachableError, match="asked again"):
            written(model)
        model.close()


def test_closing_ends_what_is_under_way(server: ScriptedServer) -> None:
    server.will(says(*"abcdefghij", pause=0.3))
    model = LanguageModel(settings(server.url))
    stream = model.stream(ASKED, 50)
    next(stream)
    model.close()
    with pytest.raises(LanguageModelBrokenError, match="stopped"):
        list(stream)
