"""Measures what a change costs in a large library, and what it leaves behind.

    python -m scripts.benchmark_library [--passages 100000] [--changes 10000]

Makes a library of so many passages in a temporary folder, then, with the real model:

- ingests one changed file, again and again, and asks for it through a Kildesvar that is open
  meanwhile as a service has it: seconds until it is found, without those spent in the model;
- replaces documents until so many passages have changed, publishing each time;
- counts what it holds and 90,000 questions, and lists 50 documents: milliseconds;
- before and after, asks in a process of its own: milliseconds a search, and memory.
- before and after, asks in a process of its own: milliseconds a search as the search page has it,
  of its words alone (BM25), and of the suggestions for each letter typed; and memory.

The texts are drawn from the words of the example documents and compounds of them, and passages'
vectors at random: they take the room and the time of real ones. Prints a Markdown table.
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

from app.answer_records import AnswerRecord, AnswerRecords
from app.answer_statistics import answer_statistics
from app.assembly import Kildesvar
from app.responses import search_response
from app.schemas import SearchResponse
from app.settings import load_settings
from index.documents import BlockKind, Document, Piece, assemble
from index.lock import writing
from index.passages import Passage
from index.records import CitedSpan, Filters, Listing, NewPassage, Sort, Source, Vectors
from index.statistics import library_statistics
from index.units import units_of

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_PASSAGES_A_DOCUMENT = 100
_WORDS_A_PASSAGE = 60
_PASSAGES_A_HEADING = 5
_CHANGED_FILES = 10
_QUESTIONS = 60
_NOTED = 90_000
_RUNS = 9
_WARMING = 10
_MISTYPED = 0.25


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
    if not changes:
        kildesvar.close()
        return
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
        self.words = " ".join(texts).split()
        self._simple = sorted({word.lower() for word in self.words if word.isalpha()})

    def put(self, number: int) -> None:
        """Stores document `number` anew, with another text."""
        text, blocks = assemble(self._pieces())
        title = f"Rapport {number} om {self._phrase()}"
        day = f"{2000 + number % 26}-05-17"
        document = Document(title, text, blocks, "text/plain", "nb", date=day)
        new, vectors = [], {}
        start = 0
        for at, block in enumerate(blocks):
            if block.kind is BlockKind.HEADING:
                start = block.start  # it is part of the passage that follows
                continue
            passage = Passage(start or block.start, block.end, ())
            start = 0
            units = units_of(document, passage)
            key = f"{document.content_hash}-{at}"
            new.append(NewPassage(passage, units, key))
            vectors[key] = Vectors(self._unit_rows(1)[0], self._unit_rows(len(units)))
        source = Source(f"/laget/{number}.txt", len(text), number, document.content_hash)
        self._kildesvar.library.put(
            document, source, new, vectors, self._kildesvar.encoder.fingerprint
        )

    def _pieces(self) -> Iterator[Piece]:
        for number in range(_PASSAGES_A_DOCUMENT):
            if number % _PASSAGES_A_HEADING == 0:
                yield Piece(BlockKind.HEADING, self._phrase().capitalize(), level=2)
            yield Piece(BlockKind.PARAGRAPH, f"{self._sentence()} {self._sentence()}")

    def _sentence(self) -> str:
        words = self.chance.choices(self.words, k=_WORDS_A_PASSAGE // 2 - 1)
        return " ".join([*words, self._rare()]).capitalize() + "."

    def _phrase(self) -> str:
        return " ".join([*self.chance.choices(self.words, k=3), self._rare()])

    def _rare(self) -> str:
        """A compound of two words, which few passages have."""
        return "".join(self.chance.choices(self._simple, k=2))

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
        f"search median {asked['search']:.1f} ms, p95 {asked['search_p95']:.1f} ms, of them "
        f"embedding {asked['embed']:.1f}; BM25 alone median {asked['bm25']:.1f} ms, so a search is "
        f"{asked['search'] / asked['bm25']:.1f} times that; search in one folder median "
        f"{asked['narrowed']:.1f} ms; suggestions {asked['typed']:.0f} times, median "
        f"{asked['suggest']:.1f} ms, p95 {asked['suggest_p95']:.1f} ms, most "
        f"{asked['suggest_most']:.1f} ms, in one language p95 {asked['suggest_narrowed']:.1f} ms; "
        f"{asked['own']:.0f} MB of its own, {asked['mapped']:.0f} MB mapped"
    )


def _asked(data_dir: Path) -> dict[str, float]:
    """Milliseconds a search and a suggestion, and megabytes of this process after them."""
    kildesvar = Kildesvar(load_settings(data_dir=data_dir))
    generation = kildesvar.generation()
    chance = random.Random(2)
    made = Made(kildesvar, chance)
    questions = [" ".join(chance.choices(made.words, k=6)) for _ in range(_QUESTIONS)]
    browse, analyser = kildesvar.retriever.browse, kildesvar.analyser
    folder_of = kildesvar.uploads.folder_of

    def search(question: str, filters: Filters | None = None) -> SearchResponse:
        browsed = browse(generation, question, 10, 0, filters)
        return search_response(browsed, analyser, generation.name, folder_of)

    def bm25(question: str) -> None:
        generation.lexical.search(analyser.weights(question), 100)

    def suggest(typed: str, filters: Filters | None = None) -> None:
        kildesvar.suggester.suggest(generation, typed, 8, filters)

    searches = _times(search, questions)
    embeds = [search(question).timings["embed"] for question in questions]
    typed = [text for question in questions for text in _as_typed(question, chance)]
    suggestions = _times(suggest, typed)
    narrowed = _times(lambda text: suggest(text, Filters(language=("nb",))), typed[::5])
    within = Filters(folder=("/laget",))
    figures = {
        "search": median(searches),
        "search_p95": _p95(searches),
        "embed": median(embeds),
        "bm25": median(_times(bm25, questions)),
        "narrowed": median(_times(lambda text: search(text, within), questions[:20])),
        "typed": float(len(typed)),
        "suggest": median(suggestions),
        "suggest_p95": _p95(suggestions),
        "suggest_most": max(suggestions),
        "suggest_narrowed": _p95(narrowed),
        **_memory(),
    }
    kildesvar.close()
    return figures


def _as_typed(question: str, chance: random.Random) -> Iterator[str]:
    """The first two words of a question letter by letter; of every fourth, one letter is wrong."""
    text = " ".join(question.split()[:2])
    if chance.random() < _MISTYPED:
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice("abdefgiklmnorstuvæøå") + text[at + 1 :]
    yield from (text[:end] for end in range(1, len(text) + 1))


def _times(work: Callable[[str], object], texts: Sequence[str]) -> list[float]:
    """Milliseconds for each text, after some to warm up."""
    for text in texts[:_WARMING]:
        work(text)
    times = []
    for text in texts:
        began = perf_counter()
        work(text)
        times.append((perf_counter() - began) * 1000)
    return times


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


def _memory() -> dict[str, float]:
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    own = kilobytes["Private_Dirty"] / 1024
    return {"own": own, "mapped": kilobytes["Rss"] / 1024 - own}  # files, which others may share


def _seconds(times: Sequence[float]) -> str:
    return f"median {median(times):.2f} s, most {max(times):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
