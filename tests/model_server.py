"""A server of the OpenAI protocol whose model says what a test tells it to, however badly."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Exchange(BaseHTTPRequestHandler):
    """One request, and what can be done to it."""

    protocol_version = "HTTP/1.1"
    server: "ScriptedServer"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.asked: dict[str, Any] = json.loads(self.rfile.read(length))
        self.server.asked.append(self.asked)
        try:
            self.server.behave(self)
        except (BrokenPipeError, ConnectionResetError):
            self.server.left.set()

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""

    @property
    def prompt(self) -> str:
        return "\n".join(message["content"] for message in self.asked["messages"])

    def write(self, *pieces: str, finish: str | None = "stop", pause: float = 0.0) -> None:
        """Streams `pieces`, as a well-behaved server does."""
        self.begin()
        for piece in pieces:
            self.chunk({"content": piece})
            time.sleep(pause)
        if finish:
            self.chunk({}, finish)
        self.line("data: [DONE]")
        self.end()

    def begin(self, content_type: str = "text/event-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, delta: dict[str, str], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.line("data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}))

    def line(self, line: str) -> None:
        data = f"{line}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def cut(self) -> None:
        """Breaks the connection off."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def refuse(self, status: int, error: dict[str, Any], **headers: str) -> None:
        body = json.dumps({"error": error}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


Behaviour = Callable[[Exchange], None]


def says(*pieces: str, finish: str | None = "stop", pause: float = 0.0) -> Behaviour:
    return lambda exchange: exchange.write(*pieces, finish=finish, pause=pause)


def refuses(status: int, error: dict[str, Any] | None = None, **headers: str) -> Behaviour:
    return lambda exchange: exchange.refuse(status, error or {"message": "no"}, **headers)


def cut_after(*pieces: str) -> Behaviour:
    """Says the pieces, and breaks off."""

    def behave(exchange: Exchange) -> None:
        exchange.begin()
        for piece in pieces:
            exchange.chunk({"content": piece})
        exchange.cut()

    return behave


def no_json(exchange: Exchange) -> None:
    exchange.begin()
    exchange.line("data: {«ikke json»")
    exchange.end()


def in_turn(behaviours: Sequence[Behaviour]) -> Behaviour:
    """Each of them once, for one request after the other; then the last."""
    left = list(behaviours)

    def behave(exchange: Exchange) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now(exchange)

    return behave


class ScriptedServer(ThreadingHTTPServer):
    """Behaves as it was told last. `asked` holds the bodies of the requests."""

    daemon_threads = True
    behave: Behaviour = staticmethod(says("Hei."))

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.asked: list[dict[str, Any]] = []
        self.left = threading.Event()
        """Whoever asked went away before the answer had ended."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: object) -> None:
        """A connection that the other side closed is none."""

    def will(self, behave: Behaviour) -> None:
        self.behave = behave
        self.asked.clear()
        self.left.clear()


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
