"""What routes ask for: who asks, what they may read of the running Kildesvar, and the gate."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request

from app.access.authentication import Authenticator
from app.access.callers import Caller
from app.asking.asking import Asking
from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.hosting.readiness import Readiness
from app.kept.answer_log import AnswerLog
from app.kept.conversations import Conversations
from app.schemas import FilterFields
from app.sight.witness import Witness
from app.work import Worker
from index.library import Library
from index.records import Filters
from index.views import View


async def _kildesvar(request: Request) -> Kildesvar:
    kildesvar: Kildesvar = request.app.state.kildesvar
    return kildesvar


KildesvarDep = Annotated[Kildesvar, Depends(_kildesvar)]


async def _worker(request: Request) -> Worker:
    worker: Worker = request.app.state.worker
    return worker


async def _answer_log(request: Request) -> AnswerLog:
    answer_log: AnswerLog = request.app.state.answer_log
    return answer_log


async def _conversations(request: Request) -> Conversations:
    conversations: Conversations = request.app.state.conversations
    return conversations


async def _asking(request: Request) -> Asking:
    asking: Asking = request.app.state.asking
    return asking


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller  # a route for everybody has none
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]


async def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


def _view(kildesvar: KildesvarDep, caller: CallerDep) -> View:
    return kildesvar.view(caller.collections)


async def _library(kildesvar: KildesvarDep, caller: CallerDep) -> Library:
    return kildesvar.library.read_by(caller.collections)


async def _witness(request: Request) -> Witness:
    witness: Witness = request.app.state.witness
    return witness


async def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


async def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


async def _writing(request: Request) -> Gate:
    writing: Gate = request.app.state.writing
    return writing


def _place_to_send(request: Request) -> Iterator[None]:
    yield from request.app.state.sending.enter()


def _place_to_write(request: Request) -> Iterator[None]:
    yield from request.app.state.writing.enter()


def _place_to_scrape(request: Request) -> Iterator[None]:
    yield from request.app.state.scraping.enter()


ViewDep = Annotated[View, Depends(_view)]
"""What of the newest generation is searched for the caller."""
LibraryDep = Annotated[Library, Depends(_library)]
"""The library as the caller may read it: routes use no other."""
WorkerDep = Annotated[Worker, Depends(_worker)]
AnswerLogDep = Annotated[AnswerLog, Depends(_answer_log)]
AskingDep = Annotated[Asking, Depends(_asking)]
ConversationsDep = Annotated[Conversations, Depends(_conversations)]
AuthenticatorDep = Annotated[Authenticator, Depends(_authenticator)]
ReadinessDep = Annotated[Readiness, Depends(_readiness)]
WitnessDep = Annotated[Witness, Depends(_witness)]
GateDep = Annotated[Gate, Depends(_gate)]
WritingDep = Annotated[Gate, Depends(_writing)]
PlaceToWriteDep = Depends(_place_to_write)
PlaceToSendDep = Depends(_place_to_send)
PlaceToScrapeDep = Depends(_place_to_scrape)


def filters_from(fields: FilterFields | None) -> Filters:
    """The library's filters, from those of a request; none when it gives none."""
    if fields is None:
        return Filters()
    return Filters(
        document=tuple(fields.document),
        language=tuple(fields.language),
        media_type=tuple(fields.media_type),
        folder=tuple(fields.folder),
        collection=tuple(fields.collection),
        dated_from=fields.from_.isoformat() if fields.from_ else None,
        dated_to=fields.to.isoformat() if fields.to else None,
    )
