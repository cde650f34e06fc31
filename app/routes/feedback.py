"""/v1/feedback: what people think of the answers that they got."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.access.roles import AdminDep, ReadDep
from app.dependencies import AnswerLogDep, CallerDep, LibraryDep, PlaceToWriteDep, WitnessDep
from app.kept.answer_records import AnswerRecords, Verdict
from app.problems import PROBLEM_RESPONSES, problem_responses
from app.schemas import FeedbackList, FeedbackOut, FeedbackRequest

router = APIRouter(prefix="/v1/feedback", tags=["answers"], responses=PROBLEM_RESPONSES)


@router.post(
    "", status_code=204, dependencies=[ReadDep, PlaceToWriteDep], responses=problem_responses(409)
)
def give_feedback(
    request: FeedbackRequest, answer_log: AnswerLogDep, caller: CallerDep, witness: WitnessDep
) -> None:
    """Notes whether an answer was good, and why. When this answers, it is on the disk.

    An answer that somebody else asked for is as unknown as one that there is not.
    """
    verdict = Verdict(request.verdict)
    answer_log.judge(request.answer_id, verdict, request.reason or None, caller.id)
    witness.metrics.judged(request.verdict)


@router.get("", dependencies=[AdminDep])
def list_feedback(
    library: LibraryDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> FeedbackList:
    """What people thought of answers, from the newest to the oldest, and what they had asked."""
    records = AnswerRecords(library)
    newest = records.feedback(limit, offset)
    return FeedbackList(
        feedback=[FeedbackOut(**asdict(item)) for item in newest], total=records.count_feedback()
    )
