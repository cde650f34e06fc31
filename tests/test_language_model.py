"""The language model's client, against a server that does what servers do."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.language_model import LanguageModel, LanguageModelSettings, Message
from app.language_model_errors import (
    LanguageModelBrokenError,
    LanguageModelBusyError,
    LanguageModelError,
    LanguageModelRefusedError,
    LanguageModelSlowError,
    LanguageModelUnreachableError,
    PromptTooLongError,
)
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
    assert {next(stream) for _ in range(12)} == {"x", ""}, "silence shows"
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


def test_thinking_is_a_sign_of_life(server: ScriptedServer) -> None:
    def thinks(exchange: Exchange) -> None:
        exchange.begin()
        for _ in range(6):
            exchange.chunk({"reasoning_content": "Hm. "})
            time.sleep(0.3)
        exchange.chunk({"content": "Ja."}, "stop")
        exchange.end()

    server.will(thinks)
    model = LanguageModel(replace(settings(server.url), patience=1.2))
    assert written(model) == "Ja."
    model.close()


def test_steady_text_can_be_ended_too(server: ScriptedServer, model: LanguageModel) -> None:
    def goes_on_for_ever(exchange: Exchange) -> None:
        exchange.begin()
        while True:
            exchange.chunk({"content": "x"})
            time.sleep(0.03)

    server.will(goes_on_for_ever)
    stream = model.stream(ASKED, 5000)
    assert "" in [next(stream) for _ in range(40)], "there is a moment to look up"
    stream.close()
    assert server.left.wait(5)


def test_the_key_comes_into_no_log(
    server: ScriptedServer, model: LanguageModel, caplog: pytest.LogCaptureFixture
) -> None:
    server.will(refuses(401, {"message": "no\nWARNING forged"}))
    with pytest.raises(LanguageModelError) as error:
        written(model)
    assert "hemmelig" not in f"{error.value}{model.settings}{caplog.text}"


def test_what_a_server_says_stays_on_one_line(server: ScriptedServer, model: LanguageModel) -> None:
    server.will(refuses(418, {"message": "no\nWARNING forged" + "x" * 9000}))
    with pytest.raises(LanguageModelRefusedError) as error:
        written(model)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_a_redirection_is_not_followed(server: ScriptedServer, model: LanguageModel) -> None:
    with scripted_server() as other:

        def redirects(exchange: Exchange) -> None:
            exchange.refuse(307, {"message": "there"}, Location=f"{other.url}/chat/completions")

        server.will(redirects)
        with pytest.raises(LanguageModelError):
            written(model)
        assert other.asked == []


def test_no_proxy_leads_to_this_machine(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.will(says("a"))
    model = LanguageModel(settings(server.url))
    assert written(model) == "a"
    model.close()


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
    (
        "rate limit for long",
        refuses(429, Retry_After="3600"),
        LanguageModelBusyError,
        "takes no more",
    ),
    (
        "too many tokens",
        says("Bransjen har", finish="length"),
        LanguageModelBrokenError,
        "KILDESVAR_LLM_ANSWER_TOKENS",
    ),
    ("far too much", says("x" * 9000), LanguageModelBrokenError, "more than asked for"),
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


def a_web_page(exchange: Exchange) -> None:
    exchange.begin("text/html")
    exchange.line("<h1>Velkommen</h1>")
    exchange.end()


def other_json(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line('data: {"choices": [{"delta": "Hei", "finish_reason": 7}]}')
    exchange.end()


def deep(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line('data: {"choices": ' + "[" * 90_000 + "]" * 90_000 + "}")
    exchange.end()


def an_object_for_a_refusal(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line('data: {"choices": [{"delta": {"refusal": {"a": 1}}, "finish_reason": null}]}')
    exchange.end()


def no_text(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line('data: {"choices": [{"delta": {"content": {"a": 1}}, "finish_reason": null}]}')
    exchange.end()


def an_error_midway(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line('data: {"error": {"message": "out of memory"}}')
    exchange.end()


@pytest.mark.parametrize(
    "behaviour", [cut_after("Bransjen"), no_json, a_web_page, other_json, no_text, deep]
)
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

    for behave in (declines, an_object_for_a_refusal):
        server.will(behave)
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
    def behave(exchange: Exchange) -> None:
        if name in exchange.asked:
            exchange.refuse(400, {"message": f"Unsupported parameter: {name}", "param": name})
        else:
            exchange.write("a")

    server.will(behave)
    assert written(model) == "a"
    tried = len(server.asked)
    assert written(model) == "a"
    assert len(server.asked) == tried + 1, "it is remembered"
    assert name not in server.asked[-1]
    limits = {"max_tokens", "max_completion_tokens"} & server.asked[-1].keys()
    assert [server.asked[-1][limit] for limit in limits] == [50], "there is always a limit"


def test_a_bad_request_is_not_sent_for_ever(server: ScriptedServer, model: LanguageModel) -> None:
    server.will(refuses(400, {"message": "max_tokens and temperature are wrong"}))
    with pytest.raises(LanguageModelRefusedError):
        written(model)
    assert len(server.asked) == 3
    server.will(says("a"))
    assert written(model) == "a"
    assert "temperature" in server.asked[0], "what did not help is not remembered"


def test_a_slow_server_is_not_waited_for(server: ScriptedServer) -> None:
    go_on = threading.Event()

    def waits(exchange: Exchange) -> None:
        exchange.begin()
        go_on.wait(10)

    server.will(waits)
    model = LanguageModel(replace(settings(server.url), patience=0.8))
    with pytest.raises(LanguageModelSlowError, match="KILDESVAR_LLM_PATIENCE"):
        written(model)
    with pytest.raises(LanguageModelUnreachableError, match="asked again in"):
        written(model)
    assert len(server.asked) == 1, "the next reader is not to wait at all"
    go_on.set()
    model.close()


def test_an_answer_without_end_is_ended(server: ScriptedServer) -> None:
    server.will(says(*"abcdefghij", pause=0.5))
    model = LanguageModel(replace(settings(server.url), patience=2, seconds=2))
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
    model.close()
    with pytest.raises(LanguageModelBrokenError, match="stopped"):
        list(stream)
    with pytest.raises(LanguageModelBrokenError, match="stopped"):
        written(model)
