"""Files as they came: handed out so that nothing in them runs, and only those that were read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from tests.conftest import LOCAL

MARKED_UP = b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script>Hei</html>"
SPLITS_HEADERS = 'e"; x=\r\nSet-Cookie: b=c; æ.txt'
FILES = {
    "a.html": MARKED_UP,
    "b.txt": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "c.md": b"\xef\xbb\xbfHei. " + MARKED_UP,
    "d.txt": b"x%PDF-1.7 its header does not stand first\n" + MARKED_UP,
    SPLITS_HEADERS: "Rådet møttes fem ganger.".encode(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def client(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, model_folder: Path
) -> Iterator[TestClient]:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path_factory.mktemp("library")))
    kildesvar.ingester().ingest([folder])
    with TestClient(create_service(kildesvar), base_url=LOCAL) as client:
        yield client


def addresses(client: TestClient) -> dict[str, str]:
    """Of the documents, by the names of their files."""
    documents = client.get("/v1/documents").json()["documents"]
    return {Path(d["source"]).name: f"/v1/documents/{d['id']}" for d in documents}


def test_mark_up_is_saved_and_never_shown(client: TestClient) -> None:
    """A page, a picture or a file that is two things at once must not run beside our pages."""
    known = addresses(client)
    assert known.keys() == FILES.keys()
    for name, address in known.items():
        response = client.get(f"{address}/original")
        assert response.content == FILES[name]
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"].startswith("attachment")
        assert response.headers["x-content-type-options"] == "nosniff"


def test_a_name_cannot_add_headers(client: TestClient) -> None:
    response = client.get(f"{addresses(client)[SPLITS_HEADERS]}/original")
    assert response.status_code == 200
    assert "set-cookie" not in response.headers
    disposition = response.headers["content-disposition"]
    assert disposition.isascii()
    assert "\r" not in disposition
    assert "\n" not in disposition


def test_a_link_in_the_place_of_a_file_is_not_read(
    client: TestClient, folder: Path, tmp_path: Path
) -> None:
    address = addresses(client)["b.txt"]
    secret = tmp_path / "hemmelig.txt"
    secret.write_text("Koden til hvelvet er fire siffer.", encoding="utf-8")
    (folder / "b.txt").unlink()
    (folder / "b.txt").symlink_to(secret)
    again = client.post(f"{address}/reindex")
    assert again.status_code == 409
    assert "is a link now" in again.json()["detail"]
    assert client.get(f"{address}/original").status_code == 404
    assert client.get("/v1/jobs").json()["total"] == 0
