"""Measures how a service answers under load: docs/load.md, and its picture.

    python -m scripts.load [--seconds 20] [--soak 600] [--passages 10000] [--json OUT] [--svg OUT]

Asks a service in a process of its own, over a library of made documents, with k6 in another: 1, 2,
4 and up to 64 questions at once, then as many a second as the best of these got answered, and twice
as many. No question is like another, and nothing is remembered; then once more with remembering,
and with questions of which some come often. k6 is taken from the PATH, or built by Go into
data/tools.

Every run has a service of its own. The load goes to this machine alone, and ends by itself.
"""

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.assembly import Kildesvar
from app.settings import default_data_dir, load_settings
from index.processors import available_processors
from scripts.benchmark_asking import until_idle
from scripts.benchmark_service import serving
from scripts.load.memory import Memory
from scripts.load.picture import draw
from scripts.load.table import write_table
from scripts.made_library import PASSAGES_A_DOCUMENT, MadeLibrary, example_words
from scripts.own_library import own_environment, own_settings

_SCRIPT = Path(__file__).with_name("ask.js")
_DOCS = Path(__file__).resolve().parents[2] / "docs"
_K6 = "go.k6.io/k6@v1.8.1"
_AT_ONCE = (1, 2, 4, 8, 16, 32, 64)
_REPEATED = 200
"""Questions of which some come often: so many different ones."""
_REMEMBERS_NOTHING = {"KILDESVAR_CACHED_ANSWERS_MB": "0", "KILDESVAR_CACHED_QUERIES": "0"}

Figures = dict[str, Any]


class Load:
    """Asks one service, and notes its memory."""

    def __init__(self, k6: str, address: str, process_id: int, folder: Path) -> None:
        self._k6 = k6
        self._address = address
        self._memory = Memory(process_id)
        self._folder = folder
        self._runs = 0

    def ask(self, seconds: float, **how: object) -> Figures:
        """What k6 saw of so many seconds; `how` are the variables of ask.js."""
        self._runs += 1
        summary = self._folder / "summary.json"
        given = {
            "ADDRESS": self._address,
            "SEED": self._runs,
            "WORDS": self._folder / "words.txt",
            "SECONDS": seconds,
            "SUMMARY": summary,
            **how,
        }
        environment = [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
        with self._memory.watched() as memory:
            subprocess.run(
                [self._k6, "run", "--quiet", "--no-usage-report", *environment, str(_SCRIPT)],
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=seconds + 120,
            )
        seen = figures_of(json.loads(summary.read_text("utf-8")), seconds)
        return {**{name.lower(): value for name, value in how.items()}, **seen, **memory}


def figures_of(summary: Figures, seconds: float) -> Figures:
    """Answers a second and milliseconds, of what k6 saw in so many seconds."""
    answered, refused = summary["answered"], summary["refused"]
    asked = answered["count"] + refused["count"] + summary["failed"]
    return {
        "seconds": seconds,
        "answered": answered["count"],
        "answered_per_second": round(answered["count"] / seconds, 2),
        **{f"p{n}_ms": _rounded(answered.get(f"p({n})")) for n in (50, 95, 99)},
        "refused": refused["count"],
        "refused_share": round(refused["count"] / asked, 4) if asked else 0.0,
        "refused_p95_ms": _rounded(refused.get("p(95)")),
        "failed": summary["failed"],
        "not_sent": summary["dropped"],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="load", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="of each run")
    parser.add_argument("--soak", type=float, default=0, help="seconds of a long run at the end")
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, nargs="+", default=_AT_ONCE)
    parser.add_argument("--concurrency", type=int, default=0, help="KILDESVAR_MAX_CONCURRENCY")
    parser.add_argument("--only-distinct", action="store_true", help="without the other runs")
    parser.add_argument("--json", type=Path, default=_DOCS / "load.json")
    parser.add_argument("--svg", type=Path, default=_DOCS / "load.svg")
    given = parser.parse_args(arguments)
    figures: Figures = {
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{platform.machine()}, {available_processors()} cores",
        "load_before": round(os.getloadavg()[0], 2),
        "passages": given.passages,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "words.txt").write_text("\n".join(_words()), "utf-8")
        _make_library(folder / "data", given.passages)
        k6 = tool()
        figures |= dict(_measured(k6, folder, given))
    figures["load_after"] = round(os.getloadavg()[0], 2)
    given.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    draw(figures, given.svg)
    if given.json.parent == _DOCS:
        write_table(figures, _DOCS / "load.md")
    return 0


def _measured(k6: str, folder: Path, given: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    concurrency = {"KILDESVAR_MAX_CONCURRENCY": str(given.concurrency)}
    with _load(k6, folder, {**_REMEMBERS_NOTHING, **concurrency}) as load:
        levels = [_said(load.ask(given.seconds, AT_ONCE=n)) for n in given.at_once]
        yield "at_once", levels
        peak = max(level["answered_per_second"] for level in levels)
        yield (
            "per_second",
            [_said(load.ask(given.seconds, PER_SECOND=round(peak * n, 1))) for n in (1, 2)],
        )
        if given.soak:
            yield "soak", _said(load.ask(given.soak, AT_ONCE=8))
    if given.only_distinct:
        return
    with _load(k6, folder, concurrency) as load:
        yield "remembering_distinct", _said(load.ask(given.seconds, AT_ONCE=8))
        yield "remembering_repeated", _said(load.ask(given.seconds, AT_ONCE=8, REPEATED=_REPEATED))


def _said(figures: Figures) -> Figures:
    shown = {name: value for name, value in figures.items() if name != "memory_curve"}
    print(json.dumps(shown), flush=True)
    return figures


@contextmanager
def _load(k6: str, folder: Path, settings: dict[str, str]) -> Iterator[Load]:
    environment = {
        **own_environment(folder / "data"),
        "KILDESVAR_MODELS_DIR": str(load_settings().models_dir),
        "KILDESVAR_LOG_LEVEL": "error",  # a line a request would fill the pipe that nobody reads
        "KILDESVAR_KEEP_ANSWERS_DAYS": "1",
        **settings,
    }
    with serving(environment) as (process, address):
        until_idle(process.pid)
        yield Load(k6, address, process.pid, folder)


def _words() -> list[str]:
    return sorted({word.strip(".,:;()«»") for word in example_words() if word.isalpha()})


def _make_library(data_dir: Path, passages: int) -> None:
    kildesvar = Kildesvar(own_settings(data_dir))
    made = MadeLibrary(kildesvar.library, kildesvar.encoder, random.Random(1))
    kildesvar.ingester().publish()
    for number in range(passages // PASSAGES_A_DOCUMENT):
        made.put(number)
    kildesvar.ingester().publish()
    kildesvar.close()


def tool() -> str:
    """k6: of the PATH, or built. Raises CalledProcessError when Go cannot build it."""
    folder = default_data_dir() / "tools"
    if found := shutil.which("k6") or shutil.which("k6", path=str(folder)):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    print("building k6, which takes some minutes")
    subprocess.run(["go", "install", _K6], env={**os.environ, "GOBIN": str(folder)}, check=True)
    return str(folder / "k6")


if __name__ == "__main__":
    sys.exit(main())
