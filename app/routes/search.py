"""GET /v1/search: passages that fit a query, with the matching words marked."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.access.roles import ReadDep
from app.asking.working import while_connected, worked
from app.dependencies import GateDep, KildesvarDep, ViewDep, WitnessDep, filters_from
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


@router.get("/search", dependencies=[ReadDep], response_model=SearchResponse)
async def search(  # noqa: PLR0913, PLR0917 - what a search depends on
    query: Annotated[SearchQuery, Query()],
    request: Request,
    kildesvar: KildesvarDep,
    gate: GateDep,
    view: ViewDep,
    witness: WitnessDep,
) -> Response:
    """Passages from best to worst, or from newest to oldest. `total` counts the candidates that
    were ranked; all pages and facets are of these."""
    filters = filters_from(query)

    def found() -> str:
        browsed = kildesvar.retriever.browse(
            view,
            query.q,
            query.limit,
            query.offset,
            filters,
            newest_first=query.sort == "date",
        )
        witness.searched(browsed.result)
        return search_response(
            browsed, kildesvar.analyser, view.name, kildesvar.uploads.folder_of
        ).model_dump_json()

    seconds = kildesvar.settings.answer_seconds
    searching = worked(gate, found, "retrieve", seconds)
    response = await while_connected(request.receive, searching)
    if response is None:
        return Response(status_code=499)  # to nobody
    return Response(response, media_type="application/json")
