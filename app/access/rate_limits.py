"""Rates: how often somebody may come, counted together by all processes of a service.

Where several hosts serve one library, `app.access.shared_rates` counts in its stead.

By the generic cell rate algorithm: of each name only the moment is kept at which it will have made
up for all that it did. That is one number, whatever the rate, so a table of fixed size does: it is
mapped into the memory of every process that serves, and a million addresses make it no larger.
Where too many names meet in it, the one that has most nearly made up for what it did is forgotten:
in a flood somebody may come more often than allowed, and nobody less.

Libraries were looked at: `limits` shares counts by Redis, Memcached or MongoDB only, and
pyrate-limiter keeps every request that it counted, in a bucket for each name.
"""

import math
import mmap
import os
import secrets
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Protocol

if os.name != "nt":
    import fcntl

_FILE = "rates"
_HEADER = 64
_MARK = b"rates 1\n"
_SALT = 16
_SLOT = struct.Struct("<Qd")
"""Hash of a name, and the moment in seconds of the monotonic clock; 0 where it is free."""
_SLOTS_A_BUCKET = 8
_BUCKET = struct.Struct("<" + "Qd" * _SLOTS_A_BUCKET)
_NOTHING = 1e-6
"""Seconds, for what sums of fractions are off by."""
_BUCKETS = 16_384
"""With eight names each: 2 MB."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times a minute, of which `burst` may be at once."""

    per_minute: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds from one time to the next."""
        return 60.0 / self.per_minute

    @property
    def window(self) -> float:
        """Seconds in which all of a burst is made up for."""
        return self.burst * self.interval


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands to a rate: whether they may come, and how often they still may at once.

    `retry_after` is in seconds until they may again, and `reset` until they may as often as ever.
    """

    is_allowed: bool
    remaining: int
    retry_after: float
    reset: float


class Counting(Protocol):
    """Whatever counts how often somebody comes: `Rates`, or `shared_rates.SharedRates`."""

    async def counted(self, name: str, rate: Rate) -> Standing:
        """Counts one time of that name, if it is allowed. Raises LibraryError when it cannot."""
        ...

    def close(self) -> None: ...


class Rates:
    """Counts by name. `folder` is one that all processes share which count together; None for a
    process that counts by itself, as on Windows. Raises OSError when the folder has no room.

    Time is the machine's monotonic clock, which nobody sets, and is the same for all processes.
    """

    def __init__(self, folder: Path | None = None, buckets: int = _BUCKETS) -> None:
        self._buckets = buckets
        self._changing = threading.Lock()
        self._file = self._opened(folder) if folder else None
        size = _HEADER + buckets * _BUCKET.size
        self._table = mmap.mmap(self._file if self._file is not None else -1, size)
        with self._alone():
            if self._table[: len(_MARK)] != _MARK:
                self._table[len(_MARK) : len(_MARK) + _SALT] = secrets.token_bytes(_SALT)
                self._table[: len(_MARK)] = _MARK
            # A secret: with it one could choose names that push others' out of the table.
            self._salt = bytes(self._table[len(_MARK) : len(_MARK) + _SALT])

    def close(self) -> None:
        self._table.close()
        if self._file is not None:
            os.close(self._file)

    async def counted(self, name: str, rate: Rate) -> Standing:
        """As `come`, which takes too little time to leave the loop for."""
        return self.come(name, rate)

    def come(self, name: str, rate: Rate) -> Standing:
        """Counts one time, if it is allowed."""
        number, place = self._place_of(name)
        now = monotonic()
        with self._alone():
            at, known = self._find(number, place, now)
            # Further off than a whole window it is of another rate, or of before a restart.
            before = known if now < known <= now + rate.window + _NOTHING else now
            after = before + rate.interval
            is_allowed = after - now <= rate.window + _NOTHING
            made_up = after if is_allowed else before
            if is_allowed:
                _SLOT.pack_into(self._table, at, number, made_up)
        remaining = math.floor((rate.window - (made_up - now)) / rate.interval + _NOTHING)
        retry_after = 0.0 if is_allowed else after - now - rate.window
        return Standing(is_allowed, remaining, retry_after, made_up - now)

    def _find(self, number: int, place: int, now: float) -> tuple[int, float]:
        """Where the moment of a name stands, or is to stand, and the moment."""
        values = _BUCKET.unpack_from(self._table, place)
        numbers, moments = values[::2], values[1::2]
        if number in numbers:
            slot = numbers.index(number)
            return place + slot * _SLOT.size, moments[slot]
        slot = moments.index(min(moments))
        return place + slot * _SLOT.size, now

    def _place_of(self, name: str) -> tuple[int, int]:
        """The number that stands for a name, and where its bucket begins."""
        digest = blake2b(name.encode(), digest_size=12, key=self._salt).digest()
        number, bucket = struct.unpack("<QI", digest)
        return number or 1, _HEADER + bucket % self._buckets * _BUCKET.size

    def _opened(self, folder: Path) -> int:
        file = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # With blocks of its own: a write to memory for which the disk has no room is a crash.
            os.posix_fallocate(file, 0, _HEADER + self._buckets * _BUCKET.size)
        except OSError:
            os.close(file)
            raise
        return file

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread or process counts meanwhile: some microseconds."""
        with self._changing:
            if self._file is None:
                yield
                return
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
