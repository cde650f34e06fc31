"""The one orchestrator: from a question to an answer with its sources, or an honest no."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from app.answering.abstention import probability, signals_of
from app.answering.answer_text import paragraphs, refusal, short_answer
from app.answering.citations import Citation, cite
from app.answering.conversation import Turn, standalone
from app.answering.evidence import Evidence, EvidenceSelector, by_passage
from app.answering.quoting import compose
from index.generations import Generation
from index.library import Library
from index.reading.reader import Reader
from index.records import Filters
from index.retriever import Hit, Retriever, SearchResult


@dataclass(frozen=True, slots=True)
class AnsweringSettings:
    """How much is read, and how probable an answer must be to be given."""

    threshold: float
    passages_read: int = 5
    """Passages that are read, also when fewer are to be shown."""


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
    documents: int
    """How many were searched."""


@dataclass(frozen=True, slots=True)
class StageBegun:
    """The answerer turns to its next piece of work."""

    name: Literal["retrieve", "read", "compose"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words of the answer. Joined, they are the answer."""

    text: str


Event = StageBegun | Citation | Text | Answer
"""What happens while a question is answered. A citation comes before the text that cites it, and
the answer last."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was retrieved, and the evidence that was read in it, best first."""

    result: SearchResult
    evidence: list[Evidence]
    read_ms: float


class Answerer:
    """Retrieves, chooses evidence, decides whether it is enough, and composes the answer."""

    def __init__(
        self,
        library: Library,
        retriever: Retriever,
        reader: Reader,
        selector: EvidenceSelector,
        settings: AnsweringSettings,
    ) -> None:
        self._library = library
        self._retriever = retriever
        self._reader = reader
        self._selector = selector
        self._settings = settings

    def answer(
        self,
        generation: Generation,
        question: str,
        limit: int = 5,
        filters: Filters | None = None,
        *,
        history: Sequence[Turn] = (),
    ) -> Answer:
        """Answers `question` from `generation`, with the `limit` best passages beside it.

        `history` is what was said before, oldest first: a question that leans on it is completed.
        Raises LibraryError rather than refuse when the documents were replaced meanwhile.
        """
        *_, answer = self.events(generation, question, limit, filters, history=history)
        assert isinstance(answer, Answer)
        return answer

    def events(
        self,
        generation: Generation,
        question: str,
        limit: int = 5,
        filters: Filters | None = None,
        *,
        history: Sequence[Turn] = (),
    ) -> Iterator[Event]:
        """As `answer`, step by step. What is not asked for is not done."""
        began = perf_counter()
        yield StageBegun("retrieve")
        result = self._retrieve(generation, standalone(question, history), limit, filters)
        yield StageBegun("read")
        found = self._read(generation, result)
        yield StageBegun("compose")
        question = found.result.wording.corrected
        confidence = probability(signals_of(found.result.hits, found.evidence))
        composing = perf_counter()
        enough = bool(found.evidence) and confidence >= self._settings.threshold
        citations = cite(compose(question, found.evidence), self._library) if enough else []
        if not citations:
            self._retriever.require_known(found.result.hits)
        done = perf_counter()
        texts = paragraphs(citations) or [refusal(question, found.result.documents)]
        for place, text in enumerate(texts):
            yield from citations[place : place + 1]
            yield Text(text)
        yield Answer(
            answered=bool(citations),
            answer="".join(texts),
            short_answer=short_answer(citations),
            confidence=confidence,
            citations=citations,
            hits=reranked(found.result.hits, found.evidence)[:limit],
            question=question,
            timings={
                "embed": found.result.embed_ms,
                "retrieve": found.result.retrieve_ms,
                "read": found.read_ms,
                "compose": (done - composing) * 1000,
                "total": (done - began) * 1000,
            },
            generation=generation.name,
            documents=found.result.documents,
        )

    def find(
        self, generation: Generation, question: str, limit: int = 5, filters: Filters | None = None
    ) -> Found:
        """What `answer` decides from: the passages, and the evidence in those that were read."""
        return self._read(generation, self._retrieve(generation, question, limit, filters))

    def _retrieve(
        self, generation: Generation, question: str, limit: int, filters: Filters | None
    ) -> SearchResult:
        wanted = max(limit, self._settings.passages_read)
        return self._retriever.search(generation, question, wanted, filters=filters)

    def _read(self, generation: Generation, result: SearchResult) -> Found:
        began = perf_counter()
        question = result.wording.corrected
        readings = self._reader.read(
            question, [h.passage for h in result.hits[: self._settings.passages_read]]
        )
        evidence = self._selector.select(
            question, result.query_vector, result.hits, readings, generation.lexical
        )
        return Found(result, evidence, (perf_counter() - began) * 1000)


def reranked(hits: Sequence[Hit], evidence: Sequence[Evidence]) -> list[Hit]:
    """The passages that were read, by what was found in them; then the others as they were."""
    scores = by_passage(evidence)
    read = [hit for hit in hits if hit.passage.id in scores]
    read.sort(key=lambda hit: -scores[hit.passage.id])
    return [*read, *(hit for hit in hits if hit.passage.id not in scores)]
