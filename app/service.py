"""The HTTP service: routes, error handling, limits and headers around one Kildesvar."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import create_task_group
from anyio.to_thread import current_default_thread_limiter, run_sync
from fastapi import FastAPI
from starlette.routing import Route

from app.addresses import is_this_machine
from app.answer_log import AnswerLog
from app.answer_records import AnswerRecords
from app.asking import Asking
from app.assembly import Kildesvar
from app.background import follow_generations, make_examples
from app.conversations import Conversations
from app.cross_origin import OtherSites
from app.dependencies import Gate
from app.housekeeping import Housekeeping, Retention
from app.mcp.endpoint import McpEndpoint
from app.mcp.tools import Tools
from app.middleware.accounting import Accounting
from app.middleware.body_limit import BodyLimit
from app.middleware.local_hosts import LocalHosts
from app.middleware.own_pages import OwnPages
from app.middleware.request_ids import RequestIds
from app.middleware.security_headers import SecurityHeaders
from app.problems import (
    PROBLEM_RESPONSES,
    UnforeseenErrors,
    add_problem_handlers,
    describe_problems,
)
from app.routes import (
    ask,
    chat_completions,
    collections,
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
from app.work import Worker

_SPARE_THREADS = 8
"""For what passes no gate: refusals, health, documents, files."""
_WRITING = 4
"""Verdicts and the like written at once: each may wait for whoever writes to the library, in one of
those threads."""


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
            Retention("changes", settings.keep_audit_days, kildesvar.audit.forget_before),
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
            tasks.start_soon(follow_generations, kildesvar)
            tasks.start_soon(make_examples, kildesvar, gate)
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
        collections,
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
    service.add_middleware(Accounting)
    service.add_middleware(RequestIds)
