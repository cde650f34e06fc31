"""The one orchestrator: from a question to an answer with its sources, or an honest no."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from app.answering.abstention import probability, signals_of
from app.answering.citations import Citation, cite
from app.answering.evidence import EvidenceSelector
from app.answering.quoting import compose
from index.generations import Generation
from index.language import detect_language
from index.library import Filters, Library
from index.retriever import Hit, Retriever

_REFUSALS = {
    "nb": "Jeg finner ikke svaret i dokumentene.",
    "nn": "Eg finn ikkje svaret i dokumenta.",
    "en": "I cannot find the answer in the documents.",
}
_READ = 10
"""Passages fetched for reading, also when fewer are to be shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or a refusal with the nearest passages. Times are milliseconds per stage."""

    answered: bool
    answer: str
    short_answer: str | None
    confidence: float
    citations: list[Citation]
    hits: list[Hit]
    question: str
    timings: dict[str, float]
    generation: str


class Answerer:
    """Retrieves, chooses evidence, decides whether it is enough, and composes the answer."""

    def __init__(
        self,
        library: Library,
        retriever: Retriever,
        selector: EvidenceSelector,
        threshold: float,
    ) -> None:
        self._library = library
        self._retriever = retriever
        self._selector = selector
        self._threshold = threshold

    def answer(
        self, generation: Generation, question: str, limit: int = 5, filters: Filters | None = None
    ) -> Answer:
        """Answers `question` from `generation`, with the `limit` best passages beside it."""
        began = perf_counter()
        result = self._retriever.search(generation, question, max(limit, _READ), filters=filters)
        reading = perf_counter()
        evidence = self._selector.select(
            question, result.query_vector, result.hits, generation.lexical
        )
        confidence = probability(signals_of(result.hits, evidence))
        composing = perf_counter()
        enough = bool(evidence) and confidence >= self._threshold
        citations = cite(compose(question, evidence), self._library) if enough else []
        done = perf_counter()
        return Answer(
            answered=bool(citations),
            answer=_prose(citations) if citations else _refusal(question),
            short_answer=None,
            confidence=confidence,
            citations=citations,
            hits=result.hits[:limit],
            question=question,
            timings={
                "embed": result.embed_ms,
                "retrieve": result.retrieve_ms,
                "read": (composing - reading) * 1000,
                "compose": (done - composing) * 1000,
                "total": (done - began) * 1000,
            },
            generation=generation.name,
        )


def _prose(citations: Sequence[Citation]) -> str:
    return "\n\n".join(f"{citation.quote} [{citation.number}]" for citation in citations)


def _refusal(question: str) -> str:
    return _REFUSALS[detect_language(question)]
