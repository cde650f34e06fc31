"""Reading: where in a passage the answer to a question stands, and whether it answers at all."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.embedding.onnx_runtime import open_session
from index.embedding.tokenization import SENTENCEPIECE_FILE
from index.errors import ModelNotPreparedError
from index.passages import contextual_text
from index.processors import available_processors
from index.reading.card import NETWORK_FILE, ReaderCard
from index.reading.tokens import PassageTokens, ReaderTokenization, joined
from index.records import StoredPassage

Logits = npt.NDArray[np.float32]
Span = tuple[int, int]

LONGEST_ANSWER = 40
"""Tokens."""


@dataclass(frozen=True, slots=True)
class ShortAnswer:
    """A span of a passage's text, and the logarithm of the probability that it is the answer.

    The probability is that among all spans of the passage, if the passage answers at all.
    """

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader says of one passage; `starts` and `ends` are log-probabilities."""

    relevance: float
    """Logit of the passage answering the question."""

    spans: Sequence[Span]
    """Where the passage's tokens stand in its text."""

    starts: Logits
    """float32[tokens]: that the answer begins at the token."""

    ends: Logits
    """float32[tokens]: that the answer ends with the token."""

    @property
    def best_span(self) -> Span | None:
        """Start and end of the most probable answer in the whole passage."""
        best = self.best_within(0, self.spans[-1][1]) if self.spans else None
        return (best.start, best.end) if best else None

    def best_within(self, start: int, end: int) -> ShortAnswer | None:
        """The most probable answer that lies in `start` to `end` of the passage's text.

        None where the passage was cut off before, or there is nothing to read.
        """
        inside = [at for at, (s, e) in enumerate(self.spans) if start <= s and e <= end]
        if not inside:
            return None
        first, last = inside[0], inside[-1]
        sums = self.starts[first : last + 1, None] + self.ends[None, first : last + 1]
        allowed = np.triu(np.tril(np.ones_like(sums, bool), LONGEST_ANSWER - 1))
        best = int(np.where(allowed, sums, -np.inf).argmax())
        begin, finish = divmod(best, last - first + 1)
        return ShortAnswer(
            self.spans[first + begin][0],
            self.spans[first + finish][1],
            float(sums[begin, finish]),
        )


class Reader:
    """Runs the folder that `prepare_reader` made. Safe to call from several threads.

    Each passage is read by itself, on one thread: a batch is no faster on a processor, and
    dynamic quantisation would let a passage's scores depend on its neighbours.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        """Raises `ModelNotPreparedError` when the folder is incomplete or fails its probe."""
        card = ReaderCard.read(folder)
        self._tokenization = ReaderTokenization(folder / SENTENCEPIECE_FILE)
        self._session = open_session(folder / NETWORK_FILE, 1)
        self._pool = ThreadPoolExecutor(
            threads or available_processors(), thread_name_prefix="reader"
        )
        self._probe(folder, card)

    def close(self) -> None:
        """Ends the threads that read."""
        self._pool.shutdown()

    def read(self, question: str, passages: Sequence[StoredPassage]) -> list[Reading]:
        """What each of `passages` says to `question`, in their order."""
        texts = [(context_of(passage), passage.text) for passage in passages]
        return self.read_texts(question, texts)

    def read_texts(self, question: str, texts: Sequence[tuple[str, str]]) -> list[Reading]:
        """The same for pairs of context and text."""
        ids = self._tokenization.question(question)
        return list(self._pool.map(lambda text: self._read(ids, *text), texts))

    def _read(self, question: list[int], context: str, text: str) -> Reading:
        tokens = self._tokenization.passage(context, text)
        given = joined(question, tokens)
        ids = np.array([given.ids], np.int64)
        start, end, relevance = self._session.run(["start", "end", "relevance"], {"ids": ids})
        return reading_of(tokens, given.first, start[0], end[0], float(relevance[0]))

    def _probe(self, folder: Path, card: ReaderCard) -> None:
        probe = card.probe
        (reading,) = self.read_texts(probe.question, [("", probe.text)])
        if (
            reading.best_span != (probe.start, probe.end)
            or abs(reading.relevance - probe.relevance) > 1.0
        ):
            raise ModelNotPreparedError(
                f"the reader in {folder} reads otherwise on this machine than where it was "
                f"prepared (relevance {reading.relevance:.2f} for {probe.relevance:.2f}); run "
                "`kildesvar prepare` here"
            )


def reading_of(
    tokens: PassageTokens, first: int, start: Logits, end: Logits, relevance: float
) -> Reading:
    """Log-probabilities out of the network's logits: float32[tokens] of all that it was given.

    The passage's own tokens begin at `first`.
    """
    own = slice(first, first + len(tokens.passage))
    return Reading(relevance, tokens.spans, _log_softmax(start[own]), _log_softmax(end[own]))


def _log_softmax(logits: Logits) -> Logits:
    if not len(logits):
        return logits
    shifted = logits - logits.max()
    result: Logits = shifted - np.log(np.exp(shifted).sum())
    return result


def context_of(passage: StoredPassage) -> str:
    """What must be known to understand a passage: title, headings and lead-in."""
    return contextual_text(passage.title, passage.heading_path, passage.lead_in, "")
