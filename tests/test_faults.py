"""What goes wrong around a service that runs: docs/faults.md says of each what people see."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.kept.trusted_clock import TrustedClock
from app.settings import load_settings
from index.tables import answers
from tests.conftest import LOCAL, ROOT, serving
from tests.running import QUESTION, wait_until

TEXT = b"Fergen over Storfjorden eies av Ragnhild Aukrust.\n"
FILE = {"file": ("ferge.md", TEXT)}
VOLUME = 24 * 1024**2


@pytest.fixture
def own(ingested: Path, tmp_path: Path) -> Iterator[Kildesvar]:
    """A Kildesvar over a copy of the example documents."""
    kildesvar = Kildesvar(load_settings(data_dir=shutil.copytree(ingested, tmp_path / "data")))
    yield kildesvar
    kildesvar.close()


def asked(client: TestClient | httpx.Client, conversation_id: str | None = None) -> dict[str, Any]:
    body = {"question": QUESTION, "conversation_id": conversation_id}
    response = client.post("/v1/ask", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert "1369" in answer["answer"]
    return answer


def judged(client: TestClient | httpx.Client, answer: dict[str, Any]) -> Any:
    verdict = {"answer_id": answer["answer_id"], "verdict": "up"}
    return client.post("/v1/feedback", json=verdict)


def all_recorded(kildesvar: Kildesvar) -> int:
    with kildesvar.library.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(answers)) or 0


@contextmanager
def read_only(engine: sa.Engine) -> Iterator[None]:
    """SQLite itself refuses to write, with the words that it has for a file of another's."""

    def checked_out(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    def checked_in(connection: Any, *_: object) -> None:
        if connection is not None:
            connection.execute("PRAGMA query_only = OFF")

    sa.event.listen(engine, "checkout", checked_out)
    sa.event.listen(engine, "checkin", checked_in)
    try:
        yield
    finally:
        sa.event.remove(engine, "checkout", checked_out)
        sa.event.remove(engine, "checkin", checked_in)


def test_a_library_that_cannot_be_written_answers_and_keeps_nothing_half(
    own: Kildesvar, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.kept.answer_log._RETRIES_EVERY", 0.2)
    with TestClient(create_service(own), base_url=LOCAL) as client:
        before = all_recorded(own)
        with read_only(own.library.engine):
            answer = asked(client, "samtale")
            assert answer["conversation_id"] is None, "not kept, and it says so"
            refused: list[Any] = [judged(client, answer), client.post("/v1/documents", files=FILE)]
            [document, *_] = client.get("/v1/documents").json()["documents"]
            refused.append(client.delete(f"/v1/documents/{document['id']}"))
            for response in refused:
                assert response.status_code == 503, response.text
                assert "readonly database" in response.json()["detail"]
                assert "mend the folder's rights" in response.json()["detail"]
            wait_until(lambda: "answers are not recorded now" in caplog.text)
        assert [path for path in own.uploads.folder.rglob("*") if path.is_file()] == []
        assert judged(client, answer).status_code == 204, "what waited to be written is"
        assert asked(client, "samtale")["conversation_id"] == "samtale"
        assert all_recorded(own) >= before + 1
        assert client.delete(f"/v1/documents/{document['id']}").status_code == 204


MOUNTED = """
set -e
mount --make-rprivate /
{mount}
shift
exec "$@"
"""


def mounting(mount: str, folder: Path) -> list[str]:
    """A command in front of another, which sees `folder` as `mount` makes it."""
    script = MOUNTED.format(mount=mount)
    before = ["unshare", "--mount", "bash", "-c", script, "mounting", str(folder)]
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    return before


def test_a_full_disk_refuses_what_it_cannot_keep_and_goes_on_when_there_is_room(
    ingested: Path, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    source = shutil.copytree(ingested, tmp_path / "source")
    mount = f'mount -t tmpfs -o size={VOLUME} none "$1"; cp -r {source}/. "$1"'
    data_dir.mkdir()
    with (
        serving(data_dir, mounting(mount, data_dir)) as (url, process),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        # What the service sees, and nobody else.
        filler = Path(f"/proc/{process.pid}/root{data_dir}/filler")
        answer = asked(client)
        assert judged(client, answer).status_code == 204
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(4096))
        answer = asked(client, "samtale")
        assert answer["conversation_id"] is None
        assert judged(client, answer).status_code == 503
        sent = client.post("/v1/documents", files=FILE)
        assert sent.status_code == 507, sent.text
        assert "Make room there" in sent.json()["detail"]
        assert client.get("/readyz").status_code == 200
        filler.unlink()
        assert judged(client, answer).status_code == 204
        job = client.post("/v1/documents", files=FILE).json()["job_id"]
        wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done", 60)
        assert client.get("/v1/search?q=Storfjorden").json()["hits"]
    assert "full" in (data_dir / "service.log").read_text()


def test_a_data_folder_that_cannot_be_written_is_named_at_the_start(
    ingested: Path, tmp_path: Path
) -> None:
    data_dir = shutil.copytree(ingested, tmp_path / "data")
    before = mounting('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"', data_dir)
    command = [*before, sys.executable, "-m", "app.cli", "serve", "--port", "0"]
    environment = {**os.environ, "KILDESVAR_DATA_DIR": str(data_dir)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert f"cannot open the library {data_dir}" in done.stderr
    assert "Check that the folder can be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("years", [1, -1])
def test_a_clock_that_jumps_deletes_nothing(
    own: Kildesvar, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, years: int
) -> None:
    with TestClient(create_service(own), base_url=LOCAL) as client:
        answer = asked(client, "samtale")
        assert judged(client, answer).status_code == 204
        sent = client.post("/v1/documents", files=FILE).json()["job_id"]
        wait_until(lambda: client.get(f"/v1/jobs/{sent}").json()["state"] == "done", 60)

    jump = timedelta(days=365 * years)
    monkeypatch.setattr(
        "app.hosting.service.TrustedClock",
        lambda kept: TrustedClock(kept, lambda: datetime.now(UTC) + jump),
    )
    monkeypatch.setattr("app.moments.datetime", shifted(jump))
    monkeypatch.setattr("index.database_clock.time", lambda: time.time() + jump.total_seconds())
    again = Kildesvar(load_settings(data_dir=own.settings.data_dir))
    with TestClient(create_service(again), base_url=LOCAL) as client:
        wait_until(lambda: "the clock says" in caplog.text)
        assert client.get("/v1/conversations").json()["total"] == 1
        assert asked(client, "samtale")["conversation_id"] == "samtale"
        job = client.post("/v1/documents", files={"file": ("ny.md", TEXT * 2)}).json()["job_id"]
        wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done", 60)
        assert client.get("/v1/search?q=Storfjorden").json()["hits"]
        assert all_recorded(again) >= 1
    again = Kildesvar(load_settings(data_dir=own.settings.data_dir))
    with TestClient(create_service(again), base_url=LOCAL) as client:
        assert len(client.get("/v1/conversations/samtale").json()["turns"]) == 2


def shifted(jump: timedelta) -> Any:
    """The `datetime` of a machine whose clock is wrong by `jump`."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + jump

    return Shifted


def test_every_fault_that_is_described_has_its_test() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/faults.md").read_text()))
    there = re.findall(
        r"def (test_\w+)", "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    )
    assert len(named) > 15
    assert named <= set(there)
