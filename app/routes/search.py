"""GET /v1/search: passages that fit a query, with the matching words marked."""

from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Query

from app.assembly import Kildesvar
from app.dependencies import GenerationDep, KildesvarDep, PlaceDep, filters_from
from app.problems import PROBLEM_RESPONSES
from app.routes.hits import search_hit
from app.schemas import FilterFields, Question, SearchResponse
from index.generations import Generation

router = APIRouter(prefix="/v1", tags=["answers"], responses=PROBLEM_RESPONSES)


class SearchQuery(FilterFields):
    """The query string of a search; a filter may be given several times."""

    q: Annotated[Question, Query(description="Words or a question", examples=["samhandling"])]
    limit: Annotated[int, Query(ge=1, le=100)] = 10
    offset: Annotated[int, Query(ge=0, le=2000)] = 0


@router.get("/search", dependencies=[PlaceDep])
def search(
    query: Annotated[SearchQuery, Query()], kildesvar: KildesvarDep, generation: GenerationDep
) -> SearchResponse:
    """Passages from best to worst. `total` counts the candidates that were ranked."""
    return respond(query, kildesvar, generation)


def respond(query: SearchQuery, kildesvar: Kildesvar, generation: Generation) -> SearchResponse:
    """What a search answers, over HTTP as on the command line."""
    began = perf_counter()
    result = kildesvar.retriever.search(
        generation, query.q, query.limit, query.offset, filters_from(query)
    )
    words = set(kildesvar.analyser.words(query.q))
    hits = [search_hit(hit, kildesvar.analyser, words) for hit in result.hits]
    timings = {
        "embed": result.embed_ms,
        "retrieve": result.retrieve_ms,
        "total": (perf_counter() - began) * 1000,
    }
    return SearchResponse(
        hits=hits,
        total=result.total,
        timings={stage: round(ms, 3) for stage, ms in timings.items()},
        generation=generation.name,
    )
