"""The HTTP contract, over the real application and the example documents."""

import gzip
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.middleware.body_limit import MAX_BODY
from app.settings import load_settings
from index.generations import Generation
from index.retriever import SearchResult
from tests.conftest import LOCAL, ROOT
from tests.made_files import Writer

QUESTION = "Hvor mange medlemmer har bransjen?"
OFF_TOPIC = "Hva er hovedstaden i Frankrike?"


def ask(client: TestClient, question: str, **fields: Any) -> dict[str, Any]:
    response = client.post("/v1/ask", json={"question": question, **fields})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def text_of(client: TestClient, document_id: str) -> str:
    text: str = client.get(f"/v1/documents/{document_id}").json()["text"]
    return text


def test_an_answer_in_the_documents_words(client: TestClient) -> None:
    body = ask(client, QUESTION)
    assert body["answered"]
    assert "1369" in body["citations"][0]["quote"]
    assert f"{body['citations'][0]['quote']} [1]" in body["answer"]
    assert body["question"] == QUESTION
    assert 0.5 <= body["confidence"] <= 1
    assert set(body["timings"]) == {"embed", "retrieve", "read", "compose", "total"}
    assert len(body["passages"]) == 5


def questions() -> list[str]:
    path = ROOT / "tests/questions/examples.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines]


@pytest.mark.parametrize("question", questions())
def test_every_citation_is_the_document_at_its_span(client: TestClient, question: str) -> None:
    body = ask(client, question)
    assert body["answered"] == bool(body["citations"])
    assert [c["number"] for c in body["citations"]] == list(range(1, len(body["citations"]) + 1))
    for citation in body["citations"]:
        document = client.get(f"/v1/documents/{citation['document_id']}").json()
        assert document["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert document["content_hash"] == citation["content_hash"]
        assert f"{citation['quote']} [{citation['number']}]" in body["answer"]
    for passage in body["passages"]:
        text = text_of(client, passage["document_id"])
        assert text[passage["start"] : passage["end"]] == passage["text"]


@pytest.mark.parametrize(
    ("question", "refusal"),
    [
        (
            OFF_TOPIC,
            f"Jeg finner ikke svaret i dokumentene. Jeg søkte etter «{OFF_TOPIC}» i 5 dokumenter.",
        ),
        (
            "Kva er hovudstaden i Frankrike, og kor mange bur der?",
            "Eg finn ikkje svaret i dokumenta. Eg søkte etter «Kva er hovudstaden i Frankrike, "
            "og kor mange bur der?» i 5 dokument.",
        ),
        (
            "What is the capital of France?",
            "I cannot find the answer in the documents. I searched for “What is the capital of "
            "France?” in 5 documents.",
        ),
    ],
)
def test_an_honest_no_in_the_language_of_the_question(
    client: TestClient, question: str, refusal: str
) -> None:
    body = ask(client, question)
    assert not body["answered"]
    assert body["answer"] == refusal
    assert body["citations"] == []
    assert body["passages"], "the nearest passages are offered"


def test_limit_and_filters(client: TestClient) -> None:
    assert len(ask(client, QUESTION, limit=2)["passages"]) == 2
    nynorsk = ask(client, "Kven skreiv brevet?", filters={"language": ["nn"]})
    listed = client.get("/v1/documents").json()["documents"]
    ids = {d["id"] for d in listed if d["language"] == "nn"}
    assert {p["document_id"] for p in nynorsk["passages"]} == ids
    nothing = ask(client, QUESTION, filters={"document": ["finnes-ikke"]})
    assert not nothing["answered"]
    assert nothing["passages"] == []


def test_the_contracts_own_request_is_accepted(client: TestClient) -> None:
    body = ask(client, QUESTION, limit=5, filters=None, conversation_id=None, stream=False)
    assert body["answered"]
    assert body["conversation_id"] is None


def test_search_marks_the_words(client: TestClient) -> None:
    body = client.get("/v1/search", params={"q": "Hvor er samhandlingsbudsjettet?"}).json()
    hit = body["hits"][0]
    marked = {hit["text"][start:end].lower() for start, end in hit["highlights"]}
    assert "samhandlingsbudsjettet" in marked or "samhandlingsbudsjett" in marked
    assert body["total"] >= len(body["hits"])
    assert text_of(client, hit["document_id"])[hit["start"] : hit["end"]] == hit["text"]


def test_search_pages(client: TestClient) -> None:
    def page(offset: int, limit: int) -> list[tuple[str, int]]:
        query: dict[str, str | int] = {"q": "helse", "offset": offset, "limit": limit}
        hits = client.get("/v1/search", params=query).json()["hits"]
        return [(hit["document_id"], hit["start"]) for hit in hits]

    assert page(0, 4) + page(4, 4) == page(0, 8)
    assert page(2000, 10) == []


def test_search_filters_by_repeated_parameters(client: TestClient) -> None:
    query = {"q": "helse", "media_type": ["text/html", "text/plain"]}
    hits = client.get("/v1/search", params=query).json()["hits"]
    listed = client.get("/v1/documents").json()["documents"]
    types = {d["id"]: d["media_type"] for d in listed}
    assert {types[hit["document_id"]] for hit in hits} == {"text/html", "text/plain"}


def test_documents_are_listed_and_read(client: TestClient) -> None:
    body = client.get("/v1/documents", params={"limit": 2, "offset": 1}).json()
    assert body["total"] == 5
    assert len(body["documents"]) == 2
    summary = body["documents"][0]
    document = client.get(f"/v1/documents/{summary['id']}").json()
    assert {key: document[key] for key in summary} == summary
    ends = 0
    for block in document["blocks"]:
        assert ends <= block["start"] < block["end"] <= len(document["text"])
        ends = block["end"]


def test_documents_are_found_by_words_and_listed_by_what_is_asked(client: TestClient) -> None:
    def listed(**query: str) -> list[dict[str, Any]]:
        body = client.get("/v1/documents", params=query).json()
        assert body["total"] == len(body["documents"])
        documents: list[dict[str, Any]] = body["documents"]
        return documents

    every = listed()
    assert [document["uploaded"] for document in every] == [False] * 5
    for document in every:
        [word] = document["title"].upper().split()[:1]
        assert document in listed(q=word)
        assert document in listed(q=Path(document["source"]).stem)
    assert listed(q="finnes ikke noe sted") == []
    passages = [d["passages"] for d in listed(sort="passages", descending="true")]
    assert passages == sorted(passages, reverse=True)
    dates = [d["date"] or d["updated_at"][:10] for d in listed(sort="date")]
    assert dates == sorted(dates)
    for query in ({"sort": "forfatter"}, {"q": "x" * 1001}, {"descending": "kanskje"}):
        assert client.get("/v1/documents", params=query).status_code == 422


def test_the_original_comes_as_it_was_read(client: TestClient) -> None:
    for summary in client.get("/v1/documents").json()["documents"]:
        response = client.get(f"/v1/documents/{summary['id']}/original")
        path = Path(summary["source"])
        assert response.content == path.read_bytes()
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"].startswith("attachment")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert path.name in response.headers["content-disposition"]


def test_a_pdf_opens_in_the_browser_until_its_file_is_another(
    tmp_path: Path, model_folder: Path
) -> None:
    (tmp_path / "d").mkdir()
    path = tmp_path / "d" / "årsmelding.pdf"
    path.write_bytes(Writer().lines("Rådet møttes fem ganger i fjor.").bytes())
    own = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    own.ingester().ingest([path.parent])
    with TestClient(create_service(own), base_url=LOCAL) as client:
        [summary] = client.get("/v1/documents").json()["documents"]
        address = f"/v1/documents/{summary['id']}/original"
        response = client.get(address)
        assert response.headers["content-type"] == "application/pdf"
        assert response.headers["content-disposition"].startswith("inline")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src" not in response.headers["content-security-policy"]
        assert response.content == path.read_bytes()
        other = path.with_name("kopi.txt")  # of two files of one document either will do
        other.write_bytes(path.read_bytes())
        own.ingester().ingest([path.parent])
        path.write_bytes(b"noe annet")
        copy = client.get(address)
        assert copy.headers["content-type"] == "application/pdf"
        assert "kopi.txt" in copy.headers["content-disposition"]
        other.unlink()
        changed = client.get(address)
        path.unlink()
        gone = client.get(address)
        unknown = client.get("/v1/documents/ukjent/original")
    for response in (changed, gone):
        assert response.status_code == 404
        assert "kildesvar ingest" in response.json()["detail"]
    assert "GET /v1/documents" in unknown.json()["detail"]


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        (("POST", "/v1/ask", {"question": "   "}), 422, "question"),
        (("POST", "/v1/ask", {"question": "x" * 2001}), 422, "2000"),
        (("POST", "/v1/ask", {"question": QUESTION, "limit": 0}), 422, "limit"),
        (("POST", "/v1/ask", {"question": QUESTION, "limt": 3}), 422, "limt"),
        (
            ("POST", "/v1/ask", {"question": QUESTION, "filters": {"forfatter": 1}}),
            422,
            "forfatter",
        ),
        (("POST", "/v1/ask", {"question": QUESTION, "stream": "kanskje"}), 422, "stream"),
        (
            ("POST", "/v1/ask", {"question": QUESTION, "filters": {"folder": ["x" * 1001]}}),
            422,
            "folder",
        ),
        (("POST", "/v1/ask", {"question": QUESTION, "stream": 0}), 422, "stream"),
        (("POST", "/v1/ask", {"question": QUESTION, "limit": "5"}), 422, "quotation marks"),
        (("POST", "/v1/ask", {"question": QUESTION, "filters": {"to": 0}}), 422, "2024-12-31"),
        (("GET", "/v1/search?q=helse&to=0", None), 422, "2024-12-31"),
        (("GET", "/v1/audit?since=0.5", None), 422, "2024-12-31"),
        (("POST", "/v1/ask", None), 422, "request body"),
        (("POST", "/v1/ask", {"question": "x" * MAX_BODY}), 413, "2 MB"),
        (("GET", "/v1/search", None), 422, "q"),
        (("GET", "/v1/search?q=helse&from=igår", None), 422, "from"),
        (("GET", "/v1/search?q=helse&limit=1000", None), 422, "limit"),
        (("GET", "/v1/documents/finnes-ikke", None), 404, "no document"),
        (("GET", "/finnes-ikke", None), 404, "/openapi.json"),
        (("DELETE", "/v1/ask", None), 405, "/openapi.json"),
    ],
)
def test_errors_are_problems_that_name_the_remedy(
    client: TestClient, request_: tuple[str, str, Any], status: int, says: str
) -> None:
    method, path, body = request_
    response = client.request(method, path, json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert problem["status"] == status
    assert says in problem["detail"]
    assert problem["instance"] == path.split("?")[0]


@pytest.mark.parametrize(
    "body",
    [
        '{"question": "Hva?", "filters": {"document": ["\\ud800"]}}',
        '{"question": "Hva?", "filters": {"folder": ["\\ud800"]}}',
        '{"question": "Hva?", "conversation_id": "\\ud800"}',
        '{"question": "Hva?", "\\ud800": 1}',
    ],
)
def test_what_is_not_unicode_is_refused(client: TestClient, body: str) -> None:
    response = client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["title"]


def test_a_large_body_without_a_length_is_refused(client: TestClient) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"question": "'
        for _ in range(MAX_BODY // 1024 + 1):
            yield b"x" * 1024

    response = client.post("/v1/ask", content=body(), headers={"content-type": "application/json"})
    assert "content-length" not in response.request.headers
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert "2 MB" in response.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_a_request_for_this_machine_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["testserver", "evil.example:8080", "localhost.evil.example", ""])
def test_a_request_for_another_machine_is_refused(client: TestClient, host: str) -> None:
    response = client.get("/v1/documents", headers={"host": host})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert "content-security-policy" in response.headers
    assert "localhost" in response.json()["detail"]


@pytest.mark.parametrize(
    ("listens_on", "status"),
    [("0.0.0.0", 200), ("kilder.example", 200), ("127.0.0.2", 400), ("::1", 400)],
)
def test_only_a_service_of_this_machine_alone_minds_the_host(
    tmp_path: Path, model_folder: Path, listens_on: str, status: int
) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path, host=listens_on))
    client = TestClient(create_service(kildesvar), base_url="http://kilder.example")
    assert client.get("/healthz").status_code == status
    own = f"[{listens_on}]" if ":" in listens_on else listens_on
    assert client.get("/healthz", headers={"host": f"{own}:8080"}).status_code == 200
    kildesvar.close()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Origin": "HTTP://LOCALHOST", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://kilder.example", "Sec-Fetch-Site": "same-origin"},  # behind a proxy
        {"Origin": "http://kilder.example:81", "X-Forwarded-Host": "kilder.example:81"},
    ],
)
def test_own_pages_and_programs_may_ask(client: TestClient, headers: dict[str, str]) -> None:
    response = client.post("/v1/ask", json={"question": QUESTION}, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost:3000"},  # another program of this machine
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://evil.example", "X-Forwarded-Host": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": ""},
    ],
)
def test_a_page_of_another_site_may_change_and_ask_nothing(
    client: TestClient, headers: dict[str, str]
) -> None:
    file = {"file": ("a.txt", b"Noe annet.")}
    document_id = client.get("/v1/documents", headers=headers).json()["documents"][0]["id"]
    address = f"/v1/documents/{document_id}"
    for response in (
        client.post("/v1/ask", json={"question": QUESTION}, headers=headers),
        client.post("/v1/documents", files=file, headers=headers),
        client.put(address, files=file, headers=headers),
        client.post(f"{address}/reindex", headers=headers),
        client.post("/v1/feedback", json={"answer_id": "x", "verdict": "up"}, headers=headers),
        client.delete(address, headers=headers),
    ):
        assert response.status_code == 403
        assert response.headers["content-type"] == "application/problem+json"
        assert "content-security-policy" in response.headers
        assert "own pages" in response.json()["detail"]
    assert client.get(address, headers=headers).status_code == 200
    assert client.get("/v1/jobs").json() == {"jobs": [], "total": 0}


def test_health(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200


def test_an_empty_library_is_alive_but_not_ready(tmp_path: Path, model_folder: Path) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path))
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    assert client.get("/healthz").status_code == 200
    for response in (client.get("/readyz"), client.post("/v1/ask", json={"question": QUESTION})):
        assert response.status_code == 503
        assert "kildesvar ingest" in response.json()["detail"]
        assert "Retry-After" in response.headers
    assert client.get("/v1/documents").json() == {"documents": [], "total": 0}
    kildesvar.close()


def test_a_new_generation_is_taken_up_by_the_next_question(
    tmp_path: Path, model_folder: Path
) -> None:
    folder = tmp_path / "dokumenter"
    folder.mkdir()
    (folder / "a.txt").write_text("Lederen av rådet heter Kari Nordmann.\n", encoding="utf-8")
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    kildesvar.ingester().ingest([folder])
    first = ask(client, "Hva heter lederen av rådet?")
    (folder / "a.txt").write_text("Lederen av rådet heter Ola Nordmann.\n", encoding="utf-8")
    kildesvar.ingester().ingest([folder])
    second = ask(client, "Hva heter lederen av rådet?")
    assert "Kari" in first["passages"][0]["text"]
    assert "Ola" in second["passages"][0]["text"]
    assert "Kari" not in json.dumps(second)
    assert first["generation"] != second["generation"]
    kildesvar.close()


def test_one_question_too_many_is_told_to_come_back(
    kildesvar: Kildesvar, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = create_service(kildesvar)
    service.state.gate = Gate(1)
    place = service.state.gate.enter()
    next(place)
    client = TestClient(service, base_url=LOCAL)
    response = client.post("/v1/ask", json={"question": QUESTION})
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert next(place, None) is None
    for _ in range(3):  # a place is given back, after an error too
        assert client.post("/v1/ask", json={"question": QUESTION}).status_code == 200
        assert client.post("/v1/ask", json={"question": ""}).status_code == 422


def test_more_than_forty_questions_are_worked_on_at_once(
    ingested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = 45
    data_dir = shutil.copytree(ingested, tmp_path / "data")
    settings = {"max_concurrency": places, "max_waiting": 0, "cached_answers_mb": 0}
    # As many answers at once take a busy machine a while, which is not what is asked here.
    kildesvar = Kildesvar(load_settings(data_dir=data_dir, answer_seconds=300, **settings))
    arrived, go_on = threading.Semaphore(0), threading.Event()
    search = kildesvar.retriever.search

    def wait(generation: Generation, question: str, *given: Any, **named: Any) -> SearchResult:
        if question == QUESTION:  # others are asked by the service itself, to offer them
            arrived.release()
            go_on.wait(20)
        return search(generation, question, *given, **named)

    monkeypatch.setattr(kildesvar.retriever, "search", wait)
    service = create_service(kildesvar)
    with (
        TestClient(service, base_url=LOCAL) as client,
        ThreadPoolExecutor(places) as readers,
    ):

        def status() -> int:
            return client.post("/v1/ask", json={"question": QUESTION}).status_code

        asked = [readers.submit(status) for _ in range(places)]
        try:
            assert all(arrived.acquire(timeout=5) for _ in range(places))
            assert status() == 429
        finally:
            go_on.set()
        assert {reader.result() for reader in asked} == {200}


def test_an_unforeseen_error_tells_nothing_of_the_inside(
    client: TestClient,
    kildesvar: Kildesvar,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(kildesvar.library, "documents", broken)
    response = client.get("/v1/documents")  # were it raised again, the client would raise it here
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert [record.message for record in caplog.records if record.exc_info] == [
        "unforeseen error at /v1/documents"
    ]


def test_pages_carry_a_strict_policy(client: TestClient) -> None:
    for path in ("/", "/documents/noe", "/static/ask/ask.js", "/v1/documents"):
        response = client.get(path)
        assert response.status_code == 200
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
    assert client.get("/static/ask/ask.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/static/../assembly.py").status_code == 404
    assert client.get("/static/%2e%2e/%2e%2e/assembly.py").status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/documents/noe", "/static/styles/base.css", "/static/ask/ask.js"]
)
def test_pages_are_compressed_for_who_takes_them_so(client: TestClient, path: str) -> None:
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(plain.content) == int(plain.headers["content-length"])
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as response:
        sent = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in response.headers["vary"]
    assert len(sent) < len(plain.content) * 0.6
    assert gzip.decompress(sent) == plain.content
    assert response.headers["etag"] == plain.headers["etag"]
    assert response.headers["cache-control"] == "no-cache"


def test_a_static_file_that_is_as_it_was_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/static/styles/base.css")
    assert first.headers["content-encoding"] == "gzip"
    again = client.get("/static/styles/base.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_what_is_no_page_is_not_compressed(client: TestClient) -> None:
    for path in ("/openapi.json", "/v1/documents", "/v1/search?q=helse"):
        response = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert len(response.content) > 500
        assert "content-encoding" not in response.headers


def test_the_openapi_describes_every_route_and_its_errors(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    assert description["info"]["version"] == version("kildesvar")
    paths = description["paths"]
    assert set(paths) == {
        "/v1/ask",
        "/v1/caller",
        "/v1/chat/completions",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/search",
        "/v1/examples",
        "/v1/suggest",
        "/v1/documents",
        "/v1/documents/{document_id}",
        "/v1/documents/{document_id}/original",
        "/v1/documents/{document_id}/reindex",
        "/v1/conversations",
        "/v1/conversations/{conversation_id}",
        "/v1/conversations/{conversation_id}/export",
        "/v1/feedback",
        "/v1/collections",
        "/v1/left-out",
        "/v1/statistics",
        "/v1/audit",
        "/v1/jobs",
        "/v1/jobs/{job_id}",
        "/v1/jobs/{job_id}/events",
        "/healthz",
        "/metrics",
        "/readyz",
    }
    upload = {"202", "409", "415", "507"}
    special = {
        ("post", "/v1/ask"): {"200", "409"},
        ("delete", "/v1/conversations/{conversation_id}"): {"204"},
        ("post", "/v1/feedback"): {"204", "409"},
        ("post", "/v1/documents"): upload,
        ("post", "/v1/documents/{document_id}/reindex"): {"202", "409"},
        ("put", "/v1/documents/{document_id}"): upload,
        ("delete", "/v1/documents/{document_id}"): {"204", "409"},
    }
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["description"], path
            if "OpenAI" in operation["tags"]:  # with errors of another shape
                error = {"schema": {"$ref": "#/components/schemas/ErrorOut"}}
                failures = {name: r for name, r in operation["responses"].items() if name != "200"}
                assert set(failures) == {"400", "4XX", "500", "5XX"}
                assert all(r["content"] == {"application/json": error} for r in failures.values())
                continue
            if path.startswith("/v1"):
                expected = {"400", "401", "403", "404", "408", "413", "422", "429", "500", "503"}
                expected |= special.get((method, path), {"200"})
                assert set(operation["responses"]) == expected, path
            for status, response in operation["responses"].items():
                if not status.startswith("2"):
                    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
                    content = dict(response["content"])
                    if status == "400":  # which the HTTP server itself may say in plain text
                        del content["text/plain"]
                    assert content == {"application/problem+json": problem}
    form = paths["/v1/documents"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["required"] == ["file"]
    answers = paths["/v1/ask"]["post"]["responses"]["200"]["content"]
    assert set(answers) == {"application/json", "text/event-stream"}
    told = [event["properties"] for event in answers["text/event-stream"]["itemSchema"]["oneOf"]]
    names = ["stage", "citation", "token", "answer", "error"]
    assert [event["event"]["const"] for event in told] == names
    schemas = description["components"]["schemas"]
    for event in told[1], *told[3:]:
        assert event["data"]["contentSchema"]["$ref"].rpartition("/")[2] in schemas
    events = paths["/v1/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]
    assert set(events) == {"text/event-stream"}
    schema = description["components"]["schemas"]["Problem"]
    assert set(schema["required"]) == {"type", "title", "status", "detail", "instance"}


def messages(*contents: str) -> list[dict[str, str]]:
    """Turns, by turns of who asks and of the service."""
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": text} for at, text in enumerate(contents)]


def test_a_follow_up_is_completed_from_the_messages(client: TestClient) -> None:
    before = messages(
        "Hvor mange kom på Helse- og velferdskonferansen?",
        "ca. 70\n\nHelse- og velferdskonferansen 23.11.23 samlet ca. 70 deltakere. [1]",
    )
    body = ask(client, "Når var den?", messages=before)
    assert body["question"] == "Når var Helse- og velferdskonferansen?"
    assert "23.11.23" in body["answer"]
    assert ask(client, "Når var den?")["question"] == "Når var den?"
    alone = ask(client, QUESTION, messages=before)
    assert alone["question"] == QUESTION
    assert alone["answer"] == ask(client, QUESTION)["answer"]


def test_a_refused_follow_up_says_what_was_searched(client: TestClient) -> None:
    before = messages("Hvor høy er Galdhøpiggen?", "Jeg finner ikke svaret i dokumentene.")
    body = ask(client, "Og Glittertind?", messages=before)
    assert not body["answered"]
    assert "«Hvor høy er Glittertind?»" in body["answer"]


def test_as_long_a_conversation_as_is_allowed_is_taken(client: TestClient) -> None:
    assert ask(client, QUESTION, messages=messages(*["æ" * 8000] * 40))["answered"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([{"role": "system", "content": "Svar kort."}], "role"),
        ([{"role": "user", "content": "Hva?", "name": "Kari"}], "name"),
        ([{"role": "user"}], "content"),
        ([{"role": "user", "content": "x" * 8001}], "8000"),
        (messages(*["Hva?"] * 41), "40"),
        ("Hva?", "messages"),
    ],
)
def test_messages_that_are_not_a_conversation_are_refused(
    client: TestClient, given: Any, says: str
) -> None:
    response = client.post("/v1/ask", json={"question": QUESTION, "messages": given})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert says in response.json()["detail"]
