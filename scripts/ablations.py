"""The service without one of its parts, to see what each is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from app.answering.answerer import Answerer, AnsweringSettings
from app.answering.evidence import EvidenceSelector, Features
from app.assembly import Kildesvar
from index.analysis import Analyser, Token
from index.reading.reader import Reader, Reading
from index.records import StoredPassage
from index.retriever import RetrievalSettings, Retriever
from index.views import Words
from index.wording import Wording, Wordings

WITHOUT_READER = Features(
    relevance=0.0,
    span=0.0,
    passage=7.693,
    similarity=12.620,
    overlap=2.916,
    neighbours=2.008,
    headings=-0.104,
    number=1.644,
    name=0.694,
    heading=-1.903,
    label=-2.603,
    question=-2.298,
)
"""Fitted as those with a reader are, on the same questions, with its two features held at 0."""


class _AsAsked(Wordings):
    """Neither mends nor bridges."""

    def of(self, question: str, vocabulary: Words) -> Wording:
        return Wording(question, question)


class _NotBridged(Wordings):
    """Mends spelling, and leaves Nynorsk as it is."""

    def of(self, question: str, vocabulary: Words) -> Wording:
        corrected = super().of(question, vocabulary).corrected
        return Wording(corrected, corrected)


class _WholeWords(Analyser):
    """Does not ask for the parts of compounds."""

    def tokens(self, text: str) -> Iterator[Token]:
        return (replace(token, parts=()) for token in super().tokens(text))


class _NoReader(Reader):
    """Says the same of every word of five passages, which is as many as were weighed without it."""

    def __init__(self) -> None:
        pass

    def read(self, question: str, passages: Sequence[StoredPassage]) -> list[Reading]:
        nothing = np.empty(0, np.float32)
        return [Reading(0.0, (), nothing, nothing) for _ in passages]


def variants(kildesvar: Kildesvar) -> Iterator[tuple[str, Answerer]]:
    """Answerers by what they lack. Every question is answered, however unsure they are."""

    def answerer(  # noqa: PLR0913
        *,
        analyser: Analyser = kildesvar.analyser,
        wordings: Wordings | None = None,
        refined: int = 40,
        reader: Reader = kildesvar.reader,
        weights: Features | None = None,
        read: int = AnsweringSettings(0.0).passages_read,
    ) -> Answerer:
        settings = RetrievalSettings(
            kildesvar.settings.candidates, kildesvar.settings.dense_weight, refined
        )
        return Answerer(
            kildesvar.library,
            Retriever(
                kildesvar.library,
                kildesvar.encoder,
                analyser,
                wordings or Wordings(),
                settings,
            ),
            reader,
            EvidenceSelector(
                kildesvar.library,
                kildesvar.analyser,
                kildesvar.encoder.fingerprint,
                **({"weights": weights} if weights else {}),
            ),
            AnsweringSettings(0.0, read),
        )

    yield "everything", answerer()
    yield "no spelling mended", answerer(wordings=_AsAsked())
    yield "no Nynorsk bridged in the question", answerer(wordings=_NotBridged())
    yield "no parts of compounds asked for", answerer(analyser=_WholeWords())
    yield "no second look at 40 candidates", answerer(refined=0)
    yield "3 passages read, not 5", answerer(read=3)
    yield "10 passages read, not 5", answerer(read=10)
    yield "no reader", answerer(reader=_NoReader(), weights=WITHOUT_READER)
