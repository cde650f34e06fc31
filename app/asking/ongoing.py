"""An answer while it is worked out, by one thread, for everybody who asked the same."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self

from app.answering.answerer import Answer, Event, Events, Stage, StageBegun
from app.answering.composing import Waiting
from app.asking.working import in_thread, too_slow
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that an answer may take, and how many more from the beginning of a stage on."""

    seconds: float = 30.0
    more: Mapping[Stage, float] = field(default_factory=dict)
    """Of stages that wait for a language model, which has limits of its own."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        if not settings.llm_url:
            return cls(settings.answer_seconds)
        more: dict[Stage, float] = {
            "rewrite": settings.llm_patience,
            "compose": settings.llm_seconds,
        }
        return cls(settings.answer_seconds, more)


class Ongoing:
    """Works through `events` in a thread of its own, however slowly they are read.

    Ends before the next event once nobody follows it any more. `ended` is called in that thread
    with all events, or with None where they did not come to their end.
    """

    def __init__(
        self, events: Events, ended: Callable[["Ongoing", list[Event] | None], None]
    ) -> None:
        self.began = monotonic()
        self._events = events
        self._ended = ended
        self._happened: list[Event] = []
        self._error: Exception | None = None
        self._is_over = False
        self._is_given_up = False
        self._followers = 0
        self._waiting: list[Future[None]] = []
        self._changing = threading.Lock()

    def start(self) -> None:
        """Begins to work, for someone who has joined."""
        in_thread(self._run)

    def join(self) -> bool:
        """Whether one more may follow it: not when it ends because nobody did any more."""
        with self._changing:
            self._followers += not self._is_given_up
            return not self._is_given_up

    def part(self) -> None:
        """One who has joined no longer wants the answer."""
        with self._changing:
            self._followers -= 1

    def since(self, at: int) -> "list[Event] | Future[None] | None":
        """What happened from place `at` on; what to wait for when that is nothing; None at the end.

        Raises what the work failed with.
        """
        with self._changing:
            if some := self._happened[at:]:
                return some
            if self._is_over:
                if self._error is not None:
                    raise self._error
                return None
            news: Future[None] = Future()
            self._waiting.append(news)
            return news

    def _run(self) -> None:
        last: Event | None = None
        try:
            with closing(self._events) as events:
                for event in events:
                    if self._is_unwanted():
                        return
                    if isinstance(event, Answer):
                        last = event  # told when its place is free and it can be found again
                    elif not isinstance(event, Waiting):
                        self._tell(event)
        except Exception as error:  # for those who follow to raise
            self._error, last = error, None
        finally:
            try:
                self._ended(self, [*self._happened, last] if last else None)
            finally:
                self._end(last)

    def _is_unwanted(self) -> bool:
        with self._changing:
            self._is_given_up = not self._followers
            return self._is_given_up

    def _tell(self, event: Event) -> None:
        with self._changing:
            self._happened.append(event)
        self._wake()

    def _end(self, last: Event | None) -> None:
        with self._changing:
            self._happened += [last] if last else []
            self._is_over = True
        self._wake()

    def _wake(self) -> None:
        with self._changing:
            waiting, self._waiting = self._waiting, []
        for news in waiting:
            if news.set_running_or_notify_cancel():
                news.set_result(None)


class Followed(AsyncGenerator[Event, None]):
    """What happens in `ongoing`, from its beginning on, for one who has joined it.

    Raises what its work does, and TooSlowError when it takes longer than `patience` from the first
    time that it is asked. To close it is to part, also where it was never asked: then a generator
    would do nothing. `shown` makes of each event what is given.
    """

    def __init__(
        self, ongoing: Ongoing, patience: Patience, shown: Callable[[Event], Event] | None = None
    ) -> None:
        self._ongoing = ongoing
        self._patience = patience
        self._shown = shown
        self._has_parted = False
        self._events = self._happening()

    async def asend(self, value: None) -> Event:
        return await self._events.asend(value)

    async def athrow(self, *error: Any) -> Event:
        try:
            return await self._events.athrow(*error)
        finally:
            self._part()

    async def aclose(self) -> None:
        try:
            await self._events.aclose()
        finally:
            self._part()

    async def _happening(self) -> AsyncGenerator[Event, None]:
        began, allowed, at = monotonic(), self._patience.seconds, 0
        stage: Stage = "retrieve"
        try:
            while (news := self._ongoing.since(at)) is not None:
                if isinstance(news, Future):
                    if not await _comes(news, began + allowed - monotonic()):
                        raise too_slow(stage, allowed)
                    continue
                at += len(news)
                for event in news:
                    if isinstance(event, StageBegun):
                        stage = event.name
                        allowed += self._patience.more.get(stage, 0.0)
                    yield self._shown(event) if self._shown else event
        finally:
            self._part()

    def _part(self) -> None:
        if not self._has_parted:
            self._has_parted = True
            self._ongoing.part()


async def _comes(news: "Future[None]", seconds: float) -> bool:
    """Whether there are news within so many seconds."""
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await asyncio.wrap_future(news)
    except TimeoutError:
        return False
    return True
