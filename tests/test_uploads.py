"""Receiving files: names, limits, full disks, and nothing left of what did not come whole."""

import asyncio
import os
import unicodedata
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from app.file_names import FileNameError, UnsupportedFormatError, safe_file_name
from app.uploads import UploadRefusedError, Uploads, UploadTooLargeError
from index.errors import DiskFullError, KildesvarError, LibraryError
from index.readers import EXTENSIONS

T = TypeVar("T")

BOUNDARY = "skille"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
CONTENT = "Rådet har tolv medlemmer.\n".encode()


def part(
    content: bytes, name: str | None = "notat.txt", field: str = "file", disposition: str = ""
) -> bytes:
    filename = "" if name is None else f'; filename="{name}"'
    head = disposition or f'form-data; name="{field}"{filename}'
    lines = f"--{BOUNDARY}\r\nContent-Disposition: {head}\r\n\r\n"
    return lines.encode("utf-8", "surrogateescape") + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine gives, from a thread: in this one the browser's own loop may run."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def receive(uploads: Uploads, body: bytes, content_type: str = FORM, size: int = 1000) -> Path:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]
        yield b""  # as Starlette ends a body

    return run(uploads.receive(content_type, pieces())).path


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "data" / "uploads", 1024**2)


def files(uploads: Uploads) -> list[Path]:
    return [path for path in uploads.folder.rglob("*") if path.is_file()]


def entries(uploads: Uploads) -> list[str]:
    """What lies in the folder, apart from the one for what is being received."""
    return sorted(
        path.name for path in uploads.folder.rglob("*") if path != uploads.folder / "incoming"
    )


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_file_comes_letter_for_letter_to_a_folder_of_its_own(uploads: Uploads, size: int) -> None:
    content = bytes(range(256)) * 4 + b"\r\n--skill\r\n--skillex"
    path = receive(uploads, form(part(content, "Årsmelding 2025.txt")), size=size)
    assert path.read_bytes() == content
    assert path.name == "Årsmelding 2025.txt"
    assert path.parent.parent == uploads.folder
    assert len(path.parent.name) == 16
    assert int(path.parent.name, 16) >= 0
    assert uploads.holds(str(path))
    other = receive(uploads, form(part(content, "Årsmelding 2025.txt")))
    assert other != path, "of the same name, beside it"
    uploads.remove(str(path))
    uploads.remove(str(path))
    assert files(uploads) == [other]
    assert not path.parent.exists()


def test_only_an_uploaded_file_can_be_removed(uploads: Uploads, tmp_path: Path) -> None:
    own = tmp_path / "data" / "library.sqlite3"
    own.parent.mkdir()
    own.touch()
    for path in (
        own,
        uploads.folder.parent / "uploads2" / ("0" * 16) / "a.txt",
        uploads.folder / "styret" / "a.txt",  # of a share that people keep files in, too
        uploads.folder / ("0" * 15) / "a.txt",
        uploads.folder / ("0" * 16) / "under" / "a.txt",
        uploads.folder / ("0" * 16),
    ):
        with pytest.raises(ValueError, match="not uploaded"):
            uploads.remove(str(path))
    assert own.exists()


def test_a_file_that_cannot_be_deleted_is_named(uploads: Uploads) -> None:
    path = uploads.folder / ("0" * 16) / "a.txt"
    path.mkdir(parents=True)  # which no rights are needed to have unlink refuse
    with pytest.raises(LibraryError, match=r"cannot delete .*a\.txt"):
        uploads.remove(str(path))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("årsmelding.txt", "årsmelding.txt"),
        (unicodedata.normalize("NFD", "årsmelding på Ås.txt"), "årsmelding på Ås.txt"),
        ("../../notat.txt", "notat.txt"),
        ("/etc/notat.txt", "notat.txt"),
        ("C:\\Brukere\\Møte\\notat.PDF", "notat.PDF"),
        ("mappe/under/notat.md", "notat.md"),
        ("CON.txt", "CON_.txt"),
        ("nul.md", "nul_.md"),
        ("Hva nå?.txt", "Hva nå_.txt"),
        ("  notat.txt . ", "notat.txt"),
        ("notat 😀.txt", "notat 😀.txt"),
        (".skjult.txt", ".skjult.txt"),
        ("å" * 300 + ".docx", "å" * 97 + ".docx"),
    ],
)
def test_a_name_is_kept_but_for_what_makes_it_a_path(given: str, kept: str) -> None:
    assert safe_file_name(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        ".",
        "..",
        "../..",
        "/",
        "mappe/",
        "   ",
        "a\0.txt",
        "a\n.txt",
        "a\u202etxt.pdf",
        "\ud800.txt",
    ],
)
def test_a_name_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(FileNameError, match="name"):
        safe_file_name(given)


@pytest.mark.parametrize(
    "given", ["program.exe", "notat", ".txt", "notat.txt.zip", "nul", "x.tx t"]
)
def test_a_file_that_cannot_be_read_is_refused_with_what_can(given: str) -> None:
    with pytest.raises(UnsupportedFormatError) as error:
        safe_file_name(given)
    assert all(extension in str(error.value) for extension in EXTENSIONS)


@pytest.mark.parametrize("name", ["../../../ut.txt", "..\\ut.txt", "%2e%2e/ut.txt"])
def test_no_name_leads_out_of_the_folder(uploads: Uploads, name: str, tmp_path: Path) -> None:
    path = receive(uploads, form(part(CONTENT, name)))
    assert path.parent.parent == uploads.folder
    assert not list(tmp_path.glob("*.txt"))


def test_a_name_in_an_old_encoding(uploads: Uploads) -> None:
    name = os.fsdecode("blåbær.txt".encode("cp1252"))
    assert receive(uploads, form(part(CONTENT, name))).name == "blåbær.txt"


def test_the_file_may_stand_among_other_fields(uploads: Uploads) -> None:
    collection = part(b"Rapporter", None, "collection")
    for body in (form(collection, part(CONTENT)), form(part(CONTENT), collection)):
        assert receive(uploads, body).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (form(part(CONTENT)), "application/json", "multipart/form-data"),
        (form(part(CONTENT)), "", "multipart/form-data"),
        (form(part(CONTENT)), "multipart/form-data", "multipart/form-data"),
        (form(part(CONTENT)), f"multipart/form-data; boundary={'x' * 300}", "cannot be read"),
        (b"", FORM, "too early"),
        (b"tull", FORM, "cannot be read"),
        (form(part(CONTENT))[:-8], FORM, "too early"),
        (form(part(CONTENT, None)), FORM, "filename"),
        (form(part(b"Rapporter", None, "collection")), FORM, "no file"),
        (form(part(CONTENT, field="fil")), FORM, "«fil»"),
        (form(part(CONTENT), part(CONTENT)), FORM, "several"),
        (form(part(b"x" * 2000, None, "collection")), FORM, "too long"),
        (form(part(CONTENT, disposition="form-data")), FORM, "«»"),
    ],
)
def test_what_is_no_form_with_a_file_is_refused_and_leaves_nothing(
    uploads: Uploads, body: bytes, content_type: str, says: str
) -> None:
    with pytest.raises(UploadRefusedError, match=says):
        receive(uploads, body, content_type)
    assert entries(uploads) == []


def test_a_refused_name_leaves_nothing(uploads: Uploads) -> None:
    with pytest.raises(UnsupportedFormatError):
        receive(uploads, form(part(CONTENT, "program.exe")))
    assert entries(uploads) == []


def test_a_file_is_cut_off_at_the_limit_as_it_comes(uploads: Uploads) -> None:
    limit = uploads.max_bytes
    assert receive(uploads, form(part(b"x" * limit))).stat().st_size == limit
    sent = 0

    async def without_end() -> AsyncIterator[bytes]:
        nonlocal sent
        yield part(b"")[:-2]
        while True:
            sent += 1000
            yield b"x" * 1000

    with pytest.raises(UploadTooLargeError, match=r"at most 1 MB .*KILDESVAR_MAX_UPLOAD_MB"):
        run(uploads.receive(FORM, without_end()))
    assert limit < sent <= limit + 1000
    assert len(files(uploads)) == 1


def test_what_is_broken_off_leaves_nothing(uploads: Uploads) -> None:
    there: list[Path] = []

    async def broken() -> AsyncIterator[bytes]:
        yield part(CONTENT * 1000)
        there.extend(files(uploads))
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run(uploads.receive(FORM, broken()))
    assert len(there) == 1, "it was on the disk while it came"
    assert entries(uploads) == []


def test_a_task_that_is_cancelled_leaves_nothing(uploads: Uploads) -> None:
    async def cancelled() -> None:
        came = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            yield part(CONTENT * 1000)
            came.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(uploads.receive(FORM, pieces()))
        await came.wait()
        assert len(files(uploads)) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    run(cancelled())
    assert entries(uploads) == []


def test_a_full_disk_is_said_and_leaves_nothing(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.uploads.secrets.token_hex", lambda _: "full")
    (uploads.folder / "incoming").mkdir(parents=True)
    open_path = Path.open
    monkeypatch.setattr(Path, "open", lambda _path, _mode: open_path(Path("/dev/full"), "wb"))
    for size in (10, 1000_000):  # it shows when the file is closed, or before
        with pytest.raises(DiskFullError, match="no room") as error:
            receive(uploads, form(part(b"x" * size)))
        assert "Make room" in str(error.value)
        assert entries(uploads) == []


def test_a_place_that_is_taken_leaves_nothing(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.uploads.secrets.token_hex", lambda _: "8c1f")
    (uploads.folder / "8c1f").mkdir(parents=True)
    with pytest.raises(LibraryError, match="cannot write"):
        receive(uploads, form(part(CONTENT)))
    assert entries(uploads) == ["8c1f"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("en fil")
    uploads = Uploads(tmp_path / "data" / "uploads", 1000)
    with pytest.raises(KildesvarError, match="cannot write"):
        receive(uploads, form(part(CONTENT)))


def test_what_killed_processes_were_receiving_is_deleted(uploads: Uploads) -> None:
    kept = receive(uploads, form(part(CONTENT)))
    coming, left = uploads.folder / "incoming" / "1", uploads.folder / "incoming" / "2"
    for path in (coming, left):
        path.write_bytes(CONTENT)
    os.utime(left, (1, 1))
    os.utime(kept, (1, 1))
    uploads.remove_abandoned()
    assert sorted(files(uploads)) == sorted([kept, coming])
