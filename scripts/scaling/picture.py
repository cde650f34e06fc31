"""The picture of how cost grows."""

from pathlib import Path
from typing import Any

_ENGINES = {"local": "local", "opensearch": "OpenSearch"}
_QUERIES = {"lexical": ":", "dense": "--", "both": "-"}


def draw(figures: dict[str, Any], to: Path) -> None:
    """Building, bytes, memory and queries of both engines by the number of passages."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - only the extra `report` has it

    picture, ((building, disk), (memory, queries)) = plt.subplots(2, 2, figsize=(9, 6.5))
    for colour, (engine, name) in enumerate(_ENGINES.items()):
        runs = runs_of(figures, engine)
        how = {"marker": "o", "color": f"C{colour}"}
        # One that went on where another had stopped knows only its own share.
        built = [(size, run["build_cpu_s"]) for size, run in runs if "build_cpu_s" in run]
        building.plot(*zip(*built, strict=True), label=name, **how)
        sizes = [size for size, _ in runs]
        for kind, line, of in (("bytes_a_passage", "-", ""), ("vector_bytes", ":", ": vectors")):
            bytes_of_each = [run[kind] / 1000 for _, run in runs]
            disk.plot(sizes, bytes_of_each, line, label=name + of, **how)
        memory.plot(sizes, [resident(run) for _, run in runs], label=name, **how)
        for query, line in _QUERIES.items():
            of_all = [run["queries"]["all"][query]["cpu_ms"] for _, run in runs]
            queries.plot(sizes, of_all, line, label=f"{name}, {query}", **how)
    building.set(title="Building: seconds of the processor", yscale="log")
    disk.set(title="On the disk: kB a passage", ylim=(0, None))
    memory.set(title="Memory of the process that searches, MB", ylim=(0, None))
    queries.set(title="A query: milliseconds of the processor", yscale="log")
    for axes in (building, disk, memory, queries):
        axes.set(xlabel="passages", xscale="log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    picture.tight_layout()
    picture.savefig(to, metadata={"Date": None})
    plt.close(picture)


def runs_of(figures: dict[str, Any], engine: str) -> list[tuple[int, dict[str, Any]]]:
    """What was measured of an engine, by the number of passages, as far as it was asked."""
    found = {
        int(name.rpartition(" ")[2]): run
        for name, run in figures.items()
        if name.rpartition(" ")[0] == engine and "queries" in run
    }
    return sorted(found.items())


def resident(run: dict[str, Any]) -> float:
    """MB of the process that searches; of several nodes, of all together."""
    memory = run["memory"]
    of_each = memory if isinstance(memory, list) else [memory]
    return float(sum(each["rss_mb"] for each in of_each))
