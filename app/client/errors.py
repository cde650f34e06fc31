"""What a program may not get from the service, named by meaning; every message says what to do."""

from app.schemas import Problem
from index.errors import KildesvarError


class ProblemError(KildesvarError):
    """The service refused, and said why: the message is its own, with the remedy."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after = retry_after
        """Seconds after which the service wants to be asked again, if it said so."""

    @property
    def status(self) -> int:
        return self.problem.status


class UnreachableError(KildesvarError):
    """Nobody answers at the address, or the connection broke off before the answer was whole."""


class TimedOutError(KildesvarError):
    """The service took longer than the client was told to wait."""


class UnexpectedAnswerError(KildesvarError):
    """What came is none of Kildesvar's answers: a proxy's page, or another version's answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
