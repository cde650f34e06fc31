"""Evidence: which units of the retrieved passages answer the question, best first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from app.answering.question_kinds import wants_name, wants_number
from index.analysis import Analyser
from index.embedding.encoder import Vector
from index.library import Library
from index.reading.reader import Reading, ShortAnswer
from index.records import StoredPassage
from index.retriever import Hit
from index.units import Unit, UnitKind
from index.views import Lexical

_NO_SPAN = -15.0
"""Log-probability of the answer in a unit that the reader did not reach."""


class Features(NamedTuple):
    """What a unit is judged by."""

    relevance: float
    """The reader's logit of the passage answering the question."""
    span: float
    """Log-probability of the best short answer in the unit, among all spans of its passage."""
    passage: float
    """Score of its passage, as a share of the best one's."""
    similarity: float
    """Cosine of the question and the unit."""
    overlap: float
    """Share of the question's words, weighed by rarity, that stand in the unit."""
    neighbours: float
    """The same for the unit with the one before and the one after it."""
    headings: float
    """The same for the headings that it stands under."""
    number: float
    """1 when the question asks for a number or a time, and the unit has a digit or a numeral."""
    name: float
    """1 when the question asks for a person or a place, and the unit has a name."""
    heading: float
    """1 for a heading, which names a thing but seldom says anything of it."""
    label: float
    """1 for a unit of fewer than four words that is no row of a table."""
    question: float
    """1 when the unit itself is a question."""


WEIGHTS = Features(
    relevance=0.433,
    span=0.299,
    passage=4.470,
    similarity=5.030,
    overlap=0.515,
    neighbours=0.027,
    headings=-0.119,
    number=0.522,
    name=0.325,
    heading=0.221,
    label=-1.885,
    question=-1.440,
)
"""Fitted by `scripts/fit_answering.py` on questions that the reader was not trained on."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A unit of a passage and how well it fits.

    Scores compare within one question only: their difference is the logarithm of the odds that the
    one unit rather than the other holds the answer.
    """

    hit: Hit
    unit: Unit
    features: Features
    score: float
    short_answer: ShortAnswer | None = None
    """The reader's best span in the unit, as a slice of the passage's text."""


_NUMBER = re.compile(
    r"\d|\b(?:to|tre|fire|fem|seks|sju|syv|åtte|ni|ti|elleve|tolv|halv\w*|hundre|tusen)\b"
)
_NAME = re.compile(r"(?<=[^.!?:\s]\s)[A-ZÆØÅ]\w+")


class EvidenceSelector:
    """Weighs every unit of the passages that were read."""

    def __init__(
        self, library: Library, analyser: Analyser, fingerprint: str, weights: Features = WEIGHTS
    ) -> None:
        self._library = library
        self._analyser = analyser
        self._fingerprint = fingerprint
        self._weights = weights

    def select(
        self,
        question: str,
        vector: Vector,
        hits: Sequence[Hit],
        readings: Sequence[Reading],
        lexical: Lexical,
    ) -> list[Evidence]:
        """Units from best to worst.

        `vector` is the question's, and `readings` are what the reader says of the first `hits`.
        """
        rarity = lexical.shares(self._analyser.weights(question))
        ids = [hit.passage.id for hit in hits[: len(readings)]]
        vectors = self._library.unit_vectors(ids, self._fingerprint)
        found: list[Evidence] = []
        for hit, reading in zip(hits, readings, strict=False):
            if hit.passage.id not in vectors:
                continue  # deleted since it was found
            cosines = (vectors[hit.passage.id] @ vector).tolist()
            share = hit.score / hits[0].score if hits[0].score else 0.0
            answers = [_short_answer(reading, hit.passage, unit) for unit in hit.passage.units]
            spans = _spans(hit.passage, answers)
            by_words = self._by_words(question, rarity, hit.passage)
            for unit, words, cosine, answer, span in zip(
                hit.passage.units, by_words, cosines, answers, spans, strict=True
            ):
                features = Features(reading.relevance, span, share, cosine, *words)
                found.append(Evidence(hit, unit, features, score(features, self._weights), answer))
        return sorted(found, key=lambda evidence: -evidence.score)

    def _by_words(
        self, question: str, rarity: dict[str, float], passage: StoredPassage
    ) -> list[tuple[float, ...]]:
        """The features from `overlap` on, of each unit."""
        texts = [text_of(passage, unit) for unit in passage.units]
        words = [set(self._analyser.words(text)) for text in texts]
        headings = _covered(rarity, set(self._analyser.words(" ".join(passage.heading_path))))
        number_wanted, name_wanted = wants_number(question), wants_name(question)
        return [
            (
                _covered(rarity, words[at]),
                _covered(rarity, set().union(*words[max(at - 1, 0) : at + 2])),
                headings,
                float(number_wanted and bool(_NUMBER.search(text.lower()))),
                float(name_wanted and bool(_NAME.search(text))),
                float(unit.kind is UnitKind.HEADING),
                float(len(text.split()) < 4 and unit.kind is not UnitKind.TABLE_ROW),
                float(text.endswith("?")),
            )
            for at, (unit, text) in enumerate(zip(passage.units, texts, strict=True))
        ]


def score(features: Features, weights: Features) -> float:
    return sum(weight * value for weight, value in zip(weights, features, strict=True))


def by_passage(evidence: Sequence[Evidence]) -> dict[int, float]:
    """Score of each passage: the logarithm of the odds that any of its units holds the answer."""
    totals: dict[int, float] = {}
    for item in evidence:
        passage = item.hit.passage.id
        totals[passage] = float(np.logaddexp(totals.get(passage, -np.inf), item.score))
    return totals


def reranked(hits: Sequence[Hit], evidence: Sequence[Evidence]) -> list[Hit]:
    """The passages that were read, by what was found in them; then the others as they were."""
    scores = by_passage(evidence)
    read = [hit for hit in hits if hit.passage.id in scores]
    read.sort(key=lambda hit: -scores[hit.passage.id])
    return [*read, *(hit for hit in hits if hit.passage.id not in scores)]


def _short_answer(reading: Reading, passage: StoredPassage, unit: Unit) -> ShortAnswer | None:
    return reading.best_within(unit.start - passage.start, unit.end - passage.start)


def _spans(passage: StoredPassage, answers: Sequence[ShortAnswer | None]) -> list[float]:
    """The feature `span` of each unit; rows of a table, but for its header, share the best of them.

    The reader learnt from prose: it knows that a table answers, and then takes the row beside the
    right one as often as not.
    """
    spans = [answer.score if answer else _NO_SPAN for answer in answers]
    for kind, run in groupby(range(len(spans)), key=lambda at: passage.units[at].kind):
        if kind is not UnitKind.TABLE_ROW:
            continue
        rows = list(run)
        # A table that began in an earlier passage has its header there.
        if rows[0] > 0 or passage.lead_start is None:
            rows = rows[1:]
        best = max((spans[at] for at in rows), default=_NO_SPAN)
        for at in rows:
            spans[at] = best
    return spans


def _covered(rarity: dict[str, float], words: set[str]) -> float:
    return sum(weight for word, weight in rarity.items() if word in words)


def text_of(passage: StoredPassage, unit: Unit) -> str:
    """The unit's words. Its span counts from the start of the document, not of the passage."""
    return passage.text[unit.start - passage.start : unit.end - passage.start]
