"""Following folders while what they are brought into is away, or is not set up right."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from app import watching
from app.assembly import Kildesvar
from app.watching import follow
from index.errors import (
    IndexConfigurationError,
    IngestRefusedError,
    KildesvarError,
    LibraryUnavailableError,
)
from index.ingest import IngestReport


def test_what_is_away_is_waited_for_and_what_is_wrong_ends_nothing(
    kildesvar: Kildesvar,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / "mappe" / "a.txt"
    file.parent.mkdir()
    file.write_text("Rådet har tolv medlemmer.\n", encoding="utf-8")
    stop = Event()
    said: list[KildesvarError] = [
        LibraryUnavailableError("the database is away"),
        IndexConfigurationError("the password is wrong"),
        IngestRefusedError("too many have vanished"),
    ]
    succeeds = kildesvar.writing

    @contextmanager
    def fails(**given: bool) -> Iterator[None]:
        error = said[0]
        # Once the first ingest is done, what is wrong in each of the later ones.
        if isinstance(error, LibraryUnavailableError) or reports:
            said.pop(0)
            if not said:
                stop.set()
            raise error
        with succeeds(**given):
            yield

    monkeypatch.setattr(kildesvar, "writing", fails)
    for wait in ("_BUSY_SECONDS", "_SOON", "_AT_LEAST_EVERY"):
        monkeypatch.setattr(watching, wait, 0.01)
    reports: list[IngestReport] = []
    follow(kildesvar, [file.parent], reports.append, stop)
    assert [report.added for report in reports] == [1]
    assert "the database is away" not in caplog.text, "which is waited for"
    assert "the password is wrong\n" in caplog.text
    assert "too many have vanished (`kildesvar ingest` takes --yes)" in caplog.text
