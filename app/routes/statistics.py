"""GET /v1/statistics: what the library holds, and what is asked of it, in numbers."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.answer_statistics import answer_statistics
from app.dependencies import AnswerLogDep, KildesvarDep, LibraryDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import AnswerStatisticsOut, LengthCountOut, LibraryStatisticsOut, Statistics
from index.statistics import library_statistics

router = APIRouter(prefix="/v1/statistics", tags=["library"], responses=PROBLEM_RESPONSES)


@router.get("")
def get_statistics(
    kildesvar: KildesvarDep,
    library: LibraryDep,
    answer_log: AnswerLogDep,
    days: Annotated[int, Query(ge=1, le=366, description="Of the answers, up to today")] = 30,
) -> Statistics:
    """The library as it is now, and the questions of the last days; days are those of UTC."""
    held = asdict(library_statistics(library, kildesvar.settings.uploads_dir))
    lengths = [
        LengthCountOut(from_=step["at_least"], to=step["below"], count=step["count"])
        for step in held.pop("passage_lengths")
    ]
    answers = asdict(answer_statistics(library, days))
    return Statistics(
        library=LibraryStatisticsOut(**held, passage_lengths=lengths),
        answers=AnswerStatisticsOut(**answers, kept_days=answer_log.kept_days),
    )
