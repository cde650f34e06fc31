"""Citations: where each quote stands, verified against the library before it leaves.

The one invariant of every composer: `document.text[start:end] == quote`.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from index.library import Library
from index.records import StoredPassage

log = logging.getLogger("kildesvar")


@dataclass(frozen=True, slots=True)
class Quote:
    """A span of a document, chosen to be quoted: `start` and `end` are offsets in its text.

    It lies in `passage`, or begins at the lead-in of the passage's list, or is the header row that
    its part of a table lacks. `short_answer` is a span within it.
    """

    passage: StoredPassage
    start: int
    end: int
    short_answer: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The part of the quote that lies in the passage: enough to compare quotes by."""
        if self.end <= self.passage.start:
            return self.passage.lead_in
        begin = max(self.start - self.passage.start, 0)
        return self.passage.text[begin : self.end - self.passage.start]


@dataclass(frozen=True, slots=True)
class Citation:
    """A span of a document's text, in code points, and the words that stand there."""

    number: int
    document_id: str
    title: str
    source: str
    content_hash: str
    page: int | None
    heading_path: tuple[str, ...]
    start: int
    end: int
    quote: str
    short_answer: tuple[int, int] | None
    """Where in the document's text the short answer stands, if this quote holds it."""

    @property
    def short_answer_text(self) -> str | None:
        """The words of the short answer, if this quote holds it."""
        if self.short_answer is None:
            return None
        start, end = self.short_answer
        return self.quote[start - self.start : end - self.start]


def cite(quotes: Iterable[Quote], library: Library, first: int = 1) -> list[Citation]:
    """Citations numbered from `first`, each with the words that the library holds at its span.

    A quote whose document has changed or gone since it was found is left out: an answer may become
    poorer for a moment, never wrong.
    """
    citations: list[Citation] = []
    for quote in quotes:
        passage = quote.passage
        excerpt = library.excerpt(passage.document_id, quote.start, quote.end)
        if excerpt is None or excerpt.content_hash != passage.content_hash:
            log.info("document %s changed while it was being quoted", passage.document_id)
            continue
        citations.append(
            Citation(
                number=first + len(citations),
                document_id=passage.document_id,
                title=passage.title,
                source=passage.source,
                content_hash=passage.content_hash,
                page=excerpt.page,
                heading_path=passage.heading_path,
                start=quote.start,
                end=quote.end,
                quote=excerpt.text,
                short_answer=quote.short_answer,
            )
        )
    return citations
