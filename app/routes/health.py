"""Liveness and readiness, for whoever supervises the process."""

from fastapi import APIRouter

from app.dependencies import KildesvarDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/healthz")
def alive() -> Health:
    """200 while the process lives."""
    return Health(status="ok")


@router.get("/readyz", responses={503: PROBLEM_RESPONSES[503]})
def ready(kildesvar: KildesvarDep) -> Health:
    """200 once it can answer, else 503 with the reason and what to do."""
    kildesvar.generation()  # whose number would tell anyone how often documents change
    return Health(status="ready")
