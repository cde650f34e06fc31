"""How often somebody may come: exactly, together with other processes, and in no more memory."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

import app.access.rate_limits
from app.access.callers import Caller, Role
from app.access.rate_limits import Counting, Rate, Rates, Standing
from app.middleware.rate_limit import GuessLimit, RateLimit
from index.errors import LibraryUnavailableError
from tests import rate_contract

MINUTELY = Rate(60, 5)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The moment that it is; a test may set it."""
    now = [1000.0]
    monkeypatch.setattr(app.access.rate_limits, "monotonic", lambda: now[0])
    yield now


def test_a_burst_then_one_at_a_time(clock: list[float]) -> None:
    rates = Rates()
    standings = [rates.come("a", MINUTELY) for _ in range(6)]
    assert [standing.remaining for standing in standings] == [4, 3, 2, 1, 0, 0]
    assert [standing.is_allowed for standing in standings] == [True] * 5 + [False]
    assert standings[-1].retry_after == pytest.approx(1)
    assert standings[-1].reset == pytest.approx(5)
    clock[0] += 0.9
    assert not rates.come("a", MINUTELY).is_allowed
    clock[0] += 0.2
    assert rates.come("a", MINUTELY).is_allowed
    assert not rates.come("a", MINUTELY).is_allowed
    assert rates.come("b", MINUTELY).is_allowed, "another is another"
    clock[0] += 1000
    assert rates.come("a", MINUTELY).remaining == 4


@given(
    st.lists(st.floats(0, 30), max_size=200),
    st.floats(0.5, 600),
    st.integers(1, 50),
)
def test_in_no_span_of_time_does_anybody_come_more_often(
    waits: list[float], per_minute: float, burst: int
) -> None:
    rate, now, came = Rate(per_minute, burst), 1000.0, list[float]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.access.rate_limits, "monotonic", lambda: now)
        rates = Rates(buckets=1)
        for wait in waits:
            now += wait
            standing = rates.come("a", rate)
            if standing.is_allowed:
                came.append(now)
            else:  # what is said is true
                assert standing.retry_after > 0
                now += standing.retry_after + 1e-6
                assert rates.come("a", rate).is_allowed
                came.append(now)
    for first in range(len(came)):
        for last in range(first, len(came)):
            span = came[last] - came[first]
            assert last - first + 1 <= burst + span / rate.interval + 1e-3


def test_one_process_counts_where_no_file_can_be_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    path = app.access.rate_limits.__file__
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.setitem(sys.modules, "fcntl", None)  # to import it is an error
    spec = importlib.util.spec_from_file_location("rate_limits_on_windows", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    rates = module.Rates()
    assert [rates.come("a", module.Rate(60, 1)).is_allowed for _ in range(2)] == [True, False]


def test_a_clock_that_jumps_locks_nobody_out(clock: list[float]) -> None:
    rates = Rates()
    for _ in range(5):
        rates.come("a", MINUTELY)
    clock[0] = 3.0  # as after the machine was started again
    assert rates.come("a", MINUTELY).retry_after <= MINUTELY.window
    clock[0] += MINUTELY.window
    assert rates.come("a", MINUTELY).is_allowed


def test_a_flood_of_addresses_takes_no_more_memory_and_refuses_nobody(clock: list[float]) -> None:
    rates = Rates(buckets=64)
    size = len(rates._table)
    for number in range(20_000):
        assert rates.come(str(IPv4Address(number)), MINUTELY).is_allowed
    assert len(rates._table) == size
    for _ in range(6):
        last = rates.come("one who goes on", MINUTELY)
    assert not last.is_allowed


@pytest.mark.parametrize(
    "check",
    [
        rate_contract.check_a_burst_is_let_in_and_no_more,
        rate_contract.check_whoever_waits_as_long_as_is_said_comes_in,
        rate_contract.check_what_was_of_another_rate_locks_nobody_out,
    ],
)
def test_it_counts_as_others_do(check: Callable[[Rates], None]) -> None:
    check(Rates())


def test_processes_that_share_a_folder_count_together(tmp_path: Path) -> None:
    rate_contract.check_processes_count_together(partial(Rates, tmp_path))


def client_of(rates: Counting, caller: Caller | None = None) -> TestClient:
    service = FastAPI()

    @service.get("/v1/search")
    @service.get("/static/x.js")
    @service.api_route("/sign-in", methods=["GET", "POST"])
    @service.post("/sign-out")
    async def found(request: Request) -> Response:
        key = request.headers.get("authorization")
        request.state.wrong_key = key == "Bearer wrong"
        return Response(status_code=401 if request.state.wrong_key else 200)

    service.add_middleware(RateLimit, rates=rates, rate=Rate(60, 2))

    async def known(scope: Any, receive: Any, send: Any) -> None:
        if caller is not None:
            scope.setdefault("state", {})["caller"] = caller
        await service(scope, receive, send)

    return TestClient(GuessLimit(known, rates, Rate(10, 3)))


def test_too_many_requests_are_told_when_to_come_back(clock: list[float]) -> None:
    client = client_of(Rates())
    answers = [client.get("/v1/search") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"caller";q=2;w=2'
    assert [answer.headers["RateLimit"] for answer in answers] == [
        '"caller";r=1;t=1',
        '"caller";r=0;t=2',
        '"caller";r=0;t=2',
    ]
    assert answers[2].headers["Retry-After"] == "1"
    assert answers[2].headers["content-type"] == "application/problem+json"
    assert "KILDESVAR_REQUESTS_PER_MINUTE" in answers[2].json()["detail"]
    page = client.get("/static/x.js")
    assert page.status_code == 200
    assert "RateLimit" not in page.headers


def test_who_signs_in_and_out_is_counted_and_who_opens_the_page_is_not(clock: list[float]) -> None:
    client = client_of(Rates())
    sent = ["/sign-in", "/sign-out", "/sign-in", "/sign-out"]
    assert [client.post(path).status_code for path in sent] == [200, 200, 429, 429]
    assert client.get("/sign-in").status_code == 200


def test_each_caller_is_counted_for_themselves_wherever_they_are(clock: list[float]) -> None:
    rates = Rates()
    first, second = (client_of(rates, Caller(name, name, Role.READ)) for name in ("k1", "k2"))
    assert [first.get("/v1/search").status_code for _ in range(3)] == [200, 200, 429]
    assert second.get("/v1/search").status_code == 200
    assert client_of(rates).get("/v1/search").status_code == 200, "who has no key"


def test_keys_are_not_guessed_quickly(clock: list[float]) -> None:
    client = client_of(Rates())

    def status(key: str | None) -> int:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        clock[0] += 1  # so that requests are not too many
        return client.get("/v1/search", headers=headers).status_code

    assert [status("right") for _ in range(9)] == [200] * 9
    assert [status("wrong") for _ in range(4)] == [401, 401, 401, 429]
    assert status("right") == 200, "a colleague at the same address"
    assert status(None) == 200, "who sends no key guesses none"
    clock[0] += 6
    assert status("wrong") == 401


def test_an_address_is_a_line_and_no_more(clock: list[float]) -> None:
    rates = Rates()
    service = client_of(rates).app

    def statuses(*hosts: str) -> list[int]:
        return [
            TestClient(service, client=(host, 1)).get("/v1/search").status_code for host in hosts
        ]

    assert statuses("2001:db8::1", "2001:db8::2", "2001:db8::3") == [200, 200, 429]
    assert statuses("2001:db8:0:1::1", "fe80::1%eth0") == [200, 200]
    assert statuses("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1") == [200, 200, 429]
    assert statuses("192.0.2.2") == [200]


class Gone:
    """Counts in a database that is not there now."""

    async def counted(self, name: str, rate: Rate) -> Standing:
        raise LibraryUnavailableError("the database is gone")

    def close(self) -> None:
        """Nothing is open."""


def test_who_cannot_be_counted_is_not_let_in_and_learns_nothing_of_a_key() -> None:
    client = client_of(Gone())
    answer = client.get("/v1/search")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.headers["content-type"] == "application/problem+json"
    guess = client.get("/static/x.js", headers={"Authorization": "Bearer wrong"})
    assert guess.status_code == 503, "which is not counted as a request, but is a wrong key"
