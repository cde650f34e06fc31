"""A question and a passage as the reader's tokens, and where each token stands in the passage."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.embedding.tokenization import normalise_for_pieces, sentencepiece_processor

START, END = 0, 2
"""Special tokens of XLM-RoBERTa's vocabulary, which E5 shares."""

QUESTION_TOKENS = 64
CONTEXT_TOKENS = 64
PASSAGE_TOKENS = 320
"""What lies beyond is cut off, so that a batch of passages has a known cost."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class PassageTokens:
    """A passage in its context. `spans` are the passage's own tokens, as slices of its text."""

    context: list[int]
    passage: list[int]
    spans: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ReaderInput:
    """`ids` of question, context and passage; the passage's tokens begin at `first`."""

    ids: list[int]
    first: int


class ReaderTokenization:
    """Splits texts into the pieces that the network knows. Safe to share between threads."""

    def __init__(self, sentencepiece_model: Path) -> None:
        self._processor = sentencepiece_processor(sentencepiece_model)

    def question(self, text: str) -> list[int]:
        ids: list[int] = self._processor.encode(normalise_for_pieces(text))
        return ids[:QUESTION_TOKENS]

    def passage(self, context: str, text: str) -> PassageTokens:
        """`context` is what must be known to understand `text`: title, headings, lead-in."""
        pieces = list(self._pieces(text))[:PASSAGE_TOKENS]
        return PassageTokens(
            context=self._processor.encode(normalise_for_pieces(context))[:CONTEXT_TOKENS],
            passage=[piece for piece, _ in pieces],
            spans=[span for _, span in pieces],
        )

    def _pieces(self, text: str) -> Iterator[tuple[int, tuple[int, int]]]:
        """Each piece's id and slice of `text`; white space belongs to none.

        Pieces never reach over white space. A word that normalisation makes longer or shorter (½,
        ﬁ) is one span for all of its pieces.
        """
        places: list[tuple[int, int]] = []  # of every normalised letter
        words: list[str] = []
        for found in _WORD.finditer(text):
            word = normalise_for_pieces(found.group())
            if not word:
                continue
            if words:
                places.append((found.start(), found.start()))  # the space before it
            words.append(word)
            start, end = found.span()
            same_length = len(word) == end - start
            places += (
                [(at, at + 1) for at in range(start, end)]
                if same_length
                else [(start, end)] * len(word)
            )
        at = 0
        for piece in self._processor.encode(" ".join(words), return_type="proto").pieces:
            end = at + len(piece.surface)  # offsets come in bytes, surfaces as text
            begin = at + len(piece.surface) - len(piece.surface.lstrip(" "))
            if begin < end:
                yield piece.id, (places[begin][0], places[end - 1][1])
            else:
                yield piece.id, places[at]
            at = end


def joined(question: list[int], passage: PassageTokens) -> ReaderInput:
    """What the network reads: question, context, passage, with separators between them."""
    before = [START, *question, END, *passage.context, END]
    return ReaderInput([*before, *passage.passage, END], len(before))
