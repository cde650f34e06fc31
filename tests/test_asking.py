"""Asking: what hangs, who leaves, and who asks the same at once. Its answerer is a script here; the
real one is asked in test_answer_cache."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.answering.answerer import Answer, Answerer, Event, Events, StageBegun
from app.answering.composing import Text, Waiting
from app.asking.answer_cache import AnswerCache, Asked
from app.asking.asking import AnswerEvents, Asking, answer_of
from app.asking.gate import Gate, TooBusyError
from app.asking.ongoing import Patience
from app.asking.working import TooSlowError, while_connected, worked
from index.errors import LibraryError
from index.generations import Generation
from index.records import Told, Version
from tests.running import run, wait_until

TOLD = Told(Version("library", 1, 1), 1)
GENERATION = cast(Generation, SimpleNamespace(name="000001"))
WAITS = 20.0


def answer_to(question: str, notice: str | None = None) -> Answer:
    return Answer(
        answered=False,
        answer="Nei.",
        short_answer=None,
        confidence=0.1,
        citations=[],
        hits=[],
        question=question,
        timings={"embed": 1.0, "retrieve": 2.0, "read": 3.0, "compose": 4.0, "total": 10.0},
        generation="000001",
        documents=1,
        notice=notice,
    )


class Script:
    """Answers as a test tells it to: `read` is called in the middle of it."""

    def __init__(self, read: Callable[[str], object] = lambda _: None) -> None:
        self._read = read
        self.asked: list[str] = []
        self.closed = threading.Event()
        self.notice: str | None = None

    def events(self, _: Generation, question: str, *__: object, **___: object) -> Events:
        self.asked.append(question)
        try:
            yield StageBegun("retrieve")
            yield Waiting()
            yield StageBegun("read")
            self._read(question)
            yield StageBegun("compose")
            yield Text("Nei.")
            yield answer_to(question, self.notice)
        finally:
            self.closed.set()


def asking_of(
    script: Script, seconds: float = WAITS, cache: AnswerCache | None = None, **more: float
) -> Asking:
    patience = Patience(seconds, cast(Any, more))
    return Asking(cast(Answerer, script), None, threading.Event(), patience=patience, cache=cache)


def remembering(script: Script, seconds: float = WAITS, max_bytes: int = 10**6) -> Asking:
    return asking_of(script, seconds, AnswerCache(max_bytes, lambda: TOLD))


async def all_of(events: AnswerEvents) -> list[Event]:
    return [event async for event in events]


async def asked(asking: Asking, gate: Gate, question: str = "Hva?") -> list[Event]:
    return await all_of(await asking.ask(gate, GENERATION, Asked(question)))


def test_what_hangs_is_told_of_in_time_and_keeps_its_place_until_it_ends() -> None:
    go_on = threading.Event()
    script, gate = Script(lambda _: go_on.wait(WAITS)), Gate(1)
    began = time.monotonic()
    with pytest.raises(TooSlowError, match=r"after 0\.1 s, at the stage «read»"):
        run(asked(asking_of(script, 0.1), gate))
    assert time.monotonic() - began < WAITS / 2
    with pytest.raises(TooBusyError):
        run(asked(asking_of(script), gate))
    go_on.set()
    wait_until(lambda: gate.is_quiet)
    assert script.closed.is_set()


def test_a_language_models_stage_has_time_of_its_own() -> None:
    script, gate = Script(lambda _: time.sleep(0.3)), Gate(1)
    with pytest.raises(TooSlowError):
        run(asked(asking_of(script, 0.1, compose=WAITS), gate))
    wait_until(lambda: gate.is_quiet)
    events = run(asked(asking_of(script, 0.1, read=WAITS), gate))
    assert isinstance(events[-1], Answer)


def test_what_an_answer_fails_with_is_raised_to_who_asked() -> None:
    def broken(_: str) -> None:
        raise LibraryError("borte")

    gate = Gate(1)
    for asking in (asking_of(Script(broken)), remembering(Script(broken))):
        with pytest.raises(LibraryError, match="borte"):
            run(asked(asking, gate))
        assert gate.is_quiet


def test_who_leaves_ends_the_work_before_its_next_step() -> None:
    reading, go_on = threading.Event(), threading.Event()

    def read(_: str) -> None:
        reading.set()
        go_on.wait(WAITS)

    async def leave(asking: Asking, gate: Gate) -> None:
        async with aclosing(await asking.ask(gate, GENERATION, Asked("Hva?"))) as events:
            assert await anext(events) == StageBegun("retrieve")
            await asyncio.to_thread(reading.wait, WAITS)

    script, gate = Script(read), Gate(1)
    asking = remembering(script)
    run(leave(asking, gate))
    assert not gate.is_quiet
    go_on.set()
    wait_until(lambda: gate.is_quiet)
    assert script.closed.is_set()
    assert isinstance(run(asked(asking, gate))[-1], Answer), "what was broken off is asked anew"
    assert len(script.asked) == 2


def test_the_same_question_asked_at_once_is_worked_out_once() -> None:
    go_on = threading.Event()
    script, gate = Script(lambda _: go_on.wait(WAITS)), Gate(1)
    asking = remembering(script)

    async def crowd() -> list[list[Event]]:
        first = asyncio.create_task(asked(asking, gate))
        await asyncio.to_thread(wait_until, lambda: bool(script.asked))
        others = [asyncio.create_task(asked(asking, gate)) for _ in range(9)]
        leaves = asyncio.create_task(asked(asking, gate))
        [ongoing] = asking._ongoing.values()
        await asyncio.to_thread(wait_until, lambda: ongoing._followers == 11)
        for task in (first, leaves):  # also without whom it was begun for
            task.cancel()
        with pytest.raises(TooBusyError):
            await asked(asking, gate, "Noe annet?")
        go_on.set()
        return await asyncio.gather(*others)

    answers = run(crowd())
    assert script.asked == ["Hva?"]
    for events in answers:
        assert events[:-1] == answers[0][:-1]
        *_, answer = events
        assert isinstance(answer, Answer)
        assert answer.is_cached
        assert answer.timings["read"] == 0.0
        assert answer.timings["total"] > 0
    assert gate.is_quiet


def test_nobody_waits_for_another_who_has_waited_long() -> None:
    reading, go_on = threading.Event(), threading.Event()
    hangs = iter([True, False])

    def read(_: str) -> None:
        if next(hangs):
            reading.set()
            go_on.wait(WAITS)

    script, gate = Script(read), Gate(2)
    asking = remembering(script)

    async def one_hangs() -> None:
        first = asyncio.create_task(asked(asking, gate))
        await asyncio.to_thread(reading.wait, WAITS)
        [ongoing] = asking._ongoing.values()
        ongoing.began -= WAITS
        assert isinstance((await asked(asking, gate))[-1], Answer)
        assert not first.done()
        go_on.set()
        assert isinstance((await first)[-1], Answer)

    run(one_hangs())
    assert script.asked == ["Hva?"] * 2
    wait_until(lambda: gate.is_quiet)


def test_who_leaves_before_the_first_event_is_no_longer_followed_for() -> None:
    go_on = threading.Event()
    script, gate = Script(lambda _: go_on.wait(WAITS)), Gate(1)
    asking = remembering(script)

    async def come_and_go() -> None:
        both = [await asking.ask(gate, GENERATION, Asked("Hva?")) for _ in range(2)]
        [ongoing] = asking._ongoing.values()
        assert ongoing._followers == 2
        for events in (*both, *both):
            await events.aclose()
        assert ongoing._followers == 0

    run(come_and_go())
    go_on.set()
    wait_until(lambda: gate.is_quiet)
    assert script.closed.is_set()


def test_an_error_while_remembering_is_logged_and_the_answer_given(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asking = asking_of(Script(), cache=AnswerCache(10**6, [TOLD].pop))  # it tells once
    assert isinstance(run(asked(asking, Gate(1)))[-1], Answer)
    [error] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "could not be remembered" in error.getMessage()
    assert not asking._ongoing


def test_a_remembered_answer_is_the_same_and_says_so() -> None:
    script, gate = Script(), Gate(1)
    asking = remembering(script)
    first = run(asked(asking, gate))
    held = gate.enter()
    next(held)  # it takes no place
    second = run(asked(asking, gate))
    assert script.asked == ["Hva?"]
    assert second[:-1] == first[:-1]
    answer = run(answer_of(run(asking.ask(gate, GENERATION, Asked("Hva?")))))
    assert answer.is_cached
    assert {name for name, took in answer.timings.items() if took} == {"total"}
    assert answer.timings["total"] < 10.0
    next(held, None)


def test_what_says_that_a_model_failed_is_not_remembered() -> None:
    script, gate = Script(), Gate(1)
    script.notice = "Språkmodellen kan ikke nås."
    asking = remembering(script)
    for _ in range(2):
        run(asked(asking, gate))
    assert len(script.asked) == 2


def test_what_is_larger_than_all_that_is_kept_is_not() -> None:
    script, gate = Script(), Gate(1)
    asking = remembering(script, max_bytes=100)
    for _ in range(2):
        run(asked(asking, gate))
    assert len(script.asked) == 2


def test_other_work_has_a_place_and_a_time_too() -> None:
    go_on, gate = threading.Event(), Gate(1)
    with pytest.raises(TooSlowError, match="«retrieve»"):
        run(worked(gate, lambda: go_on.wait(WAITS), "retrieve", 0.05))
    with pytest.raises(TooBusyError):
        run(worked(gate, lambda: 1, "retrieve", WAITS))
    go_on.set()
    wait_until(lambda: gate.is_quiet)
    assert run(worked(gate, lambda: 1, "retrieve", WAITS)) == 1
    with pytest.raises(TimeoutError, match="of the work's own"):
        run(worked(gate, _out_of_time, "retrieve", WAITS))


def _out_of_time() -> None:
    raise TimeoutError("of the work's own")


def test_waiting_ends_when_the_client_leaves() -> None:
    async def come_and_go() -> None:
        gate = Gate(1, waiting=1, seconds=WAITS)
        place = await gate.place()
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        waiting = asyncio.create_task(while_connected(receive, gate.place()))
        await asyncio.sleep(0.02)
        assert gate.waiting == 1
        gone.set()
        assert await waiting is None
        assert gate.waiting == 0
        place.leave()

    run(come_and_go())
