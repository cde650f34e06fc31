"""GET /v1/jobs: how far the files have come that were sent to be read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse

from app.access.callers import Role
from app.access.roles import WriteDep
from app.dependencies import CallerDep, KildesvarDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import JobList, JobOut
from index.errors import JobNotFoundError
from index.jobs import Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=PROBLEM_RESPONSES)

_LOOKS_EVERY = 0.25
"""Seconds between two looks at a job that somebody follows."""


def _owner(caller: CallerDep) -> str | None:
    """Whose jobs the caller may see: their own, and an admin everybody's."""
    return None if caller.role is Role.ADMIN else caller.id


OwnerDep = Annotated[str | None, Depends(_owner)]


def _job(job_id: str, kildesvar: KildesvarDep, owner: OwnerDep, caller: CallerDep) -> Job:
    return kildesvar.jobs.job(job_id, owner, caller.collections)


JobDep = Annotated[Job, Depends(_job)]


@router.get("", dependencies=[WriteDep])
def list_jobs(
    kildesvar: KildesvarDep,
    owner: OwnerDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> JobList:
    """Jobs from the newest to the oldest. Finished ones are kept for a week, at most 1,000.

    A caller sees their own; an admin, everybody's.
    """
    newest = kildesvar.jobs.newest(limit, offset, owner, caller.collections)
    total = kildesvar.jobs.count(owner, caller.collections)
    return JobList(jobs=[_out(job) for job in newest], total=total)


@router.get("/{job_id}", dependencies=[WriteDep])
def get_job(job: JobDep) -> JobOut:
    """One job; a failed one with the reason, a done one with its document."""
    return _out(job)


@router.get("/{job_id}/events", dependencies=[WriteDep], response_class=EventSourceResponse)
async def follow_job(
    job: JobDep, kildesvar: KildesvarDep, owner: OwnerDep, caller: CallerDep, request: Request
) -> AsyncIterator[JobOut]:
    """The job now and after each change, as server-sent events, until it is done or failed, or is
    the caller's no more, as when its document was moved into a collection that they may not read.

    A comment line comes every 15 seconds, so that nothing between takes the connection for dead.
    """
    yield _out(job)
    while not job.is_finished and not request.app.state.leaving.is_set():
        await asyncio.sleep(_LOOKS_EVERY)
        before = job
        try:
            job = await run_sync(kildesvar.jobs.job, job.id, owner, caller.collections)
        except JobNotFoundError:
            return
        if job != before:
            yield _out(job)


def _out(job: Job) -> JobOut:
    return JobOut(**{name: getattr(job, name) for name in JobOut.model_fields})
