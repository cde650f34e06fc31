"""Evidence: which units of the retrieved passages answer the question, best first."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.analysis import Analyser
from index.lexical import LexicalIndex
from index.library import StoredPassage
from index.retriever import Hit
from index.units import Unit, UnitKind

PASSAGES_READ = 5
"""Passages whose units are weighed. On NorQuAD the answer is in the first five for 94 of 100."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A unit of a passage, how well it fits, and the features that its score was made of."""

    hit: Hit
    unit: Unit
    score: float
    overlap: float
    """Share of the question's words, weighed by rarity, that stand in the unit: 0 to 1."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of a unit's features, fitted by `scripts/fit_answering.py` on NorQuAD's training
    questions."""

    passage: float = 1.0
    overlap: float = 1.0
    neighbour: float = 0.3
    answer_type: float = 0.2
    heading: float = -0.3
    short: float = -0.3


_NUMBER = re.compile(r"\d|\b(?:en|ett|to|tre|fire|fem|seks|sju|syv|åtte|ni|ti|elleve|tolv)\b")
_NAME = re.compile(r"(?<=[^.!?:\s]\s)[A-ZÆØÅ]\w+")
_WANTS_NUMBER = re.compile(
    r"\b(?:hvor (?:mange|mye|stor|store|stort|høy|høyt|lenge|gammel|gamle|langt?)|når|hvilket år|"
    r"kor (?:mange|mykje|stor|store|stort|høg|høgt|lenge|gammal|gamle|langt?)|kva år|"
    r"how (?:many|much|long|old|far)|when|what year|årstall|prosent|andel)\b",
    re.IGNORECASE,
)
_WANTS_NAME = re.compile(
    r"\b(?:hvem|kven|who|hvor(?! \w*(?:mange|mye|stor|for|dan))|kvar|where|hvilke[nt]?|kva for)\b",
    re.IGNORECASE,
)


class EvidenceSelector:
    """Weighs every unit of the first passages by words, place and the kind of answer asked for."""

    def __init__(self, analyser: Analyser, weights: Weights | None = None) -> None:
        self._analyser = analyser
        self._weights = weights or Weights()

    def select(self, question: str, hits: Sequence[Hit], lexical: LexicalIndex) -> list[Evidence]:
        """Units from best to worst."""
        rarity = self.rarity(question, lexical)
        found = [
            evidence
            for hit in hits[:PASSAGES_READ]
            for evidence in self._weighed(question, rarity, hit, hits[0].score)
        ]
        return sorted(found, key=lambda evidence: -evidence.score)

    def coverage(self, question: str, hits: Sequence[Hit], lexical: LexicalIndex) -> float:
        """The largest share of the question's words, by rarity, that one passage has: 0 to 1."""
        rarity = self.rarity(question, lexical)
        texts = (hit.passage for hit in hits[:PASSAGES_READ])
        return max(
            (self._overlap(rarity, f"{p.title} {' '.join(p.heading_path)} {p.text}") for p in texts),
            default=0.0,
        )

    def rarity(self, question: str, lexical: LexicalIndex) -> dict[str, float]:
        """Each word of the question with its inverse document frequency, summing to 1."""
        words = dict.fromkeys(self._analyser.words(question))
        weights = {word: lexical.rarity(word) for word in words}
        total = sum(weights.values()) or 1.0
        return {word: weight / total for word, weight in weights.items()}

    def _weighed(
        self, question: str, rarity: dict[str, float], hit: Hit, best: float
    ) -> list[Evidence]:
        passage = hit.passage
        texts = [text_of(passage, unit) for unit in passage.units]
        overlaps = [self._overlap(rarity, text) for text in texts]
        weights = self._weights
        found = []
        for at, (unit, text) in enumerate(zip(passage.units, texts, strict=True)):
            score = (
                weights.passage * (hit.score / best if best else 0.0)
                + weights.overlap * overlaps[at]
                + weights.neighbour * max(overlaps[max(at - 1, 0) : at + 2])
                + weights.answer_type * fits_answer_type(question, text)
                + weights.heading * (unit.kind is UnitKind.HEADING)
                + weights.short * math.exp(-len(text) / 20)
            )
            found.append(Evidence(hit, unit, score, overlaps[at]))
        return found

    def _overlap(self, rarity: dict[str, float], text: str) -> float:
        present = set(self._analyser.words(text))
        return sum(weight for word, weight in rarity.items() if word in present)


def text_of(passage: StoredPassage, unit: Unit) -> str:
    return passage.text[unit.start - passage.start : unit.end - passage.start]


def fits_answer_type(question: str, text: str) -> bool:
    """Whether a unit has the kind of thing that the question asks for: a number, or a name."""
    if _WANTS_NUMBER.search(question):
        return bool(_NUMBER.search(text))
    if _WANTS_NAME.search(question):
        return bool(_NAME.search(text))
    return False
