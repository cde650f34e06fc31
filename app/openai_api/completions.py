"""Answers in OpenAI's envelope: a chat completion, or the chunks of one."""

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import time
from typing import Literal

from anyio.to_thread import run_sync
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from app.answering.answerer import Answer
from app.asking.asking import AnswerEvents
from app.openai_api.chat import Reply
from app.openai_api.errors import openai_error, status_for_openai
from app.openai_api.schemas import (
    AssistantMessage,
    ChatChunk,
    ChatCompletion,
    Choice,
    ChunkChoice,
    Usage,
)
from app.problems import problem_of
from app.schemas import AskResponse

_DONE = format_sse_event(data_str="[DONE]")


class Completion:
    """One answer in its envelope; `recorded` makes of it what POST /v1/ask answers."""

    def __init__(self, events: AnswerEvents, recorded: Callable[[Answer], AskResponse]) -> None:
        self._events = events
        self._recorded = recorded
        self._reply = Reply()
        self._content: list[str] = []
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time())

    async def followed(self) -> AnswerEvents:
        """The events, of which the content is made as they come."""
        async with aclosing(self._events):
            async for event in self._events:
                self._content.append(self._reply.piece(event))
                yield event

    def whole(self, answer: Answer) -> ChatCompletion:
        """The `answer` that came last, when all have been followed."""
        return ChatCompletion(
            id=self._id,
            created=self._created,
            choices=[Choice(message=AssistantMessage(content="".join(self._content)))],
            usage=_usage(answer),
            kildesvar=self._recorded(answer),
        )

    async def chunks(self, instance: str, *, with_usage: bool) -> AsyncGenerator[bytes, None]:
        """As server-sent events, the last of them `[DONE]`, or an error in OpenAI's shape."""
        usual = {"kildesvar"} if with_usage else {"kildesvar", "usage"}  # what most do not have
        try:
            async with aclosing(self._events), aclosing(self.followed()) as events:
                yield _sent(self._chunk({"role": "assistant", "content": ""}), usual)
                async for event in events:
                    if content := self._content[-1]:
                        yield _sent(self._chunk({"content": content}), usual)
                    if isinstance(event, Answer):
                        last = self._chunk({}, "stop", await run_sync(self._recorded, event))
                        yield _sent(last, usual - {"kildesvar"})
                        if with_usage and (usage := _usage(event)):
                            yield _sent(self._chunk(None, usage=usage), usual)
            yield _DONE
        except Exception as error:  # the status has been sent: nobody else can tell the reader
            failed = problem_of(error, instance)
            yield _sent(openai_error(status_for_openai(failed.status), failed.detail))

    def _chunk(
        self,
        delta: dict[str, str] | None,
        finish_reason: Literal["stop"] | None = None,
        kildesvar: AskResponse | None = None,
        usage: Usage | None = None,
    ) -> ChatChunk:
        choices = [] if delta is None else [ChunkChoice(delta=delta, finish_reason=finish_reason)]
        return ChatChunk(
            id=self._id, created=self._created, choices=choices, usage=usage, kildesvar=kildesvar
        )


def _sent(data: BaseModel, without: set[str] | None = None) -> bytes:
    return format_sse_event(data_str=data.model_dump_json(exclude=without))


def _usage(answer: Answer) -> Usage | None:
    """None where a language model was asked: what it counted is not known here."""
    if answer.draft is not None or "rewrite" in answer.timings:
        return None
    return Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)
