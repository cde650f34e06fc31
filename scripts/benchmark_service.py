"""Measures how soon and in how little memory the service answers, cold.

    python -m scripts.benchmark_service [--runs 5]

Over the example documents, in turn: `kildesvar serve` with the prepared model under ONNX Runtime,
the same under sentence-transformers, and `kildesvar search`. Prints a Markdown table of medians.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.progress import track

from app.settings import load_settings
from index.embedding import prepare, prepared_folder
from index.embedding.card import (
    CARD_FILE,
    SENTENCE_TRANSFORMERS,
    fingerprint,
    read_card,
    with_runtime,
    write_card,
)
from scripts.own_library import own_environment

Environment = dict[str, str]
_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark_service", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args(arguments).runs
    settings = load_settings()
    prepare(settings.model, settings.models_dir, print)
    with tempfile.TemporaryDirectory() as temporary:
        lean = _library(Path(temporary) / "lean", settings.models_dir)
        heavy_models = _under_sentence_transformers(settings.models_dir, Path(temporary) / "models")
        heavy = _library(Path(temporary) / "heavy", heavy_models)
        kinds: dict[str, Callable[[], tuple[float, float]]] = {
            "serve, ONNX Runtime": lambda: serve(lean),
            "serve, sentence-transformers": lambda: serve(heavy),
            "search from the shell, ONNX Runtime": lambda: search(lean),
        }
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
        for _ in track(range(runs), "Measuring"):
            for name, measure in kinds.items():
                seen[name].append(measure())
    print("| | seconds, median (min to max) | resident memory, MB, median |")
    print("|---|---|---|")
    for name, values in seen.items():
        seconds = [second for second, _ in values]
        memory = median(megabytes for _, megabytes in values)
        print(
            f"| {name} | {median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) "
            f"| {memory:.0f} |"
        )
    return 0


def serve(environment: Environment) -> tuple[float, float]:
    """Seconds from start to a ready service, and its resident memory after one answer, in MB."""
    began = perf_counter()
    with serving(environment) as (process, address):
        _until_ready(f"{address}/readyz")
        seconds = perf_counter() - began
        body = json.dumps({"question": "Hvor mange medlemmer har bransjen?"}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{address}/v1/ask", body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            assert json.load(response)["answered"]
        return seconds, _resident(process.pid)


def search(environment: Environment) -> tuple[float, float]:
    """Seconds of a whole `kildesvar search`, and its largest resident memory, in MB."""
    began = perf_counter()
    process = subprocess.Popen(
        [*_COMMAND, "search", "helse"], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return perf_counter() - began, usage.ru_maxrss / 1024


_COMMAND = [sys.executable, "-m", "app.cli"]


def _library(data_dir: Path, models_dir: Path) -> Environment:
    environment = {
        **own_environment(data_dir),
        "KILDESVAR_MODELS_DIR": str(models_dir),
    }
    command = [*_COMMAND, "ingest", str(_EXAMPLES)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return environment


def _under_sentence_transformers(models_dir: Path, copy: Path) -> Path:
    """The same prepared model with a card that says to run it under sentence-transformers."""
    original = prepared_folder(load_settings().model, models_dir)
    folder = copy / original.name
    shutil.copytree(original, folder, copy_function=os.symlink)
    (folder / CARD_FILE).unlink()
    card = with_runtime(read_card(original), SENTENCE_TRANSFORMERS)
    write_card(folder, replace(card, fingerprint=fingerprint(folder, card)))
    return copy


@contextmanager
def serving(environment: Environment) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A service in a process of its own, and its address."""
    command = [*_COMMAND, "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            lines = iter(process.stderr.readline, "")
            found = next(filter(None, (re.search(r"http://\S+(?=/)", line) for line in lines)))
            yield process, found.group()
        finally:
            process.terminate()
            process.stderr.read()


def _until_ready(address: str) -> None:
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except urllib.error.HTTPError:
            continue


def _resident(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found.group(1)) / 1024


if __name__ == "__main__":
    sys.exit(main())
