"""Measures which FAISS index finds what, how soon, and in how much memory.

    python -m scripts.benchmark_vectors embed TEXTS QUESTIONS FOLDER    a text or question a line
    python -m scripts.benchmark_vectors measure FOLDER [--sizes 10000 50000 100000]

`embed` writes what `measure` reads: rows.npy and queries.npy, unit vectors of the project's own
model. Where more rows are asked for than there are, neighbours are blended into new ones (`grown`).
Every index is built and asked in processes of its own on one thread, and opened memory-mapped.
Times are processor time, which suffers least from what else is running. Prints Markdown.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import process_time, thread_time
from typing import Any, TypeVar, cast

import faiss
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from app.settings import load_settings
from index.embedding import Matrix, open_encoder, prepared_folder

FAISS = cast(Any, faiss)
"""The stubs know half of it."""
PROGRESS = Console(stderr=True)
SHALLOW, DEEP = 10, 100
"""recall@10, and recall@100: as many as retrieval hands over to fusion."""
QUERIES = 200
NEIGHBOURS = 10

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Asking:
    """How an index is asked: efSearch of HNSW or nprobe of IVF, and how many candidates for each
    neighbour wanted are scored again with their float32 rows. 0 leaves the index's own order.
    `widened` divides the effort by the share of the rows that is allowed."""

    effort: int = 0
    rescored: int = 0
    widened: bool = False


KINDS: dict[str, tuple[Asking, ...]] = {
    "Flat": (Asking(),),
    "SQfp16": (Asking(rescored=1),),
    "RaBitQ": (Asking(rescored=4), Asking(rescored=10)),
    "RaBitQ2": (Asking(rescored=2), Asking(rescored=4)),
    "HNSW32,Flat": (Asking(64), Asking(128), Asking(256)),
    "HNSW32,SQfp16": (Asking(128, 1),),
    "IVF{lists},Flat": (Asking(64),),
    "IVF{lists},RaBitQ": (Asking(64, 4), Asking(64, 10)),
    "IVF{lists},RaBitQ2": (Asking(64, 4), Asking(256, 4), Asking(256, 4, widened=True)),
}


@dataclass(frozen=True)
class Seen:
    """What one way of asking gave under one restriction. Times are CPU milliseconds, medians."""

    shallow: float
    deep: float
    milliseconds: float

    def __str__(self) -> str:
        return f"{self.shallow:.3f} {self.deep:.3f} **{self.milliseconds:.2f}**"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark_vectors", description=(__doc__ or "").split("\n")[0]
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("embed")
    command.add_argument("texts", type=Path)
    command.add_argument("questions", type=Path)
    command.add_argument("folder", type=Path)
    command.set_defaults(run=lambda given: embed(given.texts, given.questions, given.folder))
    command = commands.add_parser("measure")
    command.add_argument("folder", type=Path)
    command.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000, 100_000])
    command.set_defaults(run=lambda given: measure(given.folder, given.sizes))
    given = parser.parse_args(arguments)
    given.run(given)
    return 0


def embed(texts: Path, questions: Path, folder: Path) -> None:
    """Writes the vectors of a text and of a question a line, under the default model."""
    settings = load_settings()
    encoder = open_encoder(prepared_folder(settings.model, settings.models_dir), threads=1)
    lines = texts.read_text(encoding="utf-8").splitlines()
    asked = questions.read_text(encoding="utf-8").splitlines()
    folder.mkdir(parents=True, exist_ok=True)
    rows = [encoder.embed_documents([line]) for line in track(lines, console=PROGRESS)]
    np.save(folder / "rows.npy", np.concatenate(rows))
    np.save(folder / "queries.npy", np.stack([encoder.embed_query(line) for line in asked]))


def measure(folder: Path, sizes: Sequence[int]) -> None:
    """Prints a table for each size."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the processes to come
    rows = np.load(folder / "rows.npy")
    queries = np.load(folder / "queries.npy")[:QUERIES]
    for size in sizes:
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            np.save(work / "rows.npy", rows[:size] if size <= len(rows) else grown(rows, size))
            np.save(work / "queries.npy", queries)
            print(f"\n{size} vectors, {min(size, len(rows))} of them real\n")
            print_table(work, size)


def grown(rows: Matrix, size: int) -> Matrix:
    """`rows`, and as many more between neighbours as make `size`.

    A new row lies between a row and one of its neighbours, moved on by the difference of two other
    neighbours: noise in all 384 directions alike would leave the surface that real texts lie on.
    """
    random = np.random.default_rng(5)
    graph = FAISS.index_factory(rows.shape[1], "HNSW16,SQfp16", 0)
    graph.add(rows)
    chosen = random.integers(len(rows), size=size - len(rows))
    _, near = graph.search(rows, NEIGHBOURS + 1)
    parts = [rows]
    for some in np.array_split(chosen, max(1, len(chosen) // 50_000)):
        picks = random.permuted(np.tile(np.arange(1, NEIGHBOURS + 1), (len(some), 1)), axis=1)
        one, two, three = (rows[near[some, picks[:, place]]] for place in range(3))
        share = random.uniform(0.2, 0.8, size=(len(some), 1)).astype(np.float32)
        blended = rows[some] + share * (one - rows[some]) + 0.5 * (two - three)
        parts.append(blended / np.linalg.norm(blended, axis=1, keepdims=True))
    return np.concatenate(parts)


def print_table(work: Path, size: int) -> None:
    allowed = restrictions(np.load(work / "rows.npy", mmap_mode="r"))
    truths = {name: _alone(nearest, work, mask) for name, mask in allowed.items()}
    print(f"| kind | asked | build s | MB | private MB | {' | '.join(allowed)} |")
    print("|---" * (5 + len(allowed)) + "|")
    lists = 2 ** round(np.log2(4 * size**0.5))
    for pattern, askings in KINDS.items():
        name = pattern.format(lists=lists)
        seconds = _alone(build, work, name)
        megabytes = (work / "index.faiss").stat().st_size / 1e6
        for asking in askings:
            seen, private = _alone(ask, work, asking, allowed, truths)
            print(
                f"| {name} | {_described(asking)} | {seconds:.0f} | {megabytes:.0f} "
                f"| {private:.1f} | {' | '.join(map(str, seen))} |",
                flush=True,
            )
    seen = [_alone(ask_rows, work, mask, truths[name]) for name, mask in allowed.items()]
    print(f"| the rows allowed, one by one | | | | | {' | '.join(map(str, seen))} |", flush=True)


def restrictions(rows: Matrix) -> dict[str, Mask]:
    """Which rows may be found: all, all but a tenth (tombstones), and what filters leave.

    A subject is what lies nearest to some row, as a folder or a collection would.
    """
    chance = np.random.default_rng(6).random(len(rows))
    closeness = rows @ rows[0]
    return {
        "all": np.ones(len(rows), dtype=np.bool_),
        "10 % deleted": chance > 0.1,
        "20 % left": chance > 0.8,
        "20 %, one subject": closeness > np.quantile(closeness, 0.8),
        "1 % left": chance > 0.99,
    }


def nearest(work: Path, allowed: Mask) -> Ids:
    """The true neighbours int64[queries, DEEP] of the queries, in order."""
    queries, numbers = np.load(work / "queries.npy"), np.flatnonzero(allowed)
    rows = np.load(work / "rows.npy", mmap_mode="r")[numbers]
    _, places = FAISS.knn(queries, rows, min(DEEP, len(rows)), FAISS.METRIC_INNER_PRODUCT)
    return cast(Ids, numbers[places])


def build(work: Path, name: str) -> float:
    """Writes the index of that name to index.faiss; CPU seconds."""
    rows = np.load(work / "rows.npy")
    began = process_time()
    index = FAISS.index_factory(rows.shape[1], name, FAISS.METRIC_INNER_PRODUCT)
    if name.startswith("HNSW"):
        index.hnsw.efConstruction = 64
    if name.startswith("IVF"):
        index.cp.max_points_per_centroid = 64
    index.train(rows)
    index.add(rows)
    FAISS.write_index(index, str(work / "index.faiss"))
    return process_time() - began


def ask(
    work: Path, asking: Asking, allowed: dict[str, Mask], truths: dict[str, Ids]
) -> tuple[list[Seen], float]:
    """What `asking` gives under each restriction, and the private MB that the index took."""
    rows, queries = np.load(work / "rows.npy", mmap_mode="r"), np.load(work / "queries.npy")
    before = _private()
    index = FAISS.read_index(str(work / "index.faiss"), FAISS.IO_FLAG_MMAP_IFC)
    wanted = DEEP * max(1, asking.rescored)

    def search(selector: Any, share: float = 1.0) -> Callable[[Matrix], Ids]:
        effort = round(asking.effort / share) if asking.widened else asking.effort
        parameters = _parameters(index, effort, selector)

        def found(query: Matrix) -> Ids:
            ids = index.search(query, wanted, params=parameters)[1][0]
            return _rescored(rows, query, ids) if asking.rescored else cast(Ids, ids)

        return found

    everything = search(None)
    seen = [_seen(everything, queries, truths["all"])]
    private = _private() - before
    for name, mask in allowed.items():
        if name != "all":
            bits = np.packbits(mask, bitorder="little")
            selector = FAISS.IDSelectorBitmap(bits)
            seen.append(_seen(search(selector, mask.mean()), queries, truths[name]))
    return seen, private


def ask_rows(work: Path, allowed: Mask, truth: Ids) -> Seen:
    """What scoring the rows allowed one by one gives."""
    rows, queries = np.load(work / "rows.npy", mmap_mode="r"), np.load(work / "queries.npy")
    numbers = np.flatnonzero(allowed)
    return _seen(lambda query: _rescored(rows, query, numbers), queries, truth)


def _parameters(index: Any, effort: int, selector: Any) -> Any:
    given = {} if selector is None else {"sel": selector}
    if isinstance(index, FAISS.IndexHNSW):
        return FAISS.SearchParametersHNSW(efSearch=effort, **given)
    if isinstance(index, FAISS.IndexIVFRaBitQ):
        return FAISS.IVFRaBitQSearchParameters(nprobe=effort, **given)
    if isinstance(index, FAISS.IndexRaBitQ):
        return FAISS.RaBitQSearchParameters(**given)
    if isinstance(index, FAISS.IndexIVF):
        return FAISS.SearchParametersIVF(nprobe=effort, **given)
    return FAISS.SearchParameters(**given)


def _rescored(rows: Matrix, query: Matrix, ids: Ids) -> Ids:
    """The best DEEP of `ids` by their rows' cosines to `query`."""
    ids = np.sort(ids[ids >= 0])
    scores = np.empty(len(ids), dtype=np.float32)
    pointer = FAISS.swig_ptr
    FAISS.fvec_inner_products_by_idx(
        *map(pointer, (scores, query, rows, ids)), rows.shape[1], 1, len(ids)
    )
    if len(ids) > DEEP:
        best = np.argpartition(-scores, DEEP)[:DEEP]
        ids, scores = ids[best], scores[best]
    return ids[np.argsort(-scores, kind="stable")]


def _seen(search: Callable[[Matrix], Ids], queries: Matrix, truth: Ids) -> Seen:
    search(queries[:1])
    times, shallow, deep = [], [], []
    for number in range(len(queries)):
        began = thread_time()
        found = search(queries[number : number + 1])
        times.append(1000 * (thread_time() - began))
        shallow.append(len(np.intersect1d(found[:SHALLOW], truth[number, :SHALLOW])) / SHALLOW)
        deep.append(len(np.intersect1d(found[:DEEP], truth[number])) / truth.shape[1])
    return Seen(float(np.mean(shallow)), float(np.mean(deep)), float(np.median(times)))


def _private() -> float:
    """This process's own memory in MB, without pages of files, which the system may drop."""
    text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    return int(re.findall(r"Anonymous:\s+(\d+) kB", text)[0]) / 1000


def _described(asking: Asking) -> str:
    parts = [
        str(asking.effort) if asking.effort else "",
        "widened" if asking.widened else "",
        f"re-scored x{asking.rescored}" if asking.rescored else "",
    ]
    return ", ".join(filter(None, parts))


def _alone(function: Callable[..., Result], *arguments: Any) -> Result:
    """Runs `function` in a new process, whose memory is its own alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


if __name__ == "__main__":
    sys.exit(main())
