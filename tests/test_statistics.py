"""The library in numbers, against what was put into it; and GET /v1/statistics."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from index.changes import set_source
from index.documents import Document, assemble
from index.library import Library
from index.passages import Passage
from index.readers.plain import read_plain
from index.records import NewPassage, Source
from index.statistics import Count, library_statistics
from index.tables import documents
from tests.conftest import EXAMPLES, all_passages
from tests.libraries import library_in

UPLOADS = Path("/data/uploads")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return library_in(tmp_path)


def put(library: Library, path: str, lengths: tuple[int, ...] = (10,), **fields: Any) -> str:
    """Stores a document whose passages have so many letters."""
    text, blocks = assemble(read_plain(f"{path} " + "å" * sum(lengths)))
    document = replace(Document("Tittel", text, blocks, "text/plain", "nb"), **fields)
    new = [NewPassage(Passage(0, length, ()), (), "key") for length in lengths]
    return library.put(document, Source(path, 1, 1, f"sha256:{path}"), new, {}, "model")


def test_an_empty_library(library: Library) -> None:
    found = library_statistics(library, UPLOADS)
    assert (found.documents, found.passages, found.pages, found.left_out) == (0, 0, 0, 0)
    assert found.by_type == found.by_language == found.by_year == found.by_folder == []
    assert sum(step.count for step in found.passage_lengths) == 0


def test_documents_are_counted_by_what_they_are(library: Library) -> None:
    put(library, "/d/a.pdf", media_type="application/pdf", pages=7, date="2019-03-01")
    put(library, "/d/b.pdf", media_type="application/pdf", pages=5, date="2021-12-31")
    put(library, "/d/mappe/c.txt", language="nn", date="2019-01-01")
    put(library, "/rot.txt")
    with library.transaction() as connection:
        connection.execute(sa.update(documents).values(updated_at="2023-02-01T10:00:00+00:00"))
    library.leave_out(Source("/d/tull.pdf", 1, 1, "sha256:x"), "kan ikke leses")
    found = library_statistics(library, UPLOADS)
    assert (found.documents, found.passages, found.pages, found.left_out) == (4, 4, 12, 1)
    assert found.by_type == [Count("application/pdf", 2), Count("text/plain", 2)]
    assert found.by_language == [Count("nb", 3), Count("nn", 1)]
    assert found.by_year == [Count("2019", 2), Count("2021", 1), Count("2023", 1)]
    assert found.by_folder == [Count("/d", 2), Count("/", 1), Count("/d/mappe", 1)]


def test_uploads_are_one_folder_and_a_document_counts_once_in_each(library: Library) -> None:
    document_id = put(library, "/data/uploads/01ab/a.txt")
    put(library, "/data/uploads/02cd/b.txt")
    with library.transaction() as connection:
        for copy in ("/data/uploads/03ef/a.txt", "/data/uploads-gamle/a.txt", "/d/æøå é/a.txt"):
            set_source(connection, Source(copy, 1, 1, "sha256:x"), document_id)
    found = library_statistics(library, UPLOADS)
    assert found.by_folder == [
        Count("/data/uploads", 2),
        Count("/d/æøå é", 1),
        Count("/data/uploads-gamle", 1),
    ]


@pytest.mark.parametrize(
    ("length", "step"), [(1, 0), (199, 0), (200, 1), (1999, 9), (2000, 10), (90_000, 10)]
)
def test_passages_are_counted_by_their_letters(library: Library, length: int, step: int) -> None:
    put(library, "/d/a.txt", (length, length))
    steps = library_statistics(library, UPLOADS).passage_lengths
    assert [found.count for found in steps] == [2 * (at == step) for at in range(11)]
    assert (steps[0].at_least, steps[0].below) == (0, 200)
    assert (steps[-1].at_least, steps[-1].below) == (2000, None)
    assert all(one.below == next_.at_least for one, next_ in pairwise(steps))


def test_passages_of_a_coming_edition_do_not_count_yet(library: Library) -> None:
    document_id = put(library, "/d/a.txt", (10,))
    coming = library.begin_edition("another recipe")
    new = [NewPassage(Passage(0, 300, ()), (), "key")] * 3
    library.add_to_edition(coming, document_id, new, {}, "model")
    found = library_statistics(library, UPLOADS)
    assert (found.passages, sum(step.count for step in found.passage_lengths)) == (1, 1)


def test_over_http(client: TestClient, kildesvar: Kildesvar) -> None:
    body = client.get("/v1/statistics", params={"days": 3}).json()
    library, answers = body["library"], body["answers"]
    lengths = [passage.end - passage.start for passage in all_passages(kildesvar.library)]
    assert (library["documents"], library["passages"]) == (5, len(lengths))
    for step in library["passage_lengths"]:
        below = step["to"] or 10**9
        assert step["count"] == sum(step["from"] <= length < below for length in lengths)
    for value in library["by_folder"]:
        assert value["value"] == str(EXAMPLES)
        found = client.post(
            "/v1/ask", json={"question": "Hva?", "filters": {"folder": [value["value"]]}}
        )
        assert found.json()["passages"], "a filter takes the folder by its name here"
    assert set(answers) == {
        "questions",
        "answered",
        "median_ms",
        "up",
        "down",
        "since",
        "kept_days",
        "days",
    }
    assert (answers["kept_days"], len(answers["days"])) == (90, 3)
    assert set(answers["days"][0]) == {"day", "questions", "answered", "median_ms"}


@pytest.mark.parametrize("days", ["0", "367", "mange"])
def test_a_span_out_of_bounds_is_refused(client: TestClient, days: str) -> None:
    response = client.get("/v1/statistics", params={"days": days})
    assert response.status_code == 422
    assert "days" in response.json()["detail"]
