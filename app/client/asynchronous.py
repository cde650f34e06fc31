"""The client for programs under asyncio or trio."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeAlias, TypeVar

import httpx2
from anyio import sleep

from app.client import calls
from app.client.calls import Call, Request, Stream, Submission
from app.client.connection import (
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT,
    answer_of,
    broken_off,
    event_of,
    events_of,
    foreseen_errors,
    http_options,
    naming_job,
    pause_before_repeat,
    refusal,
)
from app.client.signatures import sign
from app.schemas import JobOut

P = ParamSpec("P")
T = TypeVar("T")

Awaited: TypeAlias = Coroutine[Any, Any, T]


def _call(build: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncKildesvar", P], Awaited[T]]:
    async def method(client: "AsyncKildesvar", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._answer(build(*args, **kwargs))

    return sign(method, build)


def _stream(
    build: Callable[P, Stream[T]],
) -> Callable[Concatenate["AsyncKildesvar", P], AsyncGenerator[T, None]]:
    def method(
        client: "AsyncKildesvar", /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        return client._events(build(*args, **kwargs))

    return sign(method, build, AsyncGenerator)


def _submission(
    build: Callable[P, Submission],
) -> Callable[Concatenate["AsyncKildesvar", P], Awaited[JobOut]]:
    async def method(client: "AsyncKildesvar", /, *args: P.args, **kwargs: P.kwargs) -> JobOut:
        return await client._job(build(*args, **kwargs))

    return sign(method, build, JobOut)


class AsyncKildesvar:
    """A Kildesvar service at `base_url`; otherwise as `Kildesvar`, whose methods it has.

    A method is awaited; of `stream` and `follow` the events are, with `async for`.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_ADDRESS,
        *,
        key: str | None = None,
        timeout: float | httpx2.Timeout | None = DEFAULT_TIMEOUT,
        retries: int = 0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._http = httpx2.AsyncClient(**http_options(base_url, key, timeout), transport=transport)

    ask = _call(calls.ask)
    stream = _stream(calls.stream)
    search = _call(calls.search)
    suggest = _call(calls.suggest)
    examples = _call(calls.examples)

    documents = _call(calls.documents)
    document = _call(calls.document)
    original = _call(calls.original)
    upload = _submission(calls.upload)
    replace = _submission(calls.replace)
    reindex = _submission(calls.reindex)
    delete = _call(calls.delete)
    collections = _call(calls.collections)
    left_out = _call(calls.left_out)

    jobs = _call(calls.jobs)
    job = _call(calls.job)
    follow = _stream(calls.follow)

    conversations = _call(calls.conversations)
    conversation = _call(calls.conversation)
    rename_conversation = _call(calls.rename_conversation)
    delete_conversation = _call(calls.delete_conversation)
    export_conversation = _call(calls.export_conversation)

    give_feedback = _call(calls.give_feedback)
    feedback = _call(calls.feedback)
    statistics = _call(calls.statistics)
    audit = _call(calls.audit)

    caller = _call(calls.caller)
    healthy = _call(calls.healthy)
    ready = _call(calls.ready)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _answer(self, call: Call[T]) -> T:
        async with self._granted(call.request) as response:
            await response.aread()
            return answer_of(call, response)

    async def _events(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        async with self._granted(stream.request) as response:
            ended = False
            async for sent in events_of(response):
                event = event_of(stream, response, sent)
                if event is not None and not ended:
                    yield event
                    ended = stream.is_last(event)
            if not ended:
                raise broken_off(response)

    async def _job(self, submission: Submission) -> JobOut:
        job_id = (await self._answer(submission.call)).job_id
        with naming_job(job_id):
            if not submission.waits:
                return await self._answer(calls.job(job_id))
            async for job in self._events(calls.follow(job_id)):
                last = job
            return last

    @asynccontextmanager
    async def _granted(self, request: Request) -> AsyncIterator[httpx2.Response]:
        """The response to a request that is not refused, before its body is read."""
        with foreseen_errors(self._http.base_url):
            repeats = self._retries
            while True:
                with request.opened() as asked:
                    async with aclosing(await self._sent(asked)) as response:
                        if response.is_success:
                            yield response
                            return
                        await response.aread()
                pause = pause_before_repeat(request, response, repeats)
                if pause is None:
                    raise refusal(response)
                await sleep(pause)
                repeats -= 1

    async def _sent(self, asked: dict[str, Any]) -> httpx2.Response:
        return await self._http.send(self._http.build_request(**asked), stream=True)
