"""What was asked and answered, and what people thought of it, in the library's database.

Of an answer the places that it cites are kept, never their words: what is deleted must be gone.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.kept.housekeeping import delete_before
from index.errors import AnswerNotFoundError
from index.library import Library
from index.records import CitedSpan
from index.tables import answers
from index.tables import feedback as verdicts


class Verdict(StrEnum):
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """A question, as it was asked, and what came of it. `asked_at` is ISO 8601, UTC.

    `owner` is the id of the caller who asked.
    What was searched is not kept: a completed follow-up may have words of an earlier answer.
    """

    id: str
    asked_at: str
    question: str
    answered: bool
    confidence: float
    total_ms: float
    generation: str
    citations: tuple[CitedSpan, ...]
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person thought of an answer, and what the answer was. Times are ISO 8601, UTC."""

    answer_id: str
    given_at: str
    verdict: Verdict
    reason: str | None
    question: str
    answered: bool
    confidence: float
    citations: tuple[CitedSpan, ...]


class AnswerRecords:
    """The answers of one library. Each change is on disk when its method returns."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def add(self, records: Sequence[AnswerRecord]) -> None:
        """Raises LibraryError when they cannot be written now; it may be that they are all the
        same, as when the connection was lost at the very end, and may be added again."""
        rows = [asdict(record) for record in records]
        with self._library.transaction(alone=False) as connection:
            insert = postgresql.insert if self._library.is_shared else sqlite.insert
            connection.execute(insert(answers).on_conflict_do_nothing(), rows)

    def judge(
        self,
        answer_id: str,
        verdict: Verdict,
        reason: str | None,
        given_at: str,
        owner: str = "",
    ) -> None:
        """Notes a verdict in the place of an earlier one, on an answer that its `owner` asked for.

        Raises AnswerNotFoundError, of somebody else's answer as well.
        """
        is_theirs = (answers.c.id == answer_id, answers.c.owner == owner)
        known = sa.select(answers.c.id).where(*is_theirs)
        row = {
            "answer_id": answer_id,
            "verdict": verdict,
            "reason": reason,
            "given_at": given_at,
        }
        with self._library.transaction() as connection:
            if connection.scalar(known) is None:
                raise AnswerNotFoundError(
                    f"there is no answer {answer_id!r}; it may have been forgotten after "
                    "KILDESVAR_KEEP_ANSWERS_DAYS days. Ask again, and send the `answer_id` of that."
                )
            connection.execute(sa.delete(verdicts).where(verdicts.c.answer_id == answer_id))
            connection.execute(sa.insert(verdicts), row)

    def feedback(self, limit: int | None = None, offset: int = 0) -> list[Feedback]:
        """Verdicts from the newest to the oldest, all of them without a `limit`."""
        query = sa.select(
            verdicts.c.answer_id,
            verdicts.c.given_at,
            verdicts.c.verdict,
            verdicts.c.reason,
            answers.c.question,
            answers.c.answered,
            answers.c.confidence,
            answers.c.citations,
        ).join(answers)
        query = query.order_by(verdicts.c.given_at.desc(), verdicts.c.answer_id)
        with self._library.engine.connect() as connection:
            rows = connection.execute(query.limit(limit).offset(offset))
            return [_feedback(row) for row in rows.mappings()]

    def count_feedback(self) -> int:
        with self._library.engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(verdicts)) or 0

    def forget_before(self, moment: str) -> int:
        """Deletes what was asked before `moment`, with its verdicts; how many answers they were."""
        return delete_before(self._library, answers.c.asked_at, moment)


def _feedback(row: sa.RowMapping) -> Feedback:
    given: dict[str, Any] = {**row, "verdict": Verdict(row["verdict"])}
    return Feedback(**{**given, "citations": tuple(CitedSpan(**span) for span in row["citations"])})
