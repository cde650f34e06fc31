"""GET /v1/statistics: what the library holds, and what is asked of it, in numbers."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.access.callers import Role
from app.access.roles import ReadDep
from app.dependencies import AnswerLogDep, CallerDep, KildesvarDep, LibraryDep
from app.kept.answer_statistics import answer_statistics
from app.problems import PROBLEM_RESPONSES
from app.schemas import AnswerStatisticsOut, LengthCountOut, LibraryStatisticsOut, Statistics
from index.statistics import library_statistics

router = APIRouter(prefix="/v1/statistics", tags=["library"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=[ReadDep])
def get_statistics(
    kildesvar: KildesvarDep,
    library: LibraryDep,
    answer_log: AnswerLogDep,
    caller: CallerDep,
    days: Annotated[int, Query(ge=1, le=366, description="Of the answers, up to today")] = 30,
) -> Statistics:
    """The library as it is now; for admins also the questions of the last days, which are UTC's."""
    held = asdict(library_statistics(library, kildesvar.settings.uploads_dir))
    lengths = [
        LengthCountOut(from_=step["at_least"], to=step["below"], count=step["count"])
        for step in held.pop("passage_lengths")
    ]
    answers = None
    if caller.role is Role.ADMIN:
        figures = asdict(answer_statistics(library, days))
        answers = AnswerStatisticsOut(**figures, kept_days=answer_log.kept_days)
    return Statistics(
        library=LibraryStatisticsOut(**held, passage_lengths=lengths), answers=answers
    )
