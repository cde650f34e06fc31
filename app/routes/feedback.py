"""/v1/feedback: what people think of the answers that they got."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.answer_records import AnswerRecords, Verdict
from app.dependencies import AnswerLogDep, KildesvarDep, PlaceToWriteDep, WitnessDep
from app.problems import PROBLEM_RESPONSES, problem_responses
from app.schemas import FeedbackList, FeedbackOut, FeedbackRequest

router = APIRouter(prefix="/v1/feedback", tags=["answers"], responses=PROBLEM_RESPONSES)


@router.post(
    "", status_code=204, dependencies=[PlaceToWriteDep], responses=problem_responses(403, 409)
)
def give_feedback(request: FeedbackRequest, answer_log: AnswerLogDep, witness: WitnessDep) -> None:
    """Notes whether an answer was good, and why. When this answers, it is on the disk."""
    answer_log.judge(request.answer_id, Verdict(request.verdict), request.reason or None)
    witness.metrics.judged(request.verdict)


@router.get("")
def list_feedback(
    kildesvar: KildesvarDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> FeedbackList:
    """What people thought of answers, from the newest to the oldest, and what they had asked."""
    records = AnswerRecords(kildesvar.library)
    newest = records.feedback(limit, offset)
    return FeedbackList(
        feedback=[FeedbackOut(**asdict(item)) for item in newest], total=records.count_feedback()
    )
