"""What is measured of an engine, and how times and memory are told."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from index.lexical import Scored
from index.records import Ids

Figures = dict[str, Any]
Search = Callable[[int], Sequence[Scored]]
"""What a question, by its number, finds."""
Clock = Callable[[], float]

_SHALLOW = 10


def times_of(
    search: Search, questions: int, truth: Ids | None = None, used: Clock = process_time
) -> Figures:
    """Milliseconds of a search on the clock, warm, and what share of the true neighbours it finds.

    `used` gives the seconds that processors have worked for it, of which the mean is told: it
    suffers less from what else runs. The load of the machine is that of the last minute.
    """
    for number in range(0, questions, 10):
        search(number)
    times, found = [], []
    before = used()
    for number in range(questions):
        began = perf_counter()
        found.append([passage_id for passage_id, _ in search(number)])
        times.append((perf_counter() - began) * 1000)
    figures: Figures = {
        "p50_ms": round(median(times), 2),
        "p95_ms": round(sorted(times)[int(0.95 * len(times))], 2),
        "cpu_ms": round((used() - before) * 1000 / questions, 2),
        "found": round(float(np.mean([len(ids) for ids in found])), 1),
        "load": load(),
    }
    if truth is not None:
        for depth in (_SHALLOW, truth.shape[1]):
            figures[f"recall_{depth}"] = recall(found, truth, depth)
    return figures


def recall(found: Sequence[Sequence[int]], truth: Ids, depth: int) -> float:
    """What share of the `depth` nearest is among the first `depth` found; of fewer, of those."""
    shares = []
    for ids, true in zip(found, truth, strict=True):
        wanted = {passage_id for passage_id in true[:depth].tolist() if passage_id}
        shares.append(len(wanted & set(ids[:depth])) / max(1, len(wanted)))
    return round(float(np.mean(shares)), 4)


def load() -> float:
    """Of the last minute; the machine has others to serve as well."""
    return round(os.getloadavg()[0], 1)


def memory_of(process_id: int | str = "self") -> Figures:
    """MB of a process: resident, of these its own, and its share of what several have."""
    text = Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="ascii")
    kinds = {"rss_mb": "Rss", "own_mb": "Anonymous", "pss_mb": "Pss"}
    return {
        name: round(int(re.findall(rf"^{kind}:\s+(\d+) kB", text, re.MULTILINE)[0]) / 1000, 1)
        for name, kind in kinds.items()
    }


def bytes_in(folder: Path) -> int:
    """Of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
