"""Facets, the order by date, and pages of a search, counted and over HTTP."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from index.facets import FacetValue, Facts, facets_of
from tests.conftest import LOCAL
from tests.test_work import added

FIELDS = ("language", "media_type", "folder", "year", "document")


def facts(number: int, **other: Any) -> Facts:
    fields = {
        "document_id": f"d{number}",
        "collection": "default",
        "title": f"Rapport {number}",
        "language": "nb",
        "media_type": "text/plain",
        "day": "2024-05-17",
        "paths": ("/a/fil.txt",),
    }
    return Facts(**(fields | other))


def test_values_are_counted_once_for_each_passage_and_the_most_frequent_come_first() -> None:
    facets = facets_of(
        [
            facts(1, language="nn", paths=("/a/x.txt", "/b/x.txt", "/b/y.txt")),
            facts(2, day="2023-01-01"),
            facts(2, day="2023-01-01"),
        ],
        lambda path: path.rpartition("/")[0],
    )
    assert facets.language == [FacetValue("nb", 2), FacetValue("nn", 1)]
    assert facets.folder == [FacetValue("/a", 3), FacetValue("/b", 1)]
    assert facets.year == [FacetValue("2023", 2), FacetValue("2024", 1)]
    assert facets.document == [FacetValue("d2", 2, "Rapport 2"), FacetValue("d1", 1, "Rapport 1")]


def test_at_most_twenty_values_are_given() -> None:
    facets = facets_of([facts(number) for number in range(30)], str)
    assert len(facets.document) == 20
    assert facets_of([], str).document == []


PAGE = """<html lang="{language}"><head><title>{title}</title>
<meta property="article:published_time" content="{day}T08:00:00Z"></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>"""


@pytest.fixture(scope="module")
def own(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kildesvar]:
    """A library of two web pages with days of their own, and a text without; in two folders."""
    folder = tmp_path_factory.mktemp("dager")
    (folder / "d" / "nett").mkdir(parents=True)
    for number, day in (("en", "2019-03-01"), ("to", "2021-06-30")):
        page = PAGE.format(
            language="nb",
            title=f"Melding {number}",
            day=day,
            text=f"Torsken gyter i nord, {number}.",
        )
        (folder / "d" / "nett" / f"{number}.html").write_text(page, "utf-8")
    (folder / "d" / "tre.txt").write_text("Torsken vandrar langs kysten, seier dei.\n", "utf-8")
    kildesvar = Kildesvar(load_settings(data_dir=folder / "data"))
    kildesvar.ingester().ingest([folder / "d"])
    yield kildesvar
    kildesvar.close()


@pytest.fixture(scope="module")
def cod(own: Kildesvar) -> TestClient:
    return TestClient(create_service(own), base_url=LOCAL)


def searched(client: TestClient, query: str = "torsken", **more: Any) -> dict[str, Any]:
    response = client.get("/v1/search", params={"q": query, **more})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_facets_count_all_candidates_and_each_value_is_one_that_its_filter_takes(
    cod: TestClient,
) -> None:
    body = searched(cod, limit=1)
    assert body["total"] == 3
    for field in FIELDS:
        assert sum(value["count"] for value in body["facets"][field]) == 3, field
    for field in ("language", "media_type", "folder", "document"):
        for value in body["facets"][field]:
            narrowed = searched(cod, **{field: value["value"]})
            if field == "folder":  # a folder has what lies in those below it
                assert narrowed["total"] >= value["count"]
            else:
                assert narrowed["total"] == value["count"], (field, value)
    labels = {value["value"]: value["label"] for value in body["facets"]["document"]}
    assert labels == {hit["document_id"]: hit["title"] for hit in searched(cod)["hits"]}


def test_hits_say_what_they_can_be_narrowed_by(cod: TestClient) -> None:
    hits = {hit["title"]: hit for hit in searched(cod)["hits"]}
    page, text = hits["Melding en"], hits["tre"]
    assert (page["language"], page["media_type"], page["date"]) == (
        "nb", "text/html", "2019-03-01",
    )  # fmt: skip
    assert (text["language"], text["media_type"], text["date"]) == ("nn", "text/plain", None)
    assert text["updated_at"].startswith("20")


def test_days_are_those_that_documents_state_or_else_those_of_their_update(
    cod: TestClient,
) -> None:
    [this_year] = {hit["updated_at"][:4] for hit in searched(cod)["hits"]}

    def titles(**more: Any) -> list[str]:
        return [hit["title"] for hit in searched(cod, **more)["hits"]]

    assert titles(sort="date") == ["tre", "Melding to", "Melding en"]
    years = {value["value"]: value["count"] for value in searched(cod)["facets"]["year"]}
    assert years == {"2019": 1, "2021": 1, this_year: 1}
    assert titles(**{"from": "2019-03-02", "to": "2021-06-30"}) == ["Melding to"]
    assert titles(**{"from": "2019-03-01", "to": "2019-03-01"}) == ["Melding en"]
    assert titles(**{"from": "2022-01-01"}) == ["tre"]
    assert cod.get("/v1/search", params={"q": "torsken", "sort": "title"}).status_code == 422


@pytest.mark.parametrize("sort", ["relevance", "date"])
def test_pages_hold_every_candidate_once(client: TestClient, sort: str) -> None:
    query = {"sort": sort, "limit": 7}
    total = searched(client, "helse", **query)["total"]
    pages = [searched(client, "helse", offset=at, **query)["hits"] for at in range(0, total, 7)]
    places = Counter((hit["document_id"], hit["start"]) for page in pages for hit in page)
    assert set(places.values()) == {1}
    assert sum(places.values()) == total


def test_a_candidate_that_was_deleted_leaves_no_gap_in_the_pages(
    model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    for number in range(46):  # more than are compared with the query unit by unit
        text = f"Torsken gyter ved holme nummer {number}, og laksen i elv {number}.\n"
        (tmp_path / "d" / f"{number}.txt").write_text(text, "utf-8")
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    kildesvar.ingester().ingest([tmp_path / "d"])
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    first, *_, last = searched(client, limit=46)["hits"]
    kildesvar.library.remove_sources([first["source"], last["source"]])
    again = searched(client, limit=46)
    assert again["total"] == len(again["hits"]) == 44
    assert len(searched(client, limit=2, offset=42)["hits"]) == 2
    for hit in (first, last):
        assert hit["document_id"] not in str(again)
    kildesvar.close()


def test_uploads_are_one_folder(model_folder: Path, tmp_path: Path) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    with TestClient(create_service(kildesvar), base_url=LOCAL) as client:
        for number in range(2):
            added(client, f"Torsken gyter i fjord {number}.\n", f"{number}.txt")
        [folder] = searched(client)["facets"]["folder"]
        assert folder["count"] == 2
        assert searched(client, folder=folder["value"])["total"] == 2
    kildesvar.close()
