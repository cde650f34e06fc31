"""Rates that are counted in a real PostgreSQL, by several processes, and while it is gone."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import sqlalchemy as sa
from anyio import run

from app.access.rate_limits import Rate
from app.access.shared_rates import SharedRates
from index.errors import LibraryError, LibraryUnavailableError
from index.library import Library
from index.tables import rates as table
from tests import rate_contract
from tests.cluster.postgresql import PostgreSQL


@pytest.fixture
def library(database_url: str) -> Iterator[Library]:
    library = Library.open(database_url)
    yield library
    library.close()


@pytest.fixture
def rates(library: Library) -> SharedRates:
    return SharedRates(library)


@pytest.mark.parametrize(
    "check",
    [
        rate_contract.check_a_burst_is_let_in_and_no_more,
        rate_contract.check_whoever_waits_as_long_as_is_said_comes_in,
        rate_contract.check_what_was_of_another_rate_locks_nobody_out,
    ],
)
def test_it_counts_as_others_do(check: Callable[[SharedRates], None], rates: SharedRates) -> None:
    check(rates)


def opened(database_url: str) -> SharedRates:
    return SharedRates(Library.open(database_url))


def test_processes_of_any_host_count_together(database_url: str) -> None:
    rate_contract.check_processes_count_together(partial(opened, database_url))


def test_many_who_come_at_once_are_counted_one_by_one(rates: SharedRates) -> None:
    allowed: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: allowed.extend(rates.come("a", Rate(1, 7)).is_allowed for _ in range(5))
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(True) == 7


def test_nobody_is_told_by_the_table_who_came(rates: SharedRates, library: Library) -> None:
    rates.come("at 192.0.2.1", Rate(60, 5))
    with library.engine.connect() as connection:
        [name_hash] = connection.scalars(sa.select(table.c.name_hash))
    assert len(name_hash) == 16
    assert b"192" not in name_hash
    assert SharedRates(library).come("at 192.0.2.1", Rate(60, 5)).remaining == 3, "by any host"


def test_who_has_made_up_for_what_they_did_is_forgotten(
    rates: SharedRates, library: Library
) -> None:
    rates.come("now", Rate(60, 5))
    rates.come("long ago", Rate(60_000, 1))
    with library.transaction() as connection:  # while the database's clock was wrong
        row = {"name_hash": b"x", "made_up_at": 1e12}
        connection.execute(sa.insert(table), row)
    assert rates.forget_made_up() == 2
    assert rates.come("now", Rate(60, 5)).remaining == 3


def test_a_database_that_hangs_keeps_nobody_waiting(
    rates: SharedRates, library: Library, postgresql: PostgreSQL
) -> None:
    rates.come("a", Rate(1, 2))
    postgresql.pause()
    began = time.monotonic()
    try:
        with pytest.raises(LibraryUnavailableError):
            run(rates.counted, "a", Rate(1, 2))
        assert time.monotonic() - began < 10, "it takes two seconds where nothing else runs"
    finally:
        postgresql.resume()
    pool = library.engine.pool
    assert isinstance(pool, sa.QueuePool)
    while pool.checkedout():  # the one that nobody waits for any more
        time.sleep(0.05)


def test_without_the_database_nobody_is_counted_and_all_goes_on_when_it_is_back(
    rates: SharedRates, postgresql: PostgreSQL
) -> None:
    rates.come("a", Rate(1, 2))
    postgresql.stop()
    try:
        with pytest.raises(LibraryError):
            rates.come("a", Rate(1, 2))
    finally:
        postgresql.start()
    assert rates.come("a", Rate(1, 2)).remaining == 0
    assert not rates.come("a", Rate(1, 2)).is_allowed
