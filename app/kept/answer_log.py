"""The answer log: notes what was asked and answered, without ever keeping an answer waiting.

Records are collected in memory and written by one thread, some at a time: another process may hold
the library for long, and the disk may be full. What is not written when the process is killed is
lost; a verdict, and the answer that it is about, is on disk before it is acknowledged.
"""

import logging
import secrets
import threading
from collections import deque
from time import monotonic, sleep

from app.answering.answerer import Answer
from app.kept.answer_records import AnswerRecord, AnswerRecords, Verdict
from app.moments import now
from index.errors import AnswerNotFoundError, AnswersNotKeptError, KildesvarError
from index.records import CitedSpan

log = logging.getLogger("kildesvar")

_MOST_WAITING = 5000
"""Answers that wait to be written; beyond, while nothing can be written, none is recorded."""
_AT_ONCE = 500
_GATHERS = 0.5
"""Seconds after an answer in which others join it, to be written in one transaction."""
_RETRIES_EVERY = 10.0
_STOPS_WITHIN = 15.0
_LOOKS_EVERY = 0.1
_OTHERS_WRITE_WITHIN = 2.0
"""Seconds in which another process has written what it answered, unless nothing can be written."""


class AnswerLog:
    """Records answers for `kept_days` days; for none at all if that is 0.

    `has_others` says that other processes, here or on other hosts, record answers, too.
    """

    def __init__(self, records: AnswerRecords, kept_days: int, has_others: bool = False) -> None:
        self.kept_days = kept_days
        self._has_others = has_others
        self.records = records
        self._waiting: deque[AnswerRecord] = deque()
        self._writing = threading.Lock()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._has_complained = False

    def start(self) -> None:
        # A daemon, so that a library which another process holds does not keep this one.
        self._thread = threading.Thread(target=self._run, name="answer log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread once everything is written, or cannot be."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(_STOPS_WITHIN)
        if self._waiting:
            log.warning("%d answers could not be recorded", len(self._waiting))

    def record(self, question: str, answer: Answer, owner: str = "") -> str | None:
        """Notes the `answer` to a `question`, as it was asked, and gives its id at once.

        `owner` is the id of the caller who asked: of whoever reaches the service, if it is empty.

        None when no records are kept, or when too many wait already.
        """
        if not self.kept_days:
            return None
        if len(self._waiting) >= _MOST_WAITING:
            self._complain("too many of them wait to be written; new ones are not recorded")
            return None
        record = AnswerRecord(
            id=secrets.token_hex(8),
            asked_at=now(),
            question=question,
            answered=answer.answered,
            confidence=answer.confidence,
            total_ms=answer.timings["total"],
            generation=answer.generation,
            citations=tuple(
                CitedSpan(c.document_id, c.content_hash, c.start, c.end) for c in answer.citations
            ),
            owner=owner,
        )
        self._waiting.append(record)
        self._woken.set()
        return record.id

    def judge(self, answer_id: str, verdict: Verdict, reason: str | None, owner: str = "") -> None:
        """Notes what its `owner` thought of an answer: on disk, as that is, when this returns.

        Raises AnswersNotKeptError, AnswerNotFoundError, or LibraryError when it cannot be written.
        """
        if not self.kept_days:
            raise AnswersNotKeptError(
                "this service keeps no record of its answers, so none can be judged; whoever runs "
                "it can set KILDESVAR_KEEP_ANSWERS_DAYS to a number of days"
            )
        self.flush()
        until = monotonic() + (_OTHERS_WRITE_WITHIN if self._has_others else 0.0)
        while True:
            try:
                self.records.judge(answer_id, verdict, reason, now(), owner)
                return
            except AnswerNotFoundError:  # it may wait to be written where it was answered
                if monotonic() >= until:
                    raise
            sleep(_LOOKS_EVERY)

    def flush(self) -> None:
        """Writes all that waits. Raises LibraryError when it cannot; then it goes on waiting."""
        with self._writing:
            while count := min(len(self._waiting), _AT_ONCE):
                some = [self._waiting[at] for at in range(count)]  # others may join meanwhile
                try:
                    self.records.add(some)
                except KildesvarError:
                    raise
                except Exception:  # of ours; tried again, they would keep all later ones waiting
                    log.exception("%d answers could not be recorded", count)
                for _ in some:
                    self._waiting.popleft()
                self._has_complained = False

    def _run(self) -> None:
        while True:
            is_last = self._stopping.is_set()  # before what waits is written, or some would not be
            has_written = self._has_written()
            if is_last:
                return
            if has_written:
                self._woken.wait()
            else:
                self._stopping.wait(_RETRIES_EVERY)
            self._woken.clear()
            self._stopping.wait(_GATHERS)

    def _has_written(self) -> bool:
        """Whether all that waited is written; nothing that goes wrong may end the thread."""
        try:
            self.flush()
        except KildesvarError as error:
            self._complain(str(error))
        except Exception as error:
            log.error("the answer log failed", exc_info=error)
        else:
            return True
        return False

    def _complain(self, reason: str) -> None:
        """Says once why answers are not recorded, until they are again."""
        if not self._has_complained:
            log.warning("answers are not recorded now: %s", reason)
        self._has_complained = True
