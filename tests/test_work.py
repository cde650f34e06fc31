"""Documents that come and go over HTTP: the worker, its jobs and the files, with the real model."""

import contextlib
import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app import work
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from app.work import Worker
from index.errors import InaccessibleFileError, LibraryError, LibraryUnavailableError
from index.ingest import Ingester
from index.jobs import MOST_ATTEMPTS, Lease
from index.lock import writing
from index.tables import documents, left_out, vectors
from tests.conftest import LOCAL, serving
from tests.made_files import Writer

QUESTION = "Hvem leder kommisjonen for fjordferger?"
TEXT = "Kommisjonen for fjordferger ledes av Solveig Myklebust.\n"
NEWER = "Kommisjonen for fjordferger ledes av Torbjørn Haugland.\n"

Client = TestClient | httpx.Client


@pytest.fixture
def own(tmp_path: Path, model_folder: Path) -> Iterator[Kildesvar]:
    """A Kildesvar of its own, over an empty library."""
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    yield kildesvar
    kildesvar.close()


@pytest.fixture
def client(own: Kildesvar) -> Iterator[TestClient]:
    """The service over that library, with its worker."""
    with TestClient(create_service(own), base_url=LOCAL) as client:
        yield client


def sent(content: bytes | str, name: str = "kommisjonen.txt") -> dict[str, tuple[str, bytes]]:
    return {"file": (name, content.encode() if isinstance(content, str) else content)}


def upload(client: Client, content: bytes | str, name: str = "kommisjonen.txt") -> str:
    response = client.post("/v1/documents", files=sent(content, name))
    assert response.status_code == 202, response.text
    job_id: str = response.json()["job_id"]
    return job_id


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def finished(client: Client, job_id: str) -> dict[str, Any]:
    """The job, once it is done or failed."""
    job: dict[str, Any] = {}

    def is_finished() -> bool:
        job.update(client.get(f"/v1/jobs/{job_id}").json())
        return job["state"] in {"done", "failed"}

    wait_for(is_finished)
    return job


def added(client: Client, content: bytes | str, name: str = "kommisjonen.txt") -> str:
    """Id of the document that was made of an upload."""
    job = finished(client, upload(client, content, name))
    assert job["state"] == "done", job
    document_id: str = job["document_id"]
    return document_id


def asked(client: Client) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/v1/ask", json={"question": QUESTION}).json()
    return answer


def found(client: Client) -> str:
    """Everything that a search for the subject gives, as text."""
    return client.get("/v1/search", params={"q": "kommisjonen for fjordferger"}).text


def claimed(own: Kildesvar) -> Lease:
    """The oldest job, as another worker would have it."""
    lease = own.jobs.claim("en annen")
    assert lease is not None
    return lease


def uploaded(kildesvar: Kildesvar) -> list[Path]:
    return [path for path in kildesvar.uploads.folder.rglob("*") if path.is_file()]


def test_an_upload_is_read_and_answers_with_its_citation(
    client: TestClient, own: Kildesvar
) -> None:
    response = client.post("/v1/documents", files=sent(TEXT, "Årsbrev – Ås.txt"))
    assert response.status_code == 202
    assert set(response.json()) == {"job_id"}
    job = finished(client, response.json()["job_id"])
    assert (job["state"], job["done"], job["total"], job["error"]) == ("done", 1, 1, None)
    assert job["file"] == "Årsbrev – Ås.txt"
    answer = asked(client)
    assert answer["answered"]
    assert "Solveig Myklebust" in answer["answer"]
    assert answer["citations"][0]["document_id"] == job["document_id"]
    [path] = uploaded(own)
    assert re.fullmatch(r"[0-9a-f]{16}", path.parent.name)
    original = client.get(f"/v1/documents/{job['document_id']}/original")
    assert original.content == TEXT.encode()
    name = "%C3%85rsbrev%20%E2%80%93%20%C3%85s.txt"
    assert original.headers["content-disposition"] == f"attachment; filename*=utf-8''{name}"
    assert client.get("/v1/jobs").json() == {"jobs": [job], "total": 1}


def test_a_job_is_done_once_questions_are_answered_from_it(
    client: TestClient, own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered_from_it: list[bool] = []
    finish = Lease.finish

    def watched(lease: Lease, document_id: str | None) -> None:
        at_hand = own.view_at_hand(None)
        assert at_hand is not None
        answered_from_it.append(at_hand.name == own.engine.current_name())
        finish(lease, document_id)

    monkeypatch.setattr(Lease, "finish", watched)
    document_id = added(client, TEXT)
    again = client.post(f"/v1/documents/{document_id}/reindex").json()["job_id"]
    assert finished(client, again)["state"] == "done"
    assert answered_from_it == [True, True]


def test_a_file_that_cannot_be_read_fails_with_the_reason_and_is_gone(
    client: TestClient, own: Kildesvar
) -> None:
    job = finished(client, upload(client, "dette er ingen PDF", "rapport.pdf"))
    assert job["state"] == "failed"
    assert "named as a PDF" in job["error"]
    assert job["document_id"] is None
    assert uploaded(own) == []
    assert own.library.is_empty()
    assert added(client, TEXT), "the next one is read"


def test_a_replaced_document_keeps_its_id_and_its_old_text_is_gone(
    client: TestClient, own: Kildesvar
) -> None:
    document_id = added(client, TEXT)
    [old] = uploaded(own)
    raw = Writer().lines(NEWER.strip()).bytes()
    response = client.put(f"/v1/documents/{document_id}", files=sent(raw, "ny.pdf"))
    assert response.status_code == 202
    job = finished(client, response.json()["job_id"])
    assert (job["state"], job["document_id"]) == ("done", document_id)
    assert not old.parent.exists()
    assert [path.name for path in uploaded(own)] == ["ny.pdf"]
    assert "Torbjørn Haugland" in asked(client)["answer"]
    assert "Myklebust" not in found(client)
    [listed] = client.get("/v1/documents").json()["documents"]
    assert (listed["id"], listed["media_type"]) == (document_id, "application/pdf")
    assert client.get(f"/v1/documents/{document_id}/original").content == raw


def test_an_unreadable_replacement_leaves_the_document_as_it_was(
    client: TestClient, own: Kildesvar
) -> None:
    document_id = added(client, TEXT)
    before = uploaded(own)
    response = client.put(f"/v1/documents/{document_id}", files=sent("tull", "kommisjonen.pdf"))
    job = finished(client, response.json()["job_id"])
    assert job["state"] == "failed"
    assert uploaded(own) == before
    assert "Solveig Myklebust" in asked(client)["answer"]
    assert client.get(f"/v1/documents/{document_id}/original").content == TEXT.encode()


def test_a_document_that_was_deleted_meanwhile_cannot_be_replaced(
    client: TestClient, own: Kildesvar
) -> None:
    document_id = added(client, TEXT)
    with writing(own.settings.data_dir):
        response = client.put(f"/v1/documents/{document_id}", files=sent(NEWER))
        own.library.remove_document(document_id, "slettet")
    job = finished(client, response.json()["job_id"])
    assert job["state"] == "failed"
    assert "has been deleted" in job["error"]
    assert not any(path.read_text("utf-8") == NEWER for path in uploaded(own))
    assert own.library.is_empty()


def test_a_document_from_a_folder_is_changed_there(
    client: TestClient, own: Kildesvar, tmp_path: Path
) -> None:
    path = tmp_path / "mappe" / "kommisjonen.txt"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    own.ingester().ingest([path.parent])
    [document_id] = own.library.document_ids()
    response = client.put(f"/v1/documents/{document_id}", files=sent(NEWER))
    assert response.status_code == 409
    assert str(path) in response.json()["detail"]
    assert "kildesvar ingest" in response.json()["detail"]
    assert client.put("/v1/documents/ukjent", files=sent(NEWER)).status_code == 404
    assert uploaded(own) == []
    assert client.delete(f"/v1/documents/{document_id}").status_code == 204
    assert path.exists()
    assert asked(client)["passages"] == []
    with own.library.engine.connect() as connection:
        assert list(connection.scalars(sa.select(left_out.c.path))) == [str(path)]


def test_a_deleted_document_is_gone_everywhere(client: TestClient, own: Kildesvar) -> None:
    kept = added(client, "Dette handler om noe helt annet, nemlig skogbruk.\n", "skog.txt")
    document_id = added(client, TEXT)
    assert added(client, TEXT, "kopi.txt") == document_id
    assert "Myklebust" in found(client)
    generation = asked(client)["generation"]
    response = client.delete(f"/v1/documents/{document_id}")
    assert (response.status_code, response.content) == (204, b"")
    answer = asked(client)
    assert not answer["answered"]
    assert answer["generation"] > generation, "published before it answered"
    assert "Myklebust" not in json.dumps(answer) + found(client)
    assert [path.name for path in uploaded(own)] == ["skog.txt"]
    assert own.library.document_ids() == [kept]
    assert own.generation().manifest.passages == 1
    with own.library.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(vectors)) == 1
    for again in (client.delete, client.get):
        assert again(f"/v1/documents/{document_id}").status_code == 404
    assert added(client, TEXT) != document_id, "it may come again"
    assert "Solveig Myklebust" in asked(client)["answer"]


def test_while_another_process_writes_uploads_wait_and_deletions_are_put_off(
    client: TestClient, own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_TURN_WITHIN", 0.2)
    document_id = added(client, TEXT)
    with writing(own.settings.data_dir):
        job_id = upload(client, "Noe helt annet.\n", "annet.txt")
        response = client.delete(f"/v1/documents/{document_id}")
        assert response.status_code == 409
        assert response.headers["Retry-After"] == "5"
        assert "another process is writing" in response.json()["detail"]
        time.sleep(0.7)
        assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "queued"
        assert own.library.document_ids() == [document_id]
    assert finished(client, job_id)["state"] == "done"


def test_a_deletion_waits_its_turn(client: TestClient, own: Kildesvar) -> None:
    document_id = added(client, TEXT)
    jobs = [upload(client, f"Sak nummer {n} gjelder veien.\n", f"{n}.txt") for n in range(4)]
    assert client.delete(f"/v1/documents/{document_id}").status_code == 204
    assert {finished(client, job_id)["state"] for job_id in jobs} == {"done"}
    assert own.library.count()[0] == 4


def test_what_cannot_be_written_now_is_tried_again(
    client: TestClient, own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_RETRIES_EVERY", 0.5)
    ingest, tried = Ingester.ingest, []

    def full_at_first(self: Ingester, *arguments: Any, **named: Any) -> Any:
        tried.append(1)
        if len(tried) == 1:
            raise LibraryError("disken er full")
        return ingest(self, *arguments, **named)

    monkeypatch.setattr(Ingester, "ingest", full_at_first)
    job_id = upload(client, TEXT)
    wait_for(lambda: client.get(f"/v1/jobs/{job_id}").json()["error"] == "disken er full")
    assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "queued"
    job = finished(client, job_id)
    assert (job["state"], job["error"]) == ("done", None)


def test_what_keeps_all_uploads_waiting_is_not_said_each_second(
    client: TestClient,
    own: Kildesvar,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(work, "_LOOKS_FOR_MORE_EVERY", 0.01)
    looks: list[str] = []

    def gone(*_: object) -> bool:
        looks.append("")
        raise LibraryUnavailableError(f"the database is away{' again' * (len(looks) % 2)}")

    with monkeypatch.context() as away:
        away.setattr(own.jobs, "are_waiting", gone)
        job_id = upload(client, TEXT)
        wait_for(lambda: len(looks) > 5)
        assert caplog.text.count("uploads wait: the database is away") == 1, "as one reason"
        away.setattr(work, "_SAYS_AGAIN_AFTER", 0.0)
        wait_for(lambda: caplog.text.count("uploads wait: the database is away") > 1)
    assert finished(client, job_id)["state"] == "done"


def test_a_failure_of_ours_costs_one_file(
    client: TestClient, own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("uventet")

        broken.setattr(Ingester, "ingest", fail)
        job = finished(client, upload(client, TEXT))
    assert job["state"] == "failed"
    assert "please report it" in job["error"]
    assert len(uploaded(own)) == 1, "the file is not to blame, and is kept for whoever looks"
    assert added(client, TEXT)


def test_what_a_stopped_service_left_is_read_at_the_next_start(own: Kildesvar) -> None:
    client = TestClient(create_service(own), base_url=LOCAL)  # without its worker
    left, waiting = upload(client, TEXT), upload(client, NEWER, "ny.txt")
    assert claimed(own).job.id == left, "by one that is then killed"
    worker = Worker(own)
    worker.start()
    try:
        assert finished(client, left)["state"] == "done"
        assert finished(client, waiting)["state"] == "done"
    finally:
        worker.stop()
    assert own.library.count()[0] == 2


def test_a_file_that_its_readers_die_of_is_given_up(own: Kildesvar) -> None:
    client = TestClient(create_service(own), base_url=LOCAL)  # without its worker
    deadly, harmless = upload(client, TEXT), upload(client, NEWER, "ny.txt")
    for _ in range(MOST_ATTEMPTS):
        assert claimed(own).job.id == deadly
    worker = Worker(own)
    worker.start()
    try:
        job = finished(client, deadly)
        assert (job["state"], job["document_id"]) == ("failed", None)
        assert f"died, {MOST_ATTEMPTS} times" in job["error"]
        assert finished(client, harmless)["state"] == "done"
    finally:
        worker.stop()


def test_a_file_that_cannot_be_opened_now_keeps_no_other_waiting(
    client: TestClient, own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_RETRIES_EVERY", 1)
    ingest, is_closed = Ingester.ingest, True

    def closed_at_first(self: Ingester, paths: list[Path], **named: Any) -> Any:
        if is_closed and paths[0].name == "stengt.txt":
            raise InaccessibleFileError("filen er stengt")
        return ingest(self, paths, **named)

    monkeypatch.setattr(Ingester, "ingest", closed_at_first)
    closed = upload(client, TEXT, "stengt.txt")
    assert added(client, NEWER)
    waiting = client.get(f"/v1/jobs/{closed}").json()
    assert (waiting["state"], waiting["error"]) == ("queued", "filen er stengt")
    is_closed = False
    assert finished(client, closed)["state"] == "done"


def test_a_stop_leaves_the_file_at_hand_to_the_next_start(
    own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TestClient(create_service(own), base_url=LOCAL)
    job_id = upload(client, TEXT)
    worker = Worker(own)
    advance = Lease.advance

    def stop_in_between(lease: Lease, *arguments: Any) -> None:
        worker._stopping.set()
        advance(lease, *arguments)

    monkeypatch.setattr(Lease, "advance", stop_in_between)
    worker.start()
    wait_for(worker._stopping.is_set)
    worker.stop()
    assert own.library.is_empty()
    assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "running"
    assert own.jobs.job(job_id).attempts == 0, "to be stopped is no failure"
    assert len(uploaded(own)) == 1
    monkeypatch.undo()
    again = Worker(own)
    again.start()
    assert finished(client, job_id)["state"] == "done"
    again.stop()


def test_files_that_no_document_has_any_more_are_deleted_at_the_start(own: Kildesvar) -> None:
    client = TestClient(create_service(own), base_url=LOCAL)
    upload(client, "tull", "tull.pdf")
    claimed(own).fail("killed before the file was deleted")
    queued = own.jobs.job(upload(client, TEXT))
    unknown = own.uploads.folder / "0123456789abcdef" / "fra før.txt"
    unknown.parent.mkdir()
    unknown.write_text(NEWER, encoding="utf-8")
    worker = Worker(own)
    worker.start()
    assert finished(client, queued.id)["state"] == "done"
    worker.stop()
    assert sorted(uploaded(own)) == sorted([Path(queued.path), unknown])


def reread(client: Client, document_id: str) -> dict[str, Any]:
    """The job, finished, that has read a document's file again."""
    response = client.post(f"/v1/documents/{document_id}/reindex")
    assert response.status_code == 202, response.text
    assert set(response.json()) == {"job_id"}
    return finished(client, response.json()["job_id"])


def in_folder(own: Kildesvar, path: Path, text: str = TEXT) -> str:
    """Id of the document of a file in somebody's folder."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    with writing(own.settings.data_dir):
        own.ingester().ingest([path])
    return own.library.document_of(str(path)) or ""


def change_title(own: Kildesvar, title: str) -> None:
    """As if an earlier version had read it otherwise."""
    with own.library.transaction() as connection:
        connection.execute(sa.update(documents).values(title=title))


def test_a_document_is_read_again_though_its_file_is_as_it_was(
    client: TestClient, own: Kildesvar, tmp_path: Path
) -> None:
    sent_id = added(client, TEXT)
    kept_id = in_folder(own, tmp_path / "mappe" / "veien.txt", "Veien er lang.\n")
    change_title(own, "Lest feil")
    files = uploaded(own)
    for document_id, title in ((sent_id, "kommisjonen"), (kept_id, "veien")):
        job = reread(client, document_id)
        assert (job["state"], job["document_id"], job["error"]) == ("done", document_id, None)
        assert own.library.document(document_id).title == title
        assert "Solveig Myklebust" in asked(client)["answer"]
    assert uploaded(own) == files
    assert own.generation().manifest.version == own.library.version(), "it is published"
    assert (
        client.get("/v1/documents", params={"q": "veien"}).json()["documents"][0]["id"] == kept_id
    )


def test_a_file_that_was_changed_is_read_as_it_is_now(
    client: TestClient, own: Kildesvar, tmp_path: Path
) -> None:
    path = tmp_path / "mappe" / "kommisjonen.txt"
    document_id = in_folder(own, path)
    path.write_text(NEWER, encoding="utf-8")
    assert reread(client, document_id)["document_id"] == document_id
    assert "Torbjørn Haugland" in asked(client)["answer"]
    assert "Myklebust" not in found(client)
    with writing(own.settings.data_dir):
        assert own.ingester().ingest([path.parent]).unchanged == 1, "it is known as it is now"


@pytest.mark.parametrize("is_sent", [True, False])
def test_a_document_whose_file_is_gone_cannot_be_read_again(
    client: TestClient, own: Kildesvar, tmp_path: Path, is_sent: bool
) -> None:
    path = tmp_path / "mappe" / "kommisjonen.txt"
    document_id = added(client, TEXT) if is_sent else in_folder(own, path)
    Path(own.library.files_of(document_id)[0]).unlink()
    response = client.post(f"/v1/documents/{document_id}/reindex")
    assert response.status_code == 409
    assert "kommisjonen.txt is not there any more" in response.json()["detail"]
    assert "put the file back" in response.json()["detail"]
    assert client.post("/v1/documents/ukjent/reindex").status_code == 404
    assert own.jobs.count() == is_sent
    assert "Solveig Myklebust" in asked(client)["answer"]


@pytest.mark.parametrize("is_sent", [True, False])
@pytest.mark.parametrize("harm", ["unreadable", "gone", "closed"])
def test_a_file_that_cannot_be_read_again_leaves_its_document_as_it_was(
    client: TestClient, own: Kildesvar, tmp_path: Path, is_sent: bool, harm: str
) -> None:
    path = tmp_path / "mappe" / "kommisjonen.txt"
    document_id = added(client, TEXT) if is_sent else in_folder(own, path)
    path = Path(own.library.files_of(document_id)[0])
    before = own.library.document(document_id), own.library.sources()
    with writing(own.settings.data_dir):  # it happens while the job waits
        job_id = client.post(f"/v1/documents/{document_id}/reindex").json()["job_id"]
        match harm:
            case "unreadable":
                path.write_bytes(b"\0\1\2\3" * 50)
            case "gone":
                path.unlink()
            case "closed":
                path.unlink()
                path.mkdir()
    job = finished(client, job_id)
    assert job["state"] == "failed"
    assert path.name in job["error"]
    assert (own.library.document(document_id), own.library.sources()) == before
    assert own.library.left_out() == {}
    assert path.exists() is (harm != "gone"), "a failed job deletes no file of a document"
    assert "Solveig Myklebust" in asked(client)["answer"]
    assert added(client, "Veien er lang.\n", "veien.txt"), "no later file waits"


def test_a_document_that_is_deleted_before_it_is_read_again_stays_away(
    client: TestClient, own: Kildesvar, tmp_path: Path
) -> None:
    path = tmp_path / "mappe" / "kommisjonen.txt"
    document_id = in_folder(own, path)
    with writing(own.settings.data_dir):
        response = client.post(f"/v1/documents/{document_id}/reindex")
        own.library.remove_document(document_id, "slettet")
    job = finished(client, response.json()["job_id"])
    assert job["state"] == "failed"
    assert "has been deleted" in job["error"]
    assert path.exists()
    with writing(own.settings.data_dir):
        assert [s.reason for s in own.ingester().ingest([path.parent]).skipped] == ["slettet"]
    [left] = client.get("/v1/left-out").json()["files"]
    assert left == {
        "file": "kommisjonen.txt",
        "path": str(path),
        "reason": "slettet",
        "deleted": True,
    }


def test_all_files_of_a_document_are_read_again(
    client: TestClient, own: Kildesvar, tmp_path: Path
) -> None:
    document_id = added(client, TEXT, "a.txt")
    assert added(client, TEXT, "b.txt") == document_id
    path = tmp_path / "mappe" / "c.txt"
    assert in_folder(own, path) == document_id
    files = own.library.files_of(document_id)
    change_title(own, "Lest feil")
    job = reread(client, document_id)
    assert (job["state"], job["done"], job["total"]) == ("done", 3, 3)
    assert own.library.files_of(document_id) == files
    assert own.library.document(document_id).title == Path(files[0]).stem
    assert len(uploaded(own)) == 2
    path.write_text(NEWER, encoding="utf-8")
    uploaded(own)[0].unlink()
    assert reread(client, document_id)["state"] == "done"
    assert own.library.document(document_id).text == TEXT.strip(), "as the other files have it"
    assert own.library.document(own.library.document_of(str(path)) or "").text == NEWER.strip()


def test_a_reading_that_was_killed_is_done_again(own: Kildesvar, tmp_path: Path) -> None:
    path = tmp_path / "mappe" / "kommisjonen.txt"
    document_id = in_folder(own, path)
    client = TestClient(create_service(own), base_url=LOCAL)  # without its worker
    job_id = client.post(f"/v1/documents/{document_id}/reindex").json()["job_id"]
    claimed(own)
    with writing(own.settings.data_dir):
        own.ingester().reread([path])
    worker = Worker(own)
    worker.start()
    job = finished(client, job_id)
    worker.stop()
    assert (job["state"], job["document_id"]) == ("done", document_id)


def test_the_file_of_a_folder_that_was_read_again_is_not_ours_to_delete(
    own: Kildesvar, tmp_path: Path
) -> None:
    path = tmp_path / "mappe" / "kommisjonen.txt"
    client = TestClient(create_service(own), base_url=LOCAL)  # without its worker
    own.jobs.read_again(path, in_folder(own, path))
    claimed(own).finish(None)
    own.library.remove_sources([str(path)])
    waiting = upload(client, NEWER)
    worker = Worker(own)
    worker.start()
    assert finished(client, waiting)["state"] == "done"
    worker.stop()
    assert path.exists()


def test_files_that_are_not_read_are_listed_with_the_reason(
    client: TestClient, own: Kildesvar, tmp_path: Path
) -> None:
    in_folder(own, tmp_path / "mappe" / "bra.txt")
    for name in ("tom.txt", "ås.pdf"):
        (tmp_path / "mappe" / name).touch()
    with writing(own.settings.data_dir):
        own.ingester().ingest([tmp_path / "mappe"])
    body = client.get("/v1/left-out").json()
    assert body["total"] == 2
    assert [(file["file"], file["deleted"]) for file in body["files"]] == [
        ("tom.txt", False),
        ("ås.pdf", False),
    ]
    assert body["files"][0]["reason"] == "the file is empty"
    second = client.get("/v1/left-out", params={"limit": 1, "offset": 1}).json()
    assert second == {"files": body["files"][1:], "total": 2}
    assert client.get("/v1/statistics").json()["library"]["left_out"] == 2


def test_only_what_was_sent_is_said_to_be_uploaded(
    client: TestClient, own: Kildesvar, tmp_path: Path
) -> None:
    document_id = added(client, TEXT)
    address = f"/v1/documents/{document_id}"
    assert client.get(address).json()["uploaded"] is True
    assert in_folder(own, tmp_path / "mappe" / "kopi.txt") == document_id
    [listed] = client.get("/v1/documents").json()["documents"]
    assert listed["uploaded"] is client.get(address).json()["uploaded"] is False
    assert client.put(address, files=sent(NEWER)).status_code == 409, "which is what it says"


def events_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def test_a_job_is_followed_to_its_end(client: TestClient, own: Kildesvar) -> None:
    with writing(own.settings.data_dir):
        job_id = upload(client, TEXT)
    with client.stream("GET", f"/v1/jobs/{job_id}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        events = events_of(response.iter_lines())
    assert events[-1] == client.get(f"/v1/jobs/{job_id}").json()
    assert events[-1]["state"] == "done"
    assert all(one != next_ for one, next_ in pairwise(events))
    with client.stream("GET", f"/v1/jobs/{job_id}/events") as response:
        assert events_of(response.iter_lines()) == events[-1:], "of a finished one its end"
    unknown = client.get("/v1/jobs/ukjent/events")
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/jobs/ukjent").status_code == 404


def test_a_job_that_waits_is_followed_with_heartbeats(
    own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.1)
    service = create_service(own)
    client = TestClient(service, base_url=LOCAL)  # without its worker
    job_id = upload(client, TEXT)
    monkeypatch.setattr("app.routes.jobs._LOOKS_EVERY", 0.5)
    looked, job = [], own.jobs.job

    def leave(asked: str, *of: Any) -> Any:
        looked.append(asked)
        if len(looked) > 2:
            service.state.leaving.set()
        return job(asked, *of)

    monkeypatch.setattr(own.jobs, "job", leave)
    text = client.get(f"/v1/jobs/{job_id}/events").text
    assert len(re.findall(r"^data: ", text, re.MULTILINE)) == 1
    assert len(re.findall(r"^:", text, re.MULTILINE)) >= 3


def test_over_http_a_refused_file_is_a_problem(own: Kildesvar) -> None:
    client = TestClient(create_service(own), base_url=LOCAL)
    for response, status, says in (
        (client.post("/v1/documents", files=sent(TEXT, "program.exe")), 415, ".docx"),
        (client.post("/v1/documents", files={"fil": ("a.txt", b"x")}), 422, "«file»"),
        (client.post("/v1/documents", json={"file": "x"}), 422, "multipart/form-data"),
        (client.post("/v1/documents", files=sent(TEXT, "a\u202etxt.pdf")), 422, "name"),
        (client.post("/v1/documents", files=sent(b"x" * (101 * 1024**2))), 413, "100 MB"),
        (client.post("/v1/documents", files=sent(b"x" * (100 * 1024**2 + 1))), 413, "100 MB"),
    ):
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert says in response.json()["detail"]
    assert uploaded(own) == []
    assert own.jobs.count() == 0
    more_than_a_question_may_have = b"Veien er lang. " * 30_000
    assert upload(client, more_than_a_question_may_have)


def test_a_full_disk_is_507_and_a_job_that_cannot_be_noted_leaves_no_file(
    own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TestClient(create_service(own), base_url=LOCAL)

    def broken(*_: Any, **__: Any) -> None:
        raise LibraryError("biblioteket kan ikke skrives")

    with monkeypatch.context() as patch:
        patch.setattr(own.jobs, "add", broken)
        assert client.post("/v1/documents", files=sent(TEXT)).status_code == 503
    assert uploaded(own) == []
    open_path = Path.open
    monkeypatch.setattr(Path, "open", lambda _path, _mode: open_path(Path("/dev/full"), "wb"))
    response = client.post("/v1/documents", files=sent(TEXT))
    assert response.status_code == 507
    assert "no room" in response.json()["detail"]


def test_from_upload_to_deletion_over_a_real_service(tmp_path: Path, model_folder: Path) -> None:
    with serving(tmp_path / "data") as (url, process), httpx.Client(base_url=url) as client:
        job_id = upload(client, TEXT)
        with client.stream("GET", f"/v1/jobs/{job_id}/events", timeout=60) as response:
            done = events_of(response.iter_lines())[-1]
        assert done["state"] == "done"
        answer = asked(client)
        assert "Solveig Myklebust" in answer["answer"]
        assert answer["citations"][0]["document_id"] == done["document_id"]
        job = finished(client, upload(client, b"\0\1\2", "tull.docx"))
        assert job["state"] == "failed"
        assert job["error"]
        address = f"/v1/documents/{done['document_id']}"
        replaced = client.put(address, files=sent(NEWER, "ny.md"))
        assert finished(client, replaced.json()["job_id"])["state"] == "done"
        assert "Torbjørn Haugland" in asked(client)["answer"]
        assert client.delete(address).status_code == 204
        assert not asked(client)["answered"]
        assert "Haugland" not in found(client)
    assert process.returncode in {0, -signal.SIGTERM}, "it ended of itself"
    assert not list((tmp_path / "data" / "uploads").rglob("*.*"))


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, model_folder: Path) -> None:
    with serving(tmp_path / "data") as (url, process), httpx.Client(base_url=url) as client:
        job_id = upload(client, TEXT)
        process.kill()
        process.wait()
    with serving(tmp_path / "data") as (url, _), httpx.Client(base_url=url) as client:
        assert finished(client, job_id)["state"] == "done"
        assert "Solveig Myklebust" in asked(client)["answer"]


def test_a_service_that_is_stopped_ends_those_who_follow(
    tmp_path: Path, model_folder: Path
) -> None:
    data_dir = tmp_path / "data"
    with (
        serving(data_dir) as (url, process),
        httpx.Client(base_url=url) as client,
        writing(data_dir),
    ):
        job_id = upload(client, TEXT)
        with client.stream("GET", f"/v1/jobs/{job_id}/events", timeout=60) as response:
            lines = response.iter_lines()
            assert next(lines).startswith("data: ")
            began = time.monotonic()
            process.terminate()
            list(lines)
            process.wait(timeout=20)
        assert time.monotonic() - began < 8, "no waiting for the follower"
    log = (data_dir / "service.log").read_text(encoding="utf-8")
    assert "Traceback" not in log


def test_uploads_that_do_not_come_whole_leave_nothing(tmp_path: Path, model_folder: Path) -> None:
    data_dir = tmp_path / "data"
    head = (
        "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n{}\r\n"
    )
    part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'

    def files() -> list[Path]:
        return [path for path in (data_dir / "uploads").rglob("*") if path.is_file()]

    with serving(data_dir, max_upload_mb="2") as (url, _):
        place = (httpx.URL(url).host, httpx.URL(url).port or 0)
        with socket.create_connection(place, timeout=20) as broken:
            broken.sendall(head.format("Content-Length: 1000000\r\n").encode())
            broken.sendall(part.encode() + b"x" * 5000)
            wait_for(lambda: len(files()) == 1)
        wait_for(lambda: files() == [])
        with socket.create_connection(place, timeout=20) as endless:
            endless.sendall(head.format("Transfer-Encoding: chunked\r\n").encode())
            endless.sendall(chunk(part.encode()))
            megabytes = 0
            with contextlib.suppress(ConnectionError):
                while megabytes < 2000:
                    endless.sendall(chunk(b"x" * 1024**2))
                    megabytes += 1
            assert megabytes < 50, "it is cut off as it comes"
        with httpx.Client(base_url=url) as client:
            response = client.post("/v1/documents", content=too_much(part), headers=FORM)
            assert response.status_code == 413
            assert "2 MB" in response.json()["detail"], "the reason arrives"
        with socket.create_connection(place, timeout=20) as announced:
            announced.sendall(head.format(f"Content-Length: {2 * 1024**3}\r\n").encode())
            with announced.makefile("rb") as answered:
                answer = answered.read()
            assert b"413" in answer.splitlines()[0]
            assert b"connection: close" in answer.lower()
            assert b"2 MB" in answer
        wait_for(lambda: files() == [])
        assert httpx.get(f"{url}/v1/jobs").json()["total"] == 0
        assert httpx.get(f"{url}/healthz").status_code == 200
    log = (data_dir / "service.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert "Could not load" not in log, "of what FAISS has no build for nobody need know"


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def too_much(part: str) -> Iterator[bytes]:
    """A form with a file of 5 MB, whose length is not told."""
    yield part.encode()
    for _ in range(5):
        yield b"x" * 1024**2


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
