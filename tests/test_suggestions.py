"""Suggestions: titles, headings and words by what is typed of them, from an index and over HTTP."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from index.errors import GenerationMismatchError
from index.records import Filters, Scope
from index.suggestions import Asked, Kind, SuggestionIndex, SuggestionWriter
from tests.conftest import LOCAL
from tests.test_work import added

FERRIES = """# Elektriske ferger i fjordene

## Innkjøp av batterier

Kommisjonen mener at ladestrømmen må bygges ut. Ladestrømmen er dyr, sier NVE. NVE regner på det.

## Øyriket

Fergene går til øyene, og bøndene vil ha flere avganger.
"""
SCHOOLS = """# Skoler langs kysten

## Innkjøp av bøker

Ladestrømmen når ikke skolene. Bonden og bøndene leverer melk.

## Mål for skoleåret

Elevene lærer om fjæra og om fugler. Rektoratet godkjenner planene.
"""


@pytest.fixture
def own(tmp_path: Path, model_folder: Path) -> Iterator[Kildesvar]:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    yield kildesvar
    kildesvar.close()


@pytest.fixture
def client(own: Kildesvar) -> Iterator[TestClient]:
    with TestClient(create_service(own), base_url=LOCAL) as client:
        yield client


@pytest.fixture(scope="module")
def coast(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The service over both documents; not to be changed."""
    folder = tmp_path_factory.mktemp("kyst")
    (folder / "d").mkdir()
    (folder / "d" / "ferger.md").write_text(FERRIES, "utf-8")
    (folder / "d" / "skoler.md").write_text(SCHOOLS, "utf-8")
    kildesvar = Kildesvar(load_settings(data_dir=folder / "data"))
    kildesvar.ingester().ingest([folder / "d"])
    yield TestClient(create_service(kildesvar), base_url=LOCAL)
    kildesvar.close()


def suggested(client: TestClient, typed: str, **more: Any) -> list[dict[str, Any]]:
    response = client.get("/v1/suggest", params={"q": typed, **more})
    assert response.status_code == 200, response.text
    suggestions: list[dict[str, Any]] = response.json()["suggestions"]
    return suggestions


def texts(client: TestClient, typed: str, **more: Any) -> list[str]:
    return [suggestion["text"] for suggestion in suggested(client, typed, **more)]


def test_each_word_may_be_unfinished_and_stand_anywhere(coast: TestClient) -> None:
    for typed in ("Elektriske ferger", "ferg", "fjo fer", "FERGER ELEK", "  elek  ", "i ele"):
        assert texts(coast, typed)[0] == "Elektriske ferger i fjordene", typed
    assert "Elektriske ferger i fjordene" not in texts(coast, "ferger kysten")


def test_a_heading_says_where_it_stands_and_a_title_too(coast: TestClient) -> None:
    [heading] = [s for s in suggested(coast, "øyri") if s["kind"] == "heading"]
    document = coast.get(f"/v1/documents/{heading['document_id']}").json()
    assert document["text"][heading["start"] : heading["end"]] == heading["text"] == "Øyriket"
    title = suggested(coast, "elektr")[0]
    assert (title["kind"], title["document_id"]) == ("title", document["id"])
    assert document["text"][title["start"] : title["end"]] == title["text"] == document["title"]


def test_titles_come_before_headings_before_words_and_the_frequent_first(
    coast: TestClient,
) -> None:
    kinds = [suggestion["kind"] for suggestion in suggested(coast, "s", limit=20)]
    assert kinds == sorted(kinds, key=["title", "heading", "term"].index)
    assert [s["kind"] for s in suggested(coast, "skole")][:3] == ["title", "heading", "term"]
    assert texts(coast, "lade")[0] == "Ladestrømmen"
    both = texts(coast, "bønde")
    assert both == ["bøndene"], "forms of one word are one suggestion"


def test_words_are_as_they_stand_and_never_small_change(coast: TestClient) -> None:
    assert texts(coast, "nv") == ["NVE"]
    assert texts(coast, "kommis") == ["Kommisjonen"]
    for typed in ("og", "ikke", "den", "til", "om", "§", "?", "12"):
        assert "term" not in {s["kind"] for s in suggested(coast, typed)}, typed


def test_the_last_word_is_completed_by_what_stands_beside_the_others(coast: TestClient) -> None:
    assert "kommisjonen om ladestrømmen" in [
        text.lower() for text in texts(coast, "kommisjonen om lades")
    ]
    assert texts(coast, "rektoratet lades") == texts(coast, "kommisj lades") == []


def test_one_error_from_four_letters_two_from_eight(coast: TestClient) -> None:
    assert texts(coast, "komm") == ["Kommisjonen"]
    for typed in ("kmmi", "kommm", "okmmi", "kommisjinen", "komisjoneen", "kmomisjonen"):
        assert "Kommisjonen" in texts(coast, typed), typed
    assert "Elektriske ferger i fjordene" in texts(coast, "elektirsk fergr")
    for typed in ("kxm", "kxxmi", "kommxsxxnen"):
        assert "Kommisjonen" not in texts(coast, typed), typed


def test_norwegian_letters_are_letters_of_their_own(coast: TestClient) -> None:
    assert texts(coast, "øy")[0] == "Øyriket"
    assert "Øyriket" not in texts(coast, "oyriket")
    assert "bøndene" not in texts(coast, "bondene")
    assert "bøndene" in texts(coast, "bøndnee")
    assert texts(coast, "maal") == texts(coast, "mal for") == []
    assert texts(coast, "mål")[0] == "Mål for skoleåret"
    assert texts(coast, "ma\u030al")[0] == "Mål for skoleåret"
    assert "skoleåret" in texts(coast, "skolea\u030a")


def test_what_is_typed_right_comes_first(coast: TestClient) -> None:
    found = texts(coast, "bonde")
    assert found[0] == "Bonden"
    assert "bøndene" not in found


def test_filters_limit_what_is_suggested(coast: TestClient) -> None:
    listed = coast.get("/v1/documents").json()["documents"]
    schools = next(d["id"] for d in listed if d["title"].startswith("Skoler"))
    assert texts(coast, "innkjøp av") == ["Innkjøp av batterier", "Innkjøp av bøker"]
    assert texts(coast, "innkjøp av", document=schools) == ["Innkjøp av bøker"]
    assert texts(coast, "ferger", document=schools) == []
    assert texts(coast, "kommisj", document=schools) == []
    [lade] = suggested(coast, "lades", document=schools)
    assert lade["text"] == "Ladestrømmen"
    assert texts(coast, "s", document="ukjent") == []


def test_mended_words_come_in_the_order_of_how_many_passages_that_are_asked_for_have_them(
    own: Kildesvar, tmp_path: Path
) -> None:
    """Of what was removed, and of other documents, nothing counts."""
    paragraph = "\n\n## Avsnitt {}\n\nHer er {} i drift.\n"
    texts = {"en": ["fergekai"] * 3 + ["fergeleie"], "to": ["fergekai"] + ["fergeleie"] * 2}
    texts["borte"] = ["fergeleie"] * 9
    for name, words in texts.items():
        body = "".join(paragraph.format(at, word) for at, word in enumerate(words))
        (tmp_path / f"{name}.md").write_text(f"# Kaier {name}{body}", "utf-8")
    own.ingester().ingest([tmp_path / f"{name}.md" for name in texts])

    def mended(*documents: str) -> list[str]:
        found = own.suggester.suggest(own.generation(), "fegrekai", 8, Filters(document=documents))
        found += own.suggester.suggest(own.generation(), "fegre", 8, Filters(document=documents))
        return [s.text for s in found if s.kind is Kind.TERM]

    ids = {name: own.library.document_of(str(tmp_path / f"{name}.md")) or "" for name in texts}
    assert mended() == ["fergekai", "fergeleie", "fergekai"]
    own.library.remove_sources([str(tmp_path / "borte.md")])
    own.ingester().publish()
    assert mended() == ["fergekai", "fergekai", "fergeleie"]
    assert mended(ids["to"]) == ["fergekai", "fergeleie", "fergekai"]
    assert mended(ids["en"], ids["to"]) == ["fergekai", "fergekai", "fergeleie"]
    assert mended("ukjent") == []


def test_a_heading_that_many_documents_have_is_found_in_the_one_that_is_asked_for(
    own: Kildesvar, tmp_path: Path
) -> None:
    for number in range(22):  # more than are looked at before the filter
        text = f"# Plan {number}\n\n## Felles mål\n\nMålet er {number} avganger om dagen.\n"
        (tmp_path / f"{number}.md").write_text(text, "utf-8")
    own.ingester().ingest([tmp_path / f"{number}.md" for number in range(22)])
    for number in (0, 21):
        document = own.library.document_of(str(tmp_path / f"{number}.md")) or ""
        for typed, kind in (("felles", Kind.HEADING), ("avgang", Kind.TERM)):
            within = Filters(document=(document,))
            found, *_ = own.suggester.suggest(own.generation(), typed, 8, within)
            assert found.kind is kind
            assert found.document_id == (document if kind is Kind.HEADING else None)


def test_limits(coast: TestClient) -> None:
    assert len(texts(coast, "s", limit=1)) == 1
    for query in ("", "q=%20", "q=s&limit=0", "q=s&limit=21", "q=s&sort=date"):
        assert coast.get(f"/v1/suggest?{query}").status_code == 422
    odd = ('AND OR "', "a/b", "/", "^", "^s", "samhandling/", "\\", "😀", "å" * 2000, "a\x00b", "%")
    for typed in odd:
        suggested(coast, typed)
    assert coast.get("/v1/suggest", params={"q": "s"}).json()["timings"]["total"] >= 0


def test_what_is_deleted_is_not_suggested(client: TestClient) -> None:
    ferries = added(client, FERRIES, "ferger.md")
    added(client, SCHOOLS, "skoler.md")
    gone = {
        "Elektriske ferger": "Elektriske ferger i fjordene",
        "innkjøp av bat": "Innkjøp av batterier",
        "kommisj": "Kommisjonen",
        "kommsij": "Kommisjonen",
    }
    stays = {"bøndene": "bøndene", "lades": "Ladestrømmen", "skoler": "Skoler langs kysten"}
    for typed, text in (gone | stays).items():
        assert text in texts(client, typed), typed
    assert client.delete(f"/v1/documents/{ferries}").status_code == 204
    for typed, text in gone.items():
        assert text not in texts(client, typed), typed
    for typed, text in stays.items():
        assert text in texts(client, typed), typed
    assert ferries not in client.get("/v1/suggest", params={"q": "i"}).text


def test_a_heading_that_another_document_has_too_stays_and_is_found_there(
    client: TestClient,
) -> None:
    first = added(client, "# Om havner\n\n## Høringen\n\nHavnene ble hørt.\n", "havner.md")
    second = added(client, "# Om kaier\n\n## Høringen\n\nKaiene ble hørt.\n", "kaier.md")
    [heading] = suggested(client, "hørin")
    assert heading["document_id"] == first, "the first that has it"
    client.delete(f"/v1/documents/{first}")
    [heading] = suggested(client, "hørin")
    assert heading["document_id"] == second
    text = client.get(f"/v1/documents/{second}").json()["text"]
    assert text[heading["start"] : heading["end"]] == "Høringen"


def test_the_library_is_believed_before_the_generation(own: Kildesvar, tmp_path: Path) -> None:
    """Between a deletion and the generation without it, nothing of it is suggested either."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "ferger.md").write_text(FERRIES, "utf-8")
    (tmp_path / "d" / "skoler.md").write_text(SCHOOLS, "utf-8")
    own.ingester().ingest([tmp_path / "d"])
    generation = own.generation()

    def all_of(typed: str) -> list[str]:
        return [s.text for s in own.suggester.suggest(generation, typed, 20)]

    assert all_of("ferger")[0] == "Elektriske ferger i fjordene"
    own.library.remove_sources([str(tmp_path / "d" / "ferger.md")])
    assert own.generation() is generation
    for typed in ("ferger", "elekt", "øyri", "komm", "nve", "innkjøp av bat"):
        assert all_of(typed) == [], typed
    assert all_of("bønde") == ["bøndene"]
    assert all_of("innkjøp av") == ["Innkjøp av bøker"]


def test_a_generation_from_before_there_were_suggestions_is_made_anew(
    own: Kildesvar, tmp_path: Path
) -> None:
    (tmp_path / "ferger.md").write_text(FERRIES, "utf-8")
    own.ingester().ingest([tmp_path / "ferger.md"])
    folder = tmp_path / "data" / "generations" / str(own.engine.current_name())
    shutil.rmtree(folder / "default" / "suggestions")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["recipe"]["analyser_version"] = 2
    manifest["checksums"] = {
        name: checksum
        for name, checksum in manifest["checksums"].items()
        if not name.startswith("default/suggestions/")
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert own.engine.manifest() is not None, "it is whole"
    with pytest.raises(GenerationMismatchError):
        own.generation()
    own.publish_if_stale()
    found = own.suggester.suggest(own.generation(), "elek fer", 5)
    assert [suggestion.text for suggestion in found] == ["Elektriske ferger i fjordene"]


LETTERS = st.text(st.sampled_from("abøåæ"), min_size=3, max_size=6)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(
    st.dictionaries(st.integers(1, 9), st.lists(LETTERS, max_size=6), max_size=6),
    st.sets(st.integers(1, 9)),
    st.text(st.sampled_from("abøåæ"), min_size=1, max_size=3),
)
def test_words_are_those_of_the_passages_that_are_left(
    tmp_path_factory: pytest.TempPathFactory,
    passages: dict[int, list[str]],
    removed: set[int],
    start: str,
) -> None:
    folder = tmp_path_factory.mktemp("words")
    with SuggestionWriter(folder / "1") as writer:
        for number, words in passages.items():
            writer.add_passage(number, f"d{number % 2}", " ".join(words))
    with SuggestionWriter(folder / "2", folder / "1") as writer:
        for number in removed:
            writer.remove_passage(number)
    for folder_of, left in (("1", set(passages)), ("2", set(passages) - removed)):
        index = SuggestionIndex(folder / folder_of)
        odd, uneven = frozenset({"d1"}), {n for n in left if n % 2}
        for among, kept in (
            (None, left),
            (Scope(odd), uneven),
            (Scope(odd, others=True), left - uneven),
            (Scope(frozenset({"d3"}), others=True), left),
        ):
            expected = {
                word: sum(word in passages[n] for n in kept)
                for n in kept
                for word in passages[n]
                if word.startswith(start)
            }
            [found] = index.texts([Asked(Kind.TERM, start, index.within(among), 100)])
            assert dict(found) == expected
            assert [count for _, count in found] == sorted(expected.values(), reverse=True)
