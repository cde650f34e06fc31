"""The honest no: how probable it is that the documents answer at all.

A logistic model of a few signals from retrieval and from the best evidence. How many of the
question's words the evidence has is none of them: paraphrases and questions in English share few.

The coefficients are fitted by `scripts/fit_answering.py` on NorQuAD's training questions about
documents that the reader was not trained on: asked of all documents, of all but their own, with
another name or number, and of a wrong corpus. docs/evaluation.md has the figures.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from app.answering.evidence import Evidence, by_passage
from index.retriever import Hit


class Signals(NamedTuple):
    """What the decision is made from."""

    relevance: float
    """The reader's logit for the passage of the best unit."""
    lead: float
    """By how much the best passage's score lies above the next one's, at most 10."""
    cosine: float
    """Cosine of the question and the nearest passage."""
    second: float
    """The second highest of the reader's logits: what is known stands seldom in one place only."""


INTERCEPT = -24.449
COEFFICIENTS = Signals(relevance=0.295, lead=0.497, cosine=27.900, second=0.219)
_MOST_LEAD = 10.0

Caution = Literal["strict", "balanced", "eager"]
THRESHOLDS: dict[Caution, float] = {"strict": 0.76, "balanced": 0.31, "eager": 0.19}
"""Least probability at which an answer is given.

On the questions that they were chosen on, strict answers 1 of 20 unanswerable ones, eager refuses 1
of 20 answerable ones, and balanced answers twice as large a share of the unanswerable ones as it
refuses of the others.
"""

_LEAST_RELEVANCE = -8.0
NOTHING = Signals(_LEAST_RELEVANCE, lead=0.0, cosine=0.0, second=_LEAST_RELEVANCE)
"""Of a question for which nothing was found."""


def signals_of(hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Signals:
    """The signals of a question's `hits` and `evidence`, both best first."""
    if not hits or not evidence:
        return NOTHING
    best = evidence[0].features
    scores = sorted(by_passage(evidence).values(), reverse=True)
    logits = {item.hit.passage.id: item.features.relevance for item in evidence}
    return Signals(
        relevance=best.relevance,
        lead=min(scores[0] - scores[1], _MOST_LEAD) if len(scores) > 1 else _MOST_LEAD,
        cosine=max(hit.cosine for hit in hits),
        second=sorted(logits.values())[-2] if len(logits) > 1 else _LEAST_RELEVANCE,
    )


def probability(
    signals: Signals, intercept: float = INTERCEPT, coefficients: Signals = COEFFICIENTS
) -> float:
    """Probability that the documents answer, 0 to 1."""
    return logistic(intercept, coefficients, signals)


def logistic(intercept: float, coefficients: Sequence[float], values: Sequence[float]) -> float:
    """What a logistic model makes of `values`, 0 to 1."""
    logit = intercept + sum(
        weight * value for weight, value in zip(coefficients, values, strict=True)
    )
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))
