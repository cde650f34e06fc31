"""Headers that keep pages, other sites and caches from what is not theirs."""

import pytest
from fastapi.testclient import TestClient

QUESTION = {"question": "Hvor mange medlemmer har bransjen?"}
PAGES = ["/", "/search", "/library", "/documents/x"]
FILES = ["/static/shared/api.js", "/embed/kildesvar-search.js"]
ANSWERS = [
    "/v1/documents",
    "/v1/search?q=helse",
    "/v1/conversations",
    "/v1/finnes-ikke",
    "/v1/search",
    "/openapi.json",
    "/healthz",
]


@pytest.mark.parametrize("path", [*PAGES, *FILES, *ANSWERS])
def test_every_answer_has_them(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "microphone=()" in headers["permissions-policy"]
    shared = path.startswith("/embed/")
    assert headers["cross-origin-resource-policy"] == ("cross-origin" if shared else "same-origin")
    assert headers["cache-control"] == ("no-store" if path in ANSWERS else "no-cache")
    assert "server" not in headers
    assert "strict-transport-security" not in headers


def test_no_cache_keeps_an_answer(client: TestClient) -> None:
    whole = client.post("/v1/ask", json=QUESTION)
    streamed = client.post("/v1/ask", json={**QUESTION, "stream": True})
    [document, *_] = client.get("/v1/documents").json()["documents"]
    original = client.get(f"/v1/documents/{document['id']}/original")
    for response in (whole, streamed, original):
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"


def test_who_asks_over_https_is_to_go_on_so(client: TestClient) -> None:
    asked = client.get("https://localhost/healthz")
    assert asked.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app/service.py",
        "/static/%2e%2e/%2e%2e/service.py",
        "/static/..%2f..%2fservice.py",
        "/static//etc/passwd",
        "/embed/..%5c..%5cservice.py",
        "/static/%00",
        "/v1/documents/..%2f..%2fetc%2fpasswd/original",
    ],
)
def test_no_path_leads_out_of_the_pages(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "create_service" not in response.text
    assert "root:" not in response.text
