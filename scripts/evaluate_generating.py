"""Measures what a language model writes, and what is left of it once it is verified.

    KILDESVAR_LLM_URL=… KILDESVAR_LLM_MODEL=… \\
        python -m scripts.evaluate_generating QUESTIONS CORPUS [--json OUT]

QUESTIONS and CORPUS are as for `scripts.evaluate`. Each question is asked as the service asks it,
once with quotes and once with the language model. With --json every sentence that the model drafted
is written down, with the places that it was compared with and the verdict, for a person to judge.
docs/language-models.md has figures.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from app.answering.composing import Composed, Composer, Composing, Found
from app.answering.generating import GeneratingComposer
from app.answering.quoting import QuotingComposer
from app.answering.support import Sources, Support, Supporter
from app.assembly import Kildesvar
from index.errors import KildesvarError
from index.views import View
from scripts.evaluate import evaluate, kildesvar_over
from scripts.measures import Outcome, summarise
from scripts.questions import QuestionFileError, corpus_texts, load_questions

_MEASURES = ("answer_contains", "cited_evidence", "short_answer_f1", "false_answers", "p50_ms")


class RecordingSupporter(Supporter):
    """Writes down what it was asked, and what it said."""

    def __init__(self, kildesvar: Kildesvar) -> None:
        super().__init__(kildesvar.library, kildesvar.analyser, kildesvar.encoder, kildesvar.reader)
        self.sentences: list[dict[str, Any]] = []

    def check(self, sentence: str, sources: Sources, numbers: Iterable[int] = ()) -> Support:
        support = super().check(sentence, sources, numbers)
        self.sentences.append(
            {
                "sentence": sentence,
                "cites": list(numbers),
                "kept": support.is_enough,
                "probability": round(support.probability, 3),
                "missing": sorted(support.missing),
                "signals": support.signals._asdict(),
                "places": [quote.text for quote in support.quotes],
            }
        )
        return support


class RecordingComposer:
    """Writes down what another composer made of each question."""

    def __init__(self, composer: Composer, supporter: RecordingSupporter) -> None:
        self._composer = composer
        self._supporter = supporter
        self.composed: list[tuple[str, Composed, list[dict[str, Any]]]] = []

    def compose(self, found: Found, generation: View) -> Composing:
        self._supporter.sentences = []
        composed = yield from self._composer.compose(found, generation)
        self.composed.append((found.question, composed, self._supporter.sentences))
        return composed


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the evaluation; exit status 0, or 2 when it could not be done."""
    parser = argparse.ArgumentParser(
        prog="evaluate_generating", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("questions", type=Path, help="JSON lines of questions with gold evidence")
    parser.add_argument("corpus", type=Path, help="folder of documents, or JSON lines of them")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every sentence here")
    options = parser.parse_args(arguments)
    try:
        questions = load_questions(options.questions)
        texts = corpus_texts(options.corpus)
        with kildesvar_over(options.corpus, texts) as kildesvar:
            composer = _composer(kildesvar)
            writing = kildesvar.answerer_with(composer)
            quoted = evaluate(kildesvar, questions, texts, answerer=kildesvar.quoting_answerer)
            written = evaluate(kildesvar, questions, texts, answerer=writing)
    except (KildesvarError, QuestionFileError, OSError) as error:
        print(f"evaluate_generating: {error}", file=sys.stderr)
        return 2
    Console().print(_table(quoted, written))
    summary = draft_summary([composed for _, composed, _ in composer.composed])
    for name, value in summary.items():
        print(f"{name:30} {value}")
    if options.json:
        details = [
            {
                "question": question,
                "by": composed.by,
                "answer": "".join(composed.texts),
                "notice": composed.notice,
                "draft": asdict(composed.draft) if composed.draft else None,
                "sentences": sentences,
            }
            for question, composed, sentences in composer.composed
        ]
        text = json.dumps({**summary, "details": details}, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _composer(kildesvar: Kildesvar) -> RecordingComposer:
    if kildesvar.language_model is None:
        raise QuestionFileError("set KILDESVAR_LLM_URL and KILDESVAR_LLM_MODEL first")
    supporter = RecordingSupporter(kildesvar)
    quoting = QuotingComposer(kildesvar.library)
    generating = GeneratingComposer(kildesvar.language_model, supporter, kildesvar.library, quoting)
    return RecordingComposer(generating, supporter)


def draft_summary(composed: Sequence[Composed]) -> dict[str, float | int | None]:
    """How the drafts stood to their sources, as means over the questions that had one."""
    drafts = [one.draft for one in composed if one.draft and one.draft.sentences]
    return {
        "questions": len(composed),
        "with_a_draft": len(drafts),
        "in_the_models_words": sum(one.by == "model" for one in composed),
        "sentences": sum(draft.sentences for draft in drafts),
        "kept": sum(draft.supported for draft in drafts),
        "recall": _mean([draft.recall for draft in drafts]),
        "precision": _mean([draft.precision for draft in drafts]),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(mean(known), 3) if known else None


def _table(quoted: Sequence[Outcome], written: Sequence[Outcome]) -> Table:
    table = Table("measure", "quotes", "language model")
    of_quotes, of_model = summarise(quoted), summarise(written)
    for name in _MEASURES:
        table.add_row(name, str(of_quotes[name]), str(of_model[name]))
    return table


if __name__ == "__main__":
    sys.exit(main())
