"""POST /v1/chat/completions and GET /v1/models: the service in the shapes of OpenAI's API."""

from time import time
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from app.access.roles import ReadDep
from app.asking.answer_cache import Asked
from app.asking.asking import answer_of
from app.asking.streaming import EventStream
from app.asking.working import while_connected
from app.dependencies import AskingDep, CallerDep, GateDep, ViewDep, filters_from
from app.openai_api.chat import asked_in
from app.openai_api.completions import Completion
from app.openai_api.errors import ModelNotFoundError, UnsupportedValueError
from app.openai_api.schemas import (
    MODEL,
    ChatCompletion,
    ChatExtension,
    ChatRequest,
    ErrorOut,
    ModelList,
    ModelOut,
)

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorOut, "description": "An error in OpenAI's shape"}
    for status in (400, "4XX", 500, "5XX")
}
_CHUNKS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `stream`, its chunks, and `[DONE]` as the last",
        "content": {"text/event-stream": {}},
    }
}

router = APIRouter(prefix="/v1", tags=["OpenAI"], responses=_ERRORS)

_MODEL = ModelOut(created=int(time()))


@router.get("/models", dependencies=[ReadDep])
def list_models() -> ModelList:
    """The one model that there is."""
    return ModelList(data=[_MODEL])


@router.get("/models/{model:path}", dependencies=[ReadDep])
def get_model(model: str) -> ModelOut:
    """The model, if it is asked for by its name."""
    _require_known(model)
    return _MODEL


@router.post(
    "/chat/completions", dependencies=[ReadDep], response_model=ChatCompletion, responses=_CHUNKS
)
async def complete_chat(  # noqa: PLR0913, PLR0917 - what an answer depends on
    asked: ChatRequest,
    request: Request,
    asking: AskingDep,
    gate: GateDep,
    view: ViewDep,
    caller: CallerDep,
) -> ChatCompletion | Response:
    """Answers the last message of the user, in Markdown with its sources at the end.

    `kildesvar` has the answer as POST /v1/ask gives it, with exact quotes; in a stream it is on the
    chunk that has a `finish_reason`. A comment line comes after every 15 seconds of silence.
    """
    _require_known(asked.model)
    _require_served(asked)
    chat, wanted = asked_in(asked.messages), asked.kildesvar or ChatExtension()
    question = Asked(
        question=chat.question,
        limit=wanted.limit,
        filters=filters_from(wanted.filters),
        history=tuple(chat.history),
        collections=caller.collections,
    )
    beginning = asking.ask(gate, view, question)
    events = await while_connected(request.receive, beginning)
    if events is None:
        return Response(status_code=499)  # to nobody
    completion = Completion(
        events, lambda answer: asking.recorded(chat.question, answer, caller.id)
    )
    if asked.stream:
        with_usage = asked.stream_options is not None and asked.stream_options.include_usage
        return EventStream(completion.chunks(request.url.path, with_usage=with_usage))
    answer = await while_connected(request.receive, answer_of(completion.followed()))
    if answer is None:
        return Response(status_code=499)  # to nobody
    return await run_sync(completion.whole, answer)


def _require_known(model: str) -> None:
    if model != MODEL:
        raise ModelNotFoundError(f"there is no model «{model}» here; ask for {MODEL}", "model")


def _require_served(asked: ChatRequest) -> None:
    """Refuses what a client would wait for in vain."""
    if asked.n not in (None, 1):
        raise UnsupportedValueError("there is one answer to a question; leave n out, or 1", "n")
    if (asked.response_format or {}).get("type", "text") != "text":
        raise UnsupportedValueError(
            "an answer has its own form and no other; leave response_format out, "
            "and read the field `kildesvar` of the answer for its parts",
            "response_format",
        )
    if asked.tool_choice not in (None, "none", "auto"):
        raise UnsupportedValueError(
            "no tool is ever called here; leave tool_choice out, or set it to none", "tool_choice"
        )
