"""Fits the weights of evidence and abstention on questions whose answers are known.

    python -m scripts.fit_answering TRAINING CORPUS --wrong-corpus FOLDER [--data-dir DIR]

Prints the numbers for `WEIGHTS` in app/answering/evidence.py and for `INTERCEPT` and
`COEFFICIENTS` in app/answering/abstention.py. Fit on training questions only: never on those that
an evaluation asks.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from app.answering.abstention import Signals, signals_of
from app.answering.evidence import Evidence, EvidenceSelector, Features
from app.assembly import Kildesvar
from index.generations import Generation
from index.library import Filters
from index.retriever import Hit
from scripts.evaluate import all_but, documents_by_name, kildesvar_over
from scripts.measures import contains
from scripts.questions import GoldQuestion, corpus_texts, load_questions, places

Floats = npt.NDArray[np.float64]
_SEED = 20261123
_RIDGE = 0.01
"""Strength of the pull towards zero that keeps a weight from growing on a few questions."""


class Reader:
    """Retrieves and weighs evidence as the service does, and keeps what it was weighed by."""

    def __init__(self, kildesvar: Kildesvar, weights: Features | None = None) -> None:
        self._kildesvar = kildesvar
        self.generation: Generation = kildesvar.generation()
        given = {"weights": weights} if weights else {}
        self._selector = EvidenceSelector(
            kildesvar.library, kildesvar.analyser, kildesvar.encoder.fingerprint, **given
        )

    def read(
        self, question: str, filters: Filters | None = None
    ) -> tuple[list[Hit], list[Evidence]]:
        result = self._kildesvar.retriever.search(self.generation, question, 10, filters=filters)
        evidence = self._selector.select(
            question, result.query_vector, result.hits, self.generation.lexical
        )
        return result.hits, evidence


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    questions = load_questions(options.training)
    random.Random(_SEED).shuffle(questions)
    questions = questions[: options.questions]
    texts = corpus_texts(options.corpus)
    with kildesvar_over(options.corpus, texts, options.data_dir) as kildesvar:
        weights = fit_evidence(kildesvar, questions, texts)
        print("WEIGHTS", _shown(weights))
        documents = documents_by_name(kildesvar.library, texts)
        positive, withheld = both_ways(Reader(kildesvar, weights), questions, documents)
    with kildesvar_over(options.wrong_corpus, corpus_texts(options.wrong_corpus)) as kildesvar:
        reader = Reader(kildesvar, weights)
        wrong = [signals_of(*reader.read(q.question)) for q in track(questions, "Wrong corpus")]
    intercept, coefficients = fit_abstention(positive, [*withheld, *wrong])
    print("INTERCEPT", round(intercept, 3))
    print("COEFFICIENTS", _shown(coefficients))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fit_answering", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("training", type=Path, help="JSON lines of questions with answers' places")
    parser.add_argument("corpus", type=Path, help="JSON lines of the documents they are asked of")
    parser.add_argument("--wrong-corpus", type=Path, required=True, help="folder that answers none")
    parser.add_argument("--data-dir", type=Path, help="keep the library here, to be used again")
    parser.add_argument("--questions", type=int, default=1500, help="how many to use")
    return parser


def fit_evidence(
    kildesvar: Kildesvar, questions: Sequence[GoldQuestion], texts: dict[str, str]
) -> Features:
    """Weights under which the units that hold the answer are the most probable of all units.

    A softmax over the units of one question; maximum likelihood with a ridge.
    """
    reader = Reader(kildesvar)
    documents = documents_by_name(kildesvar.library, texts)
    examples: list[tuple[Floats, npt.NDArray[np.bool_]]] = []
    for question in track(questions, "Evidence"):
        name = question.document or ""
        own = documents[name]
        gold = places(question, texts[name], kildesvar.library.document(own).text)
        _, evidence = reader.read(question.question)
        right = np.array([_holds(item, own, gold) for item in evidence])
        if right.any():
            examples.append((np.array([item.features for item in evidence]), right))
    print(f"{len(examples)} of {len(questions)} questions have their answer among the units read")

    def loss(weights: Floats) -> float:
        total = sum(
            logsumexp(features @ weights) - logsumexp((features @ weights)[right])
            for features, right in examples
        )
        return float(total / len(examples) + _RIDGE * weights @ weights / 100)

    fitted = minimize(loss, np.zeros(len(Features._fields)), method="L-BFGS-B").x
    return Features(*(float(weight) for weight in fitted))


def both_ways(
    reader: Reader, questions: Sequence[GoldQuestion], documents: dict[str, str]
) -> tuple[list[Signals], list[Signals]]:
    """Signals of each question asked of all documents, and of all but its own."""
    asked = []
    withheld = []
    for question in track(questions, "Abstention"):
        others = all_but(documents[question.document or ""], documents.values())
        asked.append(signals_of(*reader.read(question.question)))
        withheld.append(signals_of(*reader.read(question.question, others)))
    return asked, withheld


def fit_abstention(
    positive: Sequence[Signals], negative: Sequence[Signals]
) -> tuple[float, Signals]:
    """Logistic regression, with answerable and unanswerable questions weighing the same."""
    model = LogisticRegression(C=100.0, class_weight="balanced", max_iter=5000)
    model.fit(np.array([*positive, *negative]), [1] * len(positive) + [0] * len(negative))
    return float(model.intercept_[0]), Signals(*(float(c) for c in model.coef_[0]))


def _holds(item: Evidence, document_id: str, gold: Sequence[tuple[int, int]]) -> bool:
    span = (item.unit.start, item.unit.end)
    return item.hit.passage.document_id == document_id and any(contains(span, g) for g in gold)


def _shown(values: Features | Signals) -> str:
    return ", ".join(
        f"{name}={value:.3f}" for name, value in zip(values._fields, values, strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
