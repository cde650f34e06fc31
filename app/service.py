"""The HTTP service: routes, error handling and headers around one Kildesvar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.assembly import Kildesvar
from app.dependencies import Gate
from app.problems import add_problem_handlers
from app.routes import ask, documents, health, pages, search

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


class SecurityHeaders:
    """Adds the headers that keep a page from running or loading anything but our own files."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_service(kildesvar: Kildesvar) -> FastAPI:
    """The ASGI application that answers from `kildesvar`, and closes it at the end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
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
        version="0.1.0",
        lifespan=lifespan,
        # FastAPI's own documentation pages load their scripts from other sites.
        docs_url=None,
        redoc_url=None,
    )
    service.state.kildesvar = kildesvar
    service.state.gate = Gate(kildesvar.settings.max_concurrency)
    service.add_middleware(SecurityHeaders)
    add_problem_handlers(service)
    for module in (ask, search, documents, health, pages):
        service.include_router(module.router)
    pages.mount_static_files(service)
    return service
