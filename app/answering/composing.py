"""What every composer is given, and what it gives: text with verified citations, as it comes."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, Protocol

from app.answering.citations import Citation
from app.answering.evidence import Evidence
from index.retriever import SearchResult
from index.views import View


@dataclass(frozen=True, slots=True)
class Found:
    """What was retrieved, and the evidence that was read in it, best first."""

    result: SearchResult
    evidence: list[Evidence]
    read_ms: float

    @property
    def question(self) -> str:
        """As it was searched: its spelling is mended."""
        return self.result.wording.corrected


@dataclass(frozen=True, slots=True)
class Text:
    """Words of the answer. Joined, they are the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing has happened for a moment: who no longer wants the answer can end it here."""


Piece = Citation | Text | Waiting
"""A citation comes before the text that cites it."""


@dataclass(frozen=True, slots=True)
class DraftReport:
    """How a language model's draft stood to its sources, before anything was left out.

    `recall` and `precision` are of its citations, as Gao et al. (2023), «Enabling Large Language
    Models to Generate Text with Citations», have them: the share of sentences that are supported by
    what they cite, and the share of citations that a supported sentence needs.
    """

    sentences: int
    supported: int
    """Sentences that the sources support, cited rightly or not: those that were kept."""
    recall: float | None
    """None when there was no sentence."""
    precision: float | None
    """None when there was no citation."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A whole answer, of which every sentence has a verified citation; without any it is none."""

    citations: list[Citation]
    texts: list[str]
    short_answer: str | None
    by: Literal["quotes", "model"] = "quotes"
    notice: str | None = None
    """What the reader should know of how it came about, in the language of the question."""
    draft: DraftReport | None = None


Composing = Generator[Piece, None, Composed]


class Composer(Protocol):
    """Makes an answer of what was found."""

    def compose(self, found: Found, view: View) -> Composing:
        """Gives each piece as soon as it is verified, and in the end all of them."""
        ...
