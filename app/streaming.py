"""An answer as server-sent events: what happens on the way to it, while it happens."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator
from contextlib import closing
from dataclasses import asdict
from threading import Event as Flag
from typing import Any

from anyio import EndOfStream, create_memory_object_stream, create_task_group, move_on_after
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.types import Send

from app.answering.answerer import Answer, Events, StageBegun
from app.answering.citations import Citation
from app.answering.composing import Text, Waiting
from app.problems import ServiceStoppingError, problem_of
from app.schemas import AskResponse, StageOut, TextOut
from app.schemas import Citation as CitationOut

_SILENCE = 15.0
"""Seconds after which a comment is sent, so that nothing between takes the connection for dead."""

_NOT_KEPT = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # nginx would hold it back


class EventStream(EventSourceResponse):
    """Sends what an iterator gives, which works in a thread; a comment whenever that takes long.

    FastAPI's own, which does the same, is for routes that have no other answer. When the reader
    leaves, it ends once the step under way is done: whoever holds something for the work holds it
    until then.
    """

    def __init__(self, events: Generator[bytes, None, None]) -> None:
        super().__init__(events, headers=_NOT_KEPT)
        self._events = events

    async def stream_response(self, send: Send) -> None:
        ready, coming = create_memory_object_stream[bytes]()
        try:
            async with create_task_group() as tasks:
                tasks.start_soon(_hand_on, self.body_iterator, ready)
                self.body_iterator = _never_silent(coming)
                await super().stream_response(send)
        finally:
            self._events.close()


async def _hand_on(events: AsyncIterable[Any], ready: ObjectSendStream[bytes]) -> None:
    async with ready:
        async for event in events:
            if event:  # while a language model is silent, this is where its reader can leave
                await ready.send(event)


async def _never_silent(coming: ObjectReceiveStream[bytes]) -> AsyncIterator[bytes]:
    """What comes, and a comment after each silence."""
    async with coming:
        while True:
            event = KEEPALIVE_COMMENT
            with move_on_after(_SILENCE):
                try:
                    event = await coming.receive()
                except EndOfStream:
                    return
            yield event


def until_stopped(events: Events, stopping: Flag) -> Events:
    """The events, of which none is worked for once `stopping` is set.

    Raises ServiceStoppingError then.
    """
    with closing(events):
        for event in events:
            if stopping.is_set():
                raise ServiceStoppingError(
                    "the service is being stopped; ask again in some seconds"
                )
            yield event


async def answer_of(events: Events, request: Request) -> Answer | None:
    """The answer that comes last; None when who asked has left while a language model wrote."""
    with closing(events):
        async for event in iterate_in_threadpool(events):
            if isinstance(event, Answer):
                return event
            if isinstance(event, Waiting) and await request.is_disconnected():
                return None
    raise AssertionError("the events ended without an answer")


def as_sent(
    events: Events, answered: Callable[[Answer], AskResponse], instance: str
) -> Generator[bytes, None, None]:
    """`events` in the form that they leave in, the answer as `answered` makes it.

    An error takes the place of the answer. A moment's waiting is an empty string.
    """
    try:
        with closing(events):
            for event in events:
                if isinstance(event, Waiting):
                    yield b""
                    continue
                named = ("answer", answered(event)) if isinstance(event, Answer) else _named(event)
                yield _encoded(*named)
    except Exception as error:  # the status has been sent: nobody else can tell the reader
        yield _encoded("error", problem_of(error, instance))


def _named(event: StageBegun | Citation | Text) -> tuple[str, BaseModel]:
    if isinstance(event, StageBegun):
        return "stage", StageOut(name=event.name)
    if isinstance(event, Citation):
        return "citation", CitationOut(**asdict(event))
    return "token", TextOut(text=event.text)


def _encoded(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())
