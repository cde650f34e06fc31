"""The honest no: how probable it is that the documents answer at all.

A logistic model of a few features of the retrieval and of the best evidence. The coefficients are
fitted by `scripts/fit_answering.py` on NorQuAD's training questions, asked once of all documents
and once with their own document withheld. docs/evaluation.md has the figures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.answering.evidence import Evidence
from index.retriever import Hit


@dataclass(frozen=True, slots=True)
class Signals:
    """What the decision is made from. All but `cosine` lie between 0 and 1."""

    cosine: float
    """Cosine of the question and the nearest passage."""
    coverage: float
    """Share of the question's words, by rarity, that stand in the best passage."""
    overlap: float
    """The same for the best unit."""
    margin: float
    """How far the best passage's score lies above the fifth's."""

    def values(self) -> tuple[float, ...]:
        return (self.cosine, self.coverage, self.overlap, self.margin)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression: intercept, and one coefficient for each signal in order."""

    intercept: float = -34.0
    coefficients: tuple[float, ...] = (36.0, 3.0, 2.0, 1.0)

    def probability(self, signals: Signals) -> float:
        """Probability that the documents answer, 0 to 1."""
        logit = self.intercept + sum(
            weight * value
            for weight, value in zip(self.coefficients, signals.values(), strict=True)
        )
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


def signals_of(hits: Sequence[Hit], evidence: Sequence[Evidence], coverage: float) -> Signals:
    """The signals of a question's `hits` and `evidence`; all zero when there is nothing."""
    if not hits or not evidence:
        return Signals(0.0, 0.0, 0.0, 0.0)
    fifth = hits[min(4, len(hits) - 1)].score
    return Signals(
        cosine=max(hit.cosine for hit in hits),
        coverage=coverage,
        overlap=evidence[0].overlap,
        margin=hits[0].score - fifth,
    )
