"""The gate: how many may be at work at once, and how few may wait for a place, and how long."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic

from index.errors import KildesvarError

_WEIGHT = 0.1
"""Of the newest time for which a place was held, in the mean of them all."""
_AT_FIRST = 0.5
"""Seconds for which a place is thought to be held, as long as none was given back."""
_LONGEST_RETRY = 120


class TooBusyError(KildesvarError):
    """As many as the service takes are at work or wait. `retry_after` is in seconds."""

    def __init__(self, retry_after: int = 1) -> None:
        when = "in a second" if retry_after == 1 else f"in {retry_after} seconds"
        super().__init__(f"the service is answering as many as it can; try again {when}")
        self.retry_after = retry_after


class Place:
    """A place in a gate, held until it is left for the first time."""

    def __init__(self, gate: "Gate") -> None:
        self._gate = gate
        self._since = monotonic()
        self._is_held = True
        self._leaving = threading.Lock()

    def leave(self) -> None:
        """Gives the place to whoever has waited longest."""
        self._leave(monotonic() - self._since)

    def hand_back(self) -> None:
        """As `leave`, where nothing was done in it: it says nothing of how long places are held."""
        self._leave(None)

    def _leave(self, held: float | None) -> None:
        with self._leaving:
            was_held, self._is_held = self._is_held, False
        if was_held:
            self._gate.free(held)


class Gate:
    """Lets `places` in at once. So many as `waiting` may wait `seconds` for a place, first come,
    first served; everybody else, and who would wait in vain, is told to come back, and when.

    Safe to use from several threads and event loops. Who waits takes no thread.
    """

    def __init__(self, places: int, waiting: int = 0, seconds: float = 1.0) -> None:
        self._places = places
        self._most_waiting = waiting
        self._seconds = seconds
        self._taken = 0
        self._queue: deque[Future[None]] = deque()
        self._mean = _AT_FIRST
        self._changing = threading.Lock()

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is in: time for work that must not keep anybody waiting."""
        return self._taken == 0

    @property
    def places(self) -> int:
        return self._places

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def enter(self) -> Iterator[None]:
        """A place for as long as the iterator stands at its one item.

        It does not wait: raises TooBusyError when there is none.
        """
        with self._changing:
            if self._taken >= self._places:
                raise self._too_busy()
            self._taken += 1
        place = Place(self)
        try:
            yield
        finally:
            place.leave()

    async def place(self) -> Place:
        """A place, which whoever gets it has to leave. Raises TooBusyError, soon.

        Who is cancelled while waiting takes no place from those behind.
        """
        with self._changing:
            turn = self._turn()
        if turn is not None:
            await self._wait_for(turn)
        return Place(self)

    def free(self, held: float | None = None) -> None:
        """Takes back a place that was held for so many seconds; None where nothing was done in it.

        For Place alone to call.
        """
        with self._changing:
            if held is not None:
                self._mean += _WEIGHT * (held - self._mean)
            next_turn = self._next_turn()
            self._taken -= next_turn is None
        if next_turn is not None:
            next_turn.set_result(None)

    def _turn(self) -> "Future[None] | None":
        """None when there was a place; else what to wait for. Raises TooBusyError."""
        if self._taken < self._places:
            self._taken += 1
            return None
        if len(self._queue) >= self._most_waiting or self._expected() > self._seconds:
            raise self._too_busy()
        turn: Future[None] = Future()
        self._queue.append(turn)
        return turn

    def _next_turn(self) -> "Future[None] | None":
        while self._queue:
            turn = self._queue.popleft()
            if turn.set_running_or_notify_cancel():
                return turn
        return None

    async def _wait_for(self, turn: "Future[None]") -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await asyncio.wrap_future(turn)
        except BaseException as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                with self._changing:
                    raise self._too_busy() from None
            raise

    def _give_up(self, turn: "Future[None]") -> None:
        if turn.cancel():
            with self._changing, suppress(ValueError):
                self._queue.remove(turn)
        else:  # its turn came at that very moment
            self.free()

    def _too_busy(self) -> TooBusyError:
        """Says when those who wait now, and who asks, would have got a place."""
        return TooBusyError(min(max(1, math.ceil(self._expected())), _LONGEST_RETRY))

    def _expected(self) -> float:
        """Seconds after which whoever comes now would get a place, by how long they are held."""
        return (len(self._queue) + 1) * self._mean / self._places
