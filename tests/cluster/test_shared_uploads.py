"""Uploaded files where several hosts serve one library: in a folder that all see, or not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from app.uploads_mark import UploadsMark
from app.work import Worker
from index.errors import UploadsNotSharedError
from index.jobs import Jobs
from index.library import Library
from tests.conftest import LOCAL
from tests.test_work import NEWER, TEXT, finished, sent, upload, wait_for


@pytest.fixture
def library(database_url: str) -> Iterator[Library]:
    library = Library.open(database_url)
    yield library
    library.close()


def test_the_first_folder_is_that_of_all_hosts(library: Library, tmp_path: Path) -> None:
    shared, other = tmp_path / "felles", tmp_path / "egen"
    UploadsMark(shared, library).require()
    Jobs(library).add(shared / "0123456789abcdef" / "a.txt")
    UploadsMark(shared, library).require()
    with pytest.raises(UploadsNotSharedError, match="KILDESVAR_UPLOADS_DIR") as refused:
        UploadsMark(other, library).require()
    mark = (shared / "shared").read_text("ascii").strip()
    assert str(other) in str(refused.value)
    assert f"{shared}: set" in str(refused.value)
    assert f"write {mark} into its file «shared»" in str(refused.value)
    other.mkdir()
    (other / "shared").write_text(mark, "ascii")
    with pytest.raises(UploadsNotSharedError, match="mount it under that name"):
        UploadsMark(other, library).require()


def test_a_folder_in_which_nothing_lies_may_be_another_tomorrow(
    library: Library, tmp_path: Path
) -> None:
    UploadsMark(tmp_path / "feil", library).require()
    UploadsMark(tmp_path / "riktig", library).require()
    Jobs(library).add(tmp_path / "riktig" / "0123456789abcdef" / "a.txt")
    with pytest.raises(UploadsNotSharedError):
        UploadsMark(tmp_path / "feil", library).require()


def test_a_lost_mount_is_not_taken_for_the_folder(library: Library, tmp_path: Path) -> None:
    """Under the same name there is an empty folder, as where nothing is mounted."""
    shared = tmp_path / "felles"
    UploadsMark(shared, library).require()
    shared.rename(tmp_path / "avmontert")
    shared.mkdir()
    with pytest.raises(UploadsNotSharedError, match="mount it"):
        UploadsMark(shared, library).require()
    assert not list(shared.iterdir())


@pytest.fixture
def hosts(
    database_url: str, tmp_path: Path, model_folder: Path
) -> Iterator[tuple[Kildesvar, Kildesvar]]:
    """Two of one library, with one folder of uploaded files."""
    given = {"database_url": database_url, "uploads_dir": tmp_path / "felles"}
    both = [Kildesvar(load_settings(data_dir=tmp_path / name, **given)) for name in ("en", "to")]
    yield both[0], both[1]
    for kildesvar in both:
        kildesvar.close()


def test_what_a_host_cannot_see_is_left_to_others_and_none_is_sent_to_it(
    hosts: tuple[Kildesvar, Kildesvar], tmp_path: Path
) -> None:
    first, second = hosts
    client = TestClient(create_service(first), base_url=LOCAL)  # without its worker
    other = TestClient(create_service(second), base_url=LOCAL)
    job_id = upload(client, TEXT)
    shared = tmp_path / "felles"
    shared.rename(tmp_path / "avmontert")  # as on a host where nothing is mounted there
    wrong = Worker(second)
    wrong.start()
    wait_for(lambda: bool(client.get(f"/v1/jobs/{job_id}").json()["error"]))
    wrong.stop()
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "queued"
    assert "is not the one that the library's other hosts use" in job["error"]
    refused = other.post("/v1/documents", files=sent(NEWER))
    assert refused.status_code == 503
    assert "KILDESVAR_UPLOADS_DIR" in refused.json()["detail"]
    assert not shared.exists()
    (tmp_path / "avmontert").rename(shared)
    right = Worker(first)
    right.start()
    done = finished(client, job_id)
    right.stop()
    assert (done["state"], done["error"]) == ("done", None)
    original = f"/v1/documents/{done['document_id']}/original"
    assert other.get(original).content == TEXT.encode()
    shared.rename(tmp_path / "avmontert")
    assert other.get(original).status_code == 503, "it is elsewhere, not gone"
    assert other.delete(f"/v1/documents/{done['document_id']}").status_code == 503
    assert first.library.document_ids() == [done["document_id"]], "or its file would stay for ever"
    (tmp_path / "avmontert").rename(shared)
    Path(first.library.files_of(done["document_id"])[0]).unlink()
    assert other.get(original).status_code == 404


def test_a_file_of_a_folder_is_read_again_where_it_is_to_be_seen(
    hosts: tuple[Kildesvar, Kildesvar], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = hosts
    path = tmp_path / "mappe" / "kommisjonen.txt"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    with first.writing():
        first.ingester().ingest([path.parent])
    job = first.jobs.read_again(path, first.library.document_of(str(path)) or "")
    path.rename(tmp_path / "borte.txt")  # as on a host without that folder
    worker = Worker(first)
    worker.start()
    wait_for(lambda: bool(first.jobs.job(job.id).error))
    assert first.jobs.job(job.id).state == "queued"
    assert "is not to be seen on" in (first.jobs.job(job.id).error or "")
    worker.stop()
    (tmp_path / "borte.txt").rename(path)
    worker = Worker(first)
    worker.start()
    wait_for(lambda: first.jobs.job(job.id).is_finished)
    worker.stop()
    assert first.jobs.job(job.id).state == "done"
