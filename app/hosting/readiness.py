"""Readiness: whether a question could be answered now, for whoever sends questions here."""

from threading import Event as Flag

from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync

from app.assembly import Kildesvar
from app.problems import ServiceStoppingError
from index.errors import KildesvarError, LibraryError

_WITHIN = 2.0
"""Seconds: a library that takes longer for next to nothing has no answer for anybody."""
_AT_ONCE = 2
"""Of threads of its own: it waits for no question, and takes no question's place."""


class Readiness:
    """Looks whether there is a generation where it is searched, and a library that can be read,
    unless `stopping`."""

    def __init__(self, kildesvar: Kildesvar, stopping: Flag) -> None:
        self._kildesvar = kildesvar
        self._stopping = stopping
        self._threads: CapacityLimiter | None = None

    async def require(self) -> None:
        """Raises ServiceStoppingError, NothingPublishedError, GenerationMismatchError,
        IndexUnavailableError or LibraryError, each with what to do and no detail that not
        everybody may know."""
        if self._stopping.is_set():
            raise ServiceStoppingError("the service is being stopped; ask another, or in a while")
        if self._threads is None:  # which belongs to the loop that is running now
            self._threads = CapacityLimiter(_AT_ONCE)
        try:
            with fail_after(_WITHIN):
                await run_sync(self._look, limiter=self._threads, abandon_on_cancel=True)
        except TimeoutError as error:
            raise LibraryError(
                f"the library could not be read within {_WITHIN:.0f} s; see what holds it, or "
                "whether its disk answers"
            ) from error
        except KildesvarError as error:
            raise self._kildesvar.reasons.without_details(error) from error

    def _look(self) -> None:
        self._kildesvar.generation()
        self._kildesvar.library.look(_WITHIN / 2)
        self._kildesvar.engine.require_reachable()
