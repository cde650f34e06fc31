"""An answer as server-sent events: what happens on the way to it, while it happens."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, closing
from dataclasses import asdict
from threading import Event as Flag

from anyio import EndOfStream, create_memory_object_stream, create_task_group, move_on_after
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from anyio.to_thread import run_sync
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel
from starlette.types import Send

from app.answering.answerer import Answer, Event, Events, StageBegun
from app.answering.citations import Citation
from app.answering.composing import Text, Waiting
from app.problems import ServiceStoppingError, problem_of
from app.schemas import AskResponse, StageOut, TextOut
from app.schemas import Citation as CitationOut

_SILENCE = 15.0
"""Seconds after which a comment is sent, so that nothing between takes the connection for dead."""

_NOT_KEPT = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # nginx would hold it back


class EventStream(EventSourceResponse):
    """Sends what an iterator gives; a comment whenever that takes long.

    FastAPI's own, which does the same, is for routes that have no other answer. The iterator is not
    kept waiting by a reader who is slow: what it gives is kept for them. It is closed when the
    reader leaves.
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, headers=_NOT_KEPT)
        self._events = events

    async def stream_response(self, send: Send) -> None:
        ready, coming = create_memory_object_stream[bytes](math.inf)
        async with create_task_group() as tasks:
            tasks.start_soon(_hand_on, self._events, ready)
            self.body_iterator = _never_silent(coming)
            await super().stream_response(send)


async def _hand_on(events: AsyncGenerator[bytes, None], ready: ObjectSendStream[bytes]) -> None:
    async with ready, aclosing(events):
        async for event in events:
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


async def as_sent(
    events: AsyncGenerator[Event, None], answered: Callable[[Answer], AskResponse], instance: str
) -> AsyncGenerator[bytes, None]:
    """`events` in the form that they leave in, the answer as `answered` makes it, in a thread.

    An error takes the place of the answer.
    """
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Answer):
                    yield _encoded("answer", await run_sync(answered, event))
                elif not isinstance(event, Waiting):
                    yield _encoded(*_named(event))
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
