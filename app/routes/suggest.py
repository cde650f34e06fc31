"""GET /v1/suggest: titles, headings and words that begin as what is typed."""

from dataclasses import asdict
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Query

from app.access.roles import ReadDep
from app.dependencies import KildesvarDep, ViewDep, filters_from
from app.problems import PROBLEM_RESPONSES
from app.schemas import FilterFields, Question, SuggestionOut, SuggestResponse

router = APIRouter(prefix="/v1", tags=["answers"], responses=PROBLEM_RESPONSES)


class SuggestQuery(FilterFields):
    """What is typed, and which documents suggestions may come from."""

    q: Annotated[Question, Query(description="What is typed so far", examples=["samhand"])]
    limit: Annotated[int, Query(ge=1, le=20)] = 8


# Not behind the gate: while someone types, suggestions must not cost another's question its place.
@router.get("/suggest", dependencies=[ReadDep])
def suggest(
    query: Annotated[SuggestQuery, Query()], kildesvar: KildesvarDep, view: ViewDep
) -> SuggestResponse:
    """Suggestions while a query is typed. Each typed word begins a word of what is suggested,
    but for one error from four letters on, and two from eight; æ, ø and å are letters of their own.
    """
    began = perf_counter()
    suggestions = kildesvar.suggester.suggest(view, query.q, query.limit, filters_from(query))
    return SuggestResponse(
        suggestions=[SuggestionOut(**asdict(suggestion)) for suggestion in suggestions],
        timings={"total": round((perf_counter() - began) * 1000, 3)},
    )
