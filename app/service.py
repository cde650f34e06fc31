"""The HTTP service: routes, error handling, limits and headers around one Kildesvar."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from ipaddress import ip_address

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.assembly import Kildesvar
from app.dependencies import Gate
from app.problems import (
    PROBLEM_RESPONSES,
    UnforeseenErrors,
    add_problem_handlers,
    describe_problems,
    problem,
)
from app.routes import ask, documents, health, pages, search

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}

MAX_BODY = 256 * 1024
_TOO_LARGE = f"a request may hold at most {MAX_BODY // 1024} KB; send less"

_SPARE_THREADS = 8
"""For what passes no gate: refusals, health, documents, files."""


class SecurityHeaders:
    """Adds the headers that keep a page from running or loading anything but our own files."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = self._headers
                if (b"content-type", b"application/pdf") in message["headers"]:
                    # It runs nothing here, and browsers' viewers need the styles that this forbids.
                    own = [header for header in own if header[0] != b"content-security-policy"]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """Refuses a request whose body is too large, as announced or, failing that, as received."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > MAX_BODY:
            await problem(413, f"{_TOO_LARGE}.", scope["path"])(scope, receive, send)
            return
        await self._app(scope, _counting(receive), send)


def _counting(receive: Receive) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY:
            raise HTTPException(413, _TOO_LARGE)  # to the route that reads; it becomes a problem
        return message

    return counted


class LocalHosts:
    """Refuses a request that names another machine than this one.

    A page of a site whose name is made to resolve to 127.0.0.1 (DNS rebinding) could otherwise read
    the documents; the browser still sends that site's name as Host.
    """

    def __init__(self, app: ASGIApp, listens_on: str) -> None:
        self._app = app
        own = f"[{listens_on}]" if ":" in listens_on else listens_on
        self._names = {"127.0.0.1", "localhost", "[::1]", own.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if re.sub(r":\d+$", "", host).lower() in self._names:
            await self._app(scope, receive, send)
            return
        detail = (
            f"The service listens on this machine only, and the request is for «{host}». Use "
            "localhost as the address, let a proxy send `Host: localhost`, or set KILDESVAR_HOST "
            "to an address that others may reach."
        )
        await problem(400, detail, scope["path"])(scope, receive, send)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def create_service(kildesvar: Kildesvar) -> FastAPI:
    """The ASGI application that answers from `kildesvar`, and closes it at the end."""
    settings = kildesvar.settings

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Beyond AnyIO's 40 threads a request would wait for one, where it is to be refused.
        current_default_thread_limiter().total_tokens = settings.max_concurrency + _SPARE_THREADS
        yield
        kildesvar.close()

    service = FastAPI(
        title="Kildesvar",
        summary="Answers with their source, over an organisation's own documents.",
        description=(
            "Offsets count Unicode code points of a document's text, end exclusive; a citation's "
            "quote is always exactly the document's text at its span. Times are milliseconds. "
            "Errors are `application/problem+json` (RFC 9457) and say what to do."
        ),
        version=version("kildesvar"),
        lifespan=lifespan,
        responses={status: PROBLEM_RESPONSES[status] for status in (400, 500)},
        # FastAPI's own documentation pages load their scripts from other sites.
        docs_url=None,
        redoc_url=None,
    )
    service.state.kildesvar = kildesvar
    service.state.gate = Gate(settings.max_concurrency)
    _add_middleware(service, settings.host)
    add_problem_handlers(service)
    describe_problems(service)
    for module in (ask, search, documents, health, pages):
        service.include_router(module.router)
    pages.mount_static_files(service)
    return service


def _add_middleware(service: FastAPI, host: str) -> None:
    """From the inside out: every answer gets the headers, those of the other middleware too."""
    service.add_middleware(BodyLimit)
    if _is_loopback(host):
        service.add_middleware(LocalHosts, listens_on=host)
    service.add_middleware(UnforeseenErrors)
    service.add_middleware(SecurityHeaders)
