"""Asking: a question of whatever protocol goes to the answerer, and its answer into the log.

The same question that is asked while it is answered, or again, is worked out once.
"""

import logging
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from threading import Event as Flag
from time import monotonic

from anyio.to_thread import run_sync

from app.answering.answerer import Answer, Answerer, Event
from app.asking.answer_cache import AnswerCache, Asked, Key
from app.asking.gate import Gate, Place
from app.asking.ongoing import Followed, Ongoing, Patience
from app.asking.streaming import until_stopped
from app.kept.answer_log import AnswerLog
from app.responses import ask_response
from app.schemas import AskResponse
from app.sight.witness import Witness
from index.errors import KildesvarError
from index.views import View

log = logging.getLogger("kildesvar")

AnswerEvents = AsyncGenerator[Event, None]
"""What happens while a question is answered, the answer last."""


class Asking:
    """Asks one answerer, and records its answers where a log is kept.

    `cache` is of the answers of that answerer alone; None keeps none.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what an answer goes through
        self,
        answerer: Answerer,
        answer_log: AnswerLog | None,
        stopping: Flag,
        patience: Patience | None = None,
        cache: AnswerCache | None = None,
        witness: Witness | None = None,
    ) -> None:
        self._witness = witness
        self._answerer = answerer
        self._answer_log = answer_log
        self._stopping = stopping
        self._patience = patience or Patience()
        self._cache = cache
        self._ongoing: dict[Key, Ongoing] = {}
        self._changing = threading.Lock()

    async def ask(self, gate: Gate, view: View, asked: Asked) -> AnswerEvents:
        """What happens while the question is answered, in a place of `gate` that is held until the
        work ends. An answer that is known, or is being worked out, takes no place.

        Raises TooBusyError. The events raise TooSlowError and ServiceStoppingError on the way.
        """
        began = monotonic()
        if self._cache is None:
            place = await self._place(gate)
            return Followed(self._begun(place, view, asked), self._patience)
        key = await run_sync(partial(self._cache.key, view, asked))
        if known := self._known(key, began):
            return known
        place = await self._place(gate)
        if known := self._known(key, began):  # meanwhile
            place.hand_back()
            return known
        return Followed(self._begun(place, view, asked, key), self._patience)

    def recorded(
        self, question: str, answer: Answer, owner: str, conversation_id: str | None = None
    ) -> AskResponse:
        """The answer in the form that it leaves in, noted with the question as it was asked.

        `owner` is the id of who asked; `conversation_id` is of the conversation that has kept it.
        """
        if self._witness is not None:
            self._witness.answered(answer)
        log = self._answer_log
        answer_id = log.record(question, answer, owner) if log else None
        return ask_response(answer, answer_id, conversation_id)

    async def _place(self, gate: Gate) -> Place:
        began = monotonic()
        place = await gate.place()
        if self._witness is not None:
            self._witness.waited(monotonic() - began)
        return place

    def _known(self, key: Key, began: float) -> AnswerEvents | None:
        """The events of an answer that is kept, or that another is waiting for.

        One that was begun long ago is not waited for: it may hang.
        """
        assert self._cache is not None
        if (events := self._cache.get(key)) is not None:
            return _each([_given_again(event, began) for event in events])
        with self._changing:
            ongoing = self._ongoing.get(key)
            if ongoing is None or began - ongoing.began > self._patience.seconds / 2:
                return None
            if not ongoing.join():
                return None
        return Followed(ongoing, self._patience, partial(_given_again, began=began))

    def _begun(self, place: Place, view: View, asked: Asked, key: Key | None = None) -> Ongoing:
        """The answer, on which one thread works from now on; it has been joined."""
        events = self._answerer.events(
            view, asked.question, asked.limit, asked.filters, history=asked.history
        )

        if self._witness is not None:
            events = self._witness.followed(events)

        def ended(ongoing: Ongoing, happened: list[Event] | None) -> None:
            place.leave()
            if key is not None:
                self._remember(key, ongoing, happened)

        ongoing = Ongoing(until_stopped(events, self._stopping), ended)
        ongoing.join()
        if key is not None:
            assert self._cache is not None
            self._cache.note_miss()
            with self._changing:
                self._ongoing[key] = ongoing
        try:
            ongoing.start()
        except BaseException:  # there is no thread to be had
            place.hand_back()
            ended(ongoing, None)
            raise
        return ongoing

    def _remember(self, key: Key, ongoing: Ongoing, happened: list[Event] | None) -> None:
        assert self._cache is not None
        try:
            if happened is not None:
                self._cache.keep(key, happened)
        except KildesvarError as error:  # it has been given all the same
            log.info("an answer is not remembered: %s", error)
        except Exception as error:  # nobody waits for this thread, to whom it could be raised
            log.error("an answer could not be remembered", exc_info=error)
        finally:
            with self._changing:
                if self._ongoing.get(key) is ongoing:
                    del self._ongoing[key]


async def answer_of(events: AnswerEvents) -> Answer:
    """The answer that comes last."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Answer):
                return event
    raise AssertionError("the events ended without an answer")


async def _each(events: list[Event]) -> AnswerEvents:
    for event in events:
        yield event


def _given_again(event: Event, began: float) -> Event:
    """The same event; an answer says that no stage was gone through for it."""
    if not isinstance(event, Answer):
        return event
    total = (monotonic() - began) * 1000
    timings = {**dict.fromkeys(event.timings, 0.0), "total": total}
    return replace(event, timings=timings, is_cached=True)
