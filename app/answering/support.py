"""Support: whether the sources say what a sentence says, and at which places.

A sentence of a language model leaves the service only if it is supported. Its numbers and names
must all stand in the units that it is based on; then a logistic model of a few signals decides,
fitted by `scripts/fit_support.py`. One of them asks the reader for each number and name in turn,
with the rest of the sentence as the question, and looks whether it answers with that very one
(after Wang, Cho and Lewis, 2020, «Asking and Answering Questions to Evaluate the Factual
Consistency of Summaries»). docs/language-models.md says how often it all goes wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.answering.abstention import logistic
from app.answering.citations import Quote
from app.answering.denials import covered, turned
from app.answering.evidence import text_of
from app.answering.facts import Fact, Facts, joined, only_as_it_stands, question_for
from index.analysis import Analyser
from index.embedding.encoder import Encoder, Vector
from index.library import Library
from index.reading.reader import LONGEST_ANSWER, Reader, Reading
from index.records import StoredPassage
from index.units import Unit, UnitKind
from index.views import Lexical

MOST_UNITS = 3
"""Units that a sentence may be based on."""
_LEAST_AGREEMENT = -10.0
_MOST_ASKED = 4
"""Numbers and names of a sentence that the reader is asked for."""
_LEAST_GAIN = 0.08
"""Share of a sentence's words that a further unit must add."""


_Place = tuple[int, int]


class Signals(NamedTuple):
    """What a sentence and the units that it may be based on are judged by."""

    coverage: float
    """Share of the sentence's words, weighed by rarity, that stand in the units or above them."""
    cosine: float
    """Cosine of the sentence and the nearest of the units."""
    relevance: float
    """The reader's logit for the units' passages, the sentence in the place of a question."""
    spread: float
    """How many places it takes beside the first; units that follow each other are one."""
    denies: float
    """1 when a clause of the sentence has a negation, and the clause nearest to it has none."""
    denied: float
    """1 when a clause of the sentence has none, and the clause nearest to it has one."""
    agreement: float
    """By how much the reader, asked for the number or name that fits worst, would rather answer
    with one that the sentence lacks: the difference of two log-probabilities, 0 to -10."""


INTERCEPT = -9.591
COEFFICIENTS = Signals(
    coverage=1.900,
    cosine=10.046,
    relevance=0.241,
    spread=-1.367,
    denies=-4.326,
    denied=-2.445,
    agreement=0.135,
)
THRESHOLD = 0.69
"""Least probability at which a sentence is kept: 1 of 20 unsupported ones is, then."""


@dataclass(frozen=True, slots=True)
class Support:
    """How a sentence stands to its sources. `probability` is 0 when a number or name is missing."""

    probability: float
    quotes: tuple[Quote, ...]
    """The places that it is based on, those that matter most first."""
    missing: frozenset[str]
    """Numbers and names of the sentence that stand in none of them."""
    signals: Signals

    @property
    def is_enough(self) -> bool:
        return self.probability >= THRESHOLD


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit of one of the sources, and the keys of its words and of those that stand above it."""

    source: int
    unit: Unit
    text: str
    words: frozenset[str]
    above: frozenset[str]
    vector: Vector


@dataclass(frozen=True, slots=True)
class Sources:
    """Passages, made ready to be compared with many sentences."""

    passages: Sequence[StoredPassage]
    units: Sequence[_Unit]
    lexical: Lexical


class Supporter:
    """Judges sentences by passages of one library."""

    def __init__(
        self, library: Library, analyser: Analyser, encoder: Encoder, reader: Reader
    ) -> None:
        self._library = library
        self._analyser = analyser
        self._encoder = encoder
        self._reader = reader
        self._facts = Facts(analyser)

    def sources(self, passages: Sequence[StoredPassage], lexical: Lexical) -> Sources:
        """`passages` made ready; of those that the library no longer has, no unit is known."""
        vectors = self._library.unit_vectors([p.id for p in passages], self._encoder.fingerprint)
        units = []
        for at, passage in enumerate(passages):
            if passage.id not in vectors:
                continue
            above = self._facts.keys(
                "\n".join((passage.title, *passage.heading_path, passage.lead_in))
            )
            for unit, vector in zip(passage.units, vectors[passage.id], strict=True):
                text = text_of(passage, unit)
                units.append(_Unit(at, unit, text, self._facts.keys(text), above, vector))
        return Sources(passages, units, lexical)

    def check(self, sentence: str, sources: Sources, numbers: Iterable[int] = ()) -> Support:
        """How a normalised sentence is supported by the sources of these `numbers`, from 1.

        By any of them where there is no number.
        """
        among = {number - 1 for number in numbers}
        units = [unit for unit in sources.units if not among or unit.source in among]
        units = [u for u in units if u.unit.kind is not UnitKind.HEADING] or units
        rarity = sources.lexical.shares(self._analyser.weights(sentence))
        if not units or not rarity:
            return NONE
        vector = self._encoder.embed_query(sentence)
        facts = self._facts.of(sentence)
        keys = {key for fact in facts for key in fact.keys}
        telling = {**rarity, **{key: max(rarity.get(key, 0), _LEAST_GAIN) for key in keys}}
        chosen = _chosen(units, telling, vector)
        known = frozenset[str]().union(*(unit.words | unit.above for unit in chosen))
        texts = [unit.text for unit in chosen]
        missing = frozenset(fact.written for fact in facts if not fact.is_among(known))
        missing |= {p for p in only_as_it_stands(sentence) if not any(p in text for text in texts)}
        passages = [sources.passages[at] for at in dict.fromkeys(unit.source for unit in chosen)]
        readings = self._reader.read(sentence, passages)
        clauses = turned(sentence, texts, rarity, self._analyser)
        quotes = _quotes(chosen, sources.passages)
        signals = Signals(
            coverage=covered(rarity, known),
            cosine=max(float(unit.vector @ vector) for unit in chosen),
            relevance=max(reading.relevance for reading in readings),
            spread=float(len(quotes) - 1),
            denies=float((True, False) in clauses),
            denied=float((False, True) in clauses),
            agreement=0.0 if missing else self._agreement(sentence, facts, passages),
        )
        return Support(0.0 if missing else probability(signals), quotes, missing, signals)

    def _agreement(
        self, sentence: str, facts: Sequence[Fact], passages: Sequence[StoredPassage]
    ) -> float:
        """The least agreement of the reader with any of the facts."""
        said = {key for fact in facts for key in fact.keys}
        there = [self._facts.of(passage.text) for passage in passages]
        worst = 0.0
        for fact in joined(sentence, facts)[:_MOST_ASKED]:
            own = [[f.place for f in of if f.is_among(fact.keys)] for of in there]
            if not any(own):
                continue  # it stands in a heading only
            others = [
                [f.place for f in of if f.is_number == fact.is_number and not said & {*f.keys}]
                for of in there
            ]
            readings = self._reader.read(question_for(sentence, fact), passages)
            worst = min(worst, max(map(agreement, readings, own, others)))
        return worst


def agreement(reading: Reading, own: Sequence[_Place], others: Sequence[_Place]) -> float:
    """How much less probable the best answer at one of `own` places is than at one of the `others`.

    A difference of log-probabilities: 0 where it is not less probable, at the least -10.
    """
    sums = reading.starts[:, None] + reading.ends[None, :]
    sums = np.where(np.triu(np.tril(np.ones_like(sums, bool), LONGEST_ANSWER - 1)), sums, -np.inf)
    holds_own, holds_other = _holding(reading, own), _holding(reading, others)
    best_own = float(np.where(holds_own, sums, -np.inf).max(initial=-np.inf))
    best_other = float(np.where(holds_other & ~holds_own, sums, -np.inf).max(initial=-np.inf))
    if best_other == -np.inf:
        return 0.0
    return min(max(best_own - best_other, _LEAST_AGREEMENT), 0.0)


def _holding(reading: Reading, places: Sequence[_Place]) -> npt.NDArray[np.bool_]:
    """Which spans, from the token of the row to that of the column, touch one of `places`."""
    touched = [any(s < end and start < e for start, end in places) for s, e in reading.spans]
    counts = np.concatenate(([0], np.cumsum(touched)))
    holding: npt.NDArray[np.bool_] = counts[None, 1:] > counts[:-1, None]
    return holding


def probability(
    signals: Signals, intercept: float = INTERCEPT, coefficients: Signals = COEFFICIENTS
) -> float:
    """Probability that a sentence with such signals is supported, 0 to 1."""
    return logistic(intercept, coefficients, signals)


NONE = Support(0.0, (), frozenset(), Signals(0.0, 0.0, -8.0, 0.0, 0.0, 0.0, _LEAST_AGREEMENT))
"""Of a sentence for which there is no source, or that says nothing."""


def _chosen(units: Sequence[_Unit], telling: dict[str, float], vector: Vector) -> list[_Unit]:
    """The unit that says most of what the sentence does, and those that add something to it.

    `telling` has the sentence's words and what each of them is worth.
    """
    chosen: list[_Unit] = []
    known: frozenset[str] = frozenset()

    def worth(unit: _Unit) -> float:
        # Further units are there for their words; the first for its meaning too.
        words = covered(telling, known | unit.words | unit.above)
        return words if chosen else words + float(unit.vector @ vector)

    while len(chosen) < MOST_UNITS:
        best = max(units, key=worth)
        grown = known | best.words | best.above
        if chosen and covered(telling, grown) < covered(telling, known) + _LEAST_GAIN:
            break
        chosen.append(best)
        known = grown
    return chosen


def _quotes(chosen: Sequence[_Unit], passages: Sequence[StoredPassage]) -> tuple[Quote, ...]:
    """The chosen units in their order, those that follow each other as one."""
    quotes: list[Quote] = []
    for item in chosen:
        passage = passages[item.source]
        at = passage.units.index(item.unit)
        start, end = item.unit.start, item.unit.end
        before = passage.units[at - 1].end if at > 0 else None
        after = passage.units[at + 1].start if at + 1 < len(passage.units) else None
        for number, quote in enumerate(quotes):
            if quote.passage is passage and quote.end == before:
                quotes[number] = Quote(passage, quote.start, end)
                break
            if quote.passage is passage and quote.start == after:
                quotes[number] = Quote(passage, start, quote.end)
                break
        else:
            quotes.append(Quote(passage, start, end))
    return tuple(quotes)
