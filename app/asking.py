"""Asking: a question of whatever protocol goes to the answerer, and its answer into the log."""

from collections.abc import Sequence
from threading import Event as Flag
from typing import TYPE_CHECKING

from app.answer_log import AnswerLog
from app.answering.answerer import Answer, Answerer, Events
from app.answering.conversation import Turn
from app.responses import ask_response
from app.schemas import AskResponse
from app.streaming import until_stopped
from index.generations import Generation
from index.records import Filters

if TYPE_CHECKING:
    from app.witness import Witness


class Asking:
    """Asks one answerer, and records its answers where a log is kept."""

    def __init__(
        self,
        answerer: Answerer,
        answer_log: AnswerLog | None,
        stopping: Flag,
        witness: "Witness | None" = None,
    ) -> None:
        self._witness = witness
        self._answerer = answerer
        self._answer_log = answer_log
        self._stopping = stopping

    def events(
        self,
        generation: Generation,
        question: str,
        limit: int,
        filters: Filters,
        history: Sequence[Turn] = (),
    ) -> Events:
        """What happens while the question is answered, the answer last.

        Raises ServiceStoppingError on the way.
        """
        events = self._answerer.events(generation, question, limit, filters, history=history)
        if self._witness is not None:
            events = self._witness.followed(events)
        return until_stopped(events, self._stopping)

    def recorded(
        self, question: str, answer: Answer, conversation_id: str | None = None
    ) -> AskResponse:
        """The answer in the form that it leaves in, noted with the question as it was asked.

        `conversation_id` is of the conversation that has kept it.
        """
        if self._witness is not None:
            self._witness.answered(answer)
        log = self._answer_log
        answer_id = log.record(question, answer) if log else None
        return ask_response(answer, answer_id, conversation_id)
