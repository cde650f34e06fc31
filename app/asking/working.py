"""Work in threads of its own, which nobody has to wait for: it holds its place until it ends."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

from anyio import create_task_group
from starlette.types import Receive

from app.asking.gate import Gate
from index.errors import KildesvarError

T = TypeVar("T")


class TooSlowError(KildesvarError):
    """A question or search has taken as long as it may."""


def too_slow(stage: str, seconds: float) -> TooSlowError:
    return TooSlowError(
        f"there was no answer after {seconds:g} s, at the stage «{stage}»; try again later, or let "
        "whoever runs the service look at its load (KILDESVAR_ANSWER_SECONDS gives it more time)"
    )


def in_thread(work: Callable[[], T]) -> "Future[T]":
    """What `work` will have given. Its thread does not keep the process from ending."""
    future: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(work)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    future.set_running_or_notify_cancel()
    threading.Thread(target=run, name="answering", daemon=True).start()
    return future


async def worked(gate: Gate, work: Callable[[], T], stage: str, seconds: float) -> T:
    """What `work` gives, which holds a place of the gate until it ends.

    Raises TooBusyError when there is no place, and TooSlowError after so many seconds, also while
    the work hangs.
    """
    place = await gate.place()

    def held() -> T:
        try:
            return work()
        finally:
            place.leave()

    try:
        future = in_thread(held)
    except BaseException:  # there is no thread to be had
        place.hand_back()
        raise
    try:
        async with asyncio.timeout(seconds) as clock:
            return await asyncio.shield(asyncio.wrap_future(future))
    except TimeoutError:
        if clock.expired():
            raise too_slow(stage, seconds) from None
        raise


async def while_connected(receive: Receive, work: Awaitable[T]) -> T | None:
    """What `work` gives; None when who asked leaves before, and then it is cancelled.

    To be used once the request's body has been read.
    """
    result: T | None = None
    failure: Exception | None = None
    async with create_task_group() as tasks:

        async def leave() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(leave)
        try:
            result = await work
        except Exception as error:  # which the group would wrap
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result
