"""When keys were last used: noted in memory, and written by the way."""

import logging
from datetime import datetime, timedelta
from time import monotonic

from app.access.keys import Keys
from app.moments import iso, now
from index.errors import KildesvarError

log = logging.getLogger("kildesvar")

_EVERY = 60.0
"""Seconds from one note of a key's use to the next, over all processes."""
_WAITS = 1.0
"""Seconds that a note waits for others who write; then it is left to the next use."""


class Uses:
    """Notes uses of the keys of one library, at most one a minute of each."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._noted: dict[str, float] = {}
        self._waiting: dict[str, str] = {}
        self._has_complained = False

    def note(self, key_id: str) -> None:
        """Takes no time: nothing is written here."""
        if monotonic() - self._noted.get(key_id, -_EVERY) >= _EVERY:
            self._noted[key_id] = monotonic()
            self._waiting[key_id] = now()

    @property
    def are_waiting(self) -> bool:
        return bool(self._waiting)

    def write(self) -> None:
        """Writes what waits. What cannot be written now is let go: a use is no reason to fail."""
        waiting, self._waiting = self._waiting, {}
        for key_id, moment in waiting.items():
            try:
                self._keys.note_use(key_id, moment, _a_while_before(moment), _WAITS)
            except KildesvarError as error:
                if not self._has_complained:
                    log.warning("when keys were last used is not noted now: %s", error)
                self._has_complained = True
                return
        self._has_complained = False


def _a_while_before(moment: str) -> str:
    return iso(datetime.fromisoformat(moment) - timedelta(seconds=_EVERY))
