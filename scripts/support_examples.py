"""Statements with the passage that they are based on, and whether it supports them.

Made of questions with known answers: in a Norwegian question that begins with what it asks for, the
answer may stand in its place, and the words then make a statement («Hvem ledet rådet?», «Kari
Nordmann» gives «Kari Nordmann ledet rådet.»). What is not supported is made of the same: with
another answer, from the same passage, to another question of the same document or from elsewhere;
with another passage; with a «ikke», or without the one that a sentence of a passage has.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from app.answering.evidence import text_of
from app.assembly import Kildesvar
from index.records import StoredPassage
from index.units import UnitKind
from scripts.questions import GoldQuestion, places

Kind = Literal[
    "stated",
    "repeated",
    "neighbour answer",
    "other answer",
    "other passage",
    "near passage",
    "other question's answer",
    "denied",
    "affirmed",
]
SUPPORTED: tuple[Kind, ...] = ("stated", "repeated")

_ASKED_FOR = re.compile(
    r"^(?:hvor (?:mange|mye|stor|stort|lenge|gammel|langt?|høy|høyt) ?|kor (?:mange|mykje|stor|"
    r"stort|lenge|gammal|langt?|høg|høgt) ?|hvilke[nt]?(?: \w+)?|kva for (?:ei|ein|eit)? ?\w+|"
    r"hva|kva|hvem|kven|når|hvor|kvar)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:er|var|har|hadde|ble|blei|vart|blir|vert|kan|kunne|skal|skulle|vil|ville|må|måtte)\b"
)
_NOT = re.compile(r" ikke\b")
_MOST_LETTERS = 200
_NUMBER = re.compile(r"(?<![\d.,])\d[\d. ]*\d|\d")
_NAME = re.compile(r"(?<=[^.!?:\s]\s)[A-ZÆØÅ][\w-]+(?:\s[A-ZÆØÅ][\w-]+)*")


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, the passages that it names as its sources, and what was done to it."""

    text: str
    passages: tuple[StoredPassage, ...]
    kind: Kind

    @property
    def is_supported(self) -> bool:
        return self.kind in SUPPORTED


def statements(
    kildesvar: Kildesvar,
    questions: Sequence[GoldQuestion],
    documents: dict[str, str],
    texts: dict[str, str],
    chance: random.Random,
) -> Iterator[Statement]:
    """One supported statement a question, and one of each kind that is not, where there is any."""
    answers = sorted({question.answers[0] for question in questions})
    answered = list(_answered(kildesvar, questions, documents, texts))
    of_document: dict[str, list[_Answered]] = defaultdict(list)
    for one in answered:
        of_document[one.passage.document_id].append(one)
    seen: set[int] = set()
    for one in answered:
        yield Statement(one.stated, (one.passage,), "stated")
        yield from _with_another_answer(one, answers, of_document, chance)
        yield from _of_another_passage(one, kildesvar, chance)
        if denied := _denied(one.stated):
            yield Statement(denied, (one.passage,), "denied")
        if one.passage.id not in seen:
            seen.add(one.passage.id)
            yield from _about_what_is_not(one.passage)


@dataclass(frozen=True, slots=True)
class _Answered:
    """A question, its answer and the passage that has it, and the two as a statement."""

    question: str
    answer: str
    passage: StoredPassage
    stated: str


def _answered(
    kildesvar: Kildesvar,
    questions: Sequence[GoldQuestion],
    documents: dict[str, str],
    texts: dict[str, str],
) -> Iterator[_Answered]:
    library = kildesvar.library
    for question in questions:
        name = question.document or ""
        own = documents[name]
        gold = places(question, texts[name], library.document(own).text)
        passages = library.passages(library.passages_of({own})).values()
        right = next((p for p in passages if gold and _holds(p, gold[0])), None)
        answer = question.answers[0]
        stated = statement(question.question, answer)
        if right is not None and stated is not None:
            yield _Answered(question.question, answer, right, stated)


def _with_another_answer(
    one: _Answered,
    answers: Sequence[str],
    of_document: dict[str, list[_Answered]],
    chance: random.Random,
) -> Iterator[Statement]:
    if other := _another_within(one.passage.text, one.answer, chance):
        text = statement(one.question, other) or ""
        yield Statement(text, (one.passage,), "neighbour answer")
    if other := _another(answers, one.answer, one.passage.text, chance):
        yield Statement(statement(one.question, other) or "", (one.passage,), "other answer")
    beside = [
        b
        for b in of_document[one.passage.document_id]
        if not _share_words(b.answer, one.answer) and b.question != one.question
    ]
    if beside:
        chosen = chance.choice(beside)
        text = statement(one.question, chosen.answer) or ""
        passages = tuple({p.id: p for p in (one.passage, chosen.passage)}.values())
        yield Statement(text, passages, "other question's answer")


def _of_another_passage(
    one: _Answered, kildesvar: Kildesvar, chance: random.Random
) -> Iterator[Statement]:
    library, generation = kildesvar.library, kildesvar.generation()
    answer = one.answer.casefold()
    passages = library.passages(library.passages_of({one.passage.document_id})).values()
    beside = [p for p in passages if answer not in p.text.casefold()]
    if beside:
        yield Statement(one.stated, (chance.choice(beside),), "other passage")
    hits = kildesvar.retriever.search(generation, one.stated, 5).hits
    near = [h.passage for h in hits if answer not in h.passage.text.casefold()]
    if near:
        yield Statement(one.stated, (near[0],), "near passage")


def _share_words(left: str, right: str) -> bool:
    return bool({*left.casefold().split()} & {*right.casefold().split()})


def statement(question: str, answer: str) -> str | None:
    """The question with its answer in the place of what it asks for; None where that fails."""
    asked = _ASKED_FOR.match(question)
    rest = question[asked.end() :].strip(" ?") if asked else ""
    if not rest or len(answer) > 120:
        return None
    return f"{answer[:1].upper()}{answer[1:]} {rest}."


def _another_within(text: str, answer: str, chance: random.Random) -> str | None:
    """A number or name of `text` that is not part of `answer`, and of its kind."""
    pattern = _NUMBER if answer[0].isdigit() else _NAME
    if pattern is _NAME and not answer[0].isupper():
        return None
    found = [w for w in pattern.findall(text) if w not in answer and answer not in w]
    return chance.choice(found).strip() if found else None


def _another(answers: Sequence[str], answer: str, text: str, chance: random.Random) -> str | None:
    """An answer to another question, of the same kind of words, that `text` lacks."""
    for _ in range(20):
        other = chance.choice(answers)
        alike = (
            other[0].isdigit() == answer[0].isdigit() and other[0].isupper() == answer[0].isupper()
        )
        if alike and other.casefold() not in text.casefold():
            return other
    return None


def _denied(stated: str) -> str | None:
    verb = _VERB.search(stated)
    return f"{stated[: verb.end()]} ikke{stated[verb.end() :]}" if verb else None


def _about_what_is_not(passage: StoredPassage) -> Iterator[Statement]:
    """A sentence of the passage with a «ikke», and the same without it."""
    sentences = (text_of(passage, u) for u in passage.units if u.kind is UnitKind.SENTENCE)
    fitting = (text for text in sentences if _NOT.search(text) and len(text) < _MOST_LETTERS)
    for text in islice(fitting, 1):
        yield Statement(text, (passage,), "repeated")
        yield Statement(_NOT.sub("", text, count=1), (passage,), "affirmed")


def _holds(passage: StoredPassage, span: tuple[int, int]) -> bool:
    return passage.start <= span[0] and span[1] <= passage.end
