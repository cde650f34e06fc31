"""What both clients share beside the calls: the address, reading what came, asking once more."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from random import uniform
from typing import Any, TypeVar

import httpx2
from pydantic import ValidationError

from app.addresses import is_this_machine
from app.client.calls import Call, Request, Stream
from app.client.errors import (
    ProblemError,
    TimedOutError,
    UnexpectedAnswerError,
    UnreachableError,
)
from app.schemas import Problem
from index.errors import KildesvarError

T = TypeVar("T")

DEFAULT_ADDRESS = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT = httpx2.Timeout(120.0, connect=5.0)
"""Seconds without a byte. A stream is never silent for so long: a comment comes every 15."""

MAX_EVENT_BYTES = 16 * 1024**2

_KEPT_IDLE = 3.0
"""Seconds for which an idle connection is used again; the service closes it after five."""

_LONGEST_PAUSE = 60.0
"""Seconds. A service that wants to be left alone for longer is left to the caller."""
_SPREAD = 1.25
"""Those who were refused together must not come back together."""
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_EXCERPT = 200
"""Letters of a page that is none of ours."""


def http_options(
    address: str, key: str | None, timeout: float | httpx2.Timeout | None
) -> dict[str, Any]:
    """What httpx2's clients are made with. Raises ValueError for an address or key that is none."""
    url = _checked_address(address)
    headers = {"User-Agent": f"kildesvar-python/{version('kildesvar')}"}
    if key is not None:
        headers["Authorization"] = f"Bearer {_checked_key(key)}"
    return {
        "base_url": url,
        "headers": headers,
        "timeout": timeout,
        "limits": httpx2.Limits(keepalive_expiry=_KEPT_IDLE),
        # A proxy that the environment names does not lead to this machine.
        "trust_env": not is_this_machine(url.host),
    }


def _checked_address(address: str) -> httpx2.URL:
    remedy = f"«{address}» is no address of a service; give one such as {DEFAULT_ADDRESS}"
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as error:
        raise ValueError(f"{remedy} ({error})") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(remedy)
    return url


def _checked_key(key: str) -> str:
    if not re.fullmatch(r"[!-~]+", key):
        raise ValueError(
            "the key is empty, or holds a space, a line break or a letter that no key has; give it "
            "exactly as it was made"
        )
    return key


def pause_before_repeat(request: Request, response: httpx2.Response, repeats: int) -> float | None:
    """Seconds to wait before a refused request is sent once more; None if it is not to be.

    `repeats` is how often that may still be done.
    """
    if repeats <= 0 or not request.changes_nothing or response.status_code not in _BUSY:
        return None
    pause = _retry_after(response)
    if pause is None or pause > _LONGEST_PAUSE:
        return None
    return pause * uniform(1.0, _SPREAD)


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds from now. A service says seconds, a proxy may say a date."""
    said = response.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    until = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def refusal(response: httpx2.Response) -> KildesvarError:
    """The error that a response, which has been read, is raised as."""
    if response.has_redirect_location:
        return _unexpected(response, f"with a way to {response.headers['location']}")
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return _unexpected(response, _excerpt(response))
    return ProblemError(problem, _retry_after(response))


def answer_of(call: Call[T], response: httpx2.Response) -> T:
    """The answer in a response, which has been read."""
    if _media_type(response) == "text/html":
        raise _unexpected(response, _excerpt(response))
    return _as_expected(response, call.read, response.content)


def events_of(response: httpx2.Response) -> httpx2.EventSource:
    """The events of a response, which has not been read."""
    kind = _media_type(response)
    if kind != "text/event-stream":
        raise _unexpected(response, f"with {kind or 'no type'}, where events were asked for")
    return httpx2.EventSource(response, max_event_size=MAX_EVENT_BYTES)


def event_of(
    stream: Stream[T], response: httpx2.Response, sent: httpx2.ServerSentEvent
) -> T | None:
    """What an event of the stream says; None if that is not known here.

    Raises ProblemError for an error that comes instead of the last event.
    """
    if sent.event == "error":
        raise ProblemError(_as_expected(response, Problem.model_validate_json, sent.data))
    read = stream.kinds.get(sent.event)
    return None if read is None else _as_expected(response, read, sent.data)


def broken_off(response: httpx2.Response) -> UnreachableError:
    """The error of a stream that ended before its last event."""
    return UnreachableError(
        f"{response.request.url} ended before all was said: the service is being stopped, or a "
        "proxy cut it off; ask again"
    )


@contextmanager
def foreseen_errors(address: httpx2.URL) -> Iterator[None]:
    """Turns what may go wrong on the way into the client's own errors."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise TimedOutError(
            f"{address} took too long ({_reason(error)}); see how busy the service is, or give the "
            "client a longer `timeout`"
        ) from error
    except httpx2.SSEError as error:
        raise UnexpectedAnswerError(f"{address} sent no events: {error}", HTTPStatus.OK) from error
    except (httpx2.ConnectError, httpx2.ProxyError) as error:
        raise UnreachableError(
            f"nobody answers at {address} ({_reason(error)}); see that the service runs "
            "(`kildesvar serve`) and that the address is right"
        ) from error
    except httpx2.InvalidURL as error:
        raise ValueError(f"the request cannot be sent: {error}; ask for less") from error
    except httpx2.RequestError as error:
        raise UnreachableError(
            f"the connection to {address} broke off ({_reason(error)}); try again"
        ) from error


@contextmanager
def naming_job(job_id: str) -> Iterator[None]:
    """Adds to an error what became of the file: it was taken in already."""
    try:
        yield
    except KildesvarError as error:
        error.add_note(f"The service goes on with job {job_id}; `job` says how far it has come.")
        raise


def _as_expected(response: httpx2.Response, read: Callable[[Any], T], content: bytes | str) -> T:
    try:
        return read(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        misfit = f"{place}: {first['msg']}" if place else first["msg"]
        raise _unexpected(response, f"with what does not fit ({misfit})") from error


def _unexpected(response: httpx2.Response, what: str) -> UnexpectedAnswerError:
    request, status = response.request, response.status_code
    return UnexpectedAnswerError(
        f"{request.method} {request.url} was answered {status} {what}. No Kildesvar of this "
        f"client's version ({version('kildesvar')}) says so: see that the address is the service's "
        "own, what a proxy on the way does, and that both are of one version",
        status,
    )


def _excerpt(response: httpx2.Response) -> str:
    """What a person would see of a page, as far as it is text."""
    kind = _media_type(response)
    if not kind.startswith("text/") and not kind.endswith("json"):
        return f"with {kind or 'no type'}"
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", response.text[:100_000])
    return f"with {kind}: «{' '.join(text.split())[:_EXCERPT]}»"


def _media_type(response: httpx2.Response) -> str:
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
