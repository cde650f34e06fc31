"""The client for ordinary programs."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx2

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


def _call(build: Callable[P, Call[T]]) -> Callable[Concatenate["Kildesvar", P], T]:
    def method(client: "Kildesvar", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._answer(build(*args, **kwargs))

    return sign(method, build)


def _stream(
    build: Callable[P, Stream[T]],
) -> Callable[Concatenate["Kildesvar", P], Generator[T, None, None]]:
    def method(
        client: "Kildesvar", /, *args: P.args, **kwargs: P.kwargs
    ) -> Generator[T, None, None]:
        return client._events(build(*args, **kwargs))

    return sign(method, build, Generator)


def _submission(
    build: Callable[P, Submission],
) -> Callable[Concatenate["Kildesvar", P], JobOut]:
    def method(client: "Kildesvar", /, *args: P.args, **kwargs: P.kwargs) -> JobOut:
        return client._job(build(*args, **kwargs))

    return sign(method, build, JobOut)


class Kildesvar:
    """A Kildesvar service at `base_url`. Threads may share it.

    `key` is sent with every request. `timeout` is in seconds without a byte; None waits for ever.
    Requests that change nothing are sent up to `retries` times more when the service is too busy
    and says when to come back. `transport` sends the requests in another way than over the network.

    Every method raises an error of `app.client.errors`, all of them KildesvarError.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_ADDRESS,
        *,
        key: str | None = None,
        timeout: float | httpx2.Timeout | None = DEFAULT_TIMEOUT,
        retries: int = 0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._http = httpx2.Client(**http_options(base_url, key, timeout), transport=transport)

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

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(self, call: Call[T]) -> T:
        with self._granted(call.request) as response:
            response.read()
            return answer_of(call, response)

    def _events(self, stream: Stream[T]) -> Generator[T, None, None]:
        with self._granted(stream.request) as response:
            ended = False
            for sent in events_of(response):  # to the end, so that the connection is used again
                event = event_of(stream, response, sent)
                if event is not None and not ended:
                    yield event
                    ended = stream.is_last(event)
            if not ended:
                raise broken_off(response)

    def _job(self, submission: Submission) -> JobOut:
        job_id = self._answer(submission.call).job_id
        with naming_job(job_id):
            if not submission.waits:
                return self._answer(calls.job(job_id))
            for job in self._events(calls.follow(job_id)):
                last = job
            return last

    @contextmanager
    def _granted(self, request: Request) -> Iterator[httpx2.Response]:
        """The response to a request that is not refused, before its body is read."""
        with foreseen_errors(self._http.base_url):
            repeats = self._retries
            while True:
                with request.opened() as asked, closing(self._sent(asked)) as response:
                    if response.is_success:
                        yield response
                        return
                    response.read()
                pause = pause_before_repeat(request, response, repeats)
                if pause is None:
                    raise refusal(response)
                time.sleep(pause)
                repeats -= 1

    def _sent(self, asked: dict[str, Any]) -> httpx2.Response:
        return self._http.send(self._http.build_request(**asked), stream=True)
