"""The honest no: how probable it is that the documents answer at all.

A logistic model of a few signals from retrieval and from the best evidence. Its coefficients are
fitted by `scripts/fit_answering.py` on NorQuAD's training questions, asked of all documents, of all
but their own, and of a wrong corpus. docs/evaluation.md has the figures.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from app.answering.evidence import Evidence
from index.retriever import Hit


class Signals(NamedTuple):
    """What the decision is made from."""

    cosine: float
    """Cosine of the question and the nearest passage."""
    similarity: float
    """Cosine of the question and the best unit."""
    overlap: float
    """Share of the question's words, by rarity, that stand in the best unit."""
    coverage: float
    """The same for the best unit with its neighbours and headings."""
    agreement: float
    """1 when the nearest passage by meaning is also the best by words."""


INTERCEPT = -42.574
COEFFICIENTS = Signals(
    cosine=24.511, similarity=21.605, overlap=2.069, coverage=3.383, agreement=0.911
)


def signals_of(hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Signals:
    """The signals of a question's `hits` and `evidence`, both best first."""
    if not hits or not evidence:
        return Signals(0.0, 0.0, 0.0, 0.0, 0.0)
    best = evidence[0].features
    nearest = max(hits, key=lambda hit: hit.cosine)
    return Signals(
        cosine=nearest.cosine,
        similarity=best.similarity,
        overlap=best.overlap,
        coverage=min(
            1.0, max(item.features.neighbours + item.features.headings for item in evidence)
        ),
        agreement=float(nearest.bm25 == max(hit.bm25 for hit in hits)),
    )


def probability(signals: Signals) -> float:
    """Probability that the documents answer, 0 to 1."""
    logit = INTERCEPT + sum(
        weight * value for weight, value in zip(COEFFICIENTS, signals, strict=True)
    )
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))
