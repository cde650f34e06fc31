"""What whoever counts how often somebody comes has to do, in memory or in a database."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Protocol

import pytest

from app.access.rate_limits import Rate, Standing

_SLACK = 0.3
"""Seconds that a slow machine may take for some counts, by a clock that nobody can stop."""


class Counts(Protocol):
    def come(self, name: str, rate: Rate) -> Standing: ...

    def close(self) -> None: ...


def check_a_burst_is_let_in_and_no_more(rates: Counts) -> None:
    slow = Rate(6, 5)
    standings = [rates.come("a", slow) for _ in range(6)]
    assert [standing.is_allowed for standing in standings] == [True] * 5 + [False]
    assert [standing.remaining for standing in standings] == [4, 3, 2, 1, 0, 0]
    assert standings[-1].retry_after == pytest.approx(10, abs=_SLACK)
    assert standings[-1].reset == pytest.approx(50, abs=_SLACK)
    assert rates.come("b", slow).remaining == 4, "another is another"


def check_whoever_waits_as_long_as_is_said_comes_in(rates: Counts) -> None:
    quick = Rate(240, 3)
    while (standing := rates.come("a", quick)).is_allowed:
        pass
    time.sleep(standing.retry_after)
    assert rates.come("a", quick).is_allowed


def check_what_was_of_another_rate_locks_nobody_out(rates: Counts) -> None:
    """As after settings were changed, or a clock was set."""
    for _ in range(5):
        rates.come("a", Rate(1, 5))
    assert rates.come("a", Rate(600, 2)).is_allowed


def check_processes_count_together(opened: Callable[[], Counts]) -> None:
    """`opened` has to be one that another process can be given."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=spawned) as processes:
        counted = [processes.submit(_came, opened) for _ in range(3)]
        assert sum(done.result(timeout=120) for done in counted) == 100


def _came(opened: Callable[[], Counts]) -> int:
    rates = opened()
    count = sum(rates.come("a", Rate(1, 100)).is_allowed for _ in range(60))
    rates.close()
    return count
