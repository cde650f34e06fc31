"""The figures of how cost grows as Markdown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.scaling.picture import runs_of

_BEGIN, _END = "<!-- figures: `make scaling` writes from here -->", "<!-- to here -->"
_ENGINES = ("local", "opensearch")
_VARIANTS = (
    "opensearch no source",
    "opensearch 7 bits",
    "opensearch 1 bit",
    "opensearch on disk 32x",
)
_LIBRARY = {
    "known_file": "what is known of a file, for each upload (`KnownFiles`)",
    "parts": "every passage, for each publication of the local engine (`parts`)",
    "forget_unused": "every vector, after each change (`forget_unused`)",
    "statistics": "the statistics page (`library_statistics`)",
    "count": "documents and passages counted (`count`)",
    "listing": "50 documents in order of title (`documents`)",
    "scope_tenth": "a filter that a tenth passes (`scope`, `passages_within`)",
    "scope_year": "a filter that a 26th passes",
    "hits": "100 hits with their words (`passages`)",
}


def write_tables(figures: dict[str, Any], document: Path) -> None:
    """Replaces what stands between the two marks of the document."""
    before, rest = document.read_text(encoding="utf-8").split(_BEGIN)
    after = rest.split(_END)[1]
    tables = "\n".join(_lines(figures))
    document.write_text(f"{before}{_BEGIN}\n{tables}\n{_END}{after}", encoding="utf-8")


def _lines(figures: dict[str, Any]) -> Iterable[str]:
    yield "Building, and what it takes up:"
    yield ""
    yield (
        "| engine, passages | s | s of the processor | passages/s | "
        "bytes a passage: all, vectors | memory, MB: resident, own | load |"
    )
    yield "|---|---|---|---|---|---|---|"
    for engine in _ENGINES:
        for size, run in runs_of(figures, engine):
            yield _built(f"{engine}, {size:,}", run)
    yield ""
    yield "Queries, milliseconds on the clock (p50, p95) and **of the processor** (mean):"
    yield ""
    yield "| engine, passages | filter | words | meaning | both | recall@10, @100 | load |"
    yield "|---|---|---|---|---|---|---|"
    for engine in _ENGINES:
        for size, run in runs_of(figures, engine):
            for name, queries in run["queries"].items():
                yield _asked(f"{engine}, {size:,}", name, queries)
    yield from _variants(figures)
    yield from _library(figures)


def _variants(figures: dict[str, Any]) -> Iterable[str]:
    runs = [
        (name, size, run)
        for name in ("opensearch", *_VARIANTS)
        for size, run in runs_of(figures, name)
        if size == 100_000
    ]
    if len(runs) < 2:
        return
    yield ""
    yield "OpenSearch laid out otherwise, 100,000 passages:"
    yield ""
    yield (
        "| | bytes a passage: all, vectors, kept as sent | s of the processor to build | "
        "a query by meaning, ms of the processor | recall@10, @100 |"
    )
    yield "|---|---|---|---|---|"
    for name, _, run in runs:
        dense, files = run["queries"]["all"]["dense"], run["file_bytes"]
        kept = f"{run['bytes_a_passage']:,}, {run['vector_bytes']:,}, {files['stored']:,}"
        built = f"{run['build_cpu_s']:.0f}" if "build_cpu_s" in run else "–"
        yield f"| {name} | {kept} | {built} | {dense['cpu_ms']:.1f} | {_recall(dense)} |"


def _library(figures: dict[str, Any]) -> Iterable[str]:
    runs = sorted(
        (int(name.split()[1]), run) for name, run in figures.items() if name.startswith("library ")
    )
    if not runs:
        return
    yield ""
    yield "The library itself (SQLite, 100 passages a document), milliseconds of the processor:"
    yield ""
    yield f"| | {' | '.join(f'{size:,}' for size, _ in runs)} |"
    yield f"|---{'|---' * len(runs)}|"
    sizes = [f"{run['bytes_a_passage']:,}" for _, run in runs]
    yield f"| bytes a passage | {' | '.join(sizes)} |"
    for step, words in _LIBRARY.items():
        cells = [_milliseconds(run, step) for _, run in runs]
        yield f"| {words} | {' | '.join(cells)} |"


def _milliseconds(run: dict[str, Any], step: str) -> str:
    of_all = run[step]["cpu_ms"]
    return f"{of_all:,.0f}" if of_all >= 10 else f"{of_all:.1f}"


def _built(name: str, run: dict[str, Any]) -> str:
    memory = run["memory"] if isinstance(run["memory"], list) else [run["memory"]]
    resident, own = (sum(each[kind] for each in memory) for kind in ("rss_mb", "own_mb"))
    before, after = run["build_load"]
    cells = (
        name,
        f"{run['build_s']:,.0f}",
        f"{run['build_cpu_s']:,.0f}" if "build_cpu_s" in run else "–",
        f"{run['passages_per_s']:,}",
        f"{run['bytes_a_passage']:,}, {run['vector_bytes']:,}",
        f"{resident:,.0f}, {own:,.0f}",
        f"{before:.0f} to {after:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _asked(name: str, limit: str, queries: dict[str, Any]) -> str:
    times = [_times(queries[kind]) for kind in ("lexical", "dense", "both")]
    loads = f"{queries['lexical']['load']:.0f}"
    return f"| {name} | {limit} | {' | '.join(times)} | {_recall(queries['dense'])} | {loads} |"


def _times(query: dict[str, Any]) -> str:
    of_processor = f", **{query['cpu_ms']:.1f}**" if "cpu_ms" in query else ""
    return f"{query['p50_ms']:.1f}, {query['p95_ms']:.1f}{of_processor}"


def _recall(query: dict[str, Any]) -> str:
    return f"{query['recall_10']:.3f}, {query['recall_100']:.3f}"
