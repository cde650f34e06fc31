"""The picture of a load test."""

from pathlib import Path
from typing import Any


def draw(figures: dict[str, Any], to: Path) -> None:
    """Answers a second, times and refusals by how many ask at once, and memory over time."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - only the extra `report` has it

    levels = figures["at_once"]
    at_once = [level["at_once"] for level in levels]
    picture, ((rate, times), (shares, memory)) = plt.subplots(2, 2, figsize=(9, 6.5))
    rate.plot(at_once, [level["answered_per_second"] for level in levels], "o-")
    rate.set(title="Answers a second", ylim=(0, None))
    for name in ("p50", "p95", "p99"):
        times.plot(at_once, [level[f"{name}_ms"] for level in levels], "o-", label=name)
    times.set(title="Milliseconds to an answer", ylim=(0, None))
    times.legend()
    shares.plot(at_once, [100 * level["refused_share"] for level in levels], "o-")
    shares.set(title="Percent answered 429", ylim=(0, 100))
    for axes in (rate, times, shares):
        axes.set(xlabel="questions at once", xscale="log")
        axes.set_xticks(at_once, [str(n) for n in at_once])
        axes.minorticks_off()
    curve = figures["soak"]["memory_curve"] if "soak" in figures else _joined(levels)
    memory.plot([second / 60 for second, _ in curve], [megabytes for _, megabytes in curve])
    memory.set(title="Memory of the service, MB", xlabel="minutes", ylim=(0, None))
    for axes in (rate, times, shares, memory):
        axes.grid(alpha=0.3)
    picture.tight_layout()
    picture.savefig(to, metadata={"Date": None})
    plt.close(picture)


def _joined(levels: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """The curves of several runs, one after the other."""
    joined, at = list[tuple[float, float]](), 0.0
    for level in levels:
        joined += [(at + second, megabytes) for second, megabytes in level["memory_curve"]]
        at = joined[-1][0]
    return joined
