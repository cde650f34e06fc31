"""TLS and passwords before an OpenSearch node, whose security plugin Maven does not have.

    with secured(node.url, tmp_path) as door:
        httpx.get(door.url, auth=(door.user, door.password), verify=str(door.authority))

A real reverse proxy with a certificate of an authority of its own. As the plugin, it answers 401 to
whoever sends neither the user's password nor the API key (`Authorization: ApiKey …`).
"""

import base64
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

_OF_A_CONNECTION = {"connection", "host", "keep-alive", "transfer-encoding", "authorization"}
"""Headers that are not passed on."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where the proxy listens, and what it lets through."""

    url: str
    authority: Path
    """The certificate of the authority, for clients to trust."""
    user: str = "kildesvar"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    api_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def opens_to(self, authorization: str) -> bool:
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return authorization in (f"Basic {basic}", f"ApiKey {self.api_key}")


@contextmanager
def secured(
    node_url: str, folder: Path, names: Sequence[str] = ("127.0.0.1", "localhost")
) -> Iterator[Door]:
    """A proxy before a node.

    Args:
        node_url: What it stands before.
        folder: Where certificates are written.
        names: Those that its certificate is made out to. It listens on 127.0.0.1.
    """
    authority, pair = folder / "authority.pem", folder / "server.pem"
    maker = trustme.CA()
    maker.cert_pem.write_to_path(authority)
    maker.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(pair)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = Door(f"https://127.0.0.1:{listening.getsockname()[1]}", authority)
        app = _Proxy(node_url, door).app()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ssl_certfile=pair))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield door
        finally:
            server.should_exit = True
            thread.join(30)


class _Proxy:
    """Passes on the requests to which the door opens."""

    def __init__(self, node_url: str, door: Door) -> None:
        self._node_url = node_url
        self._door = door

    def app(self) -> Starlette:
        methods = ["GET", "POST", "PUT", "DELETE", "HEAD"]
        route = Route("/{path:path}", self._answer, methods=methods)
        return Starlette(routes=[route], lifespan=self._with_client)

    @asynccontextmanager
    async def _with_client(self, _: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=60) as self._client:
            yield

    async def _answer(self, request: Request) -> Response:
        if not self._door.opens_to(request.headers.get("authorization", "")):
            ask = {"WWW-Authenticate": 'Basic realm="OpenSearch Security"'}
            return PlainTextResponse("Unauthorized", 401, headers=ask)
        path = request.scope["raw_path"].decode()
        passed_on = self._client.build_request(
            request.method,
            f"{self._node_url}{path}?{request.url.query}",
            headers=_passed_on(request.headers.items()),
            content=await request.body(),
        )
        answer = await self._client.send(passed_on, stream=True)
        return StreamingResponse(
            answer.aiter_raw(),
            answer.status_code,
            headers=dict(_passed_on(answer.headers.items())),
            background=BackgroundTask(answer.aclose),
        )


def _passed_on(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _OF_A_CONNECTION]
