"""Fits the weights of evidence and abstention on questions whose answers are known.

    python -m scripts.fit_answering ../shared/norquad --wrong-corpus FOLDER [--data-dir DIR]

Prints the numbers for `WEIGHTS` in app/answering/evidence.py and for `INTERCEPT`, `COEFFICIENTS`
and `THRESHOLDS` in app/answering/abstention.py. Fits on NorQuAD's training questions about the
documents that the reader was not trained on, in Bokmål, in Nynorsk and misspelt, and chooses the
thresholds on these and on the questions about the example documents: never on NorQuAD's validation
questions or the development questions.
"""

import argparse
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn.linear_model import LogisticRegression

from app.answering.abstention import Caution, Signals, probability, signals_of
from app.answering.evidence import Evidence, Features, score
from app.assembly import Kildesvar
from index.records import Filters
from index.retriever import Hit
from scripts.evaluate import all_but, documents_by_name, kildesvar_over
from scripts.measures import contains
from scripts.questions import GoldQuestion, corpus_texts, load_questions, places
from scripts.reader_examples import about_another, is_held_out, misspelt, names_in

Floats = npt.NDArray[np.float64]
_OWN_CORPUS = Path(__file__).parents[1] / "examples"
_OWN_QUESTIONS = Path(__file__).parents[1] / "tests" / "questions" / "examples.jsonl"
_SEED = 20261123
_RIDGE = 1e-4
"""Strength of the pull towards zero that keeps a weight from growing on a few questions."""


@dataclass(frozen=True)
class Asked:
    """What the service had to decide from."""

    hits: Sequence[Hit]
    evidence: Sequence[Evidence]

    def weighed(self, weights: Features) -> "Asked":
        """The same with other weights: nothing is read again."""
        evidence = [replace(e, score=score(e.features, weights)) for e in self.evidence]
        return Asked(self.hits, sorted(evidence, key=lambda item: -item.score))

    @property
    def signals(self) -> Signals:
        return signals_of(self.hits, self.evidence)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    questions = held_out_questions(options.norquad)
    corpus = options.norquad / "documents.jsonl"
    texts = corpus_texts(corpus)
    with kildesvar_over(corpus, texts, options.data_dir) as kildesvar:
        documents = documents_by_name(kildesvar.library, texts)
        own = [documents[question.document or ""] for question in questions]
        asked = [ask(kildesvar, q.question) for q in track(questions, "Asked")]
        gold = [
            places(q, texts[q.document or ""], kildesvar.library.document(document).text)
            for q, document in zip(questions, own, strict=True)
        ]
        withheld = [
            ask(kildesvar, question.question, all_but(document, documents.values()))
            for question, document in track(list(zip(questions, own, strict=True)), "Withheld")
        ]
        others = list(about_others(questions, texts))
        other = [ask(kildesvar, question) for question in track(others, "About others")]
    with kildesvar_over(options.wrong_corpus, corpus_texts(options.wrong_corpus)) as kildesvar:
        some = questions[::4]
        wrong = [ask(kildesvar, question.question) for question in track(some, "Wrong corpus")]
    weights = fit_evidence(asked, list(zip(own, gold, strict=True)))
    print("WEIGHTS", _shown(weights))
    positive = [one.weighed(weights).signals for one in asked]
    negative = [one.weighed(weights).signals for one in [*withheld, *other, *wrong]]
    intercept, coefficients = fit_abstention(positive, negative)
    print("INTERCEPT", round(intercept, 3))
    print("COEFFICIENTS", _shown(coefficients))

    def confidences(signals: Sequence[Signals]) -> list[float]:
        return [probability(one, intercept, coefficients) for one in signals]

    known, unknown = about_the_examples(weights)
    sets = [
        (confidences(positive), confidences(negative)),
        (confidences(known), confidences(unknown)),
    ]
    print("THRESHOLDS", thresholds(sets))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fit_answering", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("norquad", type=Path, help="folder of NorQuAD's documents and questions")
    parser.add_argument("--wrong-corpus", type=Path, required=True, help="folder that answers none")
    parser.add_argument("--data-dir", type=Path, help="keep the library here, to be used again")
    return parser


def held_out_questions(norquad: Path, misspelt_too: bool = True) -> list[GoldQuestion]:
    """Those about documents that the reader has not learnt from, in their two or three forms."""
    chance = random.Random(_SEED)
    bokmal = load_questions(norquad / "train.jsonl")
    nynorsk = load_questions(norquad / "train_nno.jsonl")
    misspelled = [replace(q, question=misspelt(q.question, chance)) for q in bokmal * misspelt_too]
    return [
        question
        for question in [*bokmal, *nynorsk, *misspelled]
        if is_held_out(question.document or "")
    ]


def about_others(questions: Sequence[GoldQuestion], texts: dict[str, str]) -> Iterable[str]:
    """Questions with a name or number that their document lacks: near the topic, unanswerable."""
    chance = random.Random(_SEED)
    names = sorted({name for question in questions for name in names_in(question.question)})
    for question in questions[::3]:
        other = about_another(question.question, names, texts[question.document or ""], chance)
        if other:
            yield other


def about_the_examples(weights: Features) -> tuple[list[Signals], list[Signals]]:
    """Signals of the answerable and of the unanswerable questions about the example documents."""
    found: dict[bool, list[Signals]] = {True: [], False: []}
    with kildesvar_over(_OWN_CORPUS, corpus_texts(_OWN_CORPUS)) as kildesvar:
        for question in load_questions(_OWN_QUESTIONS):
            asked = ask(kildesvar, question.question).weighed(weights)
            found[question.answerable].append(asked.signals)
    return found[True], found[False]


def ask(kildesvar: Kildesvar, question: str, filters: Filters | None = None) -> Asked:
    found = kildesvar.answerer.find(kildesvar.generation(), question, filters=filters)
    return Asked(found.result.hits, found.evidence)


def fit_evidence(
    asked: Sequence[Asked], gold: Sequence[tuple[str, Sequence[tuple[int, int]]]]
) -> Features:
    """Weights under which the units that hold the answer are the most probable of all units.

    `gold` has each question's document and the places of its answer. A softmax over the units of
    one question; maximum likelihood with a ridge.
    """
    examples: list[tuple[Floats, npt.NDArray[np.bool_]]] = []
    for one, (document, spans) in zip(asked, gold, strict=True):
        right = np.array([_holds(item, document, spans) for item in one.evidence])
        if right.any():
            examples.append((np.array([item.features for item in one.evidence]), right))
    print(f"{len(examples)} of {len(asked)} questions have their answer among the units read")

    def loss(weights: Floats) -> tuple[float, Floats]:
        """Mean negative log-likelihood, and its gradient."""
        total, gradient = 0.0, np.zeros(len(weights))
        for features, right in examples:
            scores = features @ weights
            among_all, among_right = softmax(scores), softmax(scores[right])
            total += logsumexp(scores) - logsumexp(scores[right])
            gradient += among_all @ features - among_right @ features[right]
        count = len(examples)
        return (
            float(total / count + _RIDGE * weights @ weights),
            gradient / count + 2 * _RIDGE * weights,
        )

    start = np.zeros(len(Features._fields))
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return Features(*(float(weight) for weight in fitted))


def fit_abstention(
    positive: Sequence[Signals], negative: Sequence[Signals]
) -> tuple[float, Signals]:
    """Logistic regression, with answerable and unanswerable questions weighing the same."""
    model = LogisticRegression(C=100.0, class_weight="balanced", max_iter=5000)
    model.fit(np.array([*positive, *negative]), [1] * len(positive) + [0] * len(negative))
    return float(model.intercept_[0]), Signals(*(float(c) for c in model.coef_[0]))


def thresholds(sets: Sequence[tuple[Sequence[float], Sequence[float]]]) -> dict[Caution, float]:
    """Where to answer, by the confidences of answerable and unanswerable questions of several sets.

    Each set weighs the same. Strict: 1 of 20 unanswerable questions is answered; eager: 1 of 20
    answerable ones is refused. Balanced: twice as large a share of the unanswerable ones is
    answered as is refused of the others. Who is answered beside the point sees it at once by the
    quote; who is refused does not know what he missed.
    """
    grid = np.arange(0.01, 1.0, 0.01)
    refused = np.mean([[np.mean(np.array(yes) < t) for t in grid] for yes, _ in sets], axis=0)
    answered = np.mean([[np.mean(np.array(no) >= t) for t in grid] for _, no in sets], axis=0)
    distances: dict[Caution, Floats] = {
        "strict": answered - 0.05,
        "balanced": answered - 2 * refused,
        "eager": refused - 0.05,
    }
    return {
        name: round(float(grid[np.abs(distance).argmin()]), 2)
        for name, distance in distances.items()
    }


def _holds(item: Evidence, document_id: str, gold: Sequence[tuple[int, int]]) -> bool:
    span = (item.unit.start, item.unit.end)
    return item.hit.passage.document_id == document_id and any(contains(span, g) for g in gold)


def _shown(values: Features | Signals) -> str:
    return ", ".join(
        f"{name}={value:.3f}" for name, value in zip(values._fields, values, strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
