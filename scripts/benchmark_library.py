"""Measures what a change costs in a large library, and what it leaves behind.

    python -m scripts.benchmark_library [--passages 100000] [--changes 10000] [--data-dir DIR]

Makes a library of so many passages in a temporary folder, or in DIR where it stays, then, with the
real model:

- ingests one changed file, again and again, and asks for it through a Kildesvar that is open
  meanwhile as a service has it: seconds until it is found, without those spent in the model;
- replaces documents until so many passages have changed, publishing each time;
- counts what it holds and 90,000 questions, and lists 50 documents: milliseconds;
- before and after, asks in a process of its own, which `scripts.benchmark_asking` tells more of.

The documents are those of `scripts.made_library`. Prints a Markdown table.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from app.assembly import Kildesvar
from app.kept.answer_records import AnswerRecord, AnswerRecords
from app.kept.answer_statistics import answer_statistics
from index.records import CitedSpan, Listing, Sort
from index.statistics import library_statistics
from scripts.made_library import PASSAGES_A_DOCUMENT, MadeLibrary
from scripts.own_library import own_settings

_CHANGED_FILES = 10
_NOTED = 90_000
_RUNS = 9


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark_library", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--data-dir", type=Path, help="a new folder, where the library stays")
    given = parser.parse_args(arguments)
    if given.data_dir and given.data_dir.exists():
        parser.error(f"{given.data_dir} is there already; name a folder that is not")
    with tempfile.TemporaryDirectory() as folder:
        data_dir = given.data_dir or Path(folder) / "data"
        for name, value in _measured(data_dir, Path(folder), given.passages, given.changes):
            print(f"| {name} | {value} |", flush=True)
    return 0


def _measured(
    data_dir: Path, folder: Path, passages: int, changes: int
) -> Iterator[tuple[str, str]]:
    """`folder` is where the file lies that is changed."""
    kildesvar = Kildesvar(own_settings(data_dir))
    chance = random.Random(1)
    made = MadeLibrary(kildesvar.library, kildesvar.encoder, chance)
    kildesvar.ingester().publish()
    began = perf_counter()
    for number in range(passages // PASSAGES_A_DOCUMENT):
        made.put(number)
    yield "stored", f"{passages} passages in {perf_counter() - began:.0f} s"
    began = perf_counter()
    kildesvar.ingester().publish()
    yield "published whole", f"{perf_counter() - began:.1f} s"
    yield "statistics, with questions kept", _milliseconds(*_counted(kildesvar))
    yield "a list of 50 documents, by title and by passages", _milliseconds(*_listed(kildesvar))
    yield from _asked("before", data_dir)
    times = [_until_found(kildesvar, folder / "ny.txt", number) for number in range(_CHANGED_FILES)]
    yield "one changed file, until found, less the model", _seconds(times)
    if not changes:
        kildesvar.close()
        return
    times = []
    for _ in range(changes // PASSAGES_A_DOCUMENT):
        made.put(chance.randrange(passages // PASSAGES_A_DOCUMENT))
        began = perf_counter()
        kildesvar.ingester().publish()
        times.append(perf_counter() - began)
    yield f"published after each {PASSAGES_A_DOCUMENT} of {changes} changes", _seconds(times)
    yield from _asked("after", data_dir)
    times = [_until_found(kildesvar, folder / "ny.txt", number) for number in range(_CHANGED_FILES)]
    yield "one changed file, until found, less the model", _seconds(times)
    kildesvar.close()


def _counted(kildesvar: Kildesvar) -> Iterator[Callable[[], object]]:
    """What GET /v1/statistics does, once many questions are noted."""
    now, chance = datetime.now(UTC), random.Random(3)
    days = (now - timedelta(days=90 * chance.random()) for _ in range(_NOTED))
    span = (CitedSpan("0" * 16, "sha256:" + "0" * 64, 0, 200),)
    AnswerRecords(kildesvar.library).add(
        [
            AnswerRecord(f"{number:016x}", day.isoformat(), "Hva?", True, 1, 30, "1", span)
            for number, day in enumerate(days)
        ]
    )
    library, uploads = kildesvar.library, kildesvar.settings.uploads_dir
    yield lambda: (library_statistics(library, uploads), answer_statistics(library, 30))


def _listed(kildesvar: Kildesvar) -> Iterator[Callable[[], object]]:
    for sort in (Sort.TITLE, Sort.PASSAGES):
        yield partial(kildesvar.library.documents, 50, 0, Listing(sort=sort))


def _milliseconds(*steps: Callable[[], object]) -> str:
    """The median of some runs of each."""
    medians = []
    for step in steps:
        times = []
        for _ in range(_RUNS):
            began = perf_counter()
            step()
            times.append((perf_counter() - began) * 1000)
        medians.append(f"median {median(times):.1f} ms")
    return ", ".join(medians)


def _until_found(kildesvar: Kildesvar, path: Path, number: int) -> float:
    """Seconds from a file's change until it is found, less those that the model takes."""
    reading = kildesvar.generation()
    path.write_text(f"Sommerfesten i {2000 + number} hadde {7000 + number} gjester.\n", "utf-8")
    began = perf_counter()
    with kildesvar.writing():
        report = kildesvar.ingester().ingest([path])
    generation = kildesvar.generation()
    hits = kildesvar.retriever.search(generation, f"gjester sommerfesten {2000 + number}", 3).hits
    seconds = perf_counter() - began - report.model_seconds
    assert generation is not reading
    assert str(7000 + number) in hits[0].passage.text
    return seconds


def _asked(when: str, data_dir: Path) -> Iterator[tuple[str, str]]:
    """What a process of its own says of how long asking takes."""
    command = [sys.executable, "-m", "scripts.benchmark_asking", str(data_dir)]
    rows = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    for row in rows.splitlines():
        name, value = row.strip("| ").split(" | ")
        yield f"{when}: {name}", value


def _seconds(times: Sequence[float]) -> str:
    return f"median {median(times):.2f} s, most {max(times):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
