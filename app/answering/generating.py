"""The generating composer: prose of a language model, of which only what the sources say is kept.

Each sentence is checked as soon as it is whole, and leaves with citations of the very places that
support it. Where the model fails, or nothing is left, the answer is quoted instead, and says so.
"""

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from app.answering.citations import Citation, Quote, cite
from app.answering.composing import (
    Composed,
    Composer,
    Composing,
    DraftReport,
    Found,
    Piece,
    Text,
    Waiting,
    reranked,
)
from app.answering.drafting import Draft, Drafted
from app.answering.notices import Notice, notice
from app.answering.prompts import NO_ANSWER, answer_prompt, tokens_of
from app.answering.support import Sources, Supporter
from app.language_model import LanguageModel
from app.language_model_errors import (
    LanguageModelBusyError,
    LanguageModelError,
    LanguageModelSlowError,
    LanguageModelUnreachableError,
    PromptTooLongError,
)
from index.generations import Generation
from index.library import Library
from index.reading.reader import ShortAnswer
from index.records import StoredPassage

log = logging.getLogger("kildesvar")

_SOURCES = 5
_LEAST_WORDS = 3
"""Of a sentence: one or two stand in many a source, and say nothing that could be supported."""
_MOST_SENTENCES = 20
"""What a model writes beyond is not waited for: it has begun to repeat itself."""
_TRIES = 2
"""Prompts, the second half as long, for a model whose context is smaller than we were told."""
_RESERVE_TOKENS = 64
"""For what a chat template adds."""

_KINDS: tuple[tuple[type[LanguageModelError], Notice], ...] = (
    (LanguageModelUnreachableError, "unreachable"),
    (LanguageModelSlowError, "slow"),
    (LanguageModelBusyError, "busy"),
    (LanguageModelError, "failed"),
)


class GeneratingComposer:
    """Lets a language model write the answer; `quoting` answers where that fails."""

    def __init__(
        self, model: LanguageModel, supporter: Supporter, library: Library, quoting: Composer
    ) -> None:
        self._model = model
        self._supporter = supporter
        self._library = library
        self._quoting = quoting

    def compose(self, found: Found, generation: Generation) -> Composing:
        """Gives each sentence once it is verified, with the citations that it adds."""
        hits = reranked(found.result.hits, found.evidence)[:_SOURCES]
        passages = [hit.passage for hit in hits]
        answer = _Answer(self._supporter, self._library, passages, generation, _short_answer(found))
        failure: Notice | None = None
        try:
            yield from self._written(found.question, answer)
        except LanguageModelError as error:
            log.warning("%s", error)
            failure = next(name for kind, name in _KINDS if isinstance(error, kind))
        if answer.citations:
            return answer.composed(_notice_of(answer, failure, found.question))
        kind = failure or _why_nothing_is_left(answer)
        quoted = yield from self._quoting.compose(found, generation)
        return replace(quoted, notice=notice(kind, found.question), draft=answer.report())

    def _written(self, question: str, answer: "_Answer") -> Generator[Piece, None, None]:
        """The sentences that are kept. Raises LanguageModelError."""
        settings = self._model.settings
        room = settings.context_tokens - settings.answer_tokens - _RESERVE_TOKENS
        for attempt in range(1, _TRIES + 1):
            messages, shown = answer_prompt(question, answer.passages, room)
            try:
                written = self._model.stream(messages, settings.answer_tokens)
                yield from _sentences(written, answer, shown)
            except PromptTooLongError as error:
                if attempt == _TRIES:
                    raise
                log.info("trying a shorter prompt: %s", error)
                room = tokens_of(messages) // 2
            else:
                return


def _sentences(
    written: Generator[str, None, None], answer: "_Answer", shown: int
) -> Generator[Piece, None, None]:
    """The pieces that are left of what a model writes; `shown` of the passages are its sources."""
    draft = Draft()
    with closing(written):
        for text in written:
            yield from answer.keep(draft.take(text), shown)
            if not text:
                yield Waiting()
            if answer.declined or answer.drafted >= _MOST_SENTENCES:
                return
    yield from answer.keep(draft.end(), shown)


@dataclass(slots=True)
class _Answer:
    """The answer so far: what is kept of the draft, and how the draft fared."""

    supporter: Supporter
    library: Library
    passages: Sequence[StoredPassage]
    generation: Generation
    short: tuple[Quote, str] | None
    """The short answer: its span in a passage, and its words."""
    citations: list[Citation] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    declined: bool = False
    drafted: int = 0
    _sources: Sources | None = None
    _supported: int = 0
    _cited_rightly: int = 0
    _cited: int = 0
    _needed: int = 0
    _opens: bool = False
    _said: set[str] = field(default_factory=set)

    def keep(self, drafted: Sequence[Drafted], shown: int) -> Generator[Piece, None, None]:
        """What is kept of these sentences, with the citations that it adds."""
        for sentence in drafted:
            if NO_ANSWER.casefold() in sentence.text.casefold():
                self.declined = True
                return
            yield from self._kept(sentence, shown)

    def _kept(self, sentence: Drafted, shown: int) -> Generator[Piece, None, None]:
        self._opens = self._opens or sentence.opens
        self.drafted += 1
        # Numbers that there are none of are no citations; a sentence without any may still be true.
        named = [number for number in sentence.numbers if 1 <= number <= shown]
        self._cited += len(sentence.numbers)
        if self._sources is None:
            passages = self.passages[:shown]
            self._sources = self.supporter.sources(passages, self.generation.lexical)
        support = self.supporter.check(sentence.text, self._sources, named)
        if not support.is_enough or len(sentence.text.split()) < _LEAST_WORDS:
            return
        self._supported += 1
        needed = {self.passages.index(quote.passage) + 1 for quote in support.quotes} & set(named)
        self._cited_rightly += bool(needed)
        self._needed += len(needed)
        if sentence.text.casefold() in self._said:
            return
        numbers = yield from self._cite(support.quotes)
        if numbers:
            self._said.add(sentence.text.casefold())
            yield from self._say(sentence.text, numbers)

    def _cite(self, quotes: Sequence[Quote]) -> Generator[Piece, None, list[int]]:
        """Numbers of the citations of these places, those given that are new."""
        numbers = []
        for quote in quotes:
            known = next((c for c in self.citations if _is_of(c, quote)), None)
            if known is None:
                found = cite(
                    [self._with_short_answer(quote)], self.library, len(self.citations) + 1
                )
                self.citations += found
                yield from found
                numbers += [citation.number for citation in found]
            else:
                numbers.append(known.number)
        return numbers

    def _say(self, text: str, numbers: Sequence[int]) -> Iterator[Text]:
        between = "" if not self.texts else "\n\n" if self._opens else " "
        said = f"{between}{text} {' '.join(f'[{number}]' for number in numbers)}"
        self._opens = False
        self.texts.append(said)
        yield Text(said)

    def _with_short_answer(self, quote: Quote) -> Quote:
        if self.short is None:
            return quote
        span, _ = self.short
        holds = quote.passage is span.passage and quote.start <= span.start <= span.end <= quote.end
        return replace(quote, short_answer=(span.start, span.end)) if holds else quote

    def composed(self, said: str | None) -> Composed:
        """What the composer gives of it. The short answer is shown where the prose has it too."""
        words = self.short[1] if self.short else None
        is_said = words is not None and words.casefold() in "".join(self.texts).casefold()
        return Composed(
            citations=self.citations,
            texts=self.texts,
            short_answer=words if is_said else None,
            by="model",
            notice=said,
            draft=self.report(),
        )

    @property
    def is_shortened(self) -> bool:
        return self._supported < self.drafted

    def report(self) -> DraftReport:
        return DraftReport(
            sentences=self.drafted,
            supported=self._supported,
            recall=self._cited_rightly / self.drafted if self.drafted else None,
            precision=self._needed / self._cited if self._cited else None,
        )


def _notice_of(answer: _Answer, failure: Notice | None, question: str) -> str | None:
    if failure:
        return notice("interrupted", question)
    return notice("shortened", question) if answer.is_shortened else None


def _why_nothing_is_left(answer: _Answer) -> Notice:
    if answer.declined:
        return "declined"
    return "unsupported" if answer.drafted else "failed"


def _is_of(citation: Citation, quote: Quote) -> bool:
    place = (citation.document_id, citation.start, citation.end)
    return place == (quote.passage.document_id, quote.start, quote.end)


def _short_answer(found: Found) -> tuple[Quote, str] | None:
    """Where the reader sees the short answer, and its words."""
    best = found.evidence[0]
    if best.short_answer is None:
        return None
    passage, answer = best.hit.passage, best.short_answer
    span = Quote(passage, passage.start + answer.start, passage.start + answer.end)
    return span, _words(passage, answer)


def _words(passage: StoredPassage, answer: ShortAnswer) -> str:
    return passage.text[answer.start : answer.end]
