"""The quoting composer: answers with the documents' own words, and needs no language model."""

from collections.abc import Sequence

import numpy as np

from app.answering.answer_text import paragraphs, short_answer
from app.answering.citations import Quote, cite
from app.answering.composing import Composed, Composing, Found, Text
from app.answering.evidence import Evidence
from app.answering.question_kinds import wants_account, wants_list
from index.library import Library
from index.records import StoredPassage
from index.units import Unit, UnitKind
from index.views import View

MAX_QUOTES = 3
_CERTAINTY = 0.95
"""Quotes are added until one of them holds the answer with this probability."""
_LEAST_PROBABLE = 0.03
"""What is less probable to hold the answer is not quoted beside what is more so."""
_LIST_LETTERS = 1500
_ACCOUNT_LETTERS = 600
"""Letters of a paragraph that are quoted where one fact does not answer."""


class QuotingComposer:
    """Answers with quotes, a paragraph each."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def compose(self, found: Found, _: View) -> Composing:
        """Gives each quote with its citation; the short answer is taken from the first."""
        citations = cite(compose(found.question, found.evidence), self._library)
        texts = paragraphs(citations)
        for citation, text in zip(citations, texts, strict=True):
            yield citation
            yield Text(text)
        return Composed(citations, texts, short_answer(citations))


def compose(question: str, evidence: Sequence[Evidence]) -> list[Quote]:
    """The quotes that answer, best first: at most three, never the same words twice.

    A heading brings what stands under it, a line that leads into a list brings the list, a
    question for several things is answered with the whole list that holds the best item, one that
    wants an account with the sentences around the best, and a row of a table comes with the header
    row that says what its cells are.
    """
    if not evidence:
        return []
    quotes: list[Quote] = []
    certainty = 0.0
    for item, probability in zip(evidence, _probabilities(evidence), strict=True):
        if quotes and (
            certainty >= _CERTAINTY or probability < _LEAST_PROBABLE or len(quotes) >= MAX_QUOTES
        ):
            break
        certainty += probability
        quote = _quote(question, item)
        if not any(_says_same(quote, other) for other in quotes):
            quotes.append(quote)
            header = _header_row(item, quote)
            if header and not any(_says_same(header, other) for other in quotes):
                quotes.append(header)
    return quotes[:MAX_QUOTES]


def _probabilities(evidence: Sequence[Evidence]) -> list[float]:
    """That each unit is the one with the answer, if one of them is."""
    scores = np.array([item.score for item in evidence], dtype=np.float64)
    shares = np.exp(scores - scores.max())
    return [float(share) for share in shares / shares.sum()]


def _quote(question: str, item: Evidence) -> Quote:
    passage = item.hit.passage
    at = passage.units.index(item.unit)
    first, last = _extent(question, passage, at)
    end = passage.units[last].end
    start = passage.units[first].start
    if (
        first == 0
        and last > 0
        and passage.lead_start is not None
        and end - passage.lead_start <= _LIST_LETTERS
    ):
        start = passage.lead_start  # the list began before this passage
    # What answers a whole list answers no question for all of it.
    prose = all(unit.kind is UnitKind.SENTENCE for unit in passage.units[first : last + 1])
    short = _short_answer(item) if prose or first == last else None
    return Quote(passage, start, end, short)


def _short_answer(item: Evidence) -> tuple[int, int] | None:
    answer, start = item.short_answer, item.hit.passage.start
    return (start + answer.start, start + answer.end) if answer else None


def _header_row(item: Evidence, quote: Quote) -> Quote | None:
    """The header of the table that the unit is a row of, unless it is quoted with it."""
    passage = item.hit.passage
    units = passage.units
    if item.unit.kind is not UnitKind.TABLE_ROW:
        return None
    first = _run_start(units, units.index(item.unit))
    if first == 0 and passage.lead_start is not None:
        header = Quote(passage, passage.lead_start, passage.lead_start + len(passage.lead_in))
    else:
        header = Quote(passage, units[first].start, units[first].end)
    return header if header.end <= quote.start else None


def _extent(question: str, passage: StoredPassage, at: int) -> tuple[int, int]:
    """Indices of the first and last unit to be quoted for the unit at `at`."""
    units = passage.units
    unit = units[at]
    if unit.kind is UnitKind.HEADING:
        body = next((i for i in range(at + 1, len(units)) if not _is_heading(units[i])), at)
        return at, _list_end(passage, body) if _leads(passage, body) else body
    if _leads(passage, at):
        return at, _list_end(passage, at)
    if unit.kind is UnitKind.LIST_ITEM and wants_list(question):
        first = _run_start(units, at)
        last = _list_end(passage, at)
        if first > 0 and _leads(passage, first - 1):
            first -= 1
        if units[last].end - units[first].start <= _LIST_LETTERS:
            return first, last
    if unit.kind is UnitKind.SENTENCE and wants_account(question):
        return _surroundings(passage, at)
    return at, at


def _surroundings(passage: StoredPassage, at: int) -> tuple[int, int]:
    """Indices of the first and last sentence around the one at `at`, in the same paragraph.

    What follows a sentence explains it more often than what goes before.
    """
    units = passage.units
    first = last = at

    def fits(start: int, end: int) -> bool:
        whole = passage.text[units[start].start - passage.start : units[end].end - passage.start]
        return "\n\n" not in whole and len(whole) <= _ACCOUNT_LETTERS

    for _ in units:
        if last + 1 < len(units) and fits(first, last + 1):
            last += 1
        if first > 0 and fits(first - 1, last):
            first -= 1
    return first, last


def _run_start(units: Sequence[Unit], at: int) -> int:
    """Index of the first of the units of one kind that the unit at `at` stands among."""
    first = at
    while first > 0 and units[first - 1].kind is units[at].kind:
        first -= 1
    return first


def _leads(passage: StoredPassage, at: int) -> bool:
    """Whether the unit at `at` ends in a colon and a list follows."""
    units = passage.units
    if at + 1 >= len(units) or units[at + 1].kind is not UnitKind.LIST_ITEM:
        return False
    end = units[at].end - passage.start
    return passage.text[:end].endswith(":")


def _list_end(passage: StoredPassage, at: int) -> int:
    """Index of the last item of the list that begins at or after `at`."""
    last = at
    while last + 1 < len(passage.units) and passage.units[last + 1].kind is UnitKind.LIST_ITEM:
        last += 1
    return last


def _is_heading(unit: Unit) -> bool:
    return unit.kind is UnitKind.HEADING


def _says_same(left: Quote, right: Quote) -> bool:
    same_document = left.passage.document_id == right.passage.document_id
    if same_document and left.start < right.end and right.start < left.end:
        return True
    return left.text.split() == right.text.split()
