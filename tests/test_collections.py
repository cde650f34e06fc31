"""Nobody sees, counts or infers a document that they may not read, whatever they ask."""

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.access.callers import ANYONE, Caller, Role
from app.access.keys import Keys
from app.asking.asking import Asking
from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.mcp.schemas import AskArguments, ListArguments, ReadArguments, SearchArguments
from app.mcp.tools import ToolArgumentError, Tools
from app.settings import load_settings
from index.errors import CollectionNameError, NothingPublishedError
from index.records import Filters
from index.tables import keys
from tests.conftest import LOCAL
from tests.running import run

OPEN, CLOSED = "åpent", "styret"
READER = Caller("key:1", "leser", Role.WRITE, frozenset({OPEN}))
QUESTION = "Hvor mange medlemmer har bransjen?"

SHARED = "# Felles vedtekter\n\nForeningen ble stiftet i 1987 av tolv lærere i Bodø.\n"
OPEN_FILES = {
    "medlemmer.md": "# Medlemmer i bransjen\n\n## Tall for medlemmer\n\n"
    "Bransjen har 1369 medlemmer per april 2024. Samhandling er målet for alle.\n",
    "ferger.md": "# Elektriske ferger\n\n## Når fergene kommer\n\n"
    "Fergene skal settes i drift 1. mars 2025. De går mellom Moss og Horten.\n",
    "vedtekter.md": SHARED,
}
CLOSED_FILES = {
    # As near to the questions as can be, with words spelt nearly like theirs.
    "hemmelig.md": "# Medlemmer i bransjen, hemmelig\n\n## Tall for medlemmer\n\n"
    "Bransjen har 4711 medlemmer i det skjulte registeret. Samhandlinga er slutt.\n",
    "oppkjøp.md": "# Oppkjøpet av rederiet\n\n## Når rederiet kjøpes\n\n"
    "Rederiet kjøpes 3. mai 2026 for 91 millioner kroner. Fergane vert selde.\n",
    "kopi.md": SHARED,
}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def data_dirs(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A library of the open documents, and one that has the closed ones besides: else the same."""
    root = tmp_path_factory.mktemp("collections")
    kildesvar = Kildesvar(load_settings(data_dir=root / "with_one"))
    kildesvar.ingester().ingest([write(root / "docs" / "open", OPEN_FILES)], collection=OPEN)
    kildesvar.close()
    shutil.copytree(root / "with_one", root / "with_both")
    kildesvar = Kildesvar(load_settings(data_dir=root / "with_both"))
    kildesvar.ingester().ingest([write(root / "docs" / "closed", CLOSED_FILES)], collection=CLOSED)
    kildesvar.close()
    return root / "with_one", root / "with_both"


@pytest.fixture(scope="module")
def both(data_dirs: tuple[Path, Path]) -> Iterator[tuple[Kildesvar, Kildesvar]]:
    one, other = (Kildesvar(load_settings(data_dir=folder)) for folder in data_dirs)
    yield one, other
    one.close()
    other.close()


@pytest.fixture(scope="module")
def clients(both: tuple[Kildesvar, Kildesvar]) -> tuple[TestClient, TestClient]:
    """Of each library, for a caller who may read the open collection alone."""
    one, other = (client_of(kildesvar, OPEN) for kildesvar in both)
    return one, other


def client_of(kildesvar: Kildesvar, *collections: str) -> TestClient:
    """The service to somebody whose key is for those collections."""
    _, key = Keys(kildesvar.library).create("noen", Role.WRITE, collections)
    service = create_service(kildesvar)
    return TestClient(service, base_url=LOCAL, headers={"Authorization": f"Bearer {key}"})


_PASSING = {"timings", "generation", "answer_id"}


def lasting(value: Any) -> Any:
    """What was answered, without what is another each time it is asked, or in each library."""
    if isinstance(value, dict):
        is_chat = str(value.get("id", "")).startswith("chatcmpl-")
        passing = _PASSING | ({"id"} if is_chat else set())
        return {name: lasting(held) for name, held in value.items() if name not in passing}
    if isinstance(value, list):
        return [lasting(item) for item in value]
    return value


def require_same(clients: tuple[TestClient, TestClient], asked: Callable[[TestClient], Any]) -> Any:
    """What `asked` gives, which must be the same of both, and hold nothing of the closed ones."""
    one, other = (asked(client) for client in clients)
    assert lasting(other) == lasting(one)
    said = json.dumps(other, ensure_ascii=False).lower()
    for secret in ("4711", "skjulte", "hemmelig", "91 millioner", "oppkjøp", "kopi.md", CLOSED):
        assert secret not in said
    return other


SEARCHES = [
    {"q": QUESTION},
    {"q": "samhandlinga"},
    {"q": "rederiet kjøpes"},
    {"q": "fergane", "sort": "date"},
    {"q": "medlemer", "collection": [OPEN, CLOSED]},
    {"q": "medlemmer", "language": "nb"},
    {"q": "medlemmer", "limit": 1, "offset": 1},
]


@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_is_the_same_whatever_others_have(
    clients: tuple[TestClient, TestClient], search: dict[str, Any]
) -> None:
    found = require_same(clients, lambda c: c.get("/v1/search", params=search).json())
    assert {hit["collection"] for hit in found["hits"]} == {OPEN}
    assert [value["value"] for value in found["facets"]["collection"]] == [OPEN]


@pytest.mark.parametrize(
    "typed", ["m", "medl", "rede", "samhandlinga", "samhandlimg", "oppk", "ferg"]
)
def test_suggestions_are_the_same_whatever_others_have(
    clients: tuple[TestClient, TestClient], typed: str
) -> None:
    for filters in ("", "&language=nb", f"&collection={CLOSED}"):
        address = f"/v1/suggest?q={typed}&limit=20{filters}"
        require_same(clients, lambda c, at=address: c.get(at).json())  # type: ignore[misc]


QUESTIONS = [
    {"question": QUESTION},
    {"question": "Når kjøpes rederiet?"},
    {"question": "Når settes fergane i drift?"},
    {"question": QUESTION, "filters": {"collection": [CLOSED]}},
    {"question": "Når ble foreningen stiftet?", "limit": 20},
    {
        "question": "Og når?",
        "messages": [
            {"role": "user", "content": "Hvem stiftet foreningen?"},
            {"role": "assistant", "content": "Tolv lærere i Bodø."},
        ],
    },
]


@pytest.mark.parametrize("asked", QUESTIONS)
def test_an_answer_is_the_same_whatever_others_have(
    clients: tuple[TestClient, TestClient], asked: dict[str, Any]
) -> None:
    require_same(clients, lambda c: c.post("/v1/ask", json=asked).json())
    require_same(clients, lambda c: events(c.post("/v1/ask", json={**asked, "stream": True}).text))
    messages = [
        *asked.get("messages", []),
        {"role": "user", "content": asked["question"]},
    ]
    chat = {
        "model": "kildesvar",
        "messages": messages,
        "kildesvar": {"filters": asked.get("filters")},
    }
    answer = require_same(
        clients,
        lambda c: {**c.post("/v1/chat/completions", json=chat).json(), "created": 0},
    )
    assert answer["choices"]


def events(text: str) -> list[Any]:
    return [json.loads(data) for data in re.findall(r"^data: (.*)$", text, re.MULTILINE)]


def test_what_is_answered_is_of_the_open_documents(clients: tuple[TestClient, TestClient]) -> None:
    answer = clients[1].post("/v1/ask", json={"question": QUESTION}).json()
    assert answer["short_answer"] == "1369"
    refused = clients[1].post("/v1/ask", json={"question": "Når kjøpes rederiet?"}).json()
    assert not refused["answered"]
    assert "3 dokument" in refused["answer"], "others are not counted"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/documents",
        "/v1/documents?q=medlemmer",
        "/v1/documents?sort=passages&descending=true",
        "/v1/documents?q=hemmelig",
        "/v1/statistics",
        "/v1/collections",
        "/v1/left-out",
        "/v1/jobs",
        "/readyz",
    ],
)
def test_a_list_is_the_same_whatever_others_have(
    clients: tuple[TestClient, TestClient], path: str
) -> None:
    require_same(clients, lambda c: c.get(path).json())


def test_examples_are_the_same_whatever_others_have(
    both: tuple[Kildesvar, Kildesvar], clients: tuple[TestClient, TestClient]
) -> None:
    for kildesvar, client in zip(both, clients, strict=True):
        client.get("/v1/examples")  # for who asks they are made
        while kildesvar.examples.work(kildesvar.view):
            pass
    found = require_same(clients, lambda c: c.get("/v1/examples").json())
    assert found["examples"]


def test_a_document_that_may_not_be_read_is_as_one_that_is_not_there(
    both: tuple[Kildesvar, Kildesvar], clients: tuple[TestClient, TestClient]
) -> None:
    closed = both[1].library.read_by(frozenset({CLOSED})).documents(10)
    assert {document.collection for document in closed} == {CLOSED}
    assert len(closed) == 3
    requests: list[tuple[str, str]] = [
        ("GET", ""),
        ("GET", "/original"),
        ("POST", "/reindex"),
        ("PUT", ""),
        ("DELETE", ""),
    ]
    for document in closed:
        for method, path in requests:
            there, absent = (
                clients[1].request(method, f"/v1/documents/{document_id}{path}")
                for document_id in (document.id, "0123456789abcdef")
            )
            assert there.status_code == absent.status_code == 404
            known = there.text.replace(document.id, "ID")
            assert known == absent.text.replace("0123456789abcdef", "ID")
    assert both[1].library.count()[0] == 6, "nothing was deleted"


def test_tools_read_what_their_caller_may(both: tuple[Kildesvar, Kildesvar]) -> None:
    def run_tools(kildesvar: Kildesvar, caller: Caller) -> list[Any]:
        asking = Asking(kildesvar.answerer, None, threading.Event())
        tools = Tools(kildesvar, asking, Gate(4)).by_name

        async def ran() -> list[Any]:
            asked: list[tuple[str, BaseModel]] = [
                ("ask", AskArguments(question=QUESTION)),
                ("search", SearchArguments(query="rederiet")),
                ("list_documents", ListArguments()),
            ]
            return [(await tools[name].run(said, caller)).model_dump() for name, said in asked]

        return run(ran())

    one, other = (run_tools(kildesvar, READER) for kildesvar in both)
    assert lasting(other) == lasting(one)
    assert run_tools(both[1], ANYONE)[2]["total"] == 6
    [closed, *_] = both[1].library.read_by(frozenset({CLOSED})).documents(10)
    tools = Tools(both[1], Asking(both[1].answerer, None, threading.Event()), Gate(4)).by_name

    async def read() -> BaseModel:
        return await tools["read_document"].run(ReadArguments(document_id=closed.id), READER)

    with pytest.raises(ToolArgumentError, match="there is no document"):
        run(read())


def test_a_kept_conversation_loses_what_its_reader_may_no_longer_read(
    both: tuple[Kildesvar, Kildesvar],
) -> None:
    kildesvar = both[1]
    asked = {"question": "Når kjøpes rederiet?", "conversation_id": "samtale-1"}
    key, text = Keys(kildesvar.library).create("noen", Role.READ, [OPEN, CLOSED])
    headers = {"Authorization": f"Bearer {text}"}
    client = TestClient(create_service(kildesvar), base_url=LOCAL, headers=headers)
    assert client.post("/v1/ask", json=asked).json()["short_answer"] == "3. mai 2026"
    with kildesvar.library.transaction() as connection:
        narrower = sa.update(keys).where(keys.c.id == key.id)
        connection.execute(narrower, {"collections": [OPEN]})
    client = TestClient(create_service(kildesvar), base_url=LOCAL, headers=headers)
    [turn] = client.get("/v1/conversations/samtale-1").json()["turns"]
    assert (turn["answer"], turn["citations"], turn["gone"]) == ("", [], 1)
    assert "91 millioner" not in client.get("/v1/conversations/samtale-1/export").text
    again = {"question": "Og hva koster det?", "conversation_id": "samtale-1"}
    said = client.post("/v1/ask", json=again).text
    assert "3. mai" not in said, "what was said before is not told again"
    assert "millioner" not in said


def test_who_may_read_several_is_answered_from_all_of_those(
    both: tuple[Kildesvar, Kildesvar],
) -> None:
    client = client_of(both[1], OPEN, CLOSED, "tom")
    answer = client.post("/v1/ask", json={"question": "Når kjøpes rederiet?"}).json()
    assert answer["short_answer"] == "3. mai 2026"
    assert client.get("/v1/documents").json()["total"] == 6
    counted = client.get("/v1/collections").json()["collections"]
    assert counted == [
        {"name": CLOSED, "documents": 3},
        {"name": "tom", "documents": 0},
        {"name": OPEN, "documents": 3},
    ]
    narrowed = client.post(
        "/v1/ask", json={"question": "Når kjøpes rederiet?", "filters": {"collection": [OPEN]}}
    ).json()
    assert not narrowed["answered"]
    found = client.get("/v1/search", params={"q": "medlemmer"}).json()
    values = {value["value"] for value in found["facets"]["collection"]}
    assert values == {OPEN, CLOSED}


def test_the_name_of_a_view_changes_only_with_what_is_in_it(
    both: tuple[Kildesvar, Kildesvar],
) -> None:
    one, other = (kildesvar.view(READER.collections) for kildesvar in both)
    assert one.name == other.name != both[1].generation().name
    both_of_them = both[1].view(frozenset({OPEN, CLOSED}))
    assert both_of_them.name != other.name


def test_before_anything_is_published_a_limited_caller_finds_nothing(
    model_folder: Path, tmp_path: Path
) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    with pytest.raises(NothingPublishedError):
        kildesvar.view(None)
    view = kildesvar.view(READER.collections)
    result = kildesvar.retriever.search(view, QUESTION, 5, filters=Filters(language=("nb",)))
    assert (result.hits, result.documents) == ([], 0)
    assert not kildesvar.answerer.answer(view, QUESTION).answered
    kildesvar.close()


@pytest.mark.parametrize("name", ["", "Styret", "a b", "-a", "../x", "a" * 65, "a\n", "é"])
def test_a_name_that_no_collection_may_have_is_refused(
    both: tuple[Kildesvar, Kildesvar], tmp_path: Path, name: str
) -> None:
    with pytest.raises(CollectionNameError, match="small letters"):
        both[0].ingester().ingest([tmp_path], collection=name)


@pytest.fixture
def own(data_dirs: tuple[Path, Path], tmp_path: Path) -> Iterator[Kildesvar]:
    """A library with both, to be changed."""
    kildesvar = Kildesvar(load_settings(data_dir=shutil.copytree(data_dirs[1], tmp_path / "own")))
    yield kildesvar
    kildesvar.close()


def sent(client: TestClient, collection: str | None) -> Any:
    form = {} if collection is None else {"collection": collection}
    files = {"file": ("ny.md", b"# Ny\n\nNoe nytt.\n")}
    return client.post("/v1/documents", data=form, files=files)


def test_a_file_goes_only_into_a_collection_that_its_sender_may_use(own: Kildesvar) -> None:
    one, several = client_of(own, OPEN), client_of(own, OPEN, "annet")
    assert sent(one, None).status_code == 202
    assert own.jobs.newest(1)[0].collection == OPEN
    for collection in (CLOSED, "finnes-ikke"):
        refused = sent(one, collection)
        assert refused.status_code == 403
        assert "you may not put documents into" in refused.json()["detail"]
    unsaid = sent(several, None)
    assert (unsaid.status_code, "annet, åpent" in unsaid.json()["detail"]) == (422, True)
    assert sent(several, "Annet").status_code == 422
    assert sent(several, "annet").status_code == 202
    assert len(list(own.uploads.folder.glob("[0-9a-f]*/*"))) == 2, "nothing is left of the others"


def test_an_upload_is_read_into_its_collection(own: Kildesvar) -> None:
    with client_of(own, "annet") as client:
        job_id = sent(client, "annet").json()["job_id"]
        until = monotonic() + 30
        while (job := client.get(f"/v1/jobs/{job_id}").json())["state"] not in {"done", "failed"}:
            assert monotonic() < until
            sleep(0.05)
        assert (job["state"], job["collection"], job["error"]) == ("done", "annet", None)
        [document] = client.get("/v1/documents").json()["documents"]
        assert (document["id"], document["collection"]) == (job["document_id"], "annet")
        version = {"file": ("ny.md", b"# Ny\n\nNoe annet.\n")}
        elsewhere = client.put(
            f"/v1/documents/{document['id']}", data={"collection": OPEN}, files=version
        )
        assert elsewhere.status_code == 422
        assert client_of(own, OPEN).get(f"/v1/jobs/{job_id}").status_code == 404
