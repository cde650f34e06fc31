"""Housekeeping: what is kept for some days only is deleted when it is older, and overwritten."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.kept.trusted_clock import TrustedClock
from app.moments import iso
from index.errors import KildesvarError
from index.library import Library

log = logging.getLogger("kildesvar")

_EVERY = 3600.0
_RETRIES_EVERY = 10.0
_STOPS_WITHIN = 15.0
_AT_ONCE = 1000
"""Records that are deleted in one transaction, so that others get to write in between."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Records of one kind, and for how many days they are kept.

    `forget_before` deletes what is older than a moment, and says how many that were. What is not
    to be kept at all is forgotten `whatever_the_clock` says.
    """

    name: str
    days: int
    forget_before: Callable[[str], int]
    whatever_the_clock: bool = False


class Housekeeping:
    """One thread that forgets what is too old, at the start and every hour, until stopped.

    While the clock is doubted, it forgets nothing but what is not to be kept at all.
    """

    def __init__(self, retentions: Sequence[Retention], clock: TrustedClock) -> None:
        self._retentions = retentions
        self._clock = clock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._complained_of: set[str] = set()

    def start(self) -> None:
        # A daemon, so that a library which another process holds does not keep this one.
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOPS_WITHIN)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                now = self._clock.now()
            except KildesvarError as error:
                log.info("what is old is not looked for now: %s", error)
                self._stopping.wait(_RETRIES_EVERY)
                continue
            except Exception as error:  # nothing that goes wrong may end the thread
                log.error("what is old could not be looked for", exc_info=error)
                self._stopping.wait(_RETRIES_EVERY)
                continue
            done = [self._has_forgotten(retention, now) for retention in self._retentions]
            self._stopping.wait(_EVERY if all(done) else _RETRIES_EVERY)

    def _has_forgotten(self, retention: Retention, now: datetime | None) -> bool:
        """Whether all that is too old is gone; nothing that goes wrong may end the thread."""
        if now is None and not retention.whatever_the_clock:
            return True
        oldest = (now or datetime.now(UTC)) - timedelta(days=retention.days)
        try:
            forgotten = retention.forget_before(iso(oldest))
        except KildesvarError as error:
            if retention.name not in self._complained_of:  # once, until it can be done again
                log.warning("old %s cannot be forgotten now: %s", retention.name, error)
            self._complained_of.add(retention.name)
            return False
        except Exception as error:
            log.error("old %s could not be forgotten", retention.name, exc_info=error)
            return False
        self._complained_of.discard(retention.name)
        if forgotten:
            log.info("forgot %d %s of before %s", forgotten, retention.name, iso(oldest))
        return True


def delete_before(library: Library, dated: sa.Column[str], moment: str) -> int:
    """Deletes and overwrites the rows whose column `dated` is before `moment`; how many it was."""
    [key] = dated.table.primary_key
    old = sa.select(key).where(dated < moment).limit(_AT_ONCE)
    deleted, some = 0, True
    while some:
        with library.transaction() as connection:
            count = connection.execute(sa.delete(dated.table).where(key.in_(old))).rowcount
        some = bool(count)
        deleted += count
    if deleted:
        library.empty_log()
    return deleted
