"""The measures of an evaluation. Names and meanings are those of docs/evaluation.md."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, quantiles
from typing import Any

from app.answering.answerer import Answer
from index.records import StoredPassage
from scripts.questions import GoldQuestion, Span

DEPTH = 10
"""Passages looked at by the retrieval measures."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    question: GoldQuestion
    answered: bool
    confidence: float
    rank: int | None
    """Place of the first passage that holds the evidence, from 1; None when none of ten does."""
    cited: bool
    first_cited: bool
    contains: bool
    short_f1: float
    quotes: int
    exact_quotes: int
    total_ms: float
    embed_ms: float
    stages_ms: Mapping[str, float]


def judge(
    question: GoldQuestion,
    answer: Answer,
    gold: Mapping[str, Sequence[Span]],
    texts: Callable[[str], str],
) -> Outcome:
    """Compares an answer with the gold spans, by document id. `texts` gives a document's text."""
    covers = overlaps if question.starts else contains
    cited = [
        any(contains((c.start, c.end), place) for place in gold.get(c.document_id, ()))
        for c in answer.citations
    ]
    folded = _folded(answer.answer)
    return Outcome(
        question=question,
        answered=answer.answered,
        confidence=answer.confidence,
        rank=rank_of((hit.passage for hit in answer.hits[:DEPTH]), gold, covers),
        cited=any(cited),
        first_cited=any(cited[:1]),
        contains=answer.answered and any(_folded(gold) in folded for gold in question.answers),
        short_f1=max((f1(answer.short_answer or "", gold) for gold in question.answers), default=0),
        quotes=len(answer.citations),
        exact_quotes=sum(
            texts(c.document_id)[c.start : c.end] == c.quote for c in answer.citations
        ),
        total_ms=answer.timings["total"],
        embed_ms=answer.timings["embed"],
        stages_ms=answer.timings,
    )


def rank_of(
    passages: Iterable[StoredPassage],
    gold: Mapping[str, Sequence[Span]],
    covers: Callable[[Span, Span], bool],
) -> int | None:
    """Place, from 1, of the first passage that `covers` a gold span of its document."""
    for rank, passage in enumerate(passages, 1):
        span = (passage.start, passage.end)
        if any(covers(span, place) for place in gold.get(passage.document_id, ())):
            return rank
    return None


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Every measure over all questions, and under `by` for each language and each kind."""
    by: dict[str, dict[str, list[Outcome]]] = {
        "language": defaultdict(list),
        "kind": defaultdict(list),
    }
    for outcome in outcomes:
        by["language"][outcome.question.language].append(outcome)
        by["kind"][outcome.question.kind].append(outcome)
    parts = {
        name: {value: _measures(group) for value, group in sorted(groups.items())}
        for name, groups in by.items()
    }
    return {**_measures(outcomes), "by": parts}


def _measures(outcomes: Sequence[Outcome]) -> dict[str, float | int | None]:
    answerable = [o for o in outcomes if o.question.answerable]
    unanswerable = [o for o in outcomes if not o.question.answerable]
    quotes = sum(o.quotes for o in outcomes)
    times = [o.total_ms for o in outcomes]
    return {
        "questions": len(outcomes),
        "answerable": len(answerable),
        "evidence_at_1": _share(o.rank is not None and o.rank <= 1 for o in answerable),
        "evidence_at_5": _share(o.rank is not None and o.rank <= 5 for o in answerable),
        "evidence_at_10": _share(o.rank is not None for o in answerable),
        "mrr": _share(1 / o.rank if o.rank else 0 for o in answerable),
        "cited_evidence": _share(o.cited for o in answerable),
        "first_cited_evidence": _share(o.first_cited for o in answerable),
        "answer_contains": _share(o.contains for o in answerable),
        "short_answer_f1": _share(o.short_f1 for o in answerable),
        "quote_exact": sum(o.exact_quotes for o in outcomes) / quotes if quotes else None,
        "false_answers": _share(o.answered for o in unanswerable),
        "false_refusals": _share(not o.answered for o in answerable),
        "p50_ms": _percentile(times, 50),
        "p95_ms": _percentile(times, 95),
        "p50_embed_ms": _percentile([o.embed_ms for o in outcomes], 50),
    }


def at_threshold(outcomes: Sequence[Outcome], threshold: float) -> list[Outcome]:
    """What became of questions that were all answered, had the answerer that threshold."""
    refused: dict[str, Any] = dict.fromkeys(("answered", "cited", "first_cited", "contains"), False)
    return [
        outcome
        if outcome.confidence >= threshold
        else replace(outcome, **refused, short_f1=0.0, quotes=0, exact_quotes=0)
        for outcome in outcomes
    ]


def equal_error(answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    """The rate at which as many unanswerable questions are answered as answerable ones refused.

    Both sequences are confidences. The threshold is moved until the two rates cross.
    """
    rates = (
        (
            mean(confidence >= threshold for confidence in unanswerable),
            mean(confidence < threshold for confidence in answerable),
        )
        for threshold in sorted({*answerable, *unanswerable})
    )
    return min((max(rate) for rate in rates), default=0.0)


def risk_coverage(confidences: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float]]:
    """(coverage, risk) with the most confident answered first: share answered, share of it wrong.

    El-Yaniv and Wiener 2010, "On the foundations of noise-free selective classification".
    """
    order = sorted(range(len(right)), key=lambda at: -confidences[at])
    wrong = 0
    curve = []
    for answered, at in enumerate(order, 1):
        wrong += not right[at]
        curve.append((answered / len(right), wrong / answered))
    return curve


def contains(outer: Span, inner: Span) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def overlaps(left: Span, right: Span) -> bool:
    return left[0] < right[1] and right[0] < left[1]


def f1(given: str, gold: str) -> float:
    """SQuAD's measure: the harmonic mean of word precision and recall, articles left out."""
    left, right = _words(given), _words(gold)
    common = sum((Counter(left) & Counter(right)).values())
    return 2 * common / (len(left) + len(right)) if common else 0.0


def _words(text: str) -> list[str]:
    return [
        w for w in re.findall(r"\w+", text.casefold()) if w not in {"en", "et", "ei", "the", "a"}
    ]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _share(values: Iterable[float]) -> float | None:
    numbers = [float(value) for value in values]
    return round(mean(numbers), 4) if numbers else None


def _percentile(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return round(values[0], 2) if values else None
    return round(quantiles(values, n=100, method="inclusive")[percent - 1], 2)
