"""The generating composer: prose of a language model, of which only what the sources say is kept.

Each sentence is checked as soon as it is whole, and leaves with citations of the very places that
support it. Where the model fails, or nothing is left, the answer is quoted instead, and says so.
"""

import logging
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

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
)
from app.answering.drafting import Draft, Drafted
from app.answering.evidence import reranked
from app.answering.notices import Notice, notice
from app.answering.prompts import NO_ANSWER, answer_prompt, tokens_of
from app.answering.support import Sources, Support, Supporter
from app.language_model_errors import (
    LanguageModelBusyError,
    LanguageModelError,
    LanguageModelSlowError,
    LanguageModelUnreachableError,
    PromptTooLongError,
)
from index.library import Library
from index.views import View

if TYPE_CHECKING:
    from app.language_model import LanguageModel

log = logging.getLogger("kildesvar")

_SOURCES = 5
_LEAST_WORDS = 3
"""Of a sentence: one or two stand in many a source, and say nothing that could be supported."""
_REFERS_BACK = re.compile(
    r"(?:den|dei?|dem|dette|denne|disse|desse|han|hun|ho|slik|dermed|derfor|difor|i tillegg|også|"
    r"they|this|these|those|he|she|it|also)\b",
    re.IGNORECASE,
)
"""Begins a sentence that is about what was said before: without that it says something else."""
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
        self, model: "LanguageModel", supporter: Supporter, library: Library, quoting: Composer
    ) -> None:
        self._model = model
        self._supporter = supporter
        self._library = library
        self._quoting = quoting

    def compose(self, found: Found, view: View) -> Composing:
        """Gives each sentence once it is verified, with the citations that it adds."""
        hits = reranked(found.result.hits, found.evidence)[:_SOURCES]
        passages = [hit.passage for hit in hits]
        sources = self._supporter.sources(passages, view.lexical)
        answer = _Answer(self._supporter, self._library, sources, _short_answer(found))
        failure: Notice | None = None
        try:
            yield from self._written(found.question, answer)
        except LanguageModelError as error:
            log.warning("%s", error)
            failure = next(name for kind, name in _KINDS if isinstance(error, kind))
        draft = answer.tally.report()
        if answer.citations:
            said = _notice_of(answer, failure, found.question)
            return Composed(
                answer.citations, answer.texts, answer.short_answer, "model", said, draft
            )
        kind = failure or _why_nothing_is_left(answer)
        quoted = yield from self._quoting.compose(found, view)
        return replace(quoted, notice=notice(kind, found.question), draft=draft)

    def _written(self, question: str, answer: "_Answer") -> Generator[Piece, None, None]:
        """The sentences that are kept. Raises LanguageModelError."""
        settings = self._model.settings
        room = settings.context_tokens - settings.answer_tokens - _RESERVE_TOKENS
        for attempt in range(1, _TRIES + 1):
            messages, shown = answer_prompt(question, answer.sources.passages, room)
            written = self._model.stream(messages, settings.answer_tokens)
            try:
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
    try:
        with closing(written):
            for text in written:
                yield from answer.keep(draft.take(text), shown)
                if not text:
                    yield Waiting()
                if answer.has_declined or answer.tally.sentences >= _MOST_SENTENCES:
                    return
    except LanguageModelError:
        yield from answer.keep(draft.break_off(), shown)
        raise
    yield from answer.keep(draft.end(), shown)


@dataclass(slots=True)
class _Tally:
    """How the draft stood to its sources, sentence by sentence."""

    sentences: int = 0
    supported: int = 0
    cited_rightly: int = 0
    citations: int = 0
    needed: int = 0

    def count(self, sentence: Drafted, support: Support, needed: set[int]) -> None:
        """`needed` are the numbers that the sentence has and that support it."""
        self.sentences += 1
        self.citations += len(sentence.numbers)
        if support.is_enough:
            self.supported += 1
            self.cited_rightly += bool(needed)
            self.needed += len(needed)

    def report(self) -> DraftReport | None:
        if not self.sentences:
            return None
        return DraftReport(
            sentences=self.sentences,
            supported=self.supported,
            recall=self.cited_rightly / self.sentences,
            precision=self.needed / self.citations if self.citations else None,
        )


@dataclass(slots=True)
class _Answer:
    """The answer so far: what is kept of the draft."""

    supporter: Supporter
    library: Library
    sources: Sources
    short: Quote | None
    """Where the reader sees the short answer."""
    tally: _Tally = field(default_factory=_Tally)
    citations: list[Citation] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    has_declined: bool = False
    has_written: bool = False
    is_shortened: bool = False
    _said: list[str] = field(default_factory=list)
    _opens: bool = False
    _lacks_one: bool = False
    """Whether the sentence before was left out."""

    def keep(self, drafted: Sequence[Drafted], shown: int) -> Generator[Piece, None, None]:
        """What is kept of these sentences, with the citations that it adds."""
        for sentence in drafted:
            if sentence.text.strip(' .!«»"()').casefold() == NO_ANSWER.casefold():
                self.has_declined = True
                return
            self.has_written = True
            self._opens = self._opens or sentence.opens
            if len(sentence.text.split()) >= _LEAST_WORDS:
                is_kept = yield from self._kept(sentence, shown)
                self._lacks_one = not is_kept
                self.is_shortened = self.is_shortened or not is_kept

    def _kept(self, sentence: Drafted, shown: int) -> Generator[Piece, None, bool]:
        # Numbers that there are none of are no citations; a sentence without any may still be true.
        named = [number for number in sentence.numbers if 1 <= number <= shown]
        among = named or range(1, shown + 1)
        support = self.supporter.check(sentence.text, self.sources, among)
        places = {self.sources.passages.index(quote.passage) + 1 for quote in support.quotes}
        self.tally.count(sentence, support, places & set(named))
        if not support.is_enough or (self._lacks_one and _REFERS_BACK.match(sentence.text)):
            return False
        if sentence.text not in self._said:
            numbers = yield from self._cite(support.quotes)
            if not numbers:
                return False
            yield from self._say(sentence.text, numbers)
        return True

    def _cite(self, quotes: Sequence[Quote]) -> Generator[Piece, None, list[int]]:
        """Numbers of the citations of these places, those given that are new.

        None at all where one of the places is gone: the others were not found enough.
        """
        known = {c.number: (c.document_id, c.start, c.end) for c in self.citations}
        new = [q for q in quotes if _place(q) not in known.values()]
        short = [self._with_short_answer(quote) for quote in new]
        found = cite(short, self.library, first=len(self.citations) + 1)
        if len(found) < len(new):
            return []
        self.citations += found
        yield from found
        known |= {c.number: (c.document_id, c.start, c.end) for c in found}
        wanted = {_place(quote) for quote in quotes}
        return [number for number, place in known.items() if place in wanted]

    def _say(self, text: str, numbers: Sequence[int]) -> Iterator[Text]:
        between = "" if not self.texts else "\n\n" if self._opens else " "
        said = f"{between}{text} {' '.join(f'[{number}]' for number in numbers)}"
        self._opens = False
        self._said.append(text)
        self.texts.append(said)
        yield Text(said)

    def _with_short_answer(self, quote: Quote) -> Quote:
        short = self.short
        if short is None or short.passage is not quote.passage:
            return quote
        holds = quote.start <= short.start and short.end <= quote.end
        return replace(quote, short_answer=(short.start, short.end)) if holds else quote

    @property
    def short_answer(self) -> str | None:
        """The words of the short answer, where the prose has them too."""
        words = self.short.text if self.short else ""
        whole = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
        return words if words and any(map(whole.search, self._said)) else None


def _notice_of(answer: _Answer, failure: Notice | None, question: str) -> str | None:
    if failure:
        return notice("interrupted", question)
    return notice("shortened", question) if answer.is_shortened else None


def _why_nothing_is_left(answer: _Answer) -> Notice:
    if answer.has_declined:
        return "declined"
    return "unsupported" if answer.has_written else "failed"


def _place(quote: Quote) -> tuple[str, int, int]:
    return quote.passage.document_id, quote.start, quote.end


def _short_answer(found: Found) -> Quote | None:
    """Where the reader sees the short answer."""
    best = found.evidence[0]
    passage, answer = best.hit.passage, best.short_answer
    if answer is None:
        return None
    return Quote(passage, passage.start + answer.start, passage.start + answer.end)
