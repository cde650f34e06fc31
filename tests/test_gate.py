"""The gate: places, turns, and what is said to those who get neither."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app.asking.gate
from app.asking.gate import Gate, Place, TooBusyError
from tests.running import run


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_waits_longest_is_next() -> None:
    async def queue() -> list[int]:
        gate, came = Gate(1, waiting=3, seconds=20), list[int]()
        first = await gate.place()

        async def come(number: int) -> None:
            place = await gate.place()
            came.append(number)
            await asyncio.sleep(0)
            place.leave()

        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(come(number))
                await soon()
            assert (gate.taken, gate.waiting, came) == (1, 3, [])
            first.leave()
        assert gate.is_quiet
        return came

    assert run(queue()) == [0, 1, 2]


def test_where_the_queue_is_full_one_is_told_at_once_when_to_come_back() -> None:
    async def queue() -> int:
        gate = Gate(2, waiting=4, seconds=20)
        for _ in range(200):  # so that it knows how long places are held: ten seconds
            gate._taken += 1
            gate.free(10.0)
        places = [await gate.place() for _ in range(2)]
        waiting = [asyncio.create_task(gate.place()) for _ in range(4)]
        await soon()
        with pytest.raises(TooBusyError) as refused:
            await gate.place()
        for place in [*places, *[await task for task in _leaving(places, waiting)]]:
            place.leave()
        return refused.value.retry_after

    def _leaving(
        places: list[Place], waiting: list["asyncio.Task[Place]"]
    ) -> list["asyncio.Task[Place]"]:
        for place in places:
            place.leave()
        for task in waiting:
            task.add_done_callback(lambda done: done.result().leave())
        return waiting

    assert run(queue()) == 25, "four before it and itself, ten seconds each, two at a time"


def test_a_second_is_the_least_and_two_minutes_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(1)
    held = gate.enter()
    next(held)
    for mean, said in ((0.001, 1), (3.2, 4), (10**6, app.asking.gate._LONGEST_RETRY)):
        monkeypatch.setattr(gate, "_mean", mean)
        with pytest.raises(TooBusyError, match="in a second" if said == 1 else f"in {said} "):
            next(gate.enter())


def test_nobody_waits_longer_than_they_are_to() -> None:
    async def queue() -> None:
        gate = Gate(1, waiting=1, seconds=app.asking.gate._AT_FIRST)
        place = await gate.place()
        with pytest.raises(TooBusyError):
            await gate.place()
        assert (gate.taken, gate.waiting) == (1, 0)
        place.leave()
        (await gate.place()).leave()

    run(queue())


def test_who_would_wait_in_vain_is_told_at_once() -> None:
    async def queue() -> None:
        gate = Gate(1, waiting=10, seconds=2 * app.asking.gate._AT_FIRST)
        place = await gate.place()
        waiting = [asyncio.create_task(gate.place()) for _ in range(2)]
        await soon()
        with pytest.raises(TooBusyError, match="in 2 seconds"):
            await gate.place()
        for task in waiting:
            task.cancel()
        await soon()
        place.leave()
        assert gate.is_quiet

    run(queue())


def test_who_leaves_the_queue_takes_no_place_along() -> None:
    async def queue() -> None:
        gate = Gate(1, waiting=3, seconds=20)
        first = await gate.place()
        waiting = [asyncio.create_task(gate.place()) for _ in range(3)]
        await soon()
        waiting[0].cancel()
        await soon()
        assert gate.waiting == 2
        first.leave()  # to the second, who leaves at that very moment
        waiting[1].cancel()
        third = await waiting[2]
        assert (gate.taken, gate.waiting) == (1, 0)
        third.leave()
        third.leave()  # which is once too often
        assert gate.is_quiet

    run(queue())


def test_a_place_handed_back_says_nothing_of_how_long_they_are_held() -> None:
    async def queue() -> None:
        gate = Gate(1, waiting=1, seconds=20)
        gate._mean = 10.0
        place = await gate.place()
        waiting = asyncio.create_task(gate.place())
        await soon()
        place.hand_back()
        waiting.cancel()  # whose turn has come at that very moment
        await soon()
        assert gate.is_quiet
        assert gate._mean == 10.0
        (await gate.place()).leave()
        assert gate._mean < 10.0

    run(queue())


@given(st.lists(st.sampled_from(["come", "leave", "give up"]), max_size=60), st.integers(1, 3))
def test_it_is_never_fuller_than_it_may_be_nor_emptier_than_it_could(
    steps: list[str], places: int
) -> None:
    async def queue() -> None:
        gate = Gate(places, waiting=2, seconds=20)
        tasks: list[asyncio.Task[Place]] = []
        inside: list[Place] = []
        for step in steps:
            if step == "come":
                tasks.append(asyncio.create_task(gate.place()))
            elif step == "leave" and inside:
                inside.pop(0).leave()
            elif step == "give up" and tasks:
                tasks.pop().cancel()
            await soon()
            done = [task for task in tasks if task.done()]
            tasks = [task for task in tasks if not task.done()]
            inside += [task.result() for task in done if task.exception() is None]
            assert gate.taken == len(inside) <= places
            assert gate.waiting == len(tasks) <= 2
            assert not tasks or len(inside) == places, "nobody waits beside a free place"
        for task in tasks:
            task.cancel()
        await soon()
        for place in inside:
            place.leave()
        assert gate.is_quiet
        assert gate.waiting == 0

    run(queue())


def test_turns_are_taken_across_threads_and_loops() -> None:
    gate = Gate(2, waiting=100, seconds=20)
    most: list[int] = []

    async def come() -> None:
        for _ in range(20):
            place = await gate.place()
            most.append(gate.taken)
            await asyncio.sleep(0.0005)
            place.leave()

    with ThreadPoolExecutor(8) as others:
        for done in [others.submit(asyncio.run, come()) for _ in range(8)]:
            done.result()
    assert len(most) == 160
    assert max(most) == 2
    assert gate.is_quiet
