"""The figures of a load test as Markdown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

_BEGIN, _END = "<!-- figures: `make load` writes from here -->", "<!-- to here -->"
_SETS = (
    ("at_once", "{at_once} at once"),
    ("per_second", "{per_second} a second"),
    ("soak", "{at_once} at once, for {seconds:.0f} s"),
    ("remembering_distinct", "{at_once} at once, remembering"),
    ("remembering_repeated", "{at_once} at once, remembering, {repeated} questions"),
)


def write_table(figures: dict[str, Any], document: Path) -> None:
    """Replaces what stands between the two marks of the document."""
    before, rest = document.read_text(encoding="utf-8").split(_BEGIN)
    after = rest.split(_END)[1]
    table = "\n".join(_lines(figures))
    document.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{after}", encoding="utf-8")


def _lines(figures: dict[str, Any]) -> Iterable[str]:
    yield (
        f"Measured {figures['measured_at'][:10]} on {figures['machine']}, which others had to do "
        f"with as well: a load of {figures['load_before']} before the first run. "
        f"{figures['passages']} passages."
    )
    yield ""
    yield "| asked | answers a second | p50, p95, p99 ms | answered 429 | 429 within | memory, MB |"
    yield "|---|---|---|---|---|---|"
    for name, words in _SETS:
        runs = figures.get(name, [])
        for run in runs if isinstance(runs, list) else [runs]:
            yield _row(words.format(**run), run)


def _row(asked: str, run: dict[str, Any]) -> str:
    times = ", ".join("–" if run[f"p{n}_ms"] is None else f"{run[f'p{n}_ms']:.0f}" for n in _POINTS)
    refused = "–" if run["refused_p95_ms"] is None else f"{run['refused_p95_ms']:.0f} ms"
    cells = (
        asked,
        f"{run['answered_per_second']:.1f}",
        times,
        f"{run['refused_share']:.0%}",
        refused,
        f"{run['memory_after_mb']:.0f}",
    )
    return f"| {' | '.join(cells)} |"


_POINTS = (50, 95, 99)
