"""Example questions: which are thought of, and which of them are offered, with the real model."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import app.answering.examples
from app.answering.example_questions import Candidate, candidates_of
from app.answering.examples import OFFERED, Example, Examples
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from index.documents import BlockKind, Piece, assemble
from index.records import StoredDocument
from tests.conftest import LOCAL

BODY = (
    "Kommunen har gått gjennom alle kaiene langs fjorden i vinter. Halvparten må settes i stand "
    "før neste vår, og resten kan vente til året etter uten at trafikken blir hindret av det."
)

DOCUMENTS = {
    "vann.md": """# Vannforsyningen i 2025

## Lekkasjer i ledningsnettet

Lekkasjene i ledningsnettet tok 31 prosent av det rensede vannet i fjor. De fleste oppstår der rør
fra før 1970 ligger i leire. Kommunen skifter ut fire kilometer ledning i året.

## Hvem kan søke om tilskudd?

Borettslag og velforeninger kan søke om tilskudd til nye vannmålere. Søknaden sendes innen første
mars, og tilskuddet dekker halvparten av det som måleren og arbeidet koster til sammen.
""",
    "veg.md": """# Vintervedlikehold av gang- og sykkelveger

## Strøing av gangveger

Gangveger til skoler og sykehjem strøs før klokka sju om morgenen. Andre gangveger strøs i løpet av
dagen, og det brukes fin singel i stedet for salt der planter og hunder kan ta skade av saltet.
""",
    "ferje.md": """# Ferjesambandet over fjorden

## Nattavganger i helgene

Nattavgangene i helgene går klokka ett og klokka tre. Forsøket med nattavganger varer til utgangen
av september, og blir videreført dersom minst tjue passasjerer er med på hver tur i snitt.
""",
    "skog.md": """# Skogbruksplan for allmenningen

## Granskog i bratt terreng

Granskog i bratt terreng hogges med taubane, for hjulgående maskiner setter spor som vannet graver
seg ned i. Av allmenningens granskog står omtrent hver sjette kubikkmeter i så bratt terreng.
""",
}


def document(
    headings: str, title: str = "Kaiene i fjorden", language: str = "nb", body: str = BODY
) -> StoredDocument:
    """One with those headings (a line each), and the same paragraph under each of them."""
    pieces = [
        piece
        for heading in headings.splitlines()
        for piece in (Piece(BlockKind.HEADING, heading, 2), Piece(BlockKind.PARAGRAPH, body))
    ]
    text, blocks = assemble(pieces)
    return StoredDocument(
        "d1", title, "/d.md", "text/markdown", language, None, "sha256:1", "", 1, None, None, (),
        text, blocks,
    )  # fmt: skip


def invited(document: StoredDocument, language: str = "nb") -> list[str]:
    return [candidate.question for candidate in candidates_of(document, language)]


def test_a_heading_that_asks_is_asked_as_it_is_and_first() -> None:
    asking = document("Rekkverk på kaiene\nHvem kan søke om båtplass?")
    assert invited(asking)[0] == "Hvem kan søke om båtplass?"
    assert "Hvem kan søke om båtplass?" not in invited(asking, "en")
    assert not any("båtplass" in question for question in invited(asking, "nn"))


def test_what_a_heading_names_is_asked_about_with_and_without_the_title() -> None:
    kaier = document("3.2 Rekkverk i havna", "Kaiplan: året i korte trekk")
    assert invited(kaier)[:2] == [
        "Hva står det om rekkverk i havna?",
        "Hva sier «Kaiplan» om rekkverk i havna?",
    ]
    assert invited(kaier, "nn")[0] == "Kva står det om «rekkverk i havna»?"
    assert invited(kaier, "en")[1] == "What does “Kaiplan” say about “rekkverk i havna”?"
    english = document("Railings on the quays", "Harbour plan", language="en")
    assert invited(english, "en")[0] == "What is said about railings on the quays?"


def test_a_name_keeps_its_capital() -> None:
    body = f"Mellom Hareid og Sulesund går det ferje. {BODY}"
    assert invited(document("Hareid ferjekai", body=body))[0] == "Hva står det om Hareid ferjekai?"
    assert invited(document("NVE-kart over ras"))[0] == "Hva står det om NVE-kart over ras?"
    assert invited(document("Ferjekaier", body=body))[0] == "Hva står det om ferjekaier?"


@pytest.mark.parametrize(
    "heading",
    [
        "Innledning",
        "Sammendrag og konklusjoner",
        "Kilder",
        "2024",
        "3.1",
        "Figur 2 Kaiene langs fjorden",
        "VEDLIKEHOLD AV KAIER",
        "Kommunen må sette i stand kaiene",
        "Dette viser gjennomgangen",
        "Hva gjennomgangen viser",
        "Les også om båtplasser",
        "Saker det ble arbeidet med",
        "For medlemmene",
        "Kaiene (se kartet) / bryggene",
        "Vedlikehold av alle de kommunale kaiene og bryggene langs hele fjorden fra innerst",
        "Kaier",
        "Slik går det videre",
    ],
)
def test_what_names_nothing_or_too_much_is_not_asked_about(heading: str) -> None:
    assert invited(document(heading, title="DOKUMENT")) == []


def test_a_heading_with_nothing_under_it_or_that_comes_again_is_not_asked_about() -> None:
    assert invited(document("Rekkverk på kaiene", "x", body="Se kartet.")) == []
    assert invited(document("Rekkverk på kaiene\nRekkverk på kaiene", "x")) == []


@pytest.mark.parametrize("title", ["004_3b64f2f72c33c994", "notat.docx", "DET KONGELIGE", "Til X"])
def test_a_title_that_is_none_is_not_said(title: str) -> None:
    assert invited(document("Rekkverk på kaiene", title)) == ["Hva står det om rekkverk på kaiene?"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dokumenter"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def own(tmp_path: Path, folder: Path, model_folder: Path) -> Iterator[Kildesvar]:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    kildesvar.ingester().ingest([folder])
    yield kildesvar
    kildesvar.close()


def make_all(kildesvar: Kildesvar, examples: Examples) -> str:
    """Name of the generation of which all examples were made."""
    generation = kildesvar.generation()
    while examples.work(generation):
        pass
    return generation.name


def test_what_is_offered_is_answered_from_its_document(own: Kildesvar) -> None:
    name = make_all(own, own.examples.of(None))
    for language in ("nb", "nn", "en"):
        offered = own.examples.of(None).offered(name, language)
        assert len(offered) == OFFERED
        assert len({example.document_id for example in offered}) == OFFERED
        for example in offered:
            answer = own.answerer.answer(own.generation(), example.question)
            assert answer.citations[0].document_id == example.document_id
    again = Examples(own.library, own.answerer)
    make_all(own, again)
    assert again.offered(name, "nb") == own.examples.of(None).offered(name, "nb")
    assert (
        own.examples.of(None).offered(name, "nb", 1)
        == own.examples.of(None).offered(name, "nb")[:1]
    )


def test_no_document_has_two_before_all_had_the_chance_of_one(
    own: Kildesvar, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "skog.md").unlink()
    own.ingester().ingest([folder])
    last = own.library.document_ids()[-1]
    refused: list[str] = []

    def is_answered(_: object, candidate: Candidate) -> bool:
        if candidate.document_id == last and not refused:
            refused.append(candidate.question)
            return False
        return True

    monkeypatch.setattr(own.examples.of(None), "_is_answered", is_answered)
    offered = own.examples.of(None).offered(make_all(own, own.examples.of(None)), "nb")
    assert refused
    assert sorted(example.document_id for example in offered) == own.library.document_ids()


def test_a_question_that_is_not_answered_from_its_document_is_not_offered(
    own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.answering.examples, "_LEAST_CONFIDENCE", 1.0)
    name = make_all(own, own.examples.of(None))
    assert own.examples.of(None).offered(name, "nb") == []


def test_examples_are_made_once_of_a_generation(
    own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_all(own, own.examples.of(None))
    monkeypatch.setattr(own, "answerer", None)
    monkeypatch.setattr(own.examples.of(None), "_answerer", None)
    assert not own.examples.of(None).work(own.generation())


def test_few_of_many_documents_are_looked_at(
    own: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.answering.examples, "_DOCUMENTS", 2)
    looked_at: set[str] = set()
    document = own.library.document

    def noted(document_id: str) -> StoredDocument:
        looked_at.add(document_id)
        return document(document_id)

    monkeypatch.setattr(own.library, "document", noted)
    make_all(own, own.examples.of(None))
    assert looked_at == set(own.library.document_ids()[:2])


def test_examples_of_another_generation_are_not_offered(
    own: Kildesvar, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.answering.examples, "_SETTLED", 0.3)
    name = make_all(own, own.examples.of(None))
    (folder / "skog.md").unlink()
    own.ingester().ingest([folder])
    newer = own.generation()
    assert own.examples.of(None).offered(newer.name, "nb") == []
    assert not own.examples.of(None).work(newer), "it waits until nothing comes any more"
    assert own.examples.of(None).offered(name, "nb") == []
    time.sleep(0.3)
    make_all(own, own.examples.of(None))
    assert len(own.examples.of(None).offered(newer.name, "nb")) == OFFERED


def test_a_document_that_is_gone_is_not_named_though_its_generation_still_answers(
    own: Kildesvar,
) -> None:
    name = make_all(own, own.examples.of(None))
    first, *others = own.examples.of(None).offered(name, "nb")
    own.library.remove_document(first.document_id, "slettet")
    assert own.examples.of(None).offered(name, "nb") == others


def offered(client: TestClient, language: str = "nb") -> list[Example]:
    response = client.get("/v1/examples", params={"language": language})
    assert response.status_code == 200
    return [Example(**example) for example in response.json()["examples"]]


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def test_the_service_makes_them_and_names_nothing_that_was_deleted(own: Kildesvar) -> None:
    with TestClient(create_service(own), base_url=LOCAL) as client:
        wait_until(lambda: len(offered(client)) == OFFERED)
        deleted = offered(client)[0].document_id
        assert client.delete(f"/v1/documents/{deleted}").status_code == 204
        assert deleted not in {example.document_id for example in offered(client)}
        wait_until(lambda: len(offered(client)) == OFFERED)
        wait_until(lambda: len(offered(client, "en")) == OFFERED)
        for language in ("nb", "nn", "en"):
            assert deleted not in {example.document_id for example in offered(client, language)}
        answered = client.post("/v1/ask", json={"question": offered(client)[0].question}).json()
        assert answered["citations"][0]["document_id"] == offered(client)[0].document_id
        assert client.get("/v1/examples").json()["generation"] == answered["generation"]


def test_while_somebody_asks_none_are_made(own: Kildesvar) -> None:
    service = create_service(own)
    with TestClient(service, base_url=LOCAL) as client:
        place = service.state.gate.enter()
        next(place)
        own.generation()
        seen = offered(client)
        time.sleep(1.5)
        assert len(offered(client)) <= len(seen) + 1, "one may have been under way"
        assert next(place, None) is None
        wait_until(lambda: len(offered(client)) == OFFERED)


def test_an_empty_library_has_none(tmp_path: Path, model_folder: Path) -> None:
    empty = Kildesvar(load_settings(data_dir=tmp_path))
    with TestClient(create_service(empty), base_url=LOCAL) as client:
        assert client.get("/v1/examples").json() == {"examples": [], "generation": None}
        assert client.get("/v1/examples?language=de").status_code == 422
        assert client.get("/v1/examples?limit=0").status_code == 422
