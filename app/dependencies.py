"""What routes ask for: the running Kildesvar, what of it the caller may read, and a place in the
queue."""

import threading
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request

from app.access.callers import ANYONE, Caller
from app.answer_log import AnswerLog
from app.asking import Asking
from app.assembly import Kildesvar
from app.conversations import Conversations
from app.problems import TooBusyError
from app.schemas import FilterFields
from app.work import Worker
from index.library import Library
from index.records import Filters
from index.views import View


class Gate:
    """Lets so many requests in at once; the next one is told to come back, not left waiting."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._taken = 0
        self._changing = threading.Lock()

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is in: time for work that must not keep anybody waiting."""
        return self._taken == 0

    def enter(self) -> Iterator[None]:
        with self._changing:
            if self._taken >= self._places:
                raise TooBusyError(
                    "the service is answering as many as it can; try again in a second"
                )
            self._taken += 1
        try:
            yield
        finally:
            with self._changing:
                self._taken -= 1


def _kildesvar(request: Request) -> Kildesvar:
    kildesvar: Kildesvar = request.app.state.kildesvar
    return kildesvar


KildesvarDep = Annotated[Kildesvar, Depends(_kildesvar)]


def _worker(request: Request) -> Worker:
    worker: Worker = request.app.state.worker
    return worker


def _answer_log(request: Request) -> AnswerLog:
    answer_log: AnswerLog = request.app.state.answer_log
    return answer_log


def _conversations(request: Request) -> Conversations:
    conversations: Conversations = request.app.state.conversations
    return conversations


def _asking(request: Request) -> Asking:
    asking: Asking = request.app.state.asking
    return asking


def _caller(request: Request) -> Caller:
    caller: Caller = getattr(request.state, "caller", ANYONE)
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]


def _view(kildesvar: KildesvarDep, caller: CallerDep) -> View:
    return kildesvar.view(caller.collections)


def _library(kildesvar: KildesvarDep, caller: CallerDep) -> Library:
    return kildesvar.library.read_by(caller.collections)


def _place(request: Request) -> Iterator[None]:
    yield from request.app.state.gate.enter()


def _place_to_write(request: Request) -> Iterator[None]:
    yield from request.app.state.writing.enter()


ViewDep = Annotated[View, Depends(_view)]
"""What of the newest generation is searched for the caller."""
LibraryDep = Annotated[Library, Depends(_library)]
"""The library as the caller may read it: routes use no other."""
WorkerDep = Annotated[Worker, Depends(_worker)]
AnswerLogDep = Annotated[AnswerLog, Depends(_answer_log)]
AskingDep = Annotated[Asking, Depends(_asking)]
ConversationsDep = Annotated[Conversations, Depends(_conversations)]
PlaceDep = Depends(_place)
PlaceToWriteDep = Depends(_place_to_write)


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
