"""Sends made-up requests to every operation of the OpenAPI, and checks each answer against it.

    python -m scripts.fuzz_api [--cases 10000] [--seed 1]

Over a service of its own that asks for keys, with the example documents: Schemathesis sends what
the description allows and what it forbids, with a key and without, follows from one operation to
the next, and looks for answers of 500 and above, for statuses, media types, headers and bodies that
are not described, and for requests that are taken against the description. What was sent and what
failed is printed; the exit status is 1 where anything failed, or fewer cases were sent than asked.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_COMMAND = [sys.executable, "-m", "app.cli"]
_EXAMPLES_AN_OPERATION = 100
_LETTERS = 2000
"""Of what was sent and said, in print."""
_REFUSED_FOR_MORE = [
    # What a file's name and content are, and what a whole conversation ends with, no schema says.
    {
        "include-path-regex": "^/v1/documents(/[^/]*)?$",
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 404, 409, 415, 422]}},
    },
    {
        "include-path": "/v1/chat/completions",
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400]}},
    },
]
_STARTS_WITHIN = 120.0
_ENDS_WITHIN = 40.0
_UNFORESEEN = re.compile(r"^.*(?:ERROR|Traceback).*$", re.MULTILINE)


@dataclass
class Findings:
    """What was sent, by operation, and what was wrong with the answers, each kind once."""

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def take(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.NonFatalError):
            self.errors.append(f"{event.label}: {event.value}")
        if not isinstance(event, events.ScenarioFinished):
            return
        recorder = event.recorder
        for case_id, interaction in recorder.interactions.items():
            self.cases[recorder.cases[case_id].value.operation.label] += 1
            if interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
        for case_id, checks in recorder.checks.items():
            label = recorder.cases[case_id].value.operation.label
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    sent = check.failure_info.code_sample[:_LETTERS]
                    said = f"{failure.title}: {failure.message[:_LETTERS]}\n{sent}"
                    self.failures.setdefault((label, failure.title), said)


def fuzz(address: str, seed: int, key: str, **config: Any) -> Findings:
    """What Schemathesis finds at `address` in one run over all operations, with and without key."""
    settings = {
        "base-url": address,
        "seed": seed,
        "continue-on-failure": True,
        "generation": {"max-examples": _EXAMPLES_AN_OPERATION, "database": "none"},
        "operations": _REFUSED_FOR_MORE,
        "auth": {"openapi": {"key": {"bearer": key}}},
        "phases": {"stateful": {"generation": {"max-examples": _EXAMPLES_AN_OPERATION}}},
        **config,
    }
    findings = Findings()
    described = schemathesis.openapi.from_url(
        f"{address}/openapi.json", config=SchemathesisConfig.from_dict(settings)
    )
    for event in from_schema(described).execute():
        findings.take(event)
    return findings


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fuzz_api", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000, help="How many are to be sent")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    began = perf_counter()
    total = Findings()
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder)) as (address, key, log):
        seed = asked.seed
        while total.cases.total() < asked.cases and not total.failures:
            found = fuzz(address, seed, key)
            if not found.cases:
                break
            total.cases += found.cases
            total.statuses += found.statuses
            total.failures |= found.failures
            total.errors += found.errors
            seed += 1
        total.errors += _UNFORESEEN.findall(log.read_text(encoding="utf-8"))
    _print(total, perf_counter() - began)
    return 1 if total.failures or total.errors or total.cases.total() < asked.cases else 0


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Address, an admin's key and log of a service that asks for keys."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("KILDESVAR_")}
    environment |= {"KILDESVAR_DATA_DIR": str(folder / "data")}
    if models := os.environ.get("KILDESVAR_MODELS_DIR"):
        environment["KILDESVAR_MODELS_DIR"] = models
    subprocess.run([*_COMMAND, "ingest", str(_EXAMPLES)], env=environment, check=True)
    # Made-up keys, and so many requests, would otherwise only be told to come more seldom.
    unlimited = ("KILDESVAR_REQUESTS_PER_MINUTE", "KILDESVAR_WRONG_KEYS_PER_MINUTE")
    environment |= {"KILDESVAR_REQUIRE_KEYS": "true", **dict.fromkeys(unlimited, "0")}
    command = [*_COMMAND, "keys", "create", "fuzz", "--role", "admin", "--json"]
    made = subprocess.run(command, env=environment, check=True, capture_output=True)
    key = json.loads(made.stdout)["key"]
    log = folder / "service.log"
    command = [*_COMMAND, "serve", "--port", "0"]
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(command, env=environment, stderr=output) as process,
    ):
        try:
            yield _address(process, log), key, log
        finally:
            _end(process)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where the service answers, when it has said so in its log. Raises RuntimeError."""
    until = monotonic() + _STARTS_WITHIN
    while process.poll() is None and monotonic() < until:
        if found := re.search(r"http://\S+(?=/ )", log.read_text(encoding="utf-8")):
            return found.group()
        sleep(0.1)
    raise RuntimeError(f"the service does not answer: {log.read_text(encoding='utf-8')}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _print(findings: Findings, seconds: float) -> None:
    print("| operation | cases |")
    print("|---|---|")
    for label, count in sorted(findings.cases.items()):
        print(f"| {label} | {count} |")
    statuses = ", ".join(f"{status}: {n}" for status, n in sorted(findings.statuses.items()))
    print(f"\n{findings.cases.total()} cases in {seconds:.0f} s; statuses {statuses}")
    for (label, _), said in sorted(findings.failures.items()):
        print(f"\nFAILED {label}\n{said}")
    for error in findings.errors:
        print(f"\nERROR {error}")


if __name__ == "__main__":
    sys.exit(main())
