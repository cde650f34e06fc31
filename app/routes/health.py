"""Liveness and readiness, for whoever supervises the process."""

from fastapi import APIRouter

from app.access.roles import OpenDep
from app.dependencies import ReadinessDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/healthz", dependencies=[OpenDep])
def alive() -> Health:
    """200 while the process lives."""
    return Health(status="ok")


@router.get("/readyz", dependencies=[OpenDep], responses={503: PROBLEM_RESPONSES[503]})
async def ready(readiness: ReadinessDep) -> Health:
    """200 once it can answer, else 503 with the reason and what to do; also while it stops."""
    # Without the generation's name, which would tell anybody how often documents change.
    await readiness.require()
    return Health(status="ready")
