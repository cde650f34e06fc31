"""Measures how long searches and suggestions take in a library, warm, and in how much memory.

    python -m scripts.benchmark_asking DIR [--runs 1]

Asks the library of the data folder DIR (`scripts.benchmark_library --data-dir` makes one), of all
its documents, under a filter that most of them pass, and under one that few do:

- searches as the search page has them, and the suggestions for each letter typed of some of them;
- the words of these searches alone (BM25);
- both over HTTP, of a service in a process of its own.

"Wall" is the time on the clock, for which a person waits, and "CPU" the processor's time of all
threads, which a busy machine lengthens less. Prints rows of a Markdown table, in milliseconds.
"""

import argparse
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, sleep
from urllib.parse import urlencode, urlsplit

from app.assembly import Kildesvar
from app.responses import search_response
from index.records import Filters
from scripts.benchmark_service import serving
from scripts.made_library import MOST, YEARS, example_words
from scripts.own_library import own_settings

_QUESTIONS = 100
_WORDS = 6
_HITS, _SUGGESTIONS = 10, 8
_WARMING = 20
_MISTYPED = 0.25
_BUSY = 0.05
"""Share of a core that a service takes as long as it still does something for itself."""

_ALL = Filters()
_FILTERS = {
    "": _ALL,
    " in the language of most documents": Filters(language=(MOST,)),
    " in one year's documents": Filters(
        dated_from=f"{YEARS[-1]}-01-01", dated_to=f"{YEARS[-1]}-12-31"
    ),
}


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of each call: on the clock, and in the processor where that is known."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        cpu = f"; CPU median {median(self.cpu):.1f}, p95 {_p95(self.cpu):.1f}" if self.cpu else ""
        return f"wall median {median(self.wall):.1f}, p95 {_p95(self.wall):.1f}{cpu}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark_asking", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    given = parser.parse_args(arguments)
    chance = random.Random(2)
    questions = [" ".join(chance.choices(example_words(), k=_WORDS)) for _ in range(_QUESTIONS)]
    typed = [text for question in questions for text in _as_typed(question, chance)]
    for _ in range(given.runs):
        for name, value in _asked(given.data_dir, questions, typed):
            print(f"| {name} | {value} |", flush=True)
        for name, value in _asked_over_http(given.data_dir, questions, typed):
            print(f"| {name} | {value} |", flush=True)
    return 0


def _asked(
    data_dir: Path, questions: Sequence[str], typed: Sequence[str]
) -> Iterator[tuple[str, object]]:
    kildesvar = Kildesvar(own_settings(data_dir))
    generation, analyser = kildesvar.generation(), kildesvar.analyser
    folder_of = kildesvar.uploads.folder_of

    def search(question: str, filters: Filters = _ALL) -> None:
        browsed = kildesvar.retriever.browse(generation, question, _HITS, 0, filters)
        search_response(browsed, analyser, generation.name, folder_of)

    def suggest(text: str, filters: Filters = _ALL) -> None:
        kildesvar.suggester.suggest(generation, text, _SUGGESTIONS, filters)

    def bm25(question: str) -> None:
        generation.lexical.search(analyser.weights(question), kildesvar.settings.candidates)

    alone = _timed(bm25, questions)
    yield "BM25 alone", alone
    for name, filters in _FILTERS.items():
        times = _timed(partial(search, filters=filters), questions)
        yield f"search{name}", times
        if not filters:
            wall = median(times.wall) / median(alone.wall)
            cpu = median(times.cpu) / median(alone.cpu)
            yield "search, times BM25 alone", f"wall {wall:.1f}, CPU {cpu:.1f}"
    for name, filters in _FILTERS.items():
        times = _timed(partial(suggest, filters=filters), typed)
        yield f"suggestions{name}", times
    yield "memory", _memory()
    kildesvar.close()


def _asked_over_http(
    data_dir: Path, questions: Sequence[str], typed: Sequence[str]
) -> Iterator[tuple[str, object]]:
    # A line for each request would fill the pipe that nobody reads.
    settings = {"KILDESVAR_DATA_DIR": str(data_dir.resolve()), "KILDESVAR_LOG_LEVEL": "warning"}
    environment = {**os.environ, **settings}
    with serving(environment) as (process, address):
        until_idle(process.pid)
        connection = HTTPConnection(urlsplit(address).netloc)

        def get(path: str, text: str) -> None:
            connection.request("GET", f"{path}?{urlencode({'q': text})}")
            response = connection.getresponse()
            response.read()
            assert response.status == 200

        for path, texts in (("/v1/search", questions), ("/v1/suggest", typed)):
            times = _timed(partial(get, path), texts)
            yield f"GET {path}", Times(times.wall)
        connection.close()


def until_idle(process_id: int) -> None:
    """Waits for a service that has begun to make its examples."""
    used = _seconds_used(process_id)
    while True:
        sleep(1)
        before, used = used, _seconds_used(process_id)
        if used - before < _BUSY:
            return


def _seconds_used(process_id: int) -> float:
    stat = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _as_typed(question: str, chance: random.Random) -> Iterator[str]:
    """The first two words of a question letter by letter; of every fourth, one letter is wrong."""
    text = " ".join(question.split()[:2])
    if chance.random() < _MISTYPED:
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice("abdefgiklmnorstuvæøå") + text[at + 1 :]
    yield from (text[:end] for end in range(1, len(text) + 1))


def _timed(work: Callable[[str], object], texts: Sequence[str]) -> Times:
    """The times of each text, after some to warm up."""
    for text in texts[:_WARMING]:
        work(text)
    times = Times()
    for text in texts:
        used, began = process_time(), perf_counter()
        work(text)
        times.wall.append((perf_counter() - began) * 1000)
        times.cpu.append((process_time() - used) * 1000)
    return times


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


def _memory() -> str:
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    own = kilobytes["Private_Dirty"] / 1024
    mapped = kilobytes["Rss"] / 1024 - own  # files, which others may share
    return f"{own:.0f} MB of its own, {mapped:.0f} MB mapped"


if __name__ == "__main__":
    sys.exit(main())
