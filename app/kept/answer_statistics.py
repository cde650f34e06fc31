"""How much was asked, how much of it was answered, how quickly, and what people thought of it."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median

import sqlalchemy as sa

from app.kept.answer_records import Verdict
from index.library import Library
from index.tables import answers, feedback


@dataclass(frozen=True, slots=True)
class DayCount:
    """What was asked on a day (ISO, UTC). `median_ms` is None when nothing was."""

    day: str
    questions: int
    answered: int
    median_ms: float | None


@dataclass(frozen=True, slots=True)
class AnswerStatistics:
    """What was asked in a span of `days`; `since` is the day of the oldest answer that is kept."""

    questions: int
    answered: int
    median_ms: float | None
    up: int
    down: int
    since: str | None
    days: list[DayCount]


@dataclass(slots=True)
class _Asked:
    """What was asked in a time: how long each question took, in milliseconds."""

    milliseconds: list[float] = field(default_factory=list)
    answered: int = 0

    @property
    def median_ms(self) -> float | None:
        return median(self.milliseconds) if self.milliseconds else None


def answer_statistics(library: Library, days: int, today: date | None = None) -> AnswerStatistics:
    """Of the `days` days that end with `today`, in UTC; verdicts count by the day they were given.

    Figures are drawn from an index: what was asked is not read.
    """
    today = today or datetime.now(UTC).date()
    first, after = today - timedelta(days=days - 1), today + timedelta(days=1)
    span = (first.isoformat(), after.isoformat())  # days sort as the times in them do
    with library.engine.connect() as connection:
        by_day = _asked(connection, span)
        verdicts = _verdicts(connection, span)
        since = connection.scalar(sa.select(sa.func.min(answers.c.asked_at)))
    whole = _Asked(
        [took for asked in by_day.values() for took in asked.milliseconds],
        sum(asked.answered for asked in by_day.values()),
    )
    return AnswerStatistics(
        questions=len(whole.milliseconds),
        answered=whole.answered,
        median_ms=whole.median_ms,
        up=verdicts.get(Verdict.UP, 0),
        down=verdicts.get(Verdict.DOWN, 0),
        since=since[:10] if since else None,
        days=[
            _day_count(day.isoformat(), by_day.get(day.isoformat(), _Asked()))
            for day in (first + timedelta(days=number) for number in range(days))
        ],
    )


def _asked(connection: sa.Connection, span: tuple[str, str]) -> dict[str, _Asked]:
    """By day; SQLite has no median of its own."""
    by_day: dict[str, _Asked] = defaultdict(_Asked)
    query = sa.select(
        sa.func.substr(answers.c.asked_at, 1, 10),
        sa.cast(answers.c.answered, sa.Integer),
        answers.c.total_ms,
    ).where(answers.c.asked_at >= span[0], answers.c.asked_at < span[1])
    for day, answered, took in connection.execute(query):
        by_day[day].milliseconds.append(took)
        by_day[day].answered += answered
    return by_day


def _day_count(day: str, asked: _Asked) -> DayCount:
    return DayCount(day, len(asked.milliseconds), asked.answered, asked.median_ms)


def _verdicts(connection: sa.Connection, span: tuple[str, str]) -> dict[str, int]:
    given = feedback.c.given_at
    query = sa.select(feedback.c.verdict, sa.func.count()).where(given >= span[0], given < span[1])
    rows = connection.execute(query.group_by(feedback.c.verdict))
    return {row[0]: row[1] for row in rows}
