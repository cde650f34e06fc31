"""Who may do what: every route, and every kind of caller."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from anyio.from_thread import start_blocking_portal
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.routing import Mount, Route
from starlette.types import Message

from app.access.callers import Role
from app.access.keys import Keys
from app.access.roles import RouteRoles
from app.assembly import Kildesvar
from app.moments import iso
from index.tables import jobs, left_out
from index.tables import keys as keys_table
from tests.guarding import browser_at, guarded

JSON = {"Content-Type": "application/json"}

# What a refused request must never come to: a body that is not valid, and an id that there is not.
REQUESTS: dict[tuple[str, str], Role | None] = {
    ("GET", "/"): None,
    ("GET", "/search"): None,
    ("GET", "/library"): None,
    ("GET", "/documents/{document_id}"): None,
    ("GET", "/sign-in"): None,
    ("POST", "/sign-in"): None,
    ("POST", "/sign-out"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/v1/caller"): Role.READ,
    ("GET", "/v1/collections"): Role.READ,
    ("POST", "/v1/ask"): Role.READ,
    ("GET", "/v1/search"): Role.READ,
    ("GET", "/v1/suggest"): Role.READ,
    ("GET", "/v1/examples"): Role.READ,
    ("GET", "/v1/documents"): Role.READ,
    ("GET", "/v1/documents/{document_id}"): Role.READ,
    ("GET", "/v1/documents/{document_id}/original"): Role.READ,
    ("GET", "/v1/conversations"): Role.READ,
    ("GET", "/v1/conversations/{conversation_id}"): Role.READ,
    ("PATCH", "/v1/conversations/{conversation_id}"): Role.READ,
    ("DELETE", "/v1/conversations/{conversation_id}"): Role.READ,
    ("GET", "/v1/conversations/{conversation_id}/export"): Role.READ,
    ("POST", "/v1/feedback"): Role.READ,
    ("GET", "/v1/statistics"): Role.READ,
    ("POST", "/v1/chat/completions"): Role.READ,
    ("GET", "/v1/models"): Role.READ,
    ("GET", "/v1/models/{model:path}"): Role.READ,
    ("POST", "/mcp"): Role.READ,
    ("POST", "/v1/documents"): Role.WRITE,
    ("PUT", "/v1/documents/{document_id}"): Role.WRITE,
    ("POST", "/v1/documents/{document_id}/reindex"): Role.WRITE,
    ("DELETE", "/v1/documents/{document_id}"): Role.WRITE,
    ("GET", "/v1/left-out"): Role.WRITE,
    ("GET", "/v1/jobs"): Role.WRITE,
    ("GET", "/v1/jobs/{job_id}"): Role.WRITE,
    ("GET", "/v1/jobs/{job_id}/events"): Role.WRITE,
    ("GET", "/v1/feedback"): Role.ADMIN,
    ("GET", "/v1/audit"): Role.ADMIN,
    ("GET", "/metrics"): Role.ADMIN,
}


@pytest.fixture(scope="module")
def service(kildesvar: Kildesvar) -> TestClient:
    """A service over the example documents that asks for keys."""
    return browser_at(guarded(kildesvar))


@pytest.fixture(scope="module")
def callers(kildesvar: Kildesvar) -> dict[str, str | None]:
    """The keys of each kind of caller, by its name."""
    keys = Keys(kildesvar.library)
    made = {role: keys.create(role, Role[role.upper()]) for role in ("read", "write", "admin")}
    expired, expired_text = keys.create("expired", Role.ADMIN, expires_in_days=1)
    yesterday = iso(datetime.now(UTC) - timedelta(days=1))
    with kildesvar.library.transaction() as connection:
        connection.execute(
            sa.update(keys_table).where(keys_table.c.id == expired.id).values(expires_at=yesterday)
        )
    for role in ("read", "write"):
        limited = keys.create(role, Role[role.upper()], ["annet"])
        made[f"{role}, other collection"] = limited
    revoked, revoked_text = keys.create("revoked", Role.ADMIN)
    keys.revoke(revoked.id)
    admin, right = made["admin"]
    return {
        "no key": None,
        "no key at all": "nonsense",
        "unknown key": f"kv_{'0' * 16}_{right.rpartition(f'{admin.id}_')[2]}",
        "wrong secret": f"kv_{admin.id}_{'A' * 43}",
        "expired": expired_text,
        "revoked": revoked_text,
        **{role: text for role, (_, text) in made.items()},
    }


@pytest.fixture(scope="module")
def other_collection(kildesvar: Kildesvar) -> str:
    """A key that may write, in a collection that has none of the documents."""
    _, text = Keys(kildesvar.library).create("other", Role.WRITE, collections=["annet"])
    return text


ROLES = {
    "read": Role.READ,
    "write": Role.WRITE,
    "admin": Role.ADMIN,
    "read, other collection": Role.READ,
    "write, other collection": Role.WRITE,
}
KINDS = [
    "no key",
    "no key at all",
    "unknown key",
    "wrong secret",
    "expired",
    "revoked",
    *ROLES,
]


def send(service: TestClient, method: str, path: str, key: str | None) -> Response:
    """A request whose body and ids are wrong, so that whoever may come in changes nothing."""
    headers = dict(JSON) if method in {"POST", "PUT", "PATCH"} else {}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    body = b"{" if headers.get("Content-Type") else None
    address = re.sub(r"\{[^}]+\}", "unknown", path)
    return service.request(method, address, headers=headers, content=body)


# The protocol itself needs the service's lifespan: test_mcp_endpoint.py has who may come in there.
CASES = [
    (method, path, kind)
    for method, path in REQUESTS
    for kind in KINDS
    if (path, kind in ROLES) != ("/mcp", True)
]


@pytest.mark.parametrize(("method", "path", "kind"), CASES, ids=map(" ".join, CASES))
def test_the_access_matrix(
    service: TestClient, callers: dict[str, str | None], method: str, path: str, kind: str
) -> None:
    needed, key, role = REQUESTS[method, path], callers[kind], ROLES.get(kind)
    response = send(service, method, path, key)
    if needed is None:
        assert response.status_code in {200, 204, 422}
        assert "www-authenticate" not in response.headers
    elif role is None:
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert_says_what_to_do(response, path)
    elif role < needed:
        assert response.status_code == 403
        assert_says_what_to_do(response, path)
    else:
        assert response.status_code in {200, 400, 404, 422}, response.text


@pytest.mark.parametrize(
    ("method", "path"), [(m, p) for m, p in REQUESTS if "document_id" in p and p.startswith("/v1")]
)
def test_a_document_of_another_collection_is_as_one_that_is_not_there(
    service: TestClient, other_collection: str, kildesvar: Kildesvar, method: str, path: str
) -> None:
    document_id = kildesvar.library.document_ids()[0]
    hidden, unknown = (
        send(service, method, path.replace("{document_id}", address), other_collection)
        for address in (document_id, "unknown")
    )
    assert hidden.status_code == unknown.status_code == 404
    assert detail(hidden).replace(document_id, "unknown") == detail(unknown)
    assert document_id in kildesvar.library.document_ids()


@pytest.fixture
def of_default(kildesvar: Kildesvar, other_collection: str) -> Iterator[None]:
    """In the collection default, a job of who has the key to another, and a file that is not read.

    The job is done, or a service of another test would work on it.
    """
    now = iso(datetime.now(UTC))
    job = {"id": "f" * 16, "kind": "add", "state": "done", "path": "/a/planlagt.txt"}
    job |= {"owner": f"key:{other_collection.split('_')[1]}", "collection": "default"}
    counts = {"done": 1, "total": 1, "created_at": now, "updated_at": now}
    file = {"path": "/a/uleselig.txt", "size": 1, "modified_ns": 1, "file_hash": ""}
    file |= {"readers": "", "reason": "it holds no text", "collection": "default"}
    with kildesvar.library.transaction() as connection:
        connection.execute(sa.insert(jobs), job | counts)
        connection.execute(sa.insert(left_out), file)
    yield
    with kildesvar.library.transaction() as connection:
        connection.execute(sa.delete(jobs).where(jobs.c.id == job["id"]))
        connection.execute(sa.delete(left_out).where(left_out.c.path == file["path"]))


@pytest.mark.usefixtures("of_default")
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/documents", "documents"),
        ("/v1/search?q=medlemmer", "hits"),
        ("/v1/suggest?q=medlem", "suggestions"),
        ("/v1/left-out", "files"),
        ("/v1/jobs", "jobs"),
    ],
)
def test_a_list_has_nothing_of_another_collection(
    service: TestClient,
    callers: dict[str, str | None],
    other_collection: str,
    path: str,
    found: str,
) -> None:
    assert send(service, "GET", path, callers["admin"]).json()[found]
    assert send(service, "GET", path, other_collection).json()[found] == []


def assert_says_what_to_do(response: Response, path: str) -> None:
    body = response.json()
    if path.startswith(("/v1/chat", "/v1/models")):
        assert set(body) == {"error"}
        said = body["error"]["message"]
    else:
        assert response.headers["Content-Type"] == "application/problem+json"
        said = body["detail"]
    assert "whoever runs the service" in said or "Authorization: Bearer" in said


def routes_of(service: FastAPI) -> set[tuple[str, str]]:
    found = set()
    for route, _ in RouteRoles(service.routes).declared:
        if isinstance(route, Route):
            found |= {(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
    return found


def test_the_matrix_has_every_route(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    assert routes_of(client.app) == set(REQUESTS)


def test_a_route_that_does_not_say_who_may_use_it_stops_the_start() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter()
    router.add_api_route("/forgotten", lambda: None, methods=["GET"])
    app.include_router(router)
    with pytest.raises(ValueError, match=r"/forgotten.*does not say who may use it"):
        RouteRoles(app.routes)


def test_only_files_of_the_pages_are_mounted(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    mounts = {route.path for route in client.app.routes if isinstance(route, Mount)}
    assert mounts == {"/static", "/embed"}


def detail(response: Response) -> str:
    text: str = response.json()["detail"]
    return text


def test_a_guesser_is_not_told_which_keys_there_are(
    service: TestClient, callers: dict[str, str | None]
) -> None:
    unknown, wrong, no_key_at_all = (
        send(service, "GET", "/v1/documents", callers[kind])
        for kind in ("unknown key", "wrong secret", "no key at all")
    )
    assert detail(unknown) == detail(wrong) == detail(no_key_at_all)
    assert unknown.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_who_has_the_key_is_told_why_it_does_not_hold(
    service: TestClient, callers: dict[str, str | None]
) -> None:
    assert "expired at" in detail(send(service, "GET", "/v1/documents", callers["expired"]))
    assert "revoked" in detail(send(service, "GET", "/v1/documents", callers["revoked"]))


def test_a_refused_body_is_not_read(service: TestClient, callers: dict[str, str | None]) -> None:
    async def unread() -> Message:
        raise AssertionError("the body is read")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    for key in (None, callers["read"]):
        headers = [(b"host", b"localhost")]
        if key:
            headers.append((b"authorization", f"Bearer {key}".encode()))
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/documents",
            "raw_path": b"/v1/documents",
            "query_string": b"",
            "headers": headers,
            "app": service.app,
        }
        with start_blocking_portal() as portal:  # the browser's loop may run in this thread
            portal.call(service.app, scope, unread, send)
    statuses = [message["status"] for message in sent if "status" in message]
    assert statuses == [401, 403]


@pytest.mark.parametrize("authorization", ["Basic bmF2bjpoZW1tZWxpZw==", "Bearer", "", "kv_1"])
def test_another_authorization_is_refused(service: TestClient, authorization: str) -> None:
    response = service.get("/v1/documents", headers={"Authorization": authorization})
    assert response.status_code == 401


def test_the_scheme_has_no_case(service: TestClient, callers: dict[str, str | None]) -> None:
    headers = {"Authorization": f"bearer {callers['read']}"}
    assert service.get("/v1/documents", headers=headers).status_code == 200


def test_openai_clients_are_told_in_their_own_shape(service: TestClient) -> None:
    error = service.get("/v1/models").json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")


class TestWithoutRequiredKeys:
    def test_anybody_may_do_everything(self, client: TestClient) -> None:
        assert client.get("/v1/feedback").status_code == 200

    @pytest.mark.parametrize("key", ["not-needed", "sk-none"])
    def test_what_is_no_key_of_ours_is_passed_over(self, client: TestClient, key: str) -> None:
        assert send(client, "GET", "/v1/models", key).status_code == 200

    def test_a_key_that_is_sent_is_checked_and_used(
        self, client: TestClient, callers: dict[str, str | None]
    ) -> None:
        assert send(client, "GET", "/v1/documents", callers["revoked"]).status_code == 401
        assert send(client, "GET", "/v1/feedback", callers["read"]).status_code == 403
        assert send(client, "GET", "/v1/feedback", callers["admin"]).status_code == 200


def test_the_openapi_says_how_to_come_in(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    schemes = description["components"]["securitySchemes"]
    assert schemes["key"]["scheme"] == "bearer"
    assert schemes["session"]["in"] == "cookie"
    for path, operations in description["paths"].items():
        for operation in operations.values():
            if path in {"/healthz", "/readyz"}:
                assert "security" not in operation
                continue
            assert operation["security"] == [{"key": []}, {"session": []}]
            statuses = set(operation["responses"])
            assert {"401", "403"} <= statuses or "4XX" in statuses, path
