"""Ingests a folder of made documents twice, and measures: all of them, then nothing anew.

    python -m scripts.trial_ingest [--files 64] [--pages 8] [--seed 1]

Runs `kildesvar ingest` as a person does, in a process of its own, into a fresh data folder. Prints
a Markdown table; exit status 1 when a file was left out, or when the second run embedded or
published anything. Memory is what Linux tells of both processes, the reading one too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.settings import load_settings
from index.embedding import prepare
from index.reading.preparation import prepare_reader
from scripts.made_texts import made_documents
from scripts.make_documents import write_documents
from scripts.own_library import own_environment

_LOOKS_EVERY = 0.1
"""Seconds between two looks at the memory. The system remembers the peak while a process lives."""


@dataclass
class Run:
    """One `kildesvar ingest --json`: its report, the seconds of the whole process, and the most
    memory that it, and the largest of its children, had resident, in MB."""

    report: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    ingesting_mb: float = 0.0
    reading_mb: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="trial_ingest", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--pages", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    settings = load_settings()
    prepare(settings.model, settings.models_dir, print)
    prepare_reader(settings.models_dir, print)
    with tempfile.TemporaryDirectory() as temporary:
        folder, data_dir = Path(temporary) / "documents", Path(temporary) / "data"
        written = write_documents(folder, made_documents(given.files, given.seed, given.pages))
        first, second = (run(folder, data_dir, settings.models_dir) for _ in range(2))
    print_table(first, second, given.pages * len(written))
    whole = first.report["documents"] == len(written) and not first.report["skipped"]
    again = second.report["embedded"] or second.report["published"]
    return 0 if whole and not again else 1


def run(folder: Path, data_dir: Path, models_dir: Path) -> Run:
    """Ingests `folder` and watches the process."""
    run, began = Run(), time.perf_counter()
    command = [sys.executable, "-m", "app.cli", "ingest", str(folder), "--json"]
    environment = {**own_environment(data_dir), "KILDESVAR_MODELS_DIR": str(models_dir)}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        subprocess.Popen(
            [*command, "--data-dir", str(data_dir)], env=environment, stdout=output
        ) as process,
    ):
        while process.poll() is None:
            run.ingesting_mb = max(run.ingesting_mb, _peak(process.pid))
            run.reading_mb = max(run.reading_mb, *map(_peak, _children(process.pid)), 0)
            time.sleep(_LOOKS_EVERY)
        run.seconds = time.perf_counter() - began
        output.seek(0)
        run.report = json.load(output)
    return run


def print_table(first: Run, second: Run, pages: int) -> None:
    report = first.report
    seconds, files = report["seconds"], report["documents"]
    rows = {
        "files, all read": files,
        "pages of text": pages,
        "passages": report["passages"],
        "seconds": f"{seconds:.1f}",
        "pages/s": f"{pages / seconds:.1f}",
        "passages/s": f"{report['embedded'] / seconds:.1f}",
        "share of the time in the model": f"{report['model_seconds'] / seconds:.3f}",
        "seconds of the whole process": f"{first.seconds:.1f}",
        "peak memory, MB: ingesting, reading": f"{first.ingesting_mb:.0f}, {first.reading_mb:.0f}",
        "second run: seconds": f"{second.report['seconds']:.2f}",
        "second run: passages embedded": second.report["embedded"],
        "second run: published": "yes" if second.report["published"] else "no",
    }
    print("| | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def _children(process_id: int) -> list[int]:
    try:
        children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text("ascii")
    except OSError:  # it has just ended
        return []
    return list(map(int, children.split()))


def _peak(process_id: int) -> float:
    """The most memory that the process has had resident, in MB; 0 when it has ended."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text("ascii")
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines.get("VmHWM", "0 kB").split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
