"""GET /metrics: what happens in the service, for Prometheus."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access.roles import AdminDep
from app.dependencies import PlaceToScrapeDep, WitnessDep
from app.problems import problem_responses

router = APIRouter(tags=["health"])

_FORMS: dict[str, Any] = {"text/plain": {}, "application/openmetrics-text": {}}


@router.get(
    "/metrics",
    dependencies=[AdminDep, PlaceToScrapeDep],
    response_class=Response,
    responses={
        200: {"description": "Metrics", "content": _FORMS},
        **problem_responses(401, 403, 429, 503),
    },
)
def metrics(request: Request, witness: WitnessDep) -> Response:
    """What is counted and timed, in Prometheus' text or, as `Accept` has it, in OpenMetrics."""
    scrape = witness.metrics.scrape(request.headers.get("accept", ""))
    return Response(scrape.content, media_type=scrape.media_type)
