"""Methods that an address takes are named to whoever used another."""

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/v1/documents", "GET, POST"),
        ("PATCH", "/v1/documents/x", "GET, PUT, DELETE"),
        ("PUT", "/v1/conversations/x", "GET, PATCH, DELETE"),
        ("DELETE", "/v1/feedback", "GET, POST"),
        ("GET", "/v1/ask", "POST"),
        ("GET", "/mcp", "POST"),
        ("POST", "/", "GET"),
        ("POST", "/static/shared/api.js", "GET, HEAD"),
    ],
)
def test_all_methods_of_an_address_are_named(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"] == allowed
