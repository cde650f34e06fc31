"""GET /v1/search: passages that fit a query, with the matching words marked."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.dependencies import KildesvarDep, PlaceDep, ViewDep, filters_from
from app.problems import PROBLEM_RESPONSES
from app.responses import search_response
from app.schemas import FilterFields, Question, SearchResponse

router = APIRouter(prefix="/v1", tags=["answers"], responses=PROBLEM_RESPONSES)


class SearchQuery(FilterFields):
    """The query string of a search; a filter may be given several times."""

    q: Annotated[Question, Query(description="Words or a question", examples=["samhandling"])]
    limit: Annotated[int, Query(ge=1, le=100)] = 10
    offset: Annotated[int, Query(ge=0, le=2000)] = 0
    sort: Annotated[
        Literal["relevance", "date"],
        Query(description="`date`: newest first, by the day stated or else that of the update"),
    ] = "relevance"


@router.get("/search", dependencies=[PlaceDep])
def search(
    query: Annotated[SearchQuery, Query()], kildesvar: KildesvarDep, view: ViewDep
) -> SearchResponse:
    """Passages from best to worst, or from newest to oldest. `total` counts the candidates that
    were ranked; all pages and facets are of these."""
    browsed = kildesvar.retriever.browse(
        view,
        query.q,
        query.limit,
        query.offset,
        filters_from(query),
        newest_first=query.sort == "date",
    )
    return search_response(browsed, kildesvar.analyser, view.name, kildesvar.uploads.folder_of)
