"""The HTTP service: routes, error handling, limits and headers around one Kildesvar."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import create_task_group
from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.routing import Route

from app.access.authentication import Authenticator
from app.access.keys import Keys
from app.access.people import People
from app.access.proxies import TrustedProxies
from app.access.rate_limits import Counting, Rate, Rates
from app.access.roles import RouteRoles
from app.access.sessions import Sessions
from app.access.shared_rates import SharedRates
from app.addresses import is_this_machine
from app.asking.answer_cache import AnswerCache
from app.asking.asking import Asking
from app.asking.gate import Gate
from app.asking.ongoing import Patience
from app.assembly import Kildesvar
from app.cross_origin import OtherSites
from app.hosting.background import follow_generations, keep_reading, make_examples, note_uses
from app.hosting.readiness import Readiness
from app.hosting.shared_folder import shared_folder
from app.kept.answer_log import AnswerLog
from app.kept.answer_records import AnswerRecords
from app.kept.conversations import Conversations
from app.kept.housekeeping import Housekeeping, Retention
from app.kept.trusted_clock import ClockFile, ClockState, TrustedClock
from app.mcp.endpoint import McpEndpoint
from app.mcp.tools import Tools
from app.middleware.accounting import Accounting
from app.middleware.authentication import Authentication
from app.middleware.body_limit import BodyLimit
from app.middleware.last_answers import LastAnswers
from app.middleware.local_hosts import LocalHosts
from app.middleware.own_pages import OwnPages
from app.middleware.proxy_headers import ProxyHeaders
from app.middleware.rate_limit import GuessLimit, RateLimit
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
    audit,
    caller,
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
    sign_in,
    statistics,
    suggest,
)
from app.routes import conversations as conversation_routes
from app.routes import metrics as metrics_routes
from app.sight.metrics.events import Metrics
from app.sight.metrics.states import LibraryState, ProcessState
from app.sight.witness import Witness, traces_to
from app.work import Worker

_WRITING = 4
"""Verdicts and the like written at once: each may wait for whoever writes to the library, in one of
those threads."""
_NOTING = 2
"""Failed sign-ins noted at once: in places of their own, so that guessers take nobody else's."""
_SENDING = 8
"""Files that are received at once: each may take up to its full size, and much time."""
_SCRAPING = 2
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own would send errors with what was asked, if a variable of the environment said so."""


def create_service(kildesvar: Kildesvar) -> FastAPI:
    """The ASGI application that answers from `kildesvar`, and closes it at the end."""
    settings = kildesvar.settings
    witness = _witness(kildesvar)
    worker = Worker(kildesvar, witness.worked)
    answer_log = _answer_log(kildesvar)
    conversations = Conversations(kildesvar.library, settings.keep_conversations_days)
    authenticator = _authenticator(kildesvar)
    rates = _rates(kildesvar)
    housekeeping = _housekeeping(kildesvar, answer_log, conversations, authenticator, rates)
    gate = Gate(settings.places, settings.max_waiting, settings.max_wait_seconds)
    witness.metrics.read_gate(
        "answers", lambda: gate.places, lambda: gate.taken, lambda: gate.waiting
    )
    leaving, cutting = threading.Event(), threading.Event()
    patience, cache = Patience.of(settings), _answer_cache(kildesvar, witness.metrics)
    asking = Asking(kildesvar.answerer, answer_log, cutting, patience, cache, witness)
    mcp = McpEndpoint(Tools(kildesvar, asking, gate, witness))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if settings.works_on_uploads:
            worker.start()
        answer_log.start()
        housekeeping.start()
        async with create_task_group() as tasks:
            tasks.start_soon(follow_generations, kildesvar)
            tasks.start_soon(make_examples, kildesvar, gate)
            tasks.start_soon(note_uses, authenticator.uses)
            tasks.start_soon(keep_reading, witness.metrics)
            mcp.start(tasks)
            yield
            tasks.cancel_scope.cancel()
        for stop in (
            authenticator.uses.write,
            housekeeping.stop,
            answer_log.stop,
            worker.stop,
            witness.stop,
        ):
            await run_sync(stop)
        if rates is not None:
            rates.close()
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
        telemetry=_NO_TELEMETRY,
    )
    service.state.kildesvar = kildesvar
    service.state.gate = gate
    service.state.writing, service.state.sending = Gate(_WRITING), Gate(_SENDING)
    service.state.scraping, service.state.noting = Gate(_SCRAPING), Gate(_NOTING)
    service.state.witness = witness
    service.state.readiness = Readiness(kildesvar, leaving)
    service.state.worker = worker
    service.state.answer_log = answer_log
    service.state.asking = asking
    service.state.conversations = conversations
    service.state.leaving = leaving  # set as soon as the service is told to end
    service.state.cutting = cutting  # set when answers take too long to wait for them
    service.state.authenticator = authenticator
    add_problem_handlers(service)
    describe_problems(service)
    _add_routes(service, mcp)
    _add_middleware(service, kildesvar, witness, rates)
    return service


def _add_routes(service: FastAPI, mcp: McpEndpoint) -> None:
    for module in (
        ask,
        caller,
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
        audit,
        health,
        sign_in,
        metrics_routes,
        pages,
    ):
        service.include_router(module.router)
    service.router.routes.append(Route("/mcp", mcp, methods=["POST"]))
    pages.mount_static_files(service)


def _answer_log(kildesvar: Kildesvar) -> AnswerLog:
    has_others = kildesvar.library.is_shared or shared_folder() is not None
    records = AnswerRecords(kildesvar.library)
    return AnswerLog(records, kildesvar.settings.keep_answers_days, has_others)


def _authenticator(kildesvar: Kildesvar) -> Authenticator:
    settings = kildesvar.settings
    people = None
    if settings.signs_people_in:
        people = People(settings.user_header, settings.groups_header, settings.groups)
    sessions = Sessions(kildesvar.library, settings.session_hours)
    return Authenticator(Keys(kildesvar.library), sessions, people)


def _housekeeping(
    kildesvar: Kildesvar,
    answer_log: AnswerLog,
    conversations: Conversations,
    authenticator: Authenticator,
    rates: Counting | None,
) -> Housekeeping:
    def kept(name: str, days: int, forget_before: Callable[[str], int]) -> Retention:
        return Retention(name, days, forget_before, whatever_the_clock=days == 0)

    counted = []
    if isinstance(rates, SharedRates):
        forget = rates.forget_made_up  # by the database's clock, whatever is said here
        counted.append(Retention("rates", 0, lambda _: forget(), whatever_the_clock=True))
    return Housekeeping(
        [
            *counted,
            # As of the moment at which they end, and so by the clock.
            Retention("sessions", 0, authenticator.sessions.forget_before),
            kept("answers", answer_log.kept_days, answer_log.records.forget_before),
            kept("conversations", conversations.kept_days, conversations.records.forget_before),
            kept("changes", kildesvar.settings.keep_audit_days, kildesvar.audit.forget_before),
        ],
        _clock(kildesvar),
    )


def _clock(kildesvar: Kildesvar) -> TrustedClock:
    if kildesvar.library.is_shared:
        shared = ClockState(kildesvar.library)
        return TrustedClock(shared, shared.now)
    return TrustedClock(ClockFile(kildesvar.settings.data_dir / "clock"))


def _witness(kildesvar: Kildesvar) -> Witness:
    metrics = Metrics()
    metrics.collect_from(LibraryState(kildesvar))
    metrics.collect_from(ProcessState())
    uploads, model = kildesvar.uploads, kildesvar.language_model
    meaning = "Bytes of files that were sent and kept."
    metrics.new_count("upload_received_bytes", meaning, lambda: uploads.received_bytes)
    if (queries := kildesvar.query_cache) is not None:
        metrics.read_cache("queries", queries.hits, queries.misses, queries.size)
    witness = Witness(metrics, traces_to(kildesvar.settings.traces_url))
    if model is not None:
        model.watch(witness.language_model_called)
    return witness


def _answer_cache(kildesvar: Kildesvar, metrics: Metrics) -> AnswerCache | None:
    """None where no answers are to be remembered."""
    megabytes = kildesvar.settings.cached_answers_mb
    if not megabytes:
        return None
    cache = AnswerCache(megabytes * 1024**2, kildesvar.library.told)
    metrics.read_cache("answers", cache.hits, cache.misses, cache.size)
    return cache


def _rates(kildesvar: Kildesvar) -> Rates | SharedRates | None:
    """None where nothing is to be counted by them."""
    settings = kildesvar.settings
    if not (settings.request_rate or settings.wrong_keys_per_minute):
        return None
    return SharedRates(kildesvar.library) if kildesvar.library.is_shared else Rates(shared_folder())


def _add_middleware(
    service: FastAPI, kildesvar: Kildesvar, witness: Witness, rates: Counting | None
) -> None:
    """From the inside out: every answer gets the headers, those of the other middleware too."""
    settings = kildesvar.settings
    host, others = settings.host, settings.allowed_origins
    if rates is not None and (per_minute := settings.request_rate):
        service.add_middleware(
            RateLimit, rates=rates, rate=Rate(per_minute, settings.request_burst)
        )
    service.add_middleware(
        Authentication,
        authenticator=service.state.authenticator,
        roles=RouteRoles(service.routes),
        is_required=settings.requires_keys,
    )
    if rates is not None and (wrong := settings.wrong_keys_per_minute):
        service.add_middleware(GuessLimit, rates=rates, rate=Rate(wrong, wrong))
    service.add_middleware(OwnPages, others=others)
    if is_this_machine(host):
        service.add_middleware(LocalHosts, listens_on=host)
    service.add_middleware(BodyLimit, max_upload=kildesvar.uploads.max_bytes)
    service.add_middleware(UnforeseenErrors)
    if others:  # outside the rest, so that their refusals can be read as well
        service.add_middleware(OtherSites, origins=others)
    service.add_middleware(SecurityHeaders)
    service.add_middleware(LastAnswers, leaving=service.state.leaving)
    if witness.traces:
        from app.middleware.tracing import Tracing  # noqa: PLC0415 - see `traces_to`

        service.add_middleware(Tracing, traces=witness.traces)
    service.add_middleware(Accounting, metrics=witness.metrics)
    service.add_middleware(RequestIds)
    service.add_middleware(
        ProxyHeaders,
        proxies=TrustedProxies(settings.trusted_proxies),
        personal=(settings.user_header, settings.groups_header),
    )
