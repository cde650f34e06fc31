"""On whose behalf something is done: known to logs and to the audit log, wherever they are written.

A request, a job or a command sets it once. Threads that work for a request inherit it.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from app.access.callers import ANYONE, COMMAND_LINE, Caller


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked for something, and in which request or for which job it is done.

    `rereads` says that the job reads a document again which has not changed.
    """

    caller: Caller = COMMAND_LINE
    request_id: str | None = None
    job_id: str | None = None
    rereads: bool = False


@dataclass(frozen=True, slots=True)
class _Requesting:
    """As an Actor, of a request whose caller becomes known on the way: it stands in its `state`."""

    request_id: str
    state: MutableMapping[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


_current: ContextVar[Actor | _Requesting] = ContextVar("actor", default=Actor())  # noqa: B039 - frozen


def actor() -> Actor:
    """Who is acting now; someone at the command line, where nothing else was said."""
    current = _current.get()
    if isinstance(current, Actor):
        return current
    return Actor(current.state.get("caller", ANYONE), current.request_id)


def request_id() -> str | None:
    """Of the request that is worked on, or that sent the job which is."""
    return _current.get().request_id


def request_secrets() -> tuple[str, ...]:
    """What the request that is worked on proves its caller with; not to be shown anywhere."""
    current = _current.get()
    return () if isinstance(current, Actor) else current.secrets


def note_problem(name: str) -> None:
    """Notes what became of the request that is worked on, for the log and for who counts them."""
    current = _current.get()
    if isinstance(current, _Requesting):
        current.state["problem"] = name


def begin_request(
    request_id: str, state: MutableMapping[str, Any], secrets: tuple[str, ...]
) -> None:
    """From now on, and in whatever this task begins, a request is worked on.

    It has no end: each request has a task of its own, and the server may log of it to the last.
    """
    _current.set(_Requesting(request_id, state, secrets))


@contextmanager
def acting(on_behalf: Actor) -> Iterator[None]:
    """Within, `on_behalf` is who acts."""
    before = _current.set(on_behalf)
    try:
        yield
    finally:
        _current.reset(before)
