"""The HTTP service: routes, error handling, limits and headers around one Kildesvar."""

import logging
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import create_task_group, move_on_after, sleep
from anyio.to_thread import current_default_thread_limiter, run_sync
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.addresses import is_this_machine
from app.answer_log import AnswerLog
from app.answer_records import AnswerRecords
from app.asking import Asking
from app.assembly import Kildesvar
from app.conversations import Conversations
from app.cross_origin import SHARED, OtherSites, is_shared
from app.dependencies import Gate
from app.housekeeping import Housekeeping, Retention
from app.mcp.endpoint import McpEndpoint
from app.mcp.tools import Tools
from app.problems import (
    PROBLEM_RESPONSES,
    UnforeseenErrors,
    add_problem_handlers,
    describe_problems,
    problem,
)
from app.routes import (
    ask,
    chat_completions,
    documents,
    examples,
    feedback,
    health,
    jobs,
    left_out,
    pages,
    search,
    statistics,
    suggest,
)
from app.routes import conversations as conversation_routes
from app.uploads import FORM_BYTES, too_large
from app.work import Worker
from index.errors import KildesvarError

log = logging.getLogger("kildesvar")

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

MAX_BODY = 2 * 1024**2  # a conversation may be of forty messages of 8,000 letters
_TOO_LARGE = f"a request may hold at most {MAX_BODY // 1024**2} MB; send less"
_UPLOADS = re.compile(r"/v1/documents(/[^/]+)?")

_OTHERS_REMEDY = ", or name that page's origin in KILDESVAR_ALLOWED_ORIGINS"

_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 * 1024**2

_SPARE_THREADS = 8
"""For what passes no gate: refusals, health, documents, files."""
_WRITING = 4
"""Verdicts and the like written at once: each may wait for whoever writes to the library, in one of
those threads."""


_LOOKS_EVERY = 0.5
"""Seconds between two looks for a newer generation; an older one is let go then, too."""
_AFTER_FAILURE = 30.0
_BETWEEN_EXAMPLES = 0.1
"""Seconds between two questions that are asked to see whether they make examples."""


class SecurityHeaders:
    """Adds the headers that keep a page from running or loading anything but our own files, and
    other sites from loading ours. A route's own word on one of them goes before."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                own = [header for header in self._headers if header[0] not in said]
                if (b"content-type", b"application/pdf") in message["headers"]:
                    # It runs nothing here, and browsers' viewers need the styles that this forbids.
                    own = [header for header in own if header[0] != b"content-security-policy"]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """Refuses a request whose body is too large, as announced or, failing that, as received.

    Uploads may have `max_upload` bytes. A connection on which an answer comes before all of the
    body is closed soon after it, so that nobody has to take in the rest.
    """

    def __init__(self, app: ASGIApp, max_upload: int) -> None:
        self._app = app
        self._max_upload = max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most, refusal = self._limit(scope)
        body = _Body(receive, most, refusal)
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        length = int(announced) if announced.isdecimal() else 0
        has_body = length > 0 or "transfer-encoding" in headers

        closes = False

        async def send_and_close(message: Message) -> None:
            nonlocal closes
            if message["type"] == "http.response.start" and has_body and not body.is_read:
                closes = True
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            if not closes or message["type"] == "http.response.start" or message.get("more_body"):
                await send(message)
                return
            await send({**message, "more_body": True})
            await body.linger()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        if length > most:
            await problem(413, f"{refusal}.", scope["path"])(scope, receive, send_and_close)
        else:
            await self._app(scope, body.receive, send_and_close)

    def _limit(self, scope: Scope) -> tuple[int, str]:
        """The most bytes that this request's body may have, and what to say of more."""
        if scope["method"] in {"POST", "PUT"} and _UPLOADS.fullmatch(scope["path"]):
            return self._max_upload + FORM_BYTES, too_large(self._max_upload)
        return MAX_BODY, _TOO_LARGE


class _Body:
    """A request's body on its way in, counted."""

    def __init__(self, receive: Receive, most: int, refusal: str) -> None:
        self._receive = receive
        self._most = most
        self._refusal = refusal
        self._received = 0
        self.is_read = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            # To the route that reads; it becomes a problem.
            raise HTTPException(413, self._refusal)
        self.is_read = self.is_read or not message.get("more_body", False)
        return message

    async def linger(self) -> None:
        """Throws a little more away, until the other side has seen the answer and stops.

        A connection closed on what still comes is reset, and with it the answer is lost.
        """
        most = self._received + _LINGER_BYTES
        with move_on_after(_LINGER_SECONDS):
            while not self.is_read and self._received < most:
                message = await self._receive()
                self._received += len(message.get("body", b""))
                self.is_read = not message.get("more_body", False)


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


class OwnPages:
    """Refuses to change or answer anything for a page of another site.

    Any page in a browser may send a form to this machine without asking first. Browsers say whose
    page it was; programs that are no browsers say nothing, and are let through. So are pages of the
    `others`, origins that may use the shared routes.
    """

    def __init__(self, app: ASGIApp, others: tuple[str, ...]) -> None:
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _is_of_own_page(headers) or is_shared(scope, self._others):
            await self._app(scope, receive, send)
            return
        detail = (
            f"The request comes from a page of {headers.get('origin', 'another site')}, which may "
            "not use this service. Use the service's own pages, or a program that is no browser"
            + _OTHERS_REMEDY * (scope["path"] in SHARED)
            + "."
        )
        await problem(403, detail, scope["path"])(scope, receive, send)


def _is_of_own_page(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:  # the browser's own word, whatever a proxy made of the host's name
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return True
    # A page of another site can set neither: X-Forwarded-Host comes from a proxy.
    names = {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()}
    return origin.lower().partition("://")[2] in names - {""}


async def _follow(kildesvar: Kildesvar) -> None:
    """Takes up newer generations before a question has to wait for one to be opened."""
    while True:
        try:
            await run_sync(kildesvar.generation)
        except KildesvarError as error:
            log.debug("%s", error)  # it is said to whoever asks
        except Exception as error:  # nothing may end the task, and with it the service
            log.error("could not look for a newer generation", exc_info=error)
            await sleep(_AFTER_FAILURE)
        await sleep(_LOOKS_EVERY)


async def _make_examples(kildesvar: Kildesvar, gate: Gate) -> None:
    """Asks the questions of examples, one at a time, while nobody else asks anything."""
    while True:
        is_more = False
        if gate.is_quiet:
            try:
                is_more = await run_sync(_make_next_example, kildesvar)
            except KildesvarError as error:
                log.debug("an example could not be asked: %s", error)
            except Exception as error:  # nothing may end the task, and with it the service
                log.error("could not make examples", exc_info=error)
                await sleep(_AFTER_FAILURE)
        await sleep(_BETWEEN_EXAMPLES if is_more else _LOOKS_EVERY)


def _make_next_example(kildesvar: Kildesvar) -> bool:
    return kildesvar.examples.work(kildesvar.generation())


def create_service(kildesvar: Kildesvar) -> FastAPI:
    """The ASGI application that answers from `kildesvar`, and closes it at the end."""
    settings = kildesvar.settings
    worker = Worker(kildesvar)
    answer_records = AnswerRecords(kildesvar.library)
    answer_log = AnswerLog(answer_records, settings.keep_answers_days)
    conversations = Conversations(kildesvar.library, settings.keep_conversations_days)
    housekeeping = Housekeeping(
        [
            Retention("answers", answer_log.kept_days, answer_records.forget_before),
            Retention(
                "conversations", conversations.kept_days, conversations.records.forget_before
            ),
        ]
    )
    gate, leaving = Gate(settings.max_concurrency), threading.Event()
    asking = Asking(kildesvar.answerer, answer_log, leaving)
    mcp = McpEndpoint(Tools(kildesvar, asking, gate))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Beyond AnyIO's 40 threads a request would wait for one, where it is to be refused.
        current_default_thread_limiter().total_tokens = settings.max_concurrency + _SPARE_THREADS
        worker.start()
        answer_log.start()
        housekeeping.start()
        async with create_task_group() as tasks:
            tasks.start_soon(_follow, kildesvar)
            tasks.start_soon(_make_examples, kildesvar, gate)
            mcp.start(tasks)
            yield
            tasks.cancel_scope.cancel()
        await run_sync(housekeeping.stop)
        await run_sync(answer_log.stop)
        await run_sync(worker.stop)
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
    service.state.gate = gate
    service.state.writing = Gate(_WRITING)
    service.state.worker = worker
    service.state.answer_log = answer_log
    service.state.asking = asking
    service.state.conversations = conversations
    service.state.leaving = leaving
    _add_middleware(service, kildesvar)
    add_problem_handlers(service)
    describe_problems(service)
    for module in (
        ask,
        chat_completions,
        conversation_routes,
        feedback,
        search,
        suggest,
        examples,
        documents,
        left_out,
        jobs,
        statistics,
        health,
        pages,
    ):
        service.include_router(module.router)
    service.router.routes.append(Route("/mcp", mcp, methods=["POST"]))
    pages.mount_static_files(service)
    return service


def _add_middleware(service: FastAPI, kildesvar: Kildesvar) -> None:
    """From the inside out: every answer gets the headers, those of the other middleware too."""
    host, others = kildesvar.settings.host, kildesvar.settings.allowed_origins
    service.add_middleware(OwnPages, others=others)
    if is_this_machine(host):
        service.add_middleware(LocalHosts, listens_on=host)
    service.add_middleware(BodyLimit, max_upload=kildesvar.uploads.max_bytes)
    service.add_middleware(UnforeseenErrors)
    if others:  # outside the rest, so that their refusals can be read as well
        service.add_middleware(OtherSites, origins=others)
    service.add_middleware(SecurityHeaders)
