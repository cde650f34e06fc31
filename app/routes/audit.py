"""GET /v1/audit: who changed what, and when."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from app.access.roles import AdminDep
from app.dependencies import KildesvarDep
from app.moments import iso
from app.problems import PROBLEM_RESPONSES
from app.schemas import AuditEntryOut, AuditList, Moment

router = APIRouter(prefix="/v1/audit", tags=["library"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=[AdminDep])
def list_audit(
    kildesvar: KildesvarDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    since: Annotated[
        Moment, Query(description="Only from then on; ISO 8601 with its time zone")
    ] = None,
) -> AuditList:
    """Changes from the newest to the oldest; `total` counts all of them. None has a document's
    words, title or file name: by its id it can be found as long as it is there."""
    moment = _as_kept(since) if since else None
    entries = kildesvar.audit.entries(limit, offset, moment)
    return AuditList(
        entries=[AuditEntryOut(**asdict(entry)) for entry in entries],
        total=kildesvar.audit.count(moment),
    )


def _as_kept(moment: datetime) -> str:
    return iso(moment.astimezone(UTC))
