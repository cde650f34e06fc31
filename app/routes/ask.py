"""POST /v1/ask: a question answered with citations."""

from fastapi import APIRouter

from app.answering.conversation import Turn
from app.dependencies import GenerationDep, KildesvarDep, PlaceDep, filters_from
from app.problems import PROBLEM_RESPONSES, problem_responses
from app.responses import ask_response
from app.schemas import AskRequest, AskResponse

router = APIRouter(prefix="/v1", tags=["answers"], responses=PROBLEM_RESPONSES)


@router.post("/ask", dependencies=[PlaceDep], responses=problem_responses(403))
def ask(request: AskRequest, kildesvar: KildesvarDep, generation: GenerationDep) -> AskResponse:
    """Answers a question in the documents' own words, or says that they do not answer it."""
    answer = kildesvar.answerer.answer(
        generation,
        request.question,
        request.limit,
        filters_from(request.filters),
        history=[Turn(message.role, message.content) for message in request.messages],
    )
    return ask_response(answer)
