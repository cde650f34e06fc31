"""Kills Kildesvar in the midst of its work, again and again, and looks for what was lost.

    python -m scripts.trial_kills [--trials 200] [--seed 1]

Each trial does one of four kinds of work (an ingest of new, changed, moved and vanished files, a
delete, a renewal under other passage settings, a compaction) in a process of its own, which SIGKILL
ends at a random moment. Then Kildesvar is started as a service starts, and all is checked: each
document that was acknowledged (its work had returned) is found by a word of its own, no file has
another text than one it had, each that was deleted is gone, and `index.checking` finds nothing.

Vectors come from a stand-in for the model, which is quick and knows no words, since it is the
storage that is tried; files, reading process, database and indexes are the real ones. Prints a
Markdown table; exit status 1 when anything was lost.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from index import generations as generations_module
from index.analysis import Analyser
from index.checking import problems_in
from index.embedding.encoder import Matrix, Vector
from index.generations import Generation, Generations
from index.ingest import Ingester
from index.library import Library
from index.lock import writing
from index.passages import PassageSettings

_DIMENSION = 16
_LETTERS = "abdefghiklmnoprstuvy"
_FILES = 30
_LET_THROUGH = 8
"""One work in so many is not killed, so that there is always something new to lose."""


class HashingEncoder:
    """Stands in for the model: a text's vector is made of its hash."""

    fingerprint = "sha256:hashing"
    dimension = _DIMENSION
    max_tokens = 500

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def embed_query(self, text: str) -> Vector:
        vector: Vector = self.embed_documents([text])[0]
        return vector

    def embed_documents(self, texts: Sequence[str]) -> Matrix:
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in texts]
        rows = [np.random.default_rng(seed).standard_normal(_DIMENSION) for seed in seeds]
        matrix = np.array(rows, np.float32).reshape(-1, _DIMENSION)
        unit: Matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        return unit


@dataclass
class Trial:
    """A folder of documents and a library of them; each document has a word that no other has."""

    root: Path
    chance: random.Random
    written: dict[Path, str] = field(default_factory=dict)
    """The word of each file that is on disk now."""
    stored: dict[Path, set[str]] = field(default_factory=dict)
    """The words that the document of a file may have, by all that was acknowledged; none for one
    that may be gone, or not be there yet."""
    alive: set[str] = field(default_factory=set)
    """Words of documents that were acknowledged, and not changed or removed since."""
    tokens: int = 40

    @property
    def folder(self) -> Path:
        return self.root / "dokumenter"

    def write(self, path: Path) -> None:
        word = "q" + "".join(self.chance.choices(_LETTERS, k=14))
        lines = [f"Avsnitt {number} om {word} og om tjenestene." for number in range(12)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# Rapport\n\n" + "\n\n".join(lines) + "\n", encoding="utf-8")
        self.alive.discard(self.written.get(path, ""))
        self.written[path] = word
        self.stored.setdefault(path, {""}).add(word)

    def remove(self, path: Path) -> None:
        path.unlink()
        self.alive.discard(self.written.pop(path))
        self.stored[path].add("")

    def some(self, count: int) -> list[Path]:
        return self.chance.sample(sorted(self.written), count)


Work = Callable[[Ingester, Library], object]


def ingest(trial: Trial) -> tuple[Work, dict[Path, set[str]]]:
    """An ingest after some changes, and what is sure once it has returned."""
    for path in trial.some(3):
        trial.write(path)
    for _ in range(2):
        trial.write(trial.folder / f"ny-{trial.chance.randrange(10**9)}.md")
    moved, *removed = trial.some(3)
    place = moved.with_name(f"flyttet-{trial.chance.randrange(10**9)}.md")
    moved.rename(place)
    trial.written[place] = trial.written.pop(moved)
    trial.stored[place] = {"", trial.written[place]}
    trial.stored[moved].add("")
    for path in removed:
        trial.remove(path)
    for path, word in trial.written.items():
        trial.stored[path].add(word)  # also of one that was deleted, and comes back
    gone = {path: {""} for path in trial.stored if path not in trial.written}
    sure = {**gone, **{path: {word} for path, word in trial.written.items()}}
    return lambda ingester, _: ingester.ingest([trial.folder], True, retry=True), sure


def delete(trial: Trial) -> tuple[Work, dict[Path, set[str]]]:
    """One document deleted; its file is left out until an ingest with `retry`."""
    [path] = trial.some(1)
    trial.stored[path].add("")
    trial.alive.discard(trial.written[path])

    def work(ingester: Ingester, library: Library) -> None:
        summaries = {d.source: d.id for d in library.documents(10_000)}
        if str(path) in summaries:
            library.remove_document(summaries[str(path)], "deleted in a trial")
            ingester.publish()

    return work, {path: {""}}


def renew(trial: Trial) -> tuple[Work, dict[Path, set[str]]]:
    """All passages cut anew; nothing about the documents changes."""
    trial.tokens = 100 - trial.tokens
    return lambda ingester, _: ingester.publish(), {}


def compact(_: Trial) -> tuple[Work, dict[Path, set[str]]]:
    """A whole new generation."""
    return lambda ingester, _: ingester.compact(), {}


_KINDS = (ingest, ingest, delete, renew, compact)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="trial_kills", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as root:
        counts, losses = tried(Path(root), given.trials, random.Random(given.seed))
    print("| work | killed in its midst | had returned |\n|---|---|---|")
    for kind in sorted({kind for kind, _ in counts}):
        print(f"| {kind} | {counts[kind, False]} | {counts[kind, True]} |")
    print(f"\n{len(losses)} losses")
    for loss in losses:
        print(loss, file=sys.stderr)
    return 1 if losses else 0


def tried(
    root: Path, trials: int, chance: random.Random
) -> tuple[Counter[tuple[str, bool]], list[str]]:
    """How often each kind of work was killed (False) or had returned (True), and what was lost."""
    trial = Trial(root, chance)
    for number in range(_FILES):
        trial.write(trial.folder / f"{number}.md")
    counts: Counter[tuple[str, bool]] = Counter()
    losses: list[str] = []
    times: dict[str, list[float]] = defaultdict(list)
    number = 0
    while sum(count for (_, returned), count in counts.items() if not returned) < trials:
        kind = chance.choice(_KINDS) if number else ingest
        work, sure = kind(trial)
        seen = times[kind.__name__]
        let_through = not seen or number % _LET_THROUGH == 0
        killed_after = None if let_through else chance.uniform(0, 1.05 * median(seen))
        began = time.perf_counter()
        returned = _in_child(trial, work, killed_after)
        if let_through:
            seen.append(time.perf_counter() - began)
        if returned:
            trial.stored.update(sure)
            trial.alive |= {word for words in sure.values() for word in words} - {""}
        counts[kind.__name__, returned] += 1
        losses += [f"trial {number} ({kind.__name__}): {loss}" for loss in _losses(trial)]
        number += 1
    return counts, losses


def _in_child(trial: Trial, work: Work, killed_after: float | None = None) -> bool:
    """Does `work` in another process, killed after so many seconds; whether it had returned.

    This process opens no index itself: a fork does not take along the threads that they start.
    """
    acknowledged = trial.root / "acknowledged"
    acknowledged.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _work_and_exit(trial, work, acknowledged)
    if killed_after is not None:
        time.sleep(killed_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("the work failed by itself; the trial ends here")
    return acknowledged.exists()


def _work_and_exit(trial: Trial, work: Work, acknowledged: Path) -> None:
    generations_module._SMALL = 20  # so that generations grow, and bases are made anew
    status = 1
    try:
        with writing(trial.root):
            library = Library.open(trial.root / "library.sqlite3")
            generations = Generations(trial.root / "generations")
            settings = PassageSettings(trial.tokens)
            work(Ingester(library, generations, HashingEncoder(), settings), library)
        acknowledged.touch()
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def _losses(trial: Trial) -> list[str]:
    """Starts as a service does, and gives what is not as it was acknowledged."""
    found = trial.root / "losses.json"

    def look(ingester: Ingester, library: Library) -> None:
        generations = Generations(trial.root / "generations")
        manifest = generations.manifest()
        if manifest is None or manifest.version != library.version():
            ingester.publish()
        losses = [*problems_in(library, generations), *_wrong_words(trial, library, generations)]
        found.write_text(json.dumps(losses), encoding="utf-8")

    _in_child(trial, look)
    losses: list[str] = json.loads(found.read_text(encoding="utf-8"))
    return losses


def _wrong_words(trial: Trial, library: Library, generations: Generations) -> list[str]:
    """Words that are not found and must be, and files that have a text which they never had."""
    generation = generations.open()
    losses = [
        f"{word} is not found, or not in one document"
        for word in trial.alive
        if len(_documents_with(word, generation, library)) != 1
    ]
    ids = {document.source: document.id for document in library.documents(10_000)}
    for path, words in trial.stored.items():
        text = library.document(ids[str(path)]).text if str(path) in ids else ""
        if not any(word in text if word else not text for word in words):
            losses.append(f"{path.name} has none of the texts that it may have")
    return losses


def _documents_with(word: str, generation: Generation, library: Library) -> set[str]:
    query = dict.fromkeys(Analyser().words(word)[:1], 1.0)
    hits = library.passages([passage for passage, _ in generation.lexical.search(query, 100)])
    return {hit.document_id for hit in hits.values() if word in hit.text}


if __name__ == "__main__":
    sys.exit(main())
