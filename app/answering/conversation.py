"""Conversations: the standalone question that a follow-up stands for.

«Og i 2024?» and «Hvem leder det?» say too little to be searched. What they leave out is taken from
the turns before, and a question that stands by itself is left exactly as it is: to drag old words
into a new topic does more harm than to miss a hint. Rules and word lists, no language model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.answering.grammar.completion import (
    substitute,
    with_question_word,
    with_referent,
    with_thing_pointed_out,
    with_topic,
)
from app.answering.grammar.phrases import Question, parse
from app.answering.grammar.references import reference_of
from app.answering.grammar.referents import Before
from app.answering.grammar.small_words import Kind

MAX_STANDALONE = 2000
"""Letters of a completed question; where it would be longer, the question stays as it is."""
_LONG = 400
"""Letters of a question that says enough by itself."""
_REMEMBERED = 3
"""Questions that a pronoun may point back to."""
_SHORT = 4
"""Words of what may leave out its verb without an «og»."""

_LEAD = re.compile(
    r"^(?:(?:takk|ok|ja|nei|thanks|yes|no)[,.! ]+"
    r"(?=(?:og|men|hva med|kva med|and|but|what about)\b))?"
    r"(?:(?:og|and|men|but|enn)\b[ ,]*)?"
    r"(?:(?:så )?(?:hva|kva|what|how)(?: så)? (?:med|about)\b|(?<=enn )om\b|(?<=og )så\b)?[ ,]*",
    re.IGNORECASE,
)
"""«Og», «Hva med», «And what about»: what announces that something is left out."""
_TRAILING = re.compile(r"[ ,]+(?:da|då|then|så|det|that)(?=\W*$)", re.IGNORECASE)
_END = re.compile(r"[ ?!.…]*$")
_COURTESY = re.compile(
    r"(?:tusen |mange |so |thank )*(?:takk|thanks|you|hei|hello|ok|okei|fint|flott|bra|supert)\W*",
    re.IGNORECASE,
)
"""What changes no topic."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said. An assistant's is the text of an answer, which may begin with the short
    answer on a line of its own.
    """

    role: Literal["user", "assistant"]
    content: str


class Memory:
    """What was said, turn by turn, as far as a question may lean on it."""

    def __init__(self) -> None:
        self._earlier: list[Before] = []
        self._answers_last = False

    def hear(self, turn: Turn) -> None:
        if turn.role == "assistant":
            if self._answers_last:
                self._earlier[0] = replace(self._earlier[0], answer=turn.content)
        elif len(turn.content) > _LONG:
            self._earlier, self._answers_last = [], False  # to guess at what it was about is worse
        else:
            asked = parse(self.completed(turn.content))
            self._answers_last = bool(asked.phrases) and not _COURTESY.fullmatch(asked.text)
            if self._answers_last:
                self._earlier = [Before(asked), *self._earlier[: _REMEMBERED - 1]]

    def completed(self, question: str) -> str:
        """`question` as it would be asked without what was said before it."""
        return _completed(question, self._earlier)


def standalone(question: str, history: Sequence[Turn] = ()) -> str:
    """`question` as it would be asked without the turns before it, which are oldest first.

    The very same string when it stands by itself. Never of more than 2,000 letters, unless
    `question` is.
    """
    memory = Memory()
    for turn in history:
        memory.hear(turn)
    return memory.completed(question)


def _completed(text: str, earlier: Sequence[Before]) -> str:
    if not earlier or len(text) > _LONG:
        return text
    completed = _attempt(" ".join(text.split()), earlier)
    if completed is None or len(completed) > MAX_STANDALONE:
        return text
    return _upper(_END.sub("", " ".join(completed.split()))) + "?"


def _attempt(text: str, earlier: Sequence[Before]) -> str | None:
    """The question that `text` stands for; None when it stands by itself."""
    last = earlier[0]
    lead = _LEAD.match(text)
    question = parse(text[lead.end() :] if lead else text)
    led = bool(lead) and question.text != text
    if not question.words:
        return None
    if question.words[0].kind is Kind.QUESTION:
        question = parse(_upper(question.text))
    if asked_now := _question_word_alone(question):
        return with_question_word(asked_now, last)
    if reference := reference_of(question):
        return with_referent(question, reference, earlier)
    if pointed_out := with_thing_pointed_out(question, earlier):
        return pointed_out
    if question.verb is None or len(question.words) == 1:
        is_fragment = led or _is_fragment(question, last.question)
        return substitute(_fragment(question.text, led), last) if is_fragment else None
    return with_topic(question, last) if _lacks_topic(question, led) else None


def _question_word_alone(question: Question) -> str | None:
    """«Hvorfor ikke», «Av hvem», without the «da» that may follow; None when it says more."""
    words = question.words[1:] if question.words[0].kind is Kind.PREPOSITION else question.words
    if not words or words[0].kind is not Kind.QUESTION:
        return None
    says_more = any(
        word.kind not in (Kind.QUESTION, Kind.PARTICLE)
        and word.lower not in ("det", "that", "da", "då")
        for word in words
    )
    return None if says_more else _TRAILING.sub("", _END.sub("", question.text))


def _is_fragment(question: Question, before: Question) -> bool:
    """Whether it is too short to be a search by itself («For 2024?», «Kapittel 9?»)."""
    words = question.words
    if not question.text.endswith("?") or len(words) > _SHORT:
        return False
    if words[0].kind in (Kind.PREPOSITION, Kind.NUMBER):
        return True
    return any(phrase.words[0].lower == words[0].lower for phrase in before.phrases)


def _fragment(text: str, led: bool) -> str:
    fragment = _TRAILING.sub("", _END.sub("", text))
    return fragment if led else fragment[:1].lower() + fragment[1:]


def _lacks_topic(question: Question, led: bool) -> bool:
    """Whether it names nothing («Hvem skrev under?»), or after «og» nothing in particular."""
    if question.words[0].kind is not Kind.QUESTION:
        return False
    return not question.phrases or (
        led and not any(phrase.is_definite for phrase in question.phrases)
    )


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
