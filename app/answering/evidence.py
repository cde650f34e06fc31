"""Evidence: which units of the retrieved passages answer the question, best first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from index.analysis import Analyser
from index.embedding.encoder import Vector
from index.lexical import LexicalIndex
from index.library import Library, StoredPassage
from index.retriever import Hit
from index.units import Unit, UnitKind

PASSAGES_READ = 5
"""Passages whose units are weighed. On NorQuAD the answer is in the first five for 94 of 100."""


class Features(NamedTuple):
    """What a unit is judged by."""

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
    """1 for a unit of fewer than four words."""
    question: float
    """1 when the unit itself is a question."""


WEIGHTS = Features(
    passage=8.545,
    similarity=14.695,
    overlap=2.163,
    neighbours=2.958,
    headings=-0.528,
    number=1.799,
    name=0.424,
    heading=-1.892,
    label=-2.748,
    question=-1.774,
)
"""Fitted by `scripts/fit_answering.py` on NorQuAD's training questions."""


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


_NUMBER = re.compile(
    r"\d|\b(?:to|tre|fire|fem|seks|sju|syv|åtte|ni|ti|elleve|tolv|halv\w*|hundre|tusen)\b"
)
_NAME = re.compile(r"(?<=[^.!?:\s]\s)[A-ZÆØÅ]\w+")
_WANTS_NUMBER = re.compile(
    r"\b(?:hvor (?:mange|mye|stor|store|stort|høy|høyt|lenge|gammel|gamle|langt?)|når|hvilket år|"
    r"kor (?:mange|mykje|stor|store|stort|høg|høgt|lenge|gammal|gamle|langt?)|kva år|"
    r"how (?:many|much|long|old|far)|when|what year|årstall|årstal|prosent|andel|dato)\b",
    re.IGNORECASE,
)
_WANTS_NAME = re.compile(
    r"\b(?:hvem|kven|who|hvor|kvar|where|hvilke[nt]?|kva for)\b", re.IGNORECASE
)


class EvidenceSelector:
    """Weighs every unit of the first passages."""

    def __init__(
        self, library: Library, analyser: Analyser, fingerprint: str, weights: Features = WEIGHTS
    ) -> None:
        self._library = library
        self._analyser = analyser
        self._fingerprint = fingerprint
        self._weights = np.array(weights)

    def select(
        self, question: str, vector: Vector, hits: Sequence[Hit], lexical: LexicalIndex
    ) -> list[Evidence]:
        """Units from best to worst. `vector` is the question's."""
        rarity = self.rarity(question, lexical)
        read = hits[:PASSAGES_READ]
        vectors = self._library.unit_vectors([hit.passage.id for hit in read], self._fingerprint)
        found: list[Evidence] = []
        for hit in read:
            if hit.passage.id not in vectors:
                continue  # deleted since it was found
            cosines = vectors[hit.passage.id] @ vector
            share = hit.score / hits[0].score if hits[0].score else 0.0
            features = self._features(question, rarity, hit.passage, share, cosines.tolist())
            scores = (np.array(features) @ self._weights).tolist()
            found.extend(
                Evidence(hit, unit, own, score)
                for unit, own, score in zip(hit.passage.units, features, scores, strict=True)
            )
        return sorted(found, key=lambda evidence: -evidence.score)

    def rarity(self, question: str, lexical: LexicalIndex) -> dict[str, float]:
        """Each word of the question with its inverse document frequency, summing to 1."""
        weights = {
            word: weight * lexical.rarity(word)
            for word, weight in self._analyser.weights(question).items()
        }
        total = sum(weights.values()) or 1.0
        return {word: weight / total for word, weight in weights.items()}

    def _features(
        self,
        question: str,
        rarity: dict[str, float],
        passage: StoredPassage,
        share: float,
        cosines: Sequence[float],
    ) -> list[Features]:
        texts = [text_of(passage, unit) for unit in passage.units]
        words = [set(self._analyser.words(text)) for text in texts]
        headings = _covered(rarity, set(self._analyser.words(" ".join(passage.heading_path))))
        wants_number = bool(_WANTS_NUMBER.search(question))
        wants_name = not wants_number and bool(_WANTS_NAME.search(question))
        return [
            Features(
                passage=share,
                similarity=cosines[at],
                overlap=_covered(rarity, words[at]),
                neighbours=_covered(rarity, set().union(*words[max(at - 1, 0) : at + 2])),
                headings=headings,
                number=float(wants_number and bool(_NUMBER.search(text.lower()))),
                name=float(wants_name and bool(_NAME.search(text))),
                heading=float(unit.kind is UnitKind.HEADING),
                label=float(len(text.split()) < 4),
                question=float(text.endswith("?")),
            )
            for at, (unit, text) in enumerate(zip(passage.units, texts, strict=True))
        ]


def _covered(rarity: dict[str, float], words: set[str]) -> float:
    return sum(weight for word, weight in rarity.items() if word in words)


def text_of(passage: StoredPassage, unit: Unit) -> str:
    """The unit's words. Its span counts from the start of the document, not of the passage."""
    return passage.text[unit.start - passage.start : unit.end - passage.start]
