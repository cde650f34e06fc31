"""The service for Python programs: what GET /openapi.json describes, with types.

    with Kildesvar("http://127.0.0.1:8080") as kildesvar:
        print(kildesvar.ask("Hvor mange medlemmer har bransjen?").short_answer)

Requests and answers are the models of `app.schemas`; docs/recipes has more to copy. To import this
loads nothing of the service itself.
"""

from app.client.asynchronous import AsyncKildesvar
from app.client.calls import AnswerEvent
from app.client.errors import (
    ProblemError,
    TimedOutError,
    UnexpectedAnswerError,
    UnreachableError,
)
from app.client.messages import messages_of
from app.client.synchronous import Kildesvar
from index.errors import KildesvarError

__all__ = [
    "AnswerEvent",
    "AsyncKildesvar",
    "Kildesvar",
    "KildesvarError",
    "ProblemError",
    "TimedOutError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "messages_of",
]
