"""What routes ask for: who asks, what they may read of the running Kildesvar, and the gate."""

from collections.abc import Iterator
from typing import Annotated, Any

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


def _of_state(name: str) -> Any:
    """A dependency: what stands under that name in the service's state."""

    async def held(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(held)


def _place_in(name: str) -> Any:
    """A dependency: a place in the gate of that name, for as long as the request is worked on."""

    def held(request: Request) -> Iterator[None]:
        yield from getattr(request.app.state, name).enter()

    return Depends(held)


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller  # a route for everybody has none
    return caller


KildesvarDep = Annotated[Kildesvar, _of_state("kildesvar")]
CallerDep = Annotated[Caller, Depends(_caller)]


def _view(kildesvar: KildesvarDep, caller: CallerDep) -> View:
    return kildesvar.view(caller.collections)


async def _library(kildesvar: KildesvarDep, caller: CallerDep) -> Library:
    return kildesvar.library.read_by(caller.collections)


ViewDep = Annotated[View, Depends(_view)]
"""What of the newest generation is searched for the caller."""
LibraryDep = Annotated[Library, Depends(_library)]
"""The library as the caller may read it: routes use no other."""
WorkerDep = Annotated[Worker, _of_state("worker")]
AnswerLogDep = Annotated[AnswerLog, _of_state("answer_log")]
AskingDep = Annotated[Asking, _of_state("asking")]
ConversationsDep = Annotated[Conversations, _of_state("conversations")]
AuthenticatorDep = Annotated[Authenticator, _of_state("authenticator")]
ReadinessDep = Annotated[Readiness, _of_state("readiness")]
WitnessDep = Annotated[Witness, _of_state("witness")]
GateDep = Annotated[Gate, _of_state("gate")]
WritingDep = Annotated[Gate, _of_state("writing")]
PlaceToWriteDep = _place_in("writing")
PlaceToSendDep = _place_in("sending")
PlaceToScrapeDep = _place_in("scraping")


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
