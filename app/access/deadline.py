"""The deadline of what a request needs to know before it is let in."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync

from index.errors import LibraryUnavailableError

T = TypeVar("T")
Given = TypeVarTuple("Given")

_WITHIN = 1.5
"""Seconds: whoever asks is to be told within two that the library's database is gone, which may
take connections and say nothing."""


async def in_time(ask: Callable[[*Given], T], *given: *Given, limiter: CapacityLimiter) -> T:
    """What `ask` gives, in one of the limiter's threads, which is left to itself when it is late.

    Raises LibraryUnavailableError, and what `ask` raises.
    """
    try:
        with fail_after(_WITHIN):
            return await run_sync(ask, *given, limiter=limiter, abandon_on_cancel=True)
    except TimeoutError as error:
        raise LibraryUnavailableError(
            f"the library could not be asked within {_WITHIN:g} s who comes in; see whether its "
            "database or its disk answers"
        ) from error
