"""A clock that is believed only as far as there is reason to: a wrong one must delete nothing.

The clock of a machine jumps: a battery is empty, somebody errs by a year, a virtual machine is
resumed. What is kept for some days only would be gone at once. So the time is believed while it
follows the last time that was, or a steady clock that nobody can set; after a jump, when it has
stood for a day, in which somebody can set it right.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from index.changes import set_state
from index.database_clock import seconds
from index.library import Library
from index.queries import state_of

log = logging.getLogger("kildesvar")

_STATE = "clock"
_JUMP = timedelta(hours=1)
"""That the clock may go wrong against the steady one, between two looks."""
_PAUSE = timedelta(days=7)
"""For which a service may have been off, before its clock is doubted."""
_DOUBT = timedelta(days=1)
"""For which a time has to stand that was doubted."""


def _steady() -> float:
    """Seconds that nobody sets, and in which a machine that sleeps grows older, too."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Remembered(Protocol):
    """Where the time that was believed last is kept, for all who share it."""

    def read(self) -> datetime | None:
        """None where nothing is known."""
        ...

    def write(self, moment: datetime) -> None: ...


class ClockFile:
    """Remembers it in a `file`, for the processes of one host."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> datetime | None:
        try:
            return _moment(self._file.read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError):
            return None  # a first start; or nothing is known, and the clock has to do

    def write(self, moment: datetime) -> None:
        unfinished = self._file.with_name(
            f"{self._file.name}.{os.getpid()}.{threading.get_ident()}"
        )
        try:
            unfinished.write_text(moment.isoformat(), encoding="ascii")
            unfinished.replace(self._file)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            log.debug("the time cannot be noted: %s", error)


class ClockState:
    """Remembers it in a library that several hosts share, whose clock is then the database's: a
    host that is new, and whose own clock is wrong, would delete what is everybody's."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def now(self) -> datetime:
        """The time by the database. Raises LibraryUnavailableError."""
        with self._library.engine.connect() as connection:
            return datetime.fromtimestamp(seconds(connection), UTC)

    def read(self) -> datetime | None:
        with self._library.engine.connect() as connection:
            return _moment(state_of(connection, _STATE) or "")

    def write(self, moment: datetime) -> None:
        with self._library.transaction() as connection:
            set_state(connection, _STATE, moment.isoformat())


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else None


class TrustedClock:
    """The time, if it can be believed. What was believed last is `remembered`.

    Several processes may share that; for them the latest time that one believed counts.
    """

    def __init__(
        self,
        remembered: Remembered,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = _steady,
    ) -> None:
        self._remembered = remembered
        self._now = now
        self._steady = steady
        self._looked: tuple[datetime, float] | None = None
        self._doubted_since: float | None = None

    def now(self) -> datetime | None:
        """The time; None while it is doubted. Raises KildesvarError when nobody can tell."""
        now, steady = self._now(), self._steady()
        last = self._remembered.read()
        if self._follows(now, steady, last):
            if self._is_near(now, last):
                self._doubted_since = None  # also where it was set right
        else:
            self._doubt(now, steady, last)
        self._looked = now, steady
        if self._doubted_since is not None:
            if steady - self._doubted_since < _DOUBT.total_seconds():
                return None
            self._doubted_since = None
        self._remembered.write(now)
        return now

    def _follows(self, now: datetime, steady: float, last: datetime | None) -> bool:
        """Whether the time is what the look before, or the last believed one, lets expect."""
        if self._looked is None:
            return last is None or self._is_near(now, last)
        then, steady_then = self._looked
        drift = now - then - timedelta(seconds=steady - steady_then)
        return abs(drift) <= _JUMP or self._is_near(now, last)

    def _is_near(self, now: datetime, last: datetime | None) -> bool:
        return last is not None and -_JUMP <= now - last <= _PAUSE

    def _doubt(self, now: datetime, steady: float, last: datetime | None) -> None:
        self._doubted_since = steady
        log.warning(
            "the clock says %s, which does not follow what it said before (%s); nothing is "
            "deleted for its age until it has said so for %.0f hours. Set it right if it is "
            "wrong",
            now.isoformat(timespec="seconds"),
            (last or (self._looked or (now, 0.0))[0]).isoformat(timespec="seconds"),
            _DOUBT.total_seconds() / 3600,
        )
