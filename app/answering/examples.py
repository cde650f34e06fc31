"""Example questions, drawn from the documents and each asked before it is offered."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from time import monotonic

from app.answering.answerer import Answerer
from app.answering.example_questions import Candidate, candidates_of
from index.errors import DocumentNotFoundError
from index.library import Library
from index.records import Filters, StoredDocument
from index.views import View

OFFERED = 3
"""Examples that are made in each language."""
_DOCUMENTS = 16
"""Documents of each language that are looked at, however many there are."""
_MOST_ASKED = 24
"""Questions that are asked in each language, however few of them are answered."""
_MOST_OF_DOCUMENT = 8
_LEAST_CONFIDENCE = 0.5
"""However boldly the service is set to answer, an example must be one that it answers well."""
_SETTLED = 2.0
"""Seconds that a generation must have been the newest: while files come in, one follows another."""

_NEAREST = {"nb": ("nb", "nn", "en"), "nn": ("nn", "nb", "en"), "en": ("en", "nb", "nn")}
"""In which languages documents are preferred."""


@dataclass(frozen=True, slots=True)
class Example:
    question: str
    document_id: str


@dataclass(slots=True)
class _Made:
    """What was made of one view, as far as it has come."""

    generation: str
    since: float
    examples: dict[str, list[Example]] = field(default_factory=lambda: {n: [] for n in _NEAREST})
    asked: dict[str, set[str]] = field(default_factory=lambda: {n: set() for n in _NEAREST})


class Examples:
    """Makes examples of the newest view, a question at a time, and offers them.

    `work` is for one thread alone, `offered` for any.
    """

    def __init__(self, library: Library, answerer: Answerer) -> None:
        self._library = library
        self._answerer = answerer
        self._made: _Made | None = None
        self._candidates: Iterator[tuple[str, Candidate]] = iter(())

    def offered(self, generation: str | None, language: str, limit: int = OFFERED) -> list[Example]:
        """Those of that generation whose documents are still there; none while none are made."""
        made = self._made
        if made is None or made.generation != generation:
            return []
        examples = made.examples[language][:limit]
        documents = tuple(example.document_id for example in examples)
        there = self._library.matching(Filters(document=documents)) if documents else set()
        return [example for example in examples if example.document_id in there]

    def work(self, view: View) -> bool:
        """Asks the next question; False when there is none to be asked now.

        Nothing of the generation is kept, so that it can be let go.
        """
        made = self._made
        if made is None or made.generation != view.name:
            # The first one waits for nothing: nobody has seen an example yet.
            since = monotonic() if made else monotonic() - _SETTLED
            self._made = made = _Made(view.name, since)
            self._candidates = self._all_candidates(made)
        if monotonic() - made.since < _SETTLED:
            return False
        chosen = next(self._candidates, None)
        if chosen is None:
            return False
        language, candidate = chosen
        made.asked[language].add(candidate.question)
        if self._is_answered(view, candidate):
            made.examples[language].append(Example(candidate.question, candidate.document_id))
        return True

    def _all_candidates(self, made: _Made) -> Iterator[tuple[str, Candidate]]:
        """What is to be asked next, with its language, in the light of what was answered so far.

        No document has two questions before all have had the chance of one.
        """
        for language in _NEAREST:
            kept, asked = made.examples[language], made.asked[language]
            candidates = self._candidates_in(language)
            for has_two in (False, True):
                for candidate in candidates:
                    is_new = candidate.question not in asked
                    has_one = any(e.document_id == candidate.document_id for e in kept)
                    if len(kept) == OFFERED or len(asked) >= _MOST_ASKED:
                        break
                    if is_new and (has_two or not has_one):
                        yield language, candidate

    def _candidates_in(self, language: str) -> list[Candidate]:
        """Of each document its best question, then of each its second best, and so on.

        What a title names comes last, for it is seldom answered in a sentence. All of those in the
        nearest language come before any in another.
        """
        candidates: list[Candidate] = []
        left = _DOCUMENTS
        for nearest in _NEAREST[language]:
            sample = self._sample(nearest, left)
            left -= len(sample)
            invited = [islice(candidates_of(d, language), _MOST_OF_DOCUMENT) for d in sample]
            rounds = zip_longest(*invited)
            ordered = [c for of_round in rounds for c in of_round if c is not None]
            candidates.extend(sorted(ordered, key=lambda candidate: candidate.heading is None))
        return candidates

    def _sample(self, language: str, size: int) -> list[StoredDocument]:
        """Some documents in `language`.

        Ids are drawn by chance, so the first of them are a sample, and the same one every time.
        """
        documents: list[StoredDocument] = []
        for document_id in sorted(self._library.matching(Filters(language=(language,))))[:size]:
            with suppress(DocumentNotFoundError):  # gone since it was drawn
                documents.append(self._library.document(document_id))
        return documents

    def _is_answered(self, view: View, candidate: Candidate) -> bool:
        """Whether the answer begins with what stands in the document under the heading."""
        answer = self._answerer.answer(view, candidate.question)
        if not answer.citations or answer.confidence < _LEAST_CONFIDENCE:
            return False
        first = answer.citations[0]
        return first.document_id == candidate.document_id and (
            candidate.heading is None or candidate.heading in first.heading_path
        )
