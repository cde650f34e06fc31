"""POST /v1/ask: a question answered with citations, at once or step by step."""

from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from app.access.roles import ReadDep
from app.answering.answerer import Answer
from app.answering.conversation import Turn
from app.asking.answer_cache import Asked
from app.asking.asking import answer_of
from app.asking.streaming import EventStream, as_sent
from app.asking.working import while_connected
from app.dependencies import (
    AskingDep,
    CallerDep,
    ConversationsDep,
    GateDep,
    ViewDep,
    filters_from,
)
from app.problems import PROBLEM_RESPONSES, problem_responses
from app.schemas import AskRequest, AskResponse, StageOut, TextOut

router = APIRouter(prefix="/v1", tags=["answers"], responses=PROBLEM_RESPONSES)

_DATA: dict[str, dict[str, Any]] = {
    "stage": StageOut.model_json_schema(),
    "citation": {"$ref": "#/components/schemas/Citation"},
    "token": TextOut.model_json_schema(),
    "answer": {"$ref": "#/components/schemas/AskResponse"},
    "error": {"$ref": "#/components/schemas/Problem"},
}


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """As FastAPI describes server-sent events."""
    encoded = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": {"const": name}, "data": encoded},
    }


_EVENTS = {"itemSchema": {"oneOf": [_event(name, data) for name, data in _DATA.items()]}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `stream`, the events on the way to it",
        "content": {"text/event-stream": _EVENTS},
    },
    **problem_responses(409),
}


@router.post("/ask", dependencies=[ReadDep], response_model=AskResponse, responses=_ANSWERS)
async def ask(  # noqa: PLR0913, PLR0917 - what an answer depends on
    asked: AskRequest,
    request: Request,
    asking: AskingDep,
    gate: GateDep,
    view: ViewDep,
    conversations: ConversationsDep,
    caller: CallerDep,
) -> AskResponse | Response:
    """Answers a question in the documents' own words, or says that they do not answer it.

    With a language model (KILDESVAR_LLM_URL) the words may be the model's; each sentence is then
    verified against the places that it cites.

    With `stream` the answer comes as server-sent events: each `stage` when it begins, each
    `citation` before the `token`s of the text that cites it, and the whole `answer` last, or an
    `error` in its stead. A comment line comes after every 15 seconds of silence.

    With `conversation_id` the question is a turn of a conversation that is kept: the turns before
    complete it, and it is on the disk when the answer has that `conversation_id` too.
    """
    resumed = None
    if asked.conversation_id:
        resumed = await run_sync(
            conversations.resume, asked.conversation_id, caller.id, caller.collections
        )
    told = tuple(Turn(message.role, message.content) for message in asked.messages)
    question = Asked(
        question=asked.question,
        limit=asked.limit,
        filters=filters_from(asked.filters),
        history=resumed.history if resumed else told,
        collections=caller.collections,
    )
    beginning = asking.ask(gate, view, question)
    events = await while_connected(request.receive, beginning)
    if events is None:
        return Response(status_code=499)  # to nobody

    def recorded(answer: Answer) -> AskResponse:
        kept = conversations.keep(resumed, asked.question, answer) if resumed else None
        return asking.recorded(asked.question, answer, caller.id, kept)

    if asked.stream:
        return EventStream(as_sent(events, recorded, request.url.path))
    answer = await while_connected(request.receive, answer_of(events))
    if answer is None:
        return Response(status_code=499)  # to nobody
    response = await run_sync(recorded, answer)
    return Response(response.model_dump_json(), media_type="application/json")
