"""Clients that are slow, by nature or on purpose, over real connections."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import app.hosting.slow_clients
import app.middleware.body_limit
from app.asking.gate import Gate
from app.hosting.listening import listen
from tests.running import QUESTION, Running, running, wait_until

HEAD = b"POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def service(examples_dir: Path) -> Iterator[Running]:
    with running(examples_dir, max_concurrency=1) as service:
        yield service


@contextmanager
def connected(service: Running) -> Iterator[socket.socket]:
    url = service.client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: local"])
def test_headers_that_do_not_come_end_the_connection(
    service: Running, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(app.hosting.slow_clients, "HEADERS_WITHIN", 0.2)
    with connected(service) as connection:
        connection.sendall(begun)
        assert received(connection) == b""


def test_so_do_those_of_a_later_request(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.hosting.slow_clients, "HEADERS_WITHIN", 0.5)
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(service) as connection:
        for _ in range(2):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):  # it may come in pieces
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /hea")
        assert received(connection) == b""


def test_a_body_that_does_not_come_is_refused(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.middleware.body_limit, "_WAITS", 0.2)
    with connected(service) as connection:
        connection.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"ques')
        answer = received(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in head
    assert "too slowly" in json.loads(body)["detail"]
    assert service.is_free()


def test_a_slow_line_that_goes_on_is_not(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.middleware.body_limit, "_WAITS", 0.2)
    monkeypatch.setattr(app.middleware.body_limit, "_BYTES_A_SECOND", 10)
    body = json.dumps({"question": QUESTION}).encode()
    with connected(service) as connection:
        connection.sendall(
            HEAD + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        for at in range(0, len(body), 5):
            connection.sendall(body[at : at + 5])
            time.sleep(0.05)
        assert received(connection).startswith(b"HTTP/1.1 200")


def test_who_does_not_read_an_answer_holds_no_place(service: Running) -> None:
    with connected(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        body = json.dumps({"question": QUESTION, "stream": True}).encode()
        connection.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.recv(1)
        wait_until(service.is_free)
        answer = service.client.post("/v1/ask", json={"question": QUESTION})
        assert answer.status_code == 200


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
def test_a_connection_whose_other_side_takes_nothing_is_cut() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def test_only_so_many_files_are_received_at_once(service: Running) -> None:
    service_app = service.server.config.app
    full = Gate(1)
    entered = full.enter()
    next(entered)
    before, service_app.state.sending = service_app.state.sending, full  # type: ignore[union-attr]
    try:
        sent = service.client.post("/v1/documents", files={"file": ("a.txt", b"a")})
        assert sent.status_code == 429
        assert sent.headers["Retry-After"] == "1"
    finally:
        service_app.state.sending = before  # type: ignore[union-attr]
