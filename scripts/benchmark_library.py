"""Measures what a change costs in a large library, and what it leaves behind.

    python -m scripts.benchmark_library [--passages 100000] [--changes 10000]

Makes a library of so many passages in a temporary folder, then, with the real model:

- ingests one changed file, again and again, and asks for it through a Kildesvar that is open
  meanwhile as a service has it: seconds until it is found, without those spent in the model;
- replaces documents until so many passages have changed, publishing each time;
- counts what it holds and 90,000 questions, and lists 50 documents: milliseconds;
- before and after, asks in a process of its own: milliseconds a search, and memory.

The texts are drawn from the words of the example documents, and passages' vectors at random: they
take the room and the time of real ones. Prints a Markdown table.
"""

import argparse
import json
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

import numpy as np

from app.answer_records import AnswerRecord, AnswerRecords, CitedSpan
from app.answer_statistics import answer_statistics
from app.assembly import Kildesvar
from app.settings import load_settings
from index.documents import BlockKind, Document, Piece, assemble
from index.lock import writing
from index.passages import Passage
from index.records import Listing, NewPassage, Sort, Source, Vectors
from index.statistics import library_statistics
from index.units import units_of

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_PASSAGES_A_DOCUMENT = 100
_WORDS_A_PASSAGE = 60
_CHANGED_FILES = 10
_QUESTIONS = 60
_NOTED = 90_000
_RUNS = 9


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark_library", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--ask", type=Path, help="for the process that asks: the data folder")
    given = parser.parse_args(arguments)
    if given.ask:
        print(json.dumps(_asked(given.ask)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for name, value in _measured(Path(folder), given.passages, given.changes):
            print(f"| {name} | {value} |", flush=True)
    return 0


def _measured(folder: Path, passages: int, changes: int) -> Iterator[tuple[str, str]]:
    kildesvar = Kildesvar(load_settings(data_dir=folder / "data"))
    made = Made(kildesvar, random.Random(1))
    kildesvar.ingester().publish()
    began = perf_counter()
    for number in range(passages // _PASSAGES_A_DOCUMENT):
        made.put(number)
    yield "stored", f"{passages} passages in {perf_counter() - began:.0f} s"
    began = perf_counter()
    kildesvar.ingester().publish()
    yield "published whole", f"{perf_counter() - began:.1f} s"
    yield "statistics, with questions kept", _milliseconds(*_counted(kildesvar))
    yield "a list of 50 documents, by title and by passages", _milliseconds(*_listed(kildesvar))
    yield "asked before", _in_other_process(folder / "data")
    times = [_until_found(kildesvar, folder / "ny.txt", number) for number in range(_CHANGED_FILES)]
    yield "one changed file, until found, less the model", _seconds(times)
    times = []
    for _ in range(changes // _PASSAGES_A_DOCUMENT):
        made.put(made.chance.randrange(passages // _PASSAGES_A_DOCUMENT))
        began = perf_counter()
        kildesvar.ingester().publish()
        times.append(perf_counter() - began)
    yield f"published after each {_PASSAGES_A_DOCUMENT} of {changes} changes", _seconds(times)
    yield "asked after", _in_other_process(folder / "data")
    times = [_until_found(kildesvar, folder / "ny.txt", number) for number in range(_CHANGED_FILES)]
    yield "one changed file, until found, less the model", _seconds(times)
    kildesvar.close()


class Made:
    """Documents of many passages, put straight into a library with vectors drawn at random."""

    def __init__(self, kildesvar: Kildesvar, chance: random.Random) -> None:
        self.chance = chance
        self._kildesvar = kildesvar
        self._numbers = np.random.default_rng(1)
        texts = (path.read_text(encoding="utf-8") for path in sorted(_EXAMPLES.iterdir()))
        self._words = " ".join(texts).split()

    def put(self, number: int) -> None:
        """Stores document `number` anew, with another text."""
        pieces = [
            Piece(BlockKind.PARAGRAPH, f"{self._sentence()} {self._sentence()}")
            for _ in range(_PASSAGES_A_DOCUMENT)
        ]
        text, blocks = assemble(pieces)
        document = Document(f"Rapport {number}", text, blocks, "text/plain", "nb")
        new, vectors = [], {}
        for at, block in enumerate(blocks):
            passage = Passage(block.start, block.end, ())
            units = units_of(document, passage)
            key = f"{document.content_hash}-{at}"
            new.append(NewPassage(passage, units, key))
            vectors[key] = Vectors(self._unit_rows(1)[0], self._unit_rows(len(units)))
        source = Source(f"/laget/{number}.txt", len(text), number, document.content_hash)
        self._kildesvar.library.put(
            document, source, new, vectors, self._kildesvar.encoder.fingerprint
        )

    def _sentence(self) -> str:
        words = self.chance.choices(self._words, k=_WORDS_A_PASSAGE // 2 - 1)
        # A word in so many is a name or a term that few others have.
        words.append("".join(self.chance.choices("abdefgiklmnorstuvåø", k=9)))
        return " ".join(words).capitalize() + "."

    def _unit_rows(self, count: int) -> "np.typing.NDArray[np.float32]":
        rows = self._numbers.standard_normal(
            (count, self._kildesvar.encoder.dimension), dtype=np.float32
        )
        unit: np.typing.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def _counted(kildesvar: Kildesvar) -> Iterator[Callable[[], object]]:
    """What GET /v1/statistics does, once many questions are noted."""
    now, chance = datetime.now(UTC), random.Random(3)
    days = (now - timedelta(days=90 * chance.random()) for _ in range(_NOTED))
    span = (CitedSpan("0" * 16, "sha256:" + "0" * 64, 0, 200),)
    AnswerRecords(kildesvar.library).add(
        [
            AnswerRecord(f"{number:016x}", day.isoformat(), "Hva?", "Hva?", True, 1, 30, "1", span)
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
    with writing(kildesvar.settings.data_dir):
        report = kildesvar.ingester().ingest([path])
    generation = kildesvar.generation()
    hits = kildesvar.retriever.search(generation, f"gjester sommerfesten {2000 + number}", 3).hits
    seconds = perf_counter() - began - report.model_seconds
    assert generation is not reading
    assert str(7000 + number) in hits[0].passage.text
    return seconds


def _in_other_process(data_dir: Path) -> str:
    command = [sys.executable, "-m", "scripts.benchmark_library", "--ask", str(data_dir)]
    asked = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return (
        f"median {asked['median']:.1f} ms, p95 {asked['p95']:.1f} ms, of them embedding "
        f"{asked['embed']:.1f}; {asked['own']:.0f} MB of its own, {asked['mapped']:.0f} MB mapped"
    )


def _asked(data_dir: Path) -> dict[str, float]:
    """Milliseconds a search, and megabytes of this process after them."""
    kildesvar = Kildesvar(load_settings(data_dir=data_dir))
    generation = kildesvar.generation()
    chance = random.Random(2)
    words = Made(kildesvar, chance)._words
    results, times = [], []
    for _ in range(_QUESTIONS):
        question = " ".join(chance.choices(words, k=6))
        began = perf_counter()
        results.append(kildesvar.retriever.search(generation, question, 10))
        times.append((perf_counter() - began) * 1000)
    times = sorted(times[10:])
    memory = _memory()
    kildesvar.close()
    return {
        "median": median(times),
        "p95": times[int(0.95 * len(times))],
        "embed": median(result.embed_ms for result in results[10:]),
        **memory,
    }


def _memory() -> dict[str, float]:
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    own = kilobytes["Private_Dirty"] / 1024
    return {"own": own, "mapped": kilobytes["Rss"] / 1024 - own}  # files, which others may share


def _seconds(times: Sequence[float]) -> str:
    return f"median {median(times):.2f} s, most {max(times):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
