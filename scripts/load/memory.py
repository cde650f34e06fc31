"""The memory of another process, as it goes."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

_EVERY = 0.5
_POINTS = 200
"""Of a curve."""


class Memory:
    """Reads the resident memory of a process while it is watched.

    That is at the beginning, twice a second, and at the end.
    """

    def __init__(self, process_id: int) -> None:
        self._status = Path(f"/proc/{process_id}/status")

    @contextmanager
    def watched(self) -> Iterator[dict[str, Any]]:
        """What it was, in MB, is in the dictionary afterwards; the curve is [seconds, MB]."""
        figures: dict[str, Any] = {}
        curve, done, began = list[tuple[float, float]](), threading.Event(), monotonic()

        def read() -> None:
            curve.append((round(monotonic() - began, 1), self._now()))

        def watch() -> None:
            while not done.wait(_EVERY):
                read()

        read()
        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield figures
        finally:
            done.set()
            watching.join()
        read()
        figures["memory_before_mb"] = curve[0][1]
        figures["memory_after_mb"] = curve[-1][1]
        figures["memory_most_mb"] = max(megabytes for _, megabytes in curve)
        figures["memory_curve"] = curve[:: max(1, len(curve) // _POINTS)]

    def _now(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+) kB", self._status.read_text(encoding="ascii"))
        assert found, "the service has ended"
        return round(int(found.group(1)) / 1024, 1)
