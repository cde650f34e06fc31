"""GET /v1/caller: who a request is from, as the service sees it."""

from fastapi import APIRouter, Request

from app.access.authentication import session_secret
from app.access.roles import ReadDep
from app.dependencies import CallerDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import CallerOut

router = APIRouter(prefix="/v1/caller", tags=["access"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=[ReadDep])
def get_caller(caller: CallerDep, request: Request) -> CallerOut:
    """Who is asking, and what they may do."""
    by_session = "authorization" not in request.headers and session_secret(request.headers)
    return CallerOut.model_validate(
        {
            "name": caller.name,
            "role": caller.role.name.lower(),
            "collections": None if caller.collections is None else sorted(caller.collections),
            "signed_in": bool(by_session) and caller.id.startswith("key:"),
        }
    )
