"""Asking: a question of whatever protocol goes to the answerer, and its answer into the log."""

from collections.abc import Sequence
from threading import Event as Flag

from app.answer_log import AnswerLog
from app.answering.answerer import Answer, Answerer, Events
from app.answering.conversation import Turn
from app.responses import ask_response
from app.schemas import AskResponse
from app.streaming import until_stopped
from index.records import Filters
from index.views import View


class Asking:
    """Asks one answerer, and records its answers where a log is kept."""

    def __init__(self, answerer: Answerer, answer_log: AnswerLog | None, stopping: Flag) -> None:
        self._answerer = answerer
        self._answer_log = answer_log
        self._stopping = stopping

    def events(
        self,
        generation: View,
        question: str,
        limit: int,
        filters: Filters,
        history: Sequence[Turn] = (),
    ) -> Events:
        """What happens while the question is answered, the answer last.

        Raises ServiceStoppingError on the way.
        """
        events = self._answerer.events(generation, question, limit, filters, history=history)
        return until_stopped(events, self._stopping)

    def recorded(
        self, question: str, answer: Answer, conversation_id: str | None = None
    ) -> AskResponse:
        """The answer in the form that it leaves in, noted with the question as it was asked.

        `conversation_id` is of the conversation that has kept it.
        """
        log = self._answer_log
        answer_id = log.record(question, answer) if log else None
        return ask_response(answer, answer_id, conversation_id)
