"""A language model behind any OpenAI-compatible server, as a source of text that may fail.

The official client is asynchronous here, on a thread of its own: so a request can be ended at any
moment, be it connecting, waiting to try again or in the middle of a sentence, when the reader has
left or has waited long enough. Who asks reads the text from an ordinary iterator.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic, time
from typing import Any, Literal, TypedDict

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from app.addresses import is_this_machine
from app.language_model_errors import (
    LanguageModelBrokenError,
    LanguageModelBusyError,
    LanguageModelError,
    LanguageModelRefusedError,
    LanguageModelSlowError,
    LanguageModelUnreachableError,
    PromptTooLongError,
)

log = logging.getLogger("kildesvar")

_CONNECTS_WITHIN = 3.0
_RETRIES = 2
"""By the client, after growing waits, or after what the server says in Retry-After."""
_SILENCE = 0.25
"""Seconds after which the iterator gives an empty string, so that it can be ended."""
_RESTS = 30.0
"""Seconds for which a server that did not answer is not asked again."""
_MOST_LETTERS_A_TOKEN = 12
"""Of text that comes; a server that sends more has not kept to the limit."""

# What servers call the same. OpenAI's newer models take the last, and no temperature.
_LIMITS = ("max_tokens", "max_tokens", "max_completion_tokens")
_TEMPERATURES: tuple[dict[str, float], ...] = ({"temperature": 0.0}, {}, {})
_CHOSEN = ("temperature", *_LIMITS)


class Message(TypedDict):
    """A turn of the conversation with the model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class LanguageModelSettings:
    """Which server, which model, and how much of it. Times are seconds.

    `patience` is how long the first word may take, `seconds` how long all of it may.
    """

    url: str
    model: str
    key: str = field(repr=False)
    context_tokens: int
    answer_tokens: int
    patience: float
    seconds: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class _End:
    """Of the text; with an error where it did not end well."""

    error: LanguageModelError | None


@dataclass(frozen=True, slots=True)
class LanguageModelCall:
    """How one call went: `began` is a reading of `time.time`, and `outcome` is `whole`, or
    `abandoned` by who asked, or the name of the error's class."""

    began: float
    seconds: float
    outcome: str
    letters: int


_Pieces = SimpleQueue[str | _End]


class LanguageModel:
    """One model of one server. Safe to share between threads. Its thread starts when it is first
    asked."""

    def __init__(self, settings: LanguageModelSettings) -> None:
        self.settings = settings
        self._places = threading.BoundedSemaphore(settings.concurrency)
        self._rests_until = 0.0
        self._way = 0
        """Which of the ways to limit an answer the server takes."""
        self._changing = threading.Lock()
        self._watchers: list[Callable[[LanguageModelCall], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._client = _client_of(settings)

    def close(self) -> None:
        """Ends the requests under way, and the thread. It is not asked again."""
        with self._changing:
            self._is_closed = True
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_ended(self._client), loop).result()
            loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join()

    def watch(self, watcher: Callable[[LanguageModelCall], None]) -> None:
        """Tells `watcher` of each call when it is over, in the thread of who called."""
        self._watchers.append(watcher)

    def stream(
        self, messages: Sequence[Message], most_tokens: int, seconds: float | None = None
    ) -> Generator[str, None, None]:
        """What the model writes, as it comes; an empty string at least each quarter of a second.

        Raises LanguageModelError, at once when the model is busy or rests after it did not answer.
        To close the generator ends the request.
        """
        began, start, outcome, letters = time(), monotonic(), "abandoned", 0
        try:
            with closing(self._stream(messages, most_tokens, seconds)) as texts:
                for text in texts:
                    letters += len(text)
                    yield text
            outcome = "whole"
        except LanguageModelError as error:
            outcome = type(error).__name__
            raise
        finally:
            call = LanguageModelCall(began, monotonic() - start, outcome, letters)
            for watcher in self._watchers:
                watcher(call)

    def _stream(
        self, messages: Sequence[Message], most_tokens: int, seconds: float | None
    ) -> Generator[str, None, None]:
        if (rest := self._rests_until - monotonic()) > 0:
            raise LanguageModelUnreachableError(
                f"the language model at {self.settings.url} did not answer; it is asked again in "
                f"{rest:.0f} s"
            )
        if not self._places.acquire(blocking=False):
            raise LanguageModelBusyError(
                f"the language model writes {self.settings.concurrency} answers already, as many "
                "as KILDESVAR_LLM_CONCURRENCY lets it"
            )
        try:
            loop = self._running_loop()
            pieces: _Pieces = SimpleQueue()
            writing = self._write(messages, most_tokens, seconds or self.settings.seconds, pieces)
            work = asyncio.run_coroutine_threadsafe(writing, loop)
            try:
                yield from _read(pieces)
            finally:
                work.cancel()
        finally:
            self._places.release()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._changing:
            if self._is_closed:
                raise LanguageModelBrokenError("the service is being stopped")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="language model", daemon=True
                )
                self._thread.start()
            return self._loop

    async def _write(
        self, messages: Sequence[Message], most_tokens: int, seconds: float, pieces: _Pieces
    ) -> None:
        """Puts into `pieces` each piece of text, and in any case an end."""
        error: LanguageModelError | None = LanguageModelBrokenError("the service is being stopped")
        begun, has_begun = asyncio.get_running_loop().time(), False
        try:
            async with asyncio.timeout(min(self.settings.patience, seconds)) as clock:
                async for text in self._texts(messages, most_tokens):
                    if not has_begun:
                        has_begun = True
                        clock.reschedule(begun + seconds)
                    if text:
                        pieces.put(text)
            error = None
        except TimeoutError:
            error = _slow(self.settings, has_begun)
        except LanguageModelError as foreseen:
            error = foreseen
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as failure:
            is_cut = has_begun and isinstance(failure, openai.APIConnectionError)
            error = _broken(failure) if is_cut else _named(failure, self.settings)
        except Exception as failure:  # what a server sends must not cost more than its own answer
            log.exception("the language model's answer could not be read")
            error = _broken(failure)
        finally:
            if error and not has_begun and isinstance(error, _NOT_ANSWERING):
                self._rests_until = monotonic() + _RESTS
            pieces.put(_End(error))

    async def _texts(self, messages: Sequence[Message], most_tokens: int) -> AsyncIterator[str]:
        """The text of each chunk; an empty one where the model only thinks.

        Raises LanguageModelError and errors of the client.
        """
        letters, finish = 0, None
        async with await self._begun(messages, most_tokens) as chunks:
            async for chunk in chunks:
                text, reason = _content(chunk)
                finish = reason or finish
                letters += len(text)
                yield text
                if letters > most_tokens * _MOST_LETTERS_A_TOKEN:
                    raise LanguageModelBrokenError("the language model wrote more than asked for")
        if finish is None:
            raise LanguageModelBrokenError("the language model's answer broke off")
        if finish == "content_filter":
            raise LanguageModelRefusedError("the language model's filter held its answer back")
        if finish == "length":
            raise LanguageModelBrokenError(
                f"the language model had not ended after {most_tokens} tokens; "
                "KILDESVAR_LLM_ANSWER_TOKENS gives it more"
            )

    async def _begun(
        self, messages: Sequence[Message], most_tokens: int
    ) -> "openai.AsyncStream[ChatCompletionChunk]":
        """The answer, begun; the ways to limit it are tried until one is taken."""
        way, first_refusal = self._way, None
        while True:
            chosen: Any = {**_TEMPERATURES[way], _LIMITS[way]: most_tokens}
            try:
                stream: openai.AsyncStream[
                    ChatCompletionChunk
                ] = await self._client.chat.completions.create(
                    model=self.settings.model,
                    messages=[_param(message) for message in messages],
                    stream=True,
                    **chosen,
                )
            except openai.BadRequestError as error:
                first_refusal = first_refusal or error
                is_about_it = error.param in _CHOSEN or any(name in str(error) for name in _CHOSEN)
                if _is_about_length(error) or not is_about_it or way + 1 == len(_LIMITS):
                    raise first_refusal from None
                way += 1
            else:
                if way != self._way:
                    log.info("the language model's server takes %s only", ", ".join(chosen))
                    self._way = way
                return stream


def _client_of(settings: LanguageModelSettings) -> openai.AsyncOpenAI:
    """A client that asks that server, and no other: whatever the environment says, no proxy leads
    to this machine, and a redirection would carry the documents' words elsewhere."""

    async def limit_waits(response: httpx2.Response) -> None:
        # The client would wait for as long as a busy server says; no reader does.
        if _seconds_of(response.headers.get("retry-after")) > settings.patience:
            response.headers["x-should-retry"] = "false"

    http = httpx2.AsyncClient(
        trust_env=not is_this_machine(httpx2.URL(settings.url).host),
        follow_redirects=False,
        timeout=httpx2.Timeout(settings.seconds, connect=_CONNECTS_WITHIN),
        event_hooks={"response": [limit_waits]},
    )
    client = openai.AsyncOpenAI(
        base_url=settings.url,
        api_key=settings.key or "none",  # servers without keys do not look at it
        max_retries=_RETRIES,
        http_client=http,
    )
    client.organization = client.project = None  # which the environment may name for another
    return client


def _seconds_of(retry_after: str | None) -> float:
    try:
        return float(retry_after or 0)
    except ValueError:
        return 0.0  # a date: the client knows what to do


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _ended(client: openai.AsyncOpenAI) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await client.close()


def _read(pieces: _Pieces) -> Iterator[str]:
    """The pieces up to the end, and an empty string whenever a moment has passed without one."""
    paused = monotonic()
    while True:
        try:
            piece = pieces.get(timeout=_SILENCE)
        except Empty:
            piece = ""
        if isinstance(piece, _End):
            if piece.error is not None:
                raise piece.error
            return
        if piece:
            yield piece
        if monotonic() - paused >= _SILENCE:
            paused = monotonic()
            yield ""


def _content(chunk: ChatCompletionChunk) -> tuple[str, str | None]:
    """The text of a chunk, and why the answer ends with it, if it does.

    The client checks nothing of what a server sends. Raises LanguageModelError.
    """
    try:
        if not chunk.choices:
            return "", None  # such as one that only counts tokens
        choice = chunk.choices[0]
        text, refusal, finish = choice.delta.content, choice.delta.refusal, choice.finish_reason
    except (AttributeError, TypeError, IndexError, KeyError) as error:
        raise LanguageModelBrokenError(
            f"the language model's server sent something else than an answer: {chunk!r:.200}"
        ) from error
    if refusal:
        raise LanguageModelRefusedError(f"the language model declined: {_shown(refusal)}")
    if not isinstance(text, str | None):
        raise LanguageModelBrokenError(f"the language model sent {_shown(text)} for text")
    return text or "", finish


_NOT_ANSWERING = (LanguageModelUnreachableError, LanguageModelSlowError)
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[LanguageModelError], str], ...] = (
    (
        (openai.APITimeoutError, httpx2.TimeoutException),
        LanguageModelUnreachableError,
        "the language model at {url} does not answer",
    ),
    (
        (openai.APIConnectionError,),
        LanguageModelUnreachableError,
        "there is no language model at {url} ({cause}); start it, or mend KILDESVAR_LLM_URL",
    ),
    (
        (openai.AuthenticationError, openai.PermissionDeniedError),
        LanguageModelRefusedError,
        "the language model at {url} refuses the key; mend KILDESVAR_LLM_KEY",
    ),
    (
        (openai.NotFoundError,),
        LanguageModelRefusedError,
        "the server at {url} has no model {model!r}, or nothing at this address; mend "
        "KILDESVAR_LLM_MODEL, or KILDESVAR_LLM_URL, which often ends in /v1",
    ),
    (
        (openai.RateLimitError,),
        LanguageModelBusyError,
        "the language model at {url} takes no more now: {cause}",
    ),
    (
        (openai.APIStatusError,),
        LanguageModelRefusedError,
        "the language model at {url} refused: {cause}",
    ),
)
"""What each error of the client means; the first that fits."""


def _named(error: Exception, settings: LanguageModelSettings) -> LanguageModelError:
    cause = _shown(error.__cause__ or error)
    if isinstance(error, openai.BadRequestError) and _is_about_length(error):
        return PromptTooLongError(
            f"the prompt is too long for {settings.model!r}; lower KILDESVAR_LLM_CONTEXT_TOKENS "
            f"({settings.context_tokens}) to what the model has: {cause}"
        )
    for kinds, meaning, words in _MEANINGS:
        if isinstance(error, kinds):
            return meaning(words.format(url=settings.url, model=settings.model, cause=cause))
    return _broken(error)


def _broken(error: Exception) -> LanguageModelError:
    return LanguageModelBrokenError(f"the language model's server broke off: {_shown(error)}")


def _slow(settings: LanguageModelSettings, has_begun: bool) -> LanguageModelError:
    if has_begun:
        return LanguageModelSlowError(
            f"the language model at {settings.url} had not ended after {settings.seconds:g} s; a "
            "smaller model would, or more of KILDESVAR_LLM_SECONDS would let it"
        )
    return LanguageModelSlowError(
        f"the language model at {settings.url} had not begun after {settings.patience:g} s; a "
        "smaller model would, or more of KILDESVAR_LLM_PATIENCE would let it"
    )


def _shown(foreign: object) -> str:
    """What others said, fit for a log: on one line, and not for ever."""
    return f"{str(foreign)!r:.300}"


def _is_about_length(error: openai.BadRequestError) -> bool:
    # Each server has its own word for it: OpenAI a code, llama.cpp a type, vLLM a sentence.
    said = f"{error.code} {error.type} {error}".lower()
    return "context" in said and any(
        word in said for word in ("length", "exceed", "size", "too long", "maximum")
    )


def _param(message: Message) -> ChatCompletionMessageParam:
    """As the client's types have it, which know each role apart."""
    content = message["content"]
    if message["role"] == "system":
        return {"role": "system", "content": content}
    if message["role"] == "user":
        return {"role": "user", "content": content}
    return {"role": "assistant", "content": content}
