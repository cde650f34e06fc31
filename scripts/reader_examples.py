"""What the reader learns from: questions with a passage that answers, and with some that do not."""

import json
import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from app.assembly import Kildesvar
from index.reading.reader import context_of
from index.reading.tokens import PassageTokens, ReaderTokenization
from index.records import StoredPassage
from scripts.evaluate import documents_by_name
from scripts.questions import GoldQuestion, places

HELD_OUT = 12
"""One document in so many is kept from training, to see how it goes and to fit what comes after."""
_NEGATIVES = 10
"""Passages that the retriever finds for a question, from which the wrong ones are drawn."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """A question and its passages: the first answers, at the tokens `answer`, if that is given."""

    question: str
    passages: tuple[PassageTokens, ...]
    answer: Span | None
    """First and last token of the answer among the first passage's tokens; None: none answers."""
    text: str
    """What the first passage and its context say."""
    document: str
    """NorQuAD's name of it, or the line in another file."""


def is_held_out(document: str) -> bool:
    return zlib.crc32(document.encode()) % HELD_OUT == 0


def norquad_groups(
    kildesvar: Kildesvar,
    tokenization: ReaderTokenization,
    questions: Sequence[GoldQuestion],
    texts: dict[str, str],
) -> list[Group]:
    """One group a question: the passage with its answer, and the wrong ones retrieved with it."""
    library, generation = kildesvar.library, kildesvar.generation()
    documents = documents_by_name(library, texts)
    tokens: dict[int, PassageTokens] = {}

    def tokens_of(passage: StoredPassage) -> PassageTokens:
        if passage.id not in tokens:
            tokens[passage.id] = tokenization.passage(context_of(passage), passage.text)
        return tokens[passage.id]

    groups = []
    for question in track(questions, "Passages"):
        name = question.document or ""
        own = documents[name]
        gold = places(question, texts[name], library.document(own).text)
        if not gold:
            continue
        ids = library.passages_of({own})
        holding = [p for p in library.passages(ids).values() if _within(gold[0], p)]
        if not holding:
            continue
        right = holding[0]
        span = (gold[0][0] - right.start, gold[0][1] - right.start)
        answer = token_span(tokens_of(right).spans, span)
        if answer is None:
            continue
        hits = kildesvar.retriever.search(generation, question.question, _NEGATIVES).hits
        wrong = [hit.passage for hit in hits if not _may_answer(hit.passage, own, gold, question)]
        passages = (tokens_of(right), *(tokens_of(p) for p in wrong))
        text = f"{context_of(right)}\n{right.text}"
        groups.append(Group(question.question, passages, answer, text, name))
    return groups


def _within(span: Span, passage: StoredPassage) -> bool:
    return passage.start <= span[0] and span[1] <= passage.end


def _may_answer(
    passage: StoredPassage, own: str, gold: Sequence[Span], question: GoldQuestion
) -> bool:
    """Whether a passage holds the answer's place, or the same words by chance."""
    if passage.document_id == own and any(
        place[0] < passage.end and passage.start < place[1] for place in gold
    ):
        return True
    answer = question.answers[0].casefold()
    return len(answer) > 3 and answer in passage.text.casefold()


def reading_groups(path: Path, tokenization: ReaderTokenization) -> list[Group]:
    """Groups of a file of {"question", "passage", "answers"}; wrong passages are its neighbours."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    order = list(dict.fromkeys(entry["passage"] for entry in entries))
    tokens = [tokenization.passage("", passage) for passage in order]
    at = {passage: number for number, passage in enumerate(order)}
    groups = []
    for line, entry in enumerate(entries):
        number = at[entry["passage"]]
        answers = entry["answers"]
        span = None
        if answers:
            start = answers[0]["start"]
            span = token_span(tokens[number].spans, (start, start + len(answers[0]["text"])))
            if span is None:
                continue
        near = [i for i in range(number - 2, number + 3) if i != number and 0 <= i < len(order)]
        words = answers[0]["text"].casefold() if answers else ""
        wrong = [tokens[i] for i in near if not words or words not in order[i].casefold()]
        groups.append(
            Group(entry["question"], (tokens[number], *wrong), span, entry["passage"], str(line))
        )
    return groups


def token_span(spans: Sequence[Span], place: Span) -> Span | None:
    """First and last of the tokens that overlap `place`; None when it was cut off."""
    inside = [at for at, (s, e) in enumerate(spans) if s < place[1] and place[0] < e]
    if not inside or spans[inside[-1]][1] < place[1]:
        return None
    return inside[0], inside[-1]


# Questions as people write them

_LETTERS = "qwertyuiopåasdfghjkløæzxcvbnm"
_BESIDE = (
    "wa qes wrd etf ryg tuh yij uok ipl oåø pæ "
    "qsz adwx sfec dgrv fhtb gjyn hkum jlim køo lpæ øå asx zsc xdv cfb vgn bhm njk"
)
_NEIGHBOURS = dict(zip(_LETTERS, _BESIDE.split(), strict=True))
"""Letters near each other on a Norwegian keyboard."""

_FUNCTION_WORDS = """
    hva hvem hvor hvordan hvorfor hvilke hvilken hvilket når er var har hadde det den de en et ei
    som i på av for med til fra om og ble blir skal kan kva kven kvar korleis kvifor
"""


def misspelt(question: str, chance: random.Random, errors: int = 2) -> str:
    """`question` with a letter swapped, dropped, doubled or mistaken in so many of its words."""
    words = question.split(" ")
    long = [at for at, word in enumerate(words) if len(word) > 3]
    for at in chance.sample(long, min(errors, len(long))):
        words[at] = _mistyped(words[at], chance)
    return " ".join(words)


def _mistyped(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    near = _NEIGHBOURS.get(word[at], "")
    return word[:at] + (chance.choice(near) if near else word[at]) + word[at + 1 :]


def as_keywords(question: str) -> str:
    """What some type into a search field: the words that carry meaning, without grammar."""
    function_words = _FUNCTION_WORDS.split()
    words = [w for w in question.rstrip("?. ").split() if w.lower() not in function_words]
    return " ".join(words) if len(words) > 1 else question


_NAME_OR_NUMBER = re.compile(r"(?<=\s)(?:[A-ZÆØÅ][\w-]+(?:\s[A-ZÆØÅ][\w-]+)*|\d[\d. ]*\d)")


def names_in(question: str) -> list[str]:
    return _NAME_OR_NUMBER.findall(question)


def about_another(
    question: str, others: Sequence[str], text: str, chance: random.Random
) -> str | None:
    """`question` with a name or number of it exchanged for one of `others` that `text` lacks.

    The passage that answered it does not answer this one, however near its words are.
    """
    found = list(_NAME_OR_NUMBER.finditer(question))
    if not found:
        return None
    place = chance.choice(found)
    is_number = place.group()[0].isdigit()
    for _ in range(8):
        other = chance.choice(others)
        if other[0].isdigit() == is_number and other.casefold() not in text.casefold():
            return question[: place.start()] + other + question[place.end() :]
    return None
