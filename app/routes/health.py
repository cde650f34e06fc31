"""Liveness and readiness, for whoever supervises the process."""

from fastapi import APIRouter

from app.access.roles import OpenDep
from app.dependencies import GenerationDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/healthz", dependencies=[OpenDep])
def alive() -> Health:
    """200 while the process lives."""
    return Health(status="ok")


@router.get("/readyz", dependencies=[OpenDep], responses={503: PROBLEM_RESPONSES[503]})
def ready(generation: GenerationDep) -> Health:
    """200 once it can answer, else 503 with the reason and what to do."""
    return Health(status=f"ready with generation {generation.name}")
