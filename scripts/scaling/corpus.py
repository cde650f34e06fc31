"""Made passages for measuring: words by Zipf's law, and vectors that lie in clusters as texts' do.

A corpus of a size is the beginning of every larger one, and the questions are about its first
passages: so one set of questions is asked at all sizes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from index.embedding.encoder import Matrix
from index.parts import Entry
from index.records import Ids

PASSAGES_A_DOCUMENT = 50
DIMENSION = 384
QUESTIONS = 200
NEAREST = 100
"""As many neighbours are known of each question, and as many does retrieval hand over to fusion."""

_BATCH = 1_000
_WORDS_A_PASSAGE = 60
_WORDS_A_QUESTION = 6
_ASKED_ABOUT = 10_000
"""Passages, from the first on, that questions are about."""
_DIFFERENT_WORDS = 1_000_000
_PASSAGES_A_HEADING = 5
_TOPICS = 5_000
_COMMON, _TOPIC, _DOCUMENT, _PASSAGE = 0.78, 0.08, 0.06, 0.08
"""What of a vector's square is common to all, its topic's, its document's and its own: two passages
have a cosine of .78, as with E5, those of a topic .86 and those of a document .92, and more by
chance, for the directions of each are few."""
_APART, _ASIDE = 0.25, 0.45
"""How far a question lies from its passage: all questions in one direction, and each in its own."""

_CONSONANTS = "b d f fj g gr h hv j k kl kr l m n p r s sk sl st str t tr v".split()  # noqa: SIM905
_VOWELS = "a e i o u y æ ø å ei au".split()  # noqa: SIM905
_ENDINGS = " n r t s l ng nd rt sk".split(" ")  # noqa: SIM905 - the first is none

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Limit:
    """What a search is limited to, of one document in `one_in`, and how that is named."""

    name: str
    one_in: int


LIMITS = (Limit("half", 2), Limit("1 %", 100))


@dataclass(frozen=True, slots=True)
class Made:
    """A batch of passages: the ids, texts and headings of each, and float32[n, 384]."""

    ids: Ids
    bodies: list[str]
    headings: list[tuple[str, ...]]
    vectors: Matrix

    def entries(self) -> list[Entry]:
        return [
            _entry(passage_id, body, headings, vector)
            for passage_id, body, headings, vector in zip(
                self.ids.tolist(), self.bodies, self.headings, self.vectors, strict=True
            )
        ]


@dataclass(frozen=True, slots=True)
class Questions:
    """Texts of questions, and float32[n, 384]."""

    texts: list[str]
    vectors: Matrix


class Corpus:
    """Passages with the ids from 1 on."""

    def __init__(self, passages: int) -> None:
        if passages % _BATCH:
            raise ValueError(f"a made corpus has a multiple of {_BATCH} passages")
        self.passages = passages
        self.ids: Ids = np.arange(1, passages + 1, dtype=np.int64)

    @property
    def documents(self) -> int:
        return self.passages // PASSAGES_A_DOCUMENT

    def batches(self, there: int = 0) -> Iterator[Made]:
        """All passages, the same each time, but for batches of which all are among `there` first
        ones."""
        for number in range(there // _BATCH, self.passages // _BATCH):
            yield _made(number)

    def fetch(self, ids: Ids) -> Iterator[list[Entry]]:
        """All passages, as a generation takes them."""
        if len(ids) != self.passages:
            raise ValueError("a made corpus gives all of its passages, or none")
        for made in self.batches():
            yield made.entries()

    def documents_within(self, limit: Limit) -> frozenset[str]:
        """The documents that pass a filter."""
        return frozenset(map(document_id, range(0, self.documents, limit.one_in)))

    def allowed(self, limit: Limit) -> Mask:
        """Which passages pass a filter, bool[passages]."""
        numbers = np.arange(self.passages) // PASSAGES_A_DOCUMENT
        allowed: Mask = numbers % limit.one_in == 0
        return allowed

    def questions(self) -> Questions:
        """Words and vectors of some of the first passages, moved aside."""
        chance = np.random.default_rng(11)
        some = chance.choice(_ASKED_ABOUT, QUESTIONS, replace=False)
        texts, rows = [], []
        for batch, inside in zip(some // _BATCH, some % _BATCH, strict=True):
            made = _made_once(int(batch))
            words = sorted(set(made.bodies[inside].lower().replace(".", "").split()))
            texts.append(" ".join(chance.choice(words, _WORDS_A_QUESTION, replace=False)))
            rows.append(made.vectors[inside])
        asking = _directions(np.random.default_rng(12), 1)
        aside = _APART * asking + _ASIDE * _directions(chance, len(rows))
        return Questions(texts, _unit(np.stack(rows) + aside))

    def nearest(self, questions: Questions, among: Mask | None = None) -> Ids:
        """The ids of the true neighbours, int64[questions, NEAREST], nearest first."""
        count = len(questions.texts)
        best = np.full((count, NEAREST), -2.0, np.float32)
        ids = np.zeros((count, NEAREST), np.int64)
        for made in self.batches():
            cosines = questions.vectors @ made.vectors.T
            if among is not None:
                cosines[:, ~among[made.ids - 1]] = -2.0
            cosines = np.concatenate([best, cosines], axis=1)
            all_ids = np.concatenate([ids, np.tile(made.ids, (count, 1))], axis=1)
            order = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
            best = np.take_along_axis(cosines, order, axis=1)
            ids = np.take_along_axis(all_ids, order, axis=1)
        return ids


def document_id(number: int) -> str:
    return f"{number:016x}"


def document_number(passage_id: int) -> int:
    return (passage_id - 1) // PASSAGES_A_DOCUMENT


def language_of(number: int) -> str:
    """The language of a document: half of them pass a filter by either."""
    return "nn" if number % 2 == 0 else "nb"


def path_of(number: int) -> str:
    """The file of a document: each folder has one of a hundred."""
    return f"/laget/{number % 100:02}/{number}.txt"


def _entry(passage_id: int, body: str, headings: tuple[str, ...], vector: Matrix) -> Entry:
    number = document_number(passage_id)
    opens = (passage_id - 1) % PASSAGES_A_DOCUMENT == 0
    return Entry(
        passage_id=passage_id,
        document_id=document_id(number),
        text="\n".join([*headings, body]),
        vector=vector,
        body=body,
        title=f"Rapport {number}" if opens else None,
        headings=headings,
    )


def _made(batch: int) -> Made:
    chance = np.random.default_rng([7, batch])
    first = batch * _BATCH
    words = _words(chance, _BATCH * _WORDS_A_PASSAGE)
    bodies = [
        " ".join(words[at : at + _WORDS_A_PASSAGE]).capitalize() + "."
        for at in range(0, len(words), _WORDS_A_PASSAGE)
    ]
    titles = _words(chance, 3 * _BATCH // _PASSAGES_A_HEADING)
    headings: list[tuple[str, ...]] = [
        (" ".join(titles[3 * at // _PASSAGES_A_HEADING :][:3]).capitalize(),)
        if at % _PASSAGES_A_HEADING == 0
        else ()
        for at in range(_BATCH)
    ]
    ids = np.arange(first + 1, first + _BATCH + 1, dtype=np.int64)
    return Made(ids, bodies, headings, _vectors(chance))


_made_once: Callable[[int], Made] = cache(_made)


def _words(chance: np.random.Generator, count: int) -> list[str]:
    ranks = np.searchsorted(_cumulated(_DIFFERENT_WORDS), chance.random(count))
    return [_word(int(rank)) for rank in ranks]


@cache
def _cumulated(kinds: int) -> npt.NDArray[np.float64]:
    """How often those up to each rank come, by the law of Zipf and Mandelbrot."""
    weights = 1 / (np.arange(kinds) + 2.7) ** 1.05
    cumulated: npt.NDArray[np.float64] = np.cumsum(weights) / weights.sum()
    return cumulated


@cache
def _word(rank: int) -> str:
    """A word that can be spoken, of its own for each rank, longer for rare ones."""
    kinds = len(_CONSONANTS) * len(_VOWELS) * len(_ENDINGS)
    syllables, rest = [], rank * 7 + 3
    while True:
        rest, kind = divmod(rest, kinds)
        begins, kind = divmod(kind, len(_VOWELS) * len(_ENDINGS))
        vowel, ends = divmod(kind, len(_ENDINGS))
        syllables.append(_CONSONANTS[begins] + _VOWELS[vowel] + _ENDINGS[ends])
        if not rest:
            return "".join(syllables)


def _vectors(chance: np.random.Generator) -> Matrix:
    documents = _BATCH // PASSAGES_A_DOCUMENT
    topics = np.searchsorted(_cumulated(_TOPICS), chance.random(documents))
    of_document = np.sqrt(_TOPIC) * _topics()[topics]
    of_document += np.sqrt(_DOCUMENT) * _directions(chance, documents)
    own = np.sqrt(_PASSAGE) * _directions(chance, _BATCH)
    common = np.sqrt(_COMMON) * _unit(_directions(np.random.default_rng(3), 1))
    return _unit(common + np.repeat(of_document, PASSAGES_A_DOCUMENT, axis=0) + own)


@cache
def _topics() -> Matrix:
    return _directions(np.random.default_rng(2), _TOPICS)


@cache
def _basis() -> Matrix:
    """float32[384, 384]: directions at right angles, each with less in it than the one before."""
    square = np.random.default_rng(1).standard_normal((DIMENSION, DIMENSION))
    axes, _ = np.linalg.qr(square)
    shares = 1 / np.arange(1, DIMENSION + 1)
    basis: Matrix = (axes * np.sqrt(shares / shares.sum())).T.astype(np.float32)
    return basis


def _directions(chance: np.random.Generator, count: int) -> Matrix:
    """float32[count, 384] of length 1 in the mean."""
    drawn: Matrix = chance.standard_normal((count, DIMENSION), dtype=np.float32) @ _basis()
    return drawn


def _unit(rows: Matrix) -> Matrix:
    unit: Matrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
