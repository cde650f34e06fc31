"""Conversations as chat clients hold them: messages in, an answer in Markdown out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from app.answering.answerer import Answer, Event
from app.answering.citations import Citation
from app.answering.composing import Text
from app.answering.conversation import Turn
from app.openai_api.errors import ChatRequestError
from app.openai_api.markdown_text import MarkdownText, markdown, text_of
from app.openai_api.schemas import ChatMessage
from app.schemas import MAX_MESSAGE, MAX_MESSAGES, MAX_QUESTION
from index.language import detect_language

_SOURCES = {"nb": "Kilder", "nn": "Kjelder", "en": "Sources"}
_PAGES = {"nb": "side", "nn": "side", "en": "page"}

_MOST_MARKED = 4 * MAX_MESSAGE
"""Letters of an answer with its marks and sources, of which as many are looked at as may count."""
# Of the documents' words, once they are Markdown, none begins with a star.
_LEAD = re.compile(r"^\*\*(.+?)\*\*(?=\n)")
_AFTER_TEXT = "\n\n*"


@dataclass(frozen=True, slots=True)
class Asked:
    """The question that a conversation ends with, and the turns before it, oldest first."""

    question: str
    history: tuple[Turn, ...]


def asked_in(messages: Sequence[ChatMessage]) -> Asked:
    """The last message of the user as the question; what comes after it is left out.

    Of the turns before as many are kept as may matter, and as much of each. Raises
    ChatRequestError when there is no question, or none that can be read.
    """
    at = next((at for at in reversed(range(len(messages))) if messages[at].role == "user"), None)
    if at is None:
        raise ChatRequestError(
            "there is no question: the last message of role user is answered", "messages"
        )
    question = _question(messages[at], f"messages.{at}.content")
    latest_first = (turn for message in reversed(messages[:at]) if (turn := _turn(message)))
    turns = list(islice(latest_first, MAX_MESSAGES))
    return Asked(question, tuple(reversed(turns)))


def _question(message: ChatMessage, place: str) -> str:
    parts = message.content if isinstance(message.content, list) else []
    if others := sorted({part.type for part in parts} - {"text"}):
        raise ChatRequestError(
            f"the question has a part of type {', '.join(others)}, and only text can be read; send "
            "the words alone",
            place,
        )
    question = _text(message).strip()
    if not question:
        raise ChatRequestError("the last message of role user is empty; ask something", place)
    if len(question) > MAX_QUESTION:
        raise ChatRequestError(
            f"the question, which is the last message of role user, has {len(question):,} "
            f"characters; the most are {MAX_QUESTION:,}, so ask for less at a time",
            place,
        )
    return question


def _turn(message: ChatMessage) -> Turn | None:
    """What was said before, if a person or this service said it."""
    text = _text(message)
    if not text.strip():
        return None
    if message.role == "user":
        return Turn("user", text[:MAX_MESSAGE])
    if message.role == "assistant":
        return Turn("assistant", answer_of(text[:_MOST_MARKED])[:MAX_MESSAGE])
    return None


def _text(message: ChatMessage) -> str:
    if isinstance(message.content, list):
        return "\n".join(part.text for part in message.content if part.type == "text")
    return message.content or ""


class Reply:
    """An answer as the content of a message, in pieces: the short answer, where the text begins
    with saying it, the text, what the reader should know of it, and the sources."""

    def __init__(self) -> None:
        self._text = MarkdownText()
        self._short_answer = ""
        self._has_text = False

    def piece(self, event: Event) -> str:
        """What is added to the content by what happens on the way to the answer."""
        if isinstance(event, Text):
            lead = "" if self._has_text else self._lead(event.text)
            self._has_text = True
            return lead + self._text.add(event.text)
        if isinstance(event, Citation) and not self._has_text:
            self._short_answer = self._short_answer or event.short_answer_text or ""
        if isinstance(event, Answer):
            return self._text.end() + _notice(event) + _sources(event)
        return ""

    def _lead(self, text: str) -> str:
        short = _line(self._short_answer)
        is_said = short and self._short_answer.casefold() in text.casefold()
        return f"**{short}**\n\n" if is_said else ""


def answer_of(content: str) -> str:
    """The short answer, an empty line and the text, of what a Reply made."""
    text, found, _ = content.partition(_AFTER_TEXT)
    return text_of(_LEAD.sub(r"\1", text.rstrip() if found else content))


def _notice(answer: Answer) -> str:
    return f"\n\n*{_line(answer.notice)}*" if answer.notice else ""


def _sources(answer: Answer) -> str:
    if not answer.citations:
        return ""
    language = detect_language(answer.question)
    lines = [_source(citation, _PAGES[language]) for citation in answer.citations]
    return "\n".join([f"\n\n**{_SOURCES[language]}**\n", *lines])


def _source(citation: Citation, page: str) -> str:
    place = f", {page} {citation.page}" if citation.page else ""
    headings = [_line(text) for text in citation.heading_path if text != citation.title]
    return " › ".join([f"- [{citation.number}] {_line(citation.title)}{place}", *headings])


def _line(text: str) -> str:
    return markdown(" ".join(text.split()), within_line=True)
