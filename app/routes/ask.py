"""POST /v1/ask: a question answered with citations."""

from dataclasses import asdict

from fastapi import APIRouter

from app.answering.answerer import Answer
from app.dependencies import GenerationDep, KildesvarDep, PlaceDep, filters_from
from app.problems import PROBLEM_RESPONSES
from app.routes.hits import passage_out
from app.schemas import AskRequest, AskResponse, Citation

router = APIRouter(prefix="/v1", tags=["answers"], responses=PROBLEM_RESPONSES)


@router.post("/ask", dependencies=[PlaceDep])
def ask(request: AskRequest, kildesvar: KildesvarDep, generation: GenerationDep) -> AskResponse:
    """Answers a question in the documents' own words, or says that they do not answer it."""
    answer = kildesvar.answerer.answer(
        generation, request.question, request.limit, filters_from(request.filters)
    )
    return response_of(answer)


def response_of(answer: Answer) -> AskResponse:
    return AskResponse(
        answered=answer.answered,
        answer=answer.answer,
        short_answer=answer.short_answer,
        confidence=round(answer.confidence, 4),
        citations=[Citation(**asdict(citation)) for citation in answer.citations],
        passages=[passage_out(hit) for hit in answer.hits],
        question=answer.question,
        timings={stage: round(ms, 3) for stage, ms in answer.timings.items()},
        generation=answer.generation,
    )
