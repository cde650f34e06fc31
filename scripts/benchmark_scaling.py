"""Measures how cost grows with the number of passages, on both engines: docs/scaling.md.

    python -m scripts.benchmark_scaling local [--sizes 10000 100000 1000000]
    python -m scripts.benchmark_scaling opensearch [--url http://127.0.0.1:9200] [--heap 2g]
    python -m scripts.benchmark_scaling library [--data-dir DIR]
    python -m scripts.benchmark_scaling draw

Each writes what it measured into docs/scaling.json beside what is there, size by size. The passages
are made (`scripts.scaling.corpus`): no model embeds them, and no library holds them. Without --url
an OpenSearch of one node is started (`tests.cluster`), and stopped at the end. `draw` writes the
tables and the picture.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from index.opensearch.mapping import Layout
from index.processors import available_processors
from index.records import Ids
from scripts.scaling import cluster, library, local
from scripts.scaling.corpus import LIMITS, Corpus
from scripts.scaling.figures import Figures
from scripts.scaling.picture import draw
from scripts.scaling.table import write_tables

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_SIZES = (10_000, 100_000, 1_000_000)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark_scaling", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--json", type=Path, default=_DOCS / "scaling.json")
    commands = parser.add_subparsers(required=True, dest="command")
    command = commands.add_parser("local")
    command.add_argument("--sizes", type=int, nargs="+", default=_SIZES)
    command.add_argument("--folder", type=Path, help="where what is built stays, to be asked again")
    command.set_defaults(run=_measure_local)
    command = commands.add_parser("opensearch")
    command.add_argument("--sizes", type=int, nargs="+", default=_SIZES)
    command.add_argument("--url", default="", help="of a cluster that runs; else one is started")
    command.add_argument("--nodes", type=int, default=1)
    command.add_argument("--heap", default="2g")
    command.add_argument("--shards", type=int, default=1)
    command.add_argument("--replicas", type=int, default=0)
    command.add_argument("--variant", default="", choices=cluster.VARIANTS)
    command.add_argument(
        "--keep", action="store_true", help="leave the index, to ask it again or to go on"
    )
    command.add_argument("--folder", type=Path, help="where true neighbours are kept")
    command.set_defaults(run=_measure_opensearch)
    command = commands.add_parser("library")
    command.add_argument("--sizes", type=int, nargs="+", default=_SIZES)
    command.add_argument("--data-dir", type=Path, help="where the library stays, to go on with it")
    command.set_defaults(run=_measure_library)
    command = commands.add_parser("draw")
    command.set_defaults(run=_draw)
    given = parser.parse_args(arguments)
    given.run(given)
    return 0


def _measure_local(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        for size in given.sizes:
            folder = given.folder or Path(temporary)
            _keep(given.json, f"local {size}", local.measure(size, _truths(size, folder), folder))


def _measure_library(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        growing = library.Growing(given.data_dir or Path(temporary) / "data")
        for size in given.sizes:
            _keep(given.json, f"library {size}", {**growing.grow(size), **growing.measure()})
        growing.close()


def _measure_opensearch(given: argparse.Namespace) -> None:
    """One index grows from size to size, and is asked at each."""
    layout = Layout("scaling", given.shards, given.replicas)
    with (
        _cluster(given) as url,
        cluster.Measuring(url, layout, given.variant) as measuring,
    ):
        before: Figures = {}
        for size in given.sizes:
            name = " ".join(filter(None, ["opensearch", given.variant, str(size)]))
            figures = measuring.cluster()
            if measuring.count() < size:
                grown = measuring.grow(size)
                for figure in ("build_s", "merging_s", "build_cpu_s"):
                    grown[figure] = round(grown[figure] + before.get(figure, 0.0), 1)
                grown["passages_per_s"] = round(size / grown["build_s"])
                figures |= grown
            figures |= measuring.sizes()
            before = _keep(
                given.json, name, figures
            )  # in case that it is stopped before it answers
            _keep(given.json, name, measuring.search(_truths(size, given.folder)))
        if not given.keep:
            measuring.delete()


def _draw(given: argparse.Namespace) -> None:
    figures = json.loads(given.json.read_text("utf-8"))
    draw(figures, _DOCS / "scaling.svg")
    write_tables(figures, _DOCS / "scaling.md")


@contextmanager
def _cluster(given: argparse.Namespace) -> Iterator[str]:
    """The addresses of a cluster: the one named, or one of our own."""
    if given.url:
        yield given.url
        return
    # Tests are in a checkout, and what they start needs Java and Maven.
    from tests.cluster.opensearch import running_cluster  # noqa: PLC0415

    with running_cluster(given.nodes, given.heap) as running:
        yield running.urls


def _truths(passages: int, folder: Path | None) -> dict[str, Ids]:
    """The true neighbours of the questions, under each filter; remembered in `folder`."""
    corpus = Corpus(passages)
    questions = corpus.questions()
    truths = {}
    for limit in (None, *LIMITS):
        name = limit.name if limit else "all"
        kept = folder / f"nearest-{passages}-{limit.one_in if limit else 1}.npy" if folder else None
        if kept and kept.exists():
            truths[name] = np.load(kept)
            continue
        truths[name] = corpus.nearest(questions, corpus.allowed(limit) if limit else None)
        if kept:
            np.save(kept, truths[name])
    return truths


def _keep(path: Path, name: str, figures: Figures) -> Figures:
    """Writes figures beside those of other runs, and over what is known of the same; all of it."""
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    kept[name] = {
        **kept.get(name, {}),
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{platform.machine()}, {available_processors()} cores",
        **figures,
    }
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps({name: kept[name]}, ensure_ascii=False), flush=True)
    known: Figures = kept[name]
    return known


if __name__ == "__main__":
    sys.exit(main())
