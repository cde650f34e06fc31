"""Measures what completing follow-up questions is worth.

    python -m scripts.evaluate_follow_ups QUESTIONS CORPUS [--half HALF] [--json OUT]

QUESTIONS is a file as of `scripts.evaluate` whose lines also have the `messages` before the
question, the `standalone` question that a person would ask, and the `half` they belong to. Each is
asked as it was typed, as rules complete it, as the person would, and, where KILDESVAR_LLM_URL names
one, as a language model rewrites it. docs/evaluation.md has the figures.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.answering.conversation import Turn, standalone
from app.answering.rewriting import Rewriter
from app.assembly import Kildesvar
from index.errors import KildesvarError
from scripts.evaluate import evaluate, kildesvar_over
from scripts.measures import Outcome, summarise
from scripts.questions import GoldQuestion, QuestionFileError, corpus_texts, load_questions

STAND_ALONE = {"standalone", "shift", "expletive"}
"""Kinds of questions that must be left as they are."""
_MEASURES = ("evidence_at_1", "evidence_at_5", "cited_evidence")
_MODEL_ARM = "by a language model"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question that was asked after others."""

    gold: GoldQuestion
    history: tuple[Turn, ...]
    by_a_person: str
    half: str

    def completed(self) -> str:
        return standalone(self.gold.question, self.history)

    @property
    def must_stay(self) -> bool:
        return self.gold.kind in STAND_ALONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the evaluation; exit status 0, or 2 when it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        asked = [
            follow_up
            for follow_up in load_follow_ups(options.questions)
            if options.half in (None, follow_up.half)
        ]
        texts = corpus_texts(options.corpus)
        with kildesvar_over(options.corpus, texts) as kildesvar:
            arms = _arms(asked, kildesvar)
            outcomes = {
                arm: evaluate(kildesvar, questions, texts, answerer=kildesvar.quoting_answerer)
                for arm, questions in arms.items()
            }
    except (KildesvarError, QuestionFileError, OSError) as error:
        print(f"evaluate_follow_ups: {error}", file=sys.stderr)
        return 2
    summary = {**rewriting(asked), "answers": _answers(outcomes)}
    by_model = [gold.question for gold in arms.get(_MODEL_ARM, [])]
    Console().print(_table(summary))
    if options.json:
        text = json.dumps(
            {**summary, "details": _details(asked, by_model)}, ensure_ascii=False, indent=1
        )
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evaluate_follow_ups", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("questions", type=Path, help="JSON lines with the messages before each")
    parser.add_argument("corpus", type=Path, help="folder of documents, or JSON lines of them")
    parser.add_argument("--half", choices=["development", "held-out"], help="only this half")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all measures to this file")
    return parser


def load_follow_ups(path: Path) -> list[FollowUp]:
    """The follow-ups of a JSON-lines file. Raises QuestionFileError with the line's number."""
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    found = []
    for gold, (number, line) in zip(load_questions(path), entries, strict=True):
        try:
            entry = json.loads(line)
            turns = tuple(Turn(m["role"], m["content"]) for m in entry["messages"])
            found.append(FollowUp(gold, turns, entry["standalone"], entry["half"]))
        except (KeyError, TypeError) as error:
            raise QuestionFileError(f"{path}, line {number}: {error!r}") from error
    return found


def rewriting(asked: Sequence[FollowUp]) -> dict[str, float | int | None]:
    """How often the right thing is done to a question, whatever is found with it."""
    stay = [follow_up for follow_up in asked if follow_up.must_stay]
    lean = [follow_up for follow_up in asked if not follow_up.must_stay]
    times = []
    for follow_up in asked:
        began = perf_counter()
        follow_up.completed()
        times.append((perf_counter() - began) * 1000)
    return {
        "follow_ups": len(lean),
        "stand_alone": len(stay),
        "false_rewrites": _share(f.completed() != f.gold.question for f in stay),
        "missed": _share(f.completed() == f.gold.question for f in lean),
        "as_a_person": _share(f.completed() == f.by_a_person for f in lean),
        "median_ms": round(median(times), 3) if times else None,
        "slowest_ms": round(max(times), 3) if times else None,
    }


def _arms(asked: Sequence[FollowUp], kildesvar: Kildesvar) -> dict[str, list[GoldQuestion]]:
    """The questions in each of their forms."""
    arms = {
        "as typed": [f.gold for f in asked],
        "completed": [replace(f.gold, question=f.completed()) for f in asked],
        "by a person": [replace(f.gold, question=f.by_a_person) for f in asked],
    }
    if kildesvar.language_model is not None:
        rewriter = Rewriter(kildesvar.language_model, kildesvar.analyser)
        arms[_MODEL_ARM] = [
            replace(f.gold, question=_rewritten(rewriter, f)) for f in track(asked, "Rewriting")
        ]
    return arms


def _rewritten(rewriter: Rewriter, follow_up: FollowUp) -> str:
    rewriting = rewriter.rewritten(follow_up.gold.question, follow_up.history)
    while True:
        try:
            next(rewriting)
        except StopIteration as end:
            return str(end.value)


def _answers(outcomes: dict[str, list[Outcome]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The measures of each arm: of all that lean on what was said before, and of each kind."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for arm, of_arm in outcomes.items():
        leaning = summarise([o for o in of_arm if o.question.kind not in STAND_ALONE])
        groups = {"follow-ups": leaning, **summarise(of_arm)["by"]["kind"]}
        for group, measures in groups.items():
            kept = {name: measures[name] for name in ("questions", *_MEASURES)}
            found.setdefault(group, {})[arm] = kept
    return found


def _details(asked: Sequence[FollowUp], by_model: Sequence[str]) -> list[dict[str, str | None]]:
    return [
        {
            "id": f.gold.id,
            "question": f.gold.question,
            "completed": f.completed(),
            "by_a_person": f.by_a_person,
            "by_model": rewritten,
        }
        for f, rewritten in zip_longest(asked, by_model)
    ]


def _table(summary: dict[str, Any]) -> Table:
    others = [f"{name} {value}" for name, value in summary.items() if name != "answers"]
    names = list(summary["answers"]["follow-ups"])
    table = Table("kind", "questions", *names, caption=", ".join(others))
    for group, arms in summary["answers"].items():
        shown = [
            " / ".join("–" if arms[arm][m] is None else f"{arms[arm][m]:.3f}" for m in _MEASURES)
            for arm in names
        ]
        table.add_row(group, str(arms[names[0]]["questions"]), *shown)
    return table


def _share(values: Iterable[bool]) -> float | None:
    numbers = [float(value) for value in values]
    return round(mean(numbers), 4) if numbers else None


if __name__ == "__main__":
    sys.exit(main())
