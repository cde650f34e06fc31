"""Readiness: true while a question could be answered, false with the reason as soon as not."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app import problems as problems_module
from app.access.callers import Role
from app.access.keys import Keys
from app.assembly import Kildesvar
from app.hosting import readiness as readiness_module
from app.hosting.service import create_service
from app.reasons import Reasons
from index.errors import (
    GenerationMismatchError,
    IndexConfigurationError,
    IndexUnavailableError,
    KildesvarError,
    LibraryBusyError,
    LibraryError,
    LibraryUnavailableError,
    ModelNotPreparedError,
    OriginalGoneError,
)
from index.opensearch.client import Address, Cluster
from index.sqlite import SqliteDatabase
from tests.conftest import LOCAL


@pytest.fixture
def own(kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(kildesvar, "reasons", Reasons())  # which has logged nothing yet
    return TestClient(create_service(kildesvar), base_url=LOCAL)


def test_a_library_that_cannot_be_read_is_said(
    own: TestClient,
    kildesvar: Kildesvar,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert own.get("/readyz").json()["status"] == "ready"
    path = tmp_path / "missing" / "library.sqlite3"
    gone = SqliteDatabase(path, sa.create_engine(f"sqlite:///{path}"))
    monkeypatch.setattr(kildesvar.library, "_database", gone)
    answer = own.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    detail = answer.json()["detail"]
    assert "`kildesvar restore`" in detail
    assert "database file" not in detail, "which is for the log alone"
    assert own.get("/readyz").json()["detail"] == detail
    assert caplog.text.count("cannot be read: unable to open database file") == 1
    assert own.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "error",
    [
        LibraryError("generation 000007 is damaged; mend it"),
        GenerationMismatchError("fingerprint 000007 -> 000008; mend it"),
    ],
)
def test_only_who_may_read_all_is_told_the_details(
    own: TestClient,
    kildesvar: Kildesvar,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: KildesvarError,
) -> None:
    def fails(_: object) -> None:
        raise error

    monkeypatch.setattr(type(kildesvar), "generation", fails)
    _, limited = Keys(kildesvar.library).create("begrenset", Role.READ, ["styret"])
    key = {"Authorization": f"Bearer {limited}"}
    for answer in (own.get("/readyz"), own.get("/v1/search?q=plan", headers=key)):
        assert answer.status_code == 503
        assert "`kildesvar ingest`" in answer.json()["detail"]
        assert "00000" not in answer.text
    assert str(error) in own.get("/v1/search?q=plan").json()["detail"]
    assert caplog.text.count(str(error)) == 1


@pytest.mark.parametrize(
    "case",
    [
        (IndexUnavailableError("10.0.0.9 is away"), "the search cluster cannot be asked"),
        (IndexConfigurationError("10.0.0.9 is old"), "the search cluster cannot be used"),
        (LibraryUnavailableError("10.0.0.9 is away"), "the library's database cannot"),
    ],
)
def test_nobody_is_told_where_servers_are(
    own: TestClient,
    kildesvar: Kildesvar,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    case: tuple[KildesvarError, str],
) -> None:
    error, begins = case

    def fails(_: object) -> None:
        raise error

    monkeypatch.setattr(type(kildesvar), "generation", fails)
    monkeypatch.setattr(problems_module, "_REASONS", Reasons())
    _, limited = Keys(kildesvar.library).create("begrenset", Role.READ, ["styret"])
    for path in ("/readyz", "/v1/search?q=plan"):
        for headers in ({}, {"Authorization": f"Bearer {limited}"}):
            answer = own.get(path, headers=headers)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert answer.json()["detail"].startswith(begins)
    assert str(error) in caplog.text


@pytest.mark.parametrize(
    "error", [LibraryBusyError("000007"), ModelNotPreparedError("000007"), OriginalGoneError("7")]
)
def test_an_error_keeps_its_meaning_without_its_details(error: KildesvarError) -> None:
    told = Reasons().without_details(error)
    assert type(told) is type(error)
    assert "7" not in str(told)


def test_a_cluster_that_is_away_is_said_though_its_generation_is_held(
    own: TestClient, kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(Address(("http://127.0.0.1:9",)))
    monkeypatch.setattr(kildesvar.engine, "require_reachable", cluster.require_reachable)
    answer = own.get("/readyz")
    cluster.close()
    assert answer.status_code == 503
    assert "search cluster cannot be asked" in answer.json()["detail"]


def test_a_library_that_does_not_answer_is_said_soon(
    own: TestClient, kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness_module, "_WITHIN", 0.05)
    go_on = threading.Event()
    monkeypatch.setattr(type(kildesvar), "generation", lambda _: go_on.wait(20))
    answer = own.get("/readyz")
    go_on.set()
    assert answer.status_code == 503
    assert "could not be read within" in answer.json()["detail"]


def test_a_service_that_stops_is_not_ready_and_lives(own: TestClient) -> None:
    own.app.state.leaving.set()  # type: ignore[attr-defined]
    answer = own.get("/readyz")
    assert answer.status_code == 503
    assert "being stopped" in answer.json()["detail"]
    assert own.get("/healthz").status_code == 200


def test_a_service_that_is_full_is_ready(own: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = own.app.state.gate  # type: ignore[attr-defined]
    monkeypatch.setattr(gate, "_taken", gate.places)
    monkeypatch.setattr(gate, "_most_waiting", 0)
    assert own.get("/v1/search?q=plan").status_code == 429
    assert own.get("/readyz").status_code == 200
