"""A large library of made documents, whose texts and vectors are drawn at random.

The texts are drawn from the words of the example documents and compounds of them: they take the
room and the time of real ones.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from index.documents import BlockKind, Document, Piece, assemble, heading_paths
from index.embedding.encoder import Encoder, Matrix
from index.library import Library
from index.passages import Passage
from index.records import NewPassage, Source, Vectors
from index.units import units_of

PASSAGES_A_DOCUMENT = 100
FOLDER = "/laget"
MOST, SOME = "nb", "nn"
"""The languages of nine documents in ten, and of the tenth."""
YEARS = range(2000, 2026)
"""Each of as many documents as any other."""

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_WORDS_A_PASSAGE = 60
_PASSAGES_A_HEADING = 5


def example_words() -> list[str]:
    """The words of the example documents, as they follow each other there."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(_EXAMPLES.iterdir()))
    return " ".join(texts).split()


class MadeLibrary:
    """Puts documents of many passages straight into a library, with vectors drawn at random."""

    def __init__(self, library: Library, encoder: Encoder, chance: random.Random) -> None:
        self._library = library
        self._encoder = encoder
        self._chance = chance
        self._numbers = np.random.default_rng(1)
        self._words = example_words()
        self._simple = sorted({word.lower() for word in self._words if word.isalpha()})

    def put(self, number: int) -> None:
        """Stores document `number` anew, with another text."""
        document = self._document(number)
        paths = heading_paths(document.blocks, document.text)
        new, vectors = [], {}
        heading: int | None = None
        for at, block in enumerate(document.blocks):
            if block.kind is BlockKind.HEADING:
                heading = block.start  # it is part of the passage that follows
                continue
            start, heading = block.start if heading is None else heading, None
            passage = Passage(start, block.end, paths[at])
            units = units_of(document, passage)
            key = f"{document.content_hash}-{at}"
            new.append(NewPassage(passage, units, key))
            vectors[key] = Vectors(self._unit_rows(1)[0], self._unit_rows(len(units)))
        length = len(document.text)
        source = Source(f"{FOLDER}/{number}.txt", length, number, document.content_hash)
        self._library.put(document, source, new, vectors, self._encoder.fingerprint)

    def _document(self, number: int) -> Document:
        text, blocks = assemble(self._pieces())
        return Document(
            title=f"Rapport {number} om {self._phrase()}",
            text=text,
            blocks=blocks,
            media_type="text/plain",
            language=SOME if number % 10 == 0 else MOST,
            date=f"{YEARS[number % len(YEARS)]}-05-17",
        )

    def _pieces(self) -> Iterator[Piece]:
        for number in range(PASSAGES_A_DOCUMENT):
            if number % _PASSAGES_A_HEADING == 0:
                yield Piece(BlockKind.HEADING, self._phrase().capitalize(), level=2)
            yield Piece(BlockKind.PARAGRAPH, f"{self._sentence()} {self._sentence()}")

    def _sentence(self) -> str:
        words = self._chance.choices(self._words, k=_WORDS_A_PASSAGE // 2 - 1)
        return " ".join([*words, self._rare()]).capitalize() + "."

    def _phrase(self) -> str:
        return " ".join([*self._chance.choices(self._words, k=3), self._rare()])

    def _rare(self) -> str:
        """A compound of two words, which few passages have."""
        return "".join(self._chance.choices(self._simple, k=2))

    def _unit_rows(self, count: int) -> Matrix:
        rows = self._numbers.standard_normal((count, self._encoder.dimension), dtype=np.float32)
        unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit
