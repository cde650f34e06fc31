"""Readiness: true while a question could be answered, false with the reason as soon as not."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from app.hosting import readiness as readiness_module
from app.hosting.service import create_service
from tests.conftest import LOCAL


@pytest.fixture
def own(kildesvar: Kildesvar) -> TestClient:
    return TestClient(create_service(kildesvar), base_url=LOCAL)


def test_a_library_that_cannot_be_read_is_said(
    own: TestClient, kildesvar: Kildesvar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own.get("/readyz").json()["status"] == "ready"
    engine = sa.create_engine(f"sqlite:///{tmp_path}/missing/library.sqlite3")
    monkeypatch.setattr(kildesvar.library, "_engine", engine)
    answer = own.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "cannot be read: unable to open database file" in answer.json()["detail"]
    assert own.get("/healthz").status_code == 200


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
