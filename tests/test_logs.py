"""Log lines: whose request they are of, one event a line, and no secret and no question in them."""

import json
import logging
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.access.callers import Caller, Role
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import Settings
from app.sight.acting import Actor, acting, actor, begin_request
from app.sight.logs import FIELDS, JsonLines, TextLines, secrets_of_servers
from tests.conftest import LOCAL

KEY = "kv_7f3a9c51e0d24b68"
SESSION = "e5Jm-0aT_" * 4 + "sP3x0Qz"
QUESTION = "Hvor mange medlemmer har bransjen?"


class Written(logging.Handler):
    """What a formatter makes of each line, as it comes."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(params=[TextLines, JsonLines])
def written(request: pytest.FixtureRequest) -> Iterator[Written]:
    """All that the service logs, in either format."""
    handler = Written(request.param())
    log = logging.getLogger("kildesvar")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield handler
    log.removeHandler(handler)
    log.setLevel(before)


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    found = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("kildesvar", logging.INFO, __file__, 1, message, args, found)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_said_is_one_line_of_text(said: str, cause: str) -> None:
    first, *others = TextLines().format(record("%s", said)).splitlines() or [""]
    assert "INFO" in first
    assert not others
    error = raised(ValueError(f"a\n2026-01-31 12:00:00,000 INFO all is well{cause}"))
    first, *others = TextLines().format(record("%s", said, error=error)).splitlines()
    assert all(line.startswith("  | ") for line in others)


@given(st.text(max_size=60))
def test_whatever_is_said_is_one_object_of_json(said: str) -> None:
    line = JsonLines().format(record("%s", said, error=raised(ValueError(said))))
    assert "\n" not in line
    found = json.loads(line)
    assert found["level"] == "info"
    assert "ValueError" in found["error"]


@pytest.mark.parametrize("lines", [TextLines(["hemmelig-nok"]), JsonLines(["hemmelig-nok"])])
@pytest.mark.parametrize(
    "said",
    [
        f"Authorization: Bearer {KEY}",
        f"'authorization': 'Bearer {KEY}'",
        f"GET /v1/search?q=plan&key={KEY}&limit=3",
        f"{{'api_key': '{KEY}'}}",
        f"cookie: session={KEY}",
        f"password = {KEY}",
        "the server said hemmelig-nok",
    ],
)
def test_no_line_holds_a_secret(lines: logging.Formatter, said: str) -> None:
    for line in (
        lines.format(record("%s", said)),
        lines.format(record("it failed", error=raised(ValueError(said)))),
    ):
        assert KEY not in line
        assert "hemmelig-nok" not in line
        assert "***" in line


def test_no_line_holds_what_proves_to_a_server_who_this_is() -> None:
    settings = Settings(
        llm_key=SecretStr("hemmelig-1"),
        opensearch_password=SecretStr("hemmelig-2"),
        opensearch_user="kildesvar",
        database_url=SecretStr("postgresql://navn:hemmelig%2F3@db/k?sslpassword=hemmelig-4"),
    )
    by_key = Settings(opensearch_key=SecretStr("hemmelig-5"))
    secrets = {*secrets_of_servers(settings), *secrets_of_servers(by_key)}
    lines = TextLines(secrets)
    said = "hemmelig-1 hemmelig-2 hemmelig/3 hemmelig%2F3 hemmelig-4 hemmelig-5 navn"
    assert lines.format(record("%s", said)).endswith("*** *** *** *** *** *** navn")


def test_what_is_no_secret_stays() -> None:
    said = "the key of «Kari» (key-1) was created; KILDESVAR_LLM_KEY may be mended"
    assert TextLines().format(record("%s", said)).endswith(said)


def test_a_line_of_a_thread_has_the_id_of_the_request_that_it_works_for() -> None:
    lines: list[str] = []

    def work() -> None:
        lines.append(TextLines().format(record("worked")))

    with acting(Actor(Caller("key-1", "Kari", Role.READ), "r-1")):
        work()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert "[r-1] worked" in lines[0]
    assert "[" not in lines[1], "a thread of its own works for nobody"


def test_requests_answers_and_lines_share_an_id(kildesvar: Kildesvar, written: Written) -> None:
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    taken = client.get("/healthz", headers={"X-Request-Id": "Proxy-17.a"})
    assert taken.headers["X-Request-Id"] == "Proxy-17.a"
    assert "Proxy-17.a" in written.lines[-1]
    for insane in ("", "to ord", "x" * 65, "æ", "a\tb", '"'):
        header = {b"X-Request-Id": insane.encode()}
        made = client.get("/v1/documents/finnes-ikke", headers=header).headers.get_list(
            "X-Request-Id"
        )
        assert len(made) == 1
        assert len(made[0]) == 16
        assert made[0] in written.lines[-1]
    refused = client.post("/v1/ask", headers={"Origin": "https://other.example"}, json={})
    assert refused.status_code == 403
    assert refused.headers["X-Request-Id"] in written.lines[-1]


def test_a_line_a_request_says_all_but_what_was_asked(
    kildesvar: Kildesvar, written: Written
) -> None:
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    before = len(written.lines)
    client.get("/v1/search", params={"q": QUESTION})
    client.post("/v1/ask", json={"question": QUESTION})
    client.get("/v1/documents/hemmelig-navn", headers={"Cookie": f"other={KEY}"})
    client.get("/static/favicon.svg")
    client.get(f"/v1/jobs?key={KEY}", headers={"Authorization": f"Bearer {KEY}"})
    client.request("BREW", f"/{KEY}")
    lines = [line for line in written.lines[before:] if "ms" in line]
    assert len(lines) == 6
    everything = "\n".join(written.lines)
    for secret in ("medlemmer", "hemmelig-navn", KEY, "BREW"):
        assert secret not in everything
    if isinstance(written.formatter, JsonLines):
        found = [json.loads(line) for line in lines]
        assert [(line["method"], line["route"], line["status"]) for line in found] == [
            ("GET", "/v1/search", 200),
            ("POST", "/v1/ask", 200),
            ("GET", "/v1/documents/{document_id}", 404),
            ("GET", "/static", 200),
            ("GET", "none", 401),
            ("OTHER", "none", 404),
        ]
        assert found[2]["problem"] == "DocumentNotFoundError"
        assert all(line["ms"] > 0 and line["bytes"] > 0 for line in found)
        assert {line["caller_name"] for line in found} == {"anyone"}
    else:
        assert "GET /v1/documents/{document_id} 404" in lines[2]


def test_a_caller_who_becomes_known_on_the_way_is_named() -> None:
    def work() -> tuple[str, str]:
        state: dict[str, object] = {}
        begin_request("r-1", state, (KEY,))
        state["caller"] = Caller("key-1", "Kari", Role.READ)
        return actor().caller.name, TextLines().format(record("the key is %s", KEY))

    name, line = copy_context().run(work)
    assert name == "Kari"
    assert line.endswith("[r-1] the key is ***")


def test_an_unforeseen_error_is_logged_with_the_id_and_without_the_key(
    kildesvar: Kildesvar, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"broken at {SESSION}")

    monkeypatch.setattr(kildesvar.library, "left_out", fail)
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    cookies = {"Cookie": f"other=left-out; kildesvar_session={SESSION}"}
    answer = client.get("/v1/left-out", headers=cookies)
    assert answer.status_code == 500
    [line] = [line for line in written.lines if "unforeseen" in line]
    assert answer.headers["X-Request-Id"] in line
    assert "broken at ***" in line
    assert SESSION not in "\n".join(written.lines)
    assert "/v1/left-out 500" in written.lines[-1] or '"route": "/v1/left-out"' in written.lines[-1]


def test_nobody_can_hide_who_they_are_by_what_they_send(
    kildesvar: Kildesvar, written: Written
) -> None:
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    for headers in (
        {"Cookie": "a=testclient; b=/healthz; kildesvar_session=testclient"},
        {"Authorization": "Bearer testclient"},
        {"Authorization": "Basic /healthz"},
    ):
        client.get("/healthz", headers=headers)
        assert "testclient" in written.lines[-1]
        assert "/healthz" in written.lines[-1]


def test_the_line_of_a_request_names_its_key(written: Written) -> None:
    fields = {"caller": "key:7f3a9c51e0d24b68", "caller_name": KEY}

    def work() -> None:
        begin_request("r-1", {}, (KEY,))
        log = logging.getLogger("kildesvar")
        log.info("to %s (%s)", *reversed(fields.values()), extra={FIELDS: fields})

    copy_context().run(work)
    assert "key:7f3a9c51e0d24b68" in written.lines[-1]
    assert "***" not in written.lines[-1]
