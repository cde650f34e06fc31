"""Conversations: what was said in them is kept, and read in the documents' words of the day.

A turn is on disk before an answer says that it is kept. An answer does not fail because it cannot
be: another process may write to the library for long, and the disk may be full. It then says so.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from app.answering.answer_text import paragraphs, refusal, short_answer
from app.answering.answerer import Answer
from app.answering.citations import Citation
from app.answering.conversation import Memory, Turn
from app.kept.conversation_records import (
    MAX_TURNS,
    ConversationRecords,
    ConversationSummary,
    KeptCitation,
    KeptConversation,
    KeptTurn,
)
from app.moments import now
from index.collection_names import Readable
from index.errors import (
    ConversationFullError,
    ConversationNotFoundError,
    LibraryError,
)
from index.library import Library
from index.records import CitedExcerpt, CitedSpan

log = logging.getLogger("kildesvar")

REMEMBERED = 20
"""Turns that complete a follow-up: as many as `messages` may hold."""
_TITLE_LETTERS = 80
_WAITS = 2.0
"""Seconds that an answer waits, at most, for others who write to the library."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A conversation that a question belongs to, and what was said in it, oldest first.

    Its key is None when it begins with this question.
    """

    id: str
    owner: str = ""
    key: int | None = None
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class ConversationTurn:
    """A question, and its answer as far as the documents still hold it.

    `gone` counts the citations whose document was deleted or changed since; when all are, the
    answer is empty.
    """

    asked_at: str
    question: str
    answered: bool
    answer: str
    short_answer: str | None
    citations: tuple[Citation, ...]
    gone: int

    @property
    def said(self) -> tuple[Turn, Turn]:
        """As `messages` have it: the question, then the short answer above the answer."""
        content = "\n\n".join(filter(None, (self.short_answer, self.answer)))
        return Turn("user", self.question), Turn("assistant", content)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with its turns, oldest first."""

    summary: ConversationSummary
    turns: tuple[ConversationTurn, ...]


class Conversations:
    """The conversations of one library, kept for `kept_days` days; none at all if that is 0."""

    def __init__(self, library: Library, kept_days: int) -> None:
        self.kept_days = kept_days
        self.records = ConversationRecords(library)
        self._library = library
        self._writing = threading.Lock()
        self._has_complained = False

    def resume(
        self, conversation_id: str, owner: str = "", collections: Readable = None
    ) -> Resumed:
        """What was said in a conversation of the `owner`, a caller's id, or a new one.

        What it cites of other collections than the owner may read is gone. Raises
        ConversationFullError.
        """
        if not self.kept_days:
            return Resumed(conversation_id, owner)
        try:
            kept = self.records.find(conversation_id, REMEMBERED, owner)
        except ConversationNotFoundError:
            return Resumed(conversation_id, owner)
        if kept.summary.turns >= MAX_TURNS:
            raise ConversationFullError(
                f"the conversation has {MAX_TURNS} questions, and takes no more; ask with another "
                "`conversation_id`, which begins a new one"
            )
        excerpts = self._library.read_by(collections).cited(_spans(kept), places=False)
        history = (said for turn in _turns(kept.turns, excerpts) for said in turn.said)
        return Resumed(conversation_id, owner, kept.key, tuple(history))

    def keep(self, resumed: Resumed, question: str, answer: Answer) -> str | None:
        """Adds a turn to the conversation; its id once that is on disk.

        None, after some seconds at most, when it cannot be written now, when the conversation has
        been deleted or filled meanwhile, and where none are kept.
        """
        if not self.kept_days:
            return None
        until = monotonic() + _WAITS
        # One at a time: each of the others would hold a connection while it waits.
        if not self._writing.acquire(timeout=_WAITS):
            return None  # who holds it says why
        try:
            waits = max(until - monotonic(), 0)
            is_kept = self.records.add(
                resumed.id,
                resumed.key,
                _kept(question, answer),
                title_of(question),
                waits,
                resumed.owner,
            )
        except LibraryError as error:
            self._complain(str(error))
            return None
        except Exception:  # of ours, and no reason to withhold the answer
            log.exception("a question of a conversation could not be kept")
            return None
        finally:
            self._writing.release()
        self._has_complained = False
        return resumed.id if is_kept else None

    def read(
        self, conversation_id: str, owner: str = "", collections: Readable = None
    ) -> Conversation:
        """The same to be read. Raises ConversationNotFoundError, of somebody else's as well."""
        kept = self.records.find(conversation_id, owner=owner)
        return as_of_now(kept, self._library.read_by(collections))

    def _complain(self, reason: str) -> None:
        """Says once why turns are not kept, until they are again."""
        if not self._has_complained:
            log.warning("questions of conversations are not kept now: %s", reason)
        self._has_complained = True


def as_of_now(kept: KeptConversation, library: Library) -> Conversation:
    """The conversation with the words that the library holds now at the places cited."""
    excerpts = library.cited(_spans(kept))
    return Conversation(kept.summary, tuple(_turns(kept.turns, excerpts)))


def title_of(question: str) -> str:
    """A question as a title: on one line, shortened at a word."""
    words = " ".join(question.split())
    if len(words) <= _TITLE_LETTERS:
        return words
    cut = words[:_TITLE_LETTERS].rpartition(" ")[0] or words[: _TITLE_LETTERS - 1]
    return cut.rstrip(" ,.;:–-") + "…"


def _kept(question: str, answer: Answer) -> KeptTurn:
    citations = tuple(
        KeptCitation(
            citation.number,
            CitedSpan(citation.document_id, citation.content_hash, citation.start, citation.end),
            citation.short_answer,
        )
        for citation in answer.citations
    )
    return KeptTurn(now(), question, answer.answered, answer.documents, citations)


def _spans(kept: KeptConversation) -> set[CitedSpan]:
    return {citation.span for turn in kept.turns for citation in turn.citations}


def _turns(
    kept: Sequence[KeptTurn], excerpts: dict[CitedSpan, CitedExcerpt]
) -> Iterator[ConversationTurn]:
    memory = Memory()
    for turn in kept:
        citations = tuple(
            _citation(citation, excerpts[citation.span])
            for citation in turn.citations
            if citation.span in excerpts
        )
        if turn.answered:
            answer = "".join(paragraphs(citations))
        else:  # what was searched follows from what was said before, as far as it still stands
            answer = refusal(memory.completed(turn.question), turn.documents)
        read = ConversationTurn(
            asked_at=turn.asked_at,
            question=turn.question,
            answered=turn.answered,
            answer=answer,
            short_answer=short_answer(citations),
            citations=citations,
            gone=len(turn.citations) - len(citations),
        )
        for said in read.said:
            memory.hear(said)
        yield read


def _citation(kept: KeptCitation, excerpt: CitedExcerpt) -> Citation:
    return Citation(
        number=kept.number,
        document_id=kept.span.document_id,
        title=excerpt.title,
        source=excerpt.source,
        content_hash=kept.span.content_hash,
        page=excerpt.page,
        heading_path=excerpt.heading_path,
        start=kept.span.start,
        end=kept.span.end,
        quote=excerpt.text,
        short_answer=kept.short_answer,
    )
