"""A language model behind any OpenAI-compatible server, as a source of text that may fail.

The official client is asynchronous here, on a thread of its own: so a request can be ended at any
moment, be it connecting, waiting to try again or in the middle of a sentence, when the reader has
left or has waited long enough. Who asks reads the text from an ordinary iterator.
"""

import asyncio
import logging
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Literal, TypedDict

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from index.errors import KildesvarError

log = logging.getLogger("kildesvar")

_CONNECTS_WITHIN = 3.0
_RETRIES = 2
"""By the client, after growing waits, or after what the server says in Retry-After."""
_SILENCE = 0.25
"""Seconds without text after which the iterator gives an empty one, so that it can be ended."""
_RESTS = 30.0
"""Seconds for which a server that did not answer is not asked again."""


class LanguageModelError(KildesvarError):
    """The language model gave no whole answer. The message is for whoever runs the service."""


class LanguageModelUnreachableError(LanguageModelError):
    """There is no server at the address, or none that answers."""


class LanguageModelSlowError(LanguageModelError):
    """It has not answered in the time that a reader is to wait."""


class LanguageModelBusyError(LanguageModelError):
    """It has as much to do as it takes."""


class LanguageModelRefusedError(LanguageModelError):
    """The server does not take the key, the model's name or the request, or the model declines."""


class PromptTooLongError(LanguageModelRefusedError):
    """The prompt does not fit into the model's context."""


class LanguageModelBrokenError(LanguageModelError):
    """The answer broke off, or was none."""


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
    key: str
    context_tokens: int
    answer_tokens: int
    patience: float
    seconds: float
    concurrency: int


class LanguageModel:
    """One model of one server. Safe to share between threads."""

    def __init__(self, settings: LanguageModelSettings) -> None:
        self.settings = settings
        self._places = threading.BoundedSemaphore(settings.concurrency)
        self._rests_until = 0.0
        # What some servers take no value of; they have said so.
        self._left_out: frozenset[str] = frozenset()
        self._client = openai.AsyncOpenAI(
            base_url=settings.url,
            api_key=settings.key or "none",  # servers without keys do not look at it
            timeout=httpx2.Timeout(settings.seconds, connect=_CONNECTS_WITHIN),
            max_retries=_RETRIES,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="language model", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Ends the requests under way, and the thread."""
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stream(
        self, messages: Sequence[Message], most_tokens: int, seconds: float | None = None
    ) -> Generator[str, None, None]:
        """What the model writes, as it comes; an empty string in each quarter second of silence.

        Raises LanguageModelError, at once when the model is busy or rests after it did not answer.
        To close the generator ends the request.
        """
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
        pieces: SimpleQueue[str | LanguageModelError | None] = SimpleQueue()
        work = asyncio.run_coroutine_threadsafe(
            self._write(messages, most_tokens, pieces), self._loop
        )
        try:
            yield from self._read(pieces, work, seconds or self.settings.seconds)
        finally:
            work.cancel()
            self._places.release()

    def _read(
        self,
        pieces: "SimpleQueue[str | LanguageModelError | None]",
        work: "Future[None]",
        seconds: float,
    ) -> Iterator[str]:
        begun = monotonic()
        has_begun = False
        while True:
            waited = monotonic() - begun
            if waited > seconds or (waited > self.settings.patience and not has_begun):
                if not has_begun:
                    self._rests_until = monotonic() + _RESTS
                raise LanguageModelSlowError(
                    f"the language model at {self.settings.url} had not "
                    f"{'ended' if has_begun else 'begun'} after {waited:.0f} s; a smaller model, "
                    "or more seconds in KILDESVAR_LLM_PATIENCE and KILDESVAR_LLM_SECONDS, would "
                    "let it answer"
                )
            try:
                piece = pieces.get(timeout=_SILENCE)
            except Empty:
                if work.done() and pieces.empty():
                    _require_end(work)
                yield ""
                continue
            if piece is None:
                return
            if isinstance(piece, LanguageModelError):
                if isinstance(piece, LanguageModelUnreachableError):
                    self._rests_until = monotonic() + _RESTS
                raise piece
            has_begun = True
            yield piece

    async def _write(
        self,
        messages: Sequence[Message],
        most_tokens: int,
        pieces: "SimpleQueue[str | LanguageModelError | None]",
    ) -> None:
        """Puts into `pieces` each piece of text, and last None or what went wrong."""
        has_begun = False
        try:
            async with await self._begun(messages, most_tokens) as chunks:
                has_begun, finish = True, None
                async for chunk in chunks:
                    text, reason = _content(chunk)
                    finish = reason or finish
                    if text:
                        pieces.put(text)
            if finish is None:
                raise LanguageModelBrokenError("the language model's answer broke off")
            if finish == "content_filter":
                raise LanguageModelRefusedError("the language model's filter held its answer back")
        except LanguageModelError as error:
            pieces.put(error)
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            is_cut = has_begun and isinstance(error, openai.APIConnectionError)
            pieces.put(_broken(error) if is_cut else _named(error, self.settings))
        else:
            pieces.put(None)

    async def _begun(
        self, messages: Sequence[Message], most_tokens: int
    ) -> "openai.AsyncStream[ChatCompletionChunk]":
        """The answer, begun; asked once more without what the server says that it does not take."""
        while True:
            left_out = self._left_out
            chosen: dict[str, Any] = {"temperature": 0.0, "max_tokens": most_tokens}
            given: Any = {n: value for n, value in chosen.items() if n not in left_out}
            try:
                stream: openai.AsyncStream[
                    ChatCompletionChunk
                ] = await self._client.chat.completions.create(
                    model=self.settings.model,
                    messages=[_param(message) for message in messages],
                    stream=True,
                    **given,
                )
            except openai.BadRequestError as error:
                unwanted = {name for name in given if error.param == name or name in str(error)}
                if not unwanted or _is_about_length(error):
                    raise
                self._left_out = left_out | unwanted
            else:
                return stream

    async def _ended(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()


def _content(chunk: ChatCompletionChunk) -> tuple[str | None, str | None]:
    """The text of a chunk, and why the answer ends with it, if it does.

    The client checks nothing of what a server sends. Raises LanguageModelError.
    """
    try:
        if not chunk.choices:
            return None, None  # such as one that only counts tokens
        choice = chunk.choices[0]
        text, refusal, finish = choice.delta.content, choice.delta.refusal, choice.finish_reason
    except (AttributeError, TypeError, IndexError, KeyError) as error:
        raise LanguageModelBrokenError(
            f"the language model's server sent something else than an answer: {chunk!r:.200}"
        ) from error
    if refusal:
        raise LanguageModelRefusedError(f"the language model declined: {refusal:.200}")
    if not isinstance(text, str | None):
        raise LanguageModelBrokenError(f"the language model sent {text!r:.200} for text")
    return text, finish


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
    about = {"url": settings.url, "model": settings.model, "cause": error.__cause__ or error}
    if isinstance(error, openai.BadRequestError) and _is_about_length(error):
        return PromptTooLongError(
            f"the prompt is too long for {settings.model!r}; lower KILDESVAR_LLM_CONTEXT_TOKENS "
            f"({settings.context_tokens}) to what the model has: {error}"
        )
    for kinds, meaning, words in _MEANINGS:
        if isinstance(error, kinds):
            return meaning(words.format(**about))
    return _broken(error)


def _broken(error: Exception) -> LanguageModelError:
    return LanguageModelBrokenError(f"the language model's server broke off: {error!r:.300}")


def _is_about_length(error: openai.BadRequestError) -> bool:
    # Each server has its own word for it: OpenAI a code, llama.cpp a type, vLLM a sentence.
    said = f"{error.code} {error.type} {error}".lower()
    return "context" in said and any(
        word in said for word in ("length", "exceed", "size", "too long", "maximum")
    )


def _require_end(work: "Future[None]") -> None:
    """Raises what ended `work` without a word: the service's end, or an error of ours."""
    if work.cancelled():
        raise LanguageModelBrokenError("the service is being stopped")
    work.result()


def _param(message: Message) -> ChatCompletionMessageParam:
    """As the client's types have it, which know each role apart."""
    content = message["content"]
    if message["role"] == "system":
        return {"role": "system", "content": content}
    if message["role"] == "user":
        return {"role": "user", "content": content}
    return {"role": "assistant", "content": content}
