"""POST /v1/ask: a question answered with citations."""

from fastapi import APIRouter

from app.dependencies import AnswerLogDep, GenerationDep, KildesvarDep, PlaceDep, filters_from
from app.problems import PROBLEM_RESPONSES, problem_responses
from app.responses import ask_response
from app.schemas import AskRequest, AskResponse

router = APIRouter(prefix="/v1", tags=["answers"], responses=PROBLEM_RESPONSES)


@router.post("/ask", dependencies=[PlaceDep], responses=problem_responses(403))
def ask(
    request: AskRequest,
    kildesvar: KildesvarDep,
    generation: GenerationDep,
    answer_log: AnswerLogDep,
) -> AskResponse:
    """Answers a question in the documents' own words, or says that they do not answer it."""
    answer = kildesvar.answerer.answer(
        generation, request.question, request.limit, filters_from(request.filters)
    )
    return ask_response(answer, answer_log.record(request.question, answer))
