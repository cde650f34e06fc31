"""Feeds what takes in strangers' bytes with bytes that are made up, guided by what they reach.

    python -m scripts.fuzz_parsers [TARGET...] [--seconds 60]

Each target of scripts/fuzz_targets.py runs in a process of its own under Atheris, which mutates
what led to new lines of our code, and keeps nothing. Prints how often each ran; a crash, an error
that is no refusal, or more than ten seconds for one input is a finding, printed with its input, and
makes the exit status 1.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import atheris

_INSTRUMENTED = ["app", "index", "python_multipart", "striprtf"]
_WITHIN = "within"
_MOST_BYTES = 4096
_MOST_SECONDS = 10
_DONE = re.compile(r"Done (\d+) runs? in (\d+) second")
_RUN = re.compile(r"^#(\d+)\s.*\bcov: (\d+)", re.MULTILINE)


def main(arguments: Sequence[str] | None = None) -> int:
    if sys.argv[1:2] == [_WITHIN]:
        _fuzz(sys.argv[2], sys.argv[3])
    from scripts.fuzz_targets import TARGETS  # noqa: PLC0415 - within, after Atheris

    parser = argparse.ArgumentParser(
        prog="fuzz_parsers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="For each target")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.targets) - TARGETS.keys():
        parser.error(f"unknown target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    print("| target | runs | branches reached | finding |\n|---|---|---|---|", flush=True)
    findings = [_fuzzed(name, asked.seconds) for name in asked.targets or TARGETS]
    return 1 if any(findings) else 0


def _fuzz(name: str, seconds: str) -> None:
    """Runs the target until the time is over, or something is found; then ends the process."""
    atheris.enabled_hooks.add("str")
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from scripts.fuzz_targets import TARGETS  # noqa: PLC0415
    limits = [f"-max_total_time={seconds}", f"-max_len={_MOST_BYTES}", f"-timeout={_MOST_SECONDS}"]
    atheris.Setup([sys.argv[0], *limits, "-rss_limit_mb=2048"], TARGETS[name])
    atheris.Fuzz()


def _fuzzed(name: str, seconds: int) -> bool:
    """Whether anything was found in the target."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.fuzz_parsers", _WITHIN, name, str(seconds)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "TMPDIR": folder},
        )
    runs = _RUN.findall(done.stderr)
    count = _DONE.search(done.stderr)
    reached = runs[-1][1] if runs else "?"
    number = count[1] if count else runs[-1][0] if runs else "?"
    found = done.returncode != 0
    print(f"| {name} | {number} | {reached} | {'yes' if found else 'none'} |", flush=True)
    if found:
        print(done.stdout[-3000:], done.stderr[-3000:], flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
