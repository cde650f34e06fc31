"""A conversation as a Markdown document, with its sources."""

import re
from collections.abc import Iterator

from app.answering.citations import Citation
from app.kept.conversations import Conversation, ConversationTurn
from index.language import detect_language

_SOURCES = {"nb": "Kilder:", "nn": "Kjelder:", "en": "Sources:"}
_GONE = {
    "nb": ("Én kilde er ikke lenger blant dokumentene.", "{} kilder er ikke lenger der."),
    "nn": ("Éi kjelde er ikkje lenger blant dokumenta.", "{} kjelder er ikkje lenger der."),
    "en": ("One source is no longer in the documents.", "{} sources are no longer there."),
}
_PAGE = {"nb": "side", "nn": "side", "en": "page"}

_MARKUP = re.compile(r"[\\`*_\[\]<>#|~&$]|:(?=//)|(?<=www)\.")
"""What may be markup anywhere in a line; the last two make addresses into links."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LEAD = re.compile(r"[-+=:]|\d{1,9}(?=[.)](?: |$))")
"""What may be markup at the beginning of a line."""


def as_markdown(conversation: Conversation) -> str:
    """Questions as headings, answers as quotes, and where each of these stands.

    No word of a document or a person becomes markup.
    """
    parts = [f"# {_on_a_line(conversation.summary.title)}"]
    for turn in conversation.turns:
        parts += _turn(turn)
    return "\n\n".join(parts) + "\n"


def _turn(turn: ConversationTurn) -> Iterator[str]:
    language = detect_language(turn.question)
    yield f"## {_on_a_line(turn.question)}"
    yield turn.asked_at[:16].replace("T", " ") + " UTC"
    if short := _on_a_line(turn.short_answer or ""):
        yield f"**{short}**"
    if turn.answer:
        yield _quoted(turn.answer)
    if turn.citations:
        yield _SOURCES[language]
        yield "\n".join(_source(citation, _PAGE[language]) for citation in turn.citations)
    if turn.gone:
        one, several = _GONE[language]
        yield f"*{one if turn.gone == 1 else several.format(turn.gone)}*"


def _source(citation: Citation, page: str) -> str:
    numbered = f"{page} {citation.page}" if citation.page else ""
    where = " › ".join(dict.fromkeys([citation.title, *citation.heading_path]))
    place = ", ".join(filter(None, (where, numbered, citation.source)))
    return f"- \\[{citation.number}\\] {_on_a_line(place)}"


def _quoted(text: str) -> str:
    """As a quote whose lines stay lines."""
    lines = [_on_a_line(line) for line in text.splitlines()]
    quoted = []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        is_broken = line and after
        quoted.append(f"> {line}\\" if is_broken else f"> {line}".rstrip())
    return "\n".join(quoted)


def _on_a_line(text: str) -> str:
    return _escaped(" ".join(_CONTROL.sub(" ", text).split()))


def _escaped(line: str) -> str:
    escaped = _MARKUP.sub(r"\\\g<0>", line)
    lead = _LEAD.match(escaped)
    if lead is None:
        return escaped
    at = lead.end() if lead.group()[0].isdigit() else 0
    return f"{escaped[:at]}\\{escaped[at:]}"
