"""The one orchestrator: from a question to an answer with its sources, or an honest no."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

from app.answering.abstention import probability, signals_of
from app.answering.answer_text import refusal
from app.answering.citations import Citation
from app.answering.composing import (
    Composed,
    Composer,
    DraftReport,
    Found,
    Piece,
    Text,
    Waiting,
)
from app.answering.conversation import Turn, standalone
from app.answering.evidence import EvidenceSelector, reranked
from app.answering.quoting import QuotingComposer
from app.answering.rewriting import Rewriter
from index.library import Library
from index.reading.reader import Reader
from index.records import Filters
from index.retriever import Hit, Retriever, SearchResult
from index.views import View

Stage = Literal["rewrite", "retrieve", "read", "compose"]


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
    candidates: int = 0
    """How many passages of them were ranked."""
    composed_by: Literal["quotes", "model"] = "quotes"
    notice: str | None = None
    draft: DraftReport | None = None
    is_cached: bool = False
    """Whether it was worked out for another who asked the same."""


@dataclass(frozen=True, slots=True)
class StageBegun:
    """The answerer turns to its next piece of work."""

    name: Stage


Event = StageBegun | Piece | Answer
"""What happens while a question is answered. A citation comes before the text that cites it, and
the answer last."""


Events = Generator[Event, None, None]


class Answerer:
    """Retrieves, chooses evidence, decides whether it is enough, and composes the answer.

    Answers are quoted unless another composer is given.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of the pipeline
        self,
        library: Library,
        retriever: Retriever,
        reader: Reader,
        selector: EvidenceSelector,
        settings: AnsweringSettings,
        composer: Composer | None = None,
        rewriter: Rewriter | None = None,
    ) -> None:
        self._library = library
        self._retriever = retriever
        self._reader = reader
        self._selector = selector
        self._composer = composer or QuotingComposer(library)
        self._settings = settings
        self._rewriter = rewriter

    def answer(
        self,
        view: View,
        question: str,
        limit: int = 5,
        filters: Filters | None = None,
        *,
        history: Sequence[Turn] = (),
    ) -> Answer:
        """Answers `question` from `view`, with the `limit` best passages beside it.

        `history` is what was said before, oldest first: a question that leans on it is completed.
        Raises LibraryError rather than refuse when the documents were replaced meanwhile.
        """
        *_, answer = self.events(view, question, limit, filters, history=history)
        assert isinstance(answer, Answer)
        return answer

    def events(
        self,
        view: View,
        question: str,
        limit: int = 5,
        filters: Filters | None = None,
        *,
        history: Sequence[Turn] = (),
    ) -> Events:
        """As `answer`, step by step. What is not asked for is not done."""
        began = perf_counter()
        question, timings = yield from self._standalone(question, history)
        yield StageBegun("retrieve")
        result = self._retrieve(view, question, limit, filters)
        yield StageBegun("read")
        found = self._read(view, result)
        yield StageBegun("compose")
        confidence = probability(signals_of(found.result.hits, found.evidence))
        composing = perf_counter()
        composed = _NOTHING
        if found.evidence and confidence >= self._settings.threshold:
            composed = yield from self._composer.compose(found, view)
        if not composed.citations:
            self._retriever.require_known(found.result.hits)
            said = refusal(found.question, found.result.documents)
            composed = replace(_NOTHING, texts=[said])
            yield Text(said)
        done = perf_counter()
        yield Answer(
            answered=bool(composed.citations),
            answer="".join(composed.texts),
            short_answer=composed.short_answer,
            confidence=confidence,
            citations=composed.citations,
            hits=reranked(found.result.hits, found.evidence)[:limit],
            question=found.question,
            timings={
                **timings,
                "embed": found.result.embed_ms,
                "retrieve": found.result.retrieve_ms,
                "read": found.read_ms,
                "compose": (done - composing) * 1000,
                "total": (done - began) * 1000,
            },
            generation=view.name,
            documents=found.result.documents,
            candidates=found.result.total,
            composed_by=composed.by,
            notice=composed.notice,
            draft=composed.draft,
        )

    def _standalone(
        self, question: str, history: Sequence[Turn]
    ) -> "Generator[StageBegun | Waiting, None, tuple[str, dict[str, float]]]":
        """The question that is searched, and how long a language model took to write it."""
        if not history or self._rewriter is None:
            return standalone(question, history), {}
        yield StageBegun("rewrite")
        began = perf_counter()
        rewritten = yield from self._rewriter.rewritten(question, history)
        return rewritten, {"rewrite": (perf_counter() - began) * 1000}

    def find(
        self, view: View, question: str, limit: int = 5, filters: Filters | None = None
    ) -> Found:
        """What `answer` decides from: the passages, and the evidence in those that were read."""
        return self._read(view, self._retrieve(view, question, limit, filters))

    def _retrieve(
        self, view: View, question: str, limit: int, filters: Filters | None
    ) -> SearchResult:
        wanted = max(limit, self._settings.passages_read)
        return self._retriever.search(view, question, wanted, filters=filters)

    def _read(self, view: View, result: SearchResult) -> Found:
        began = perf_counter()
        question = result.wording.corrected
        readings = self._reader.read(
            question, [h.passage for h in result.hits[: self._settings.passages_read]]
        )
        evidence = self._selector.select(
            question, result.query_vector, result.hits, readings, view.lexical
        )
        return Found(result, evidence, (perf_counter() - began) * 1000)


_NOTHING = Composed(citations=[], texts=[], short_answer=None)
