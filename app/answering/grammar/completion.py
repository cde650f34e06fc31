"""Completes a question with the parts that it leaves to the one before it."""

import re
from collections.abc import Sequence

from app.answering.grammar.phrases import ABOUT, TIME, Gender, Phrase, Question, parse
from app.answering.grammar.references import Reference
from app.answering.grammar.referents import (
    Before,
    at_place,
    fittest,
    place_of,
    referent,
    topic_of,
    words_of,
)
from app.answering.grammar.small_words import (
    ADVERBIAL,
    ANYTHING,
    BEING,
    DOING,
    HAPPENING,
    PLACES,
    POINTING,
    WHAT,
    WHICH,
    WHY,
    Kind,
)

Span = tuple[int, int]

_HOW_MANY = (
    r"(?:over|under|mellom|minst|inntil|(?:fler|flere|mer|færre|mindre|fleire|meir) enn|"
    r"(?:more|less|fewer) than|between)"
)
_QUANTITY = re.compile(rf"\b{_HOW_MANY} \d[\d.,]*(?: (?:og|and) \d[\d.,]*)?", re.IGNORECASE)
_WITH_TIME = re.compile(rf"(\S.*) ((?:i|for|fra|frå|per|in|from) {TIME.pattern})", re.IGNORECASE)
_NUMBER = re.compile(r"\d[\d.,  ]*")
_NOT = re.compile(r"\b(?:ikke|ikkje|not)\b", re.IGNORECASE)
_SOMEBODY = re.compile(r"^(\S+) (?:noen|nokon|anyone|somebody|anybody|someone) ")
_EVENT = re.compile(r"(?:konferansen|seminaret|møtet|kurset|stevnet)$")


def with_referent(
    question: Question, reference: Reference, earlier: Sequence[Before]
) -> str | None:
    """`question` with what its `reference` points to; None when that was not named.

    `earlier` is the newest first.
    """
    if reference.word.lower in ANYTHING:
        if _asks_of_event(question):
            return _of_event(question, reference, earlier[0])
        if any(word.lower in DOING for word in question.words):
            return _beside(question, earlier[0])  # «hvordan gjør jeg det»
        if _counts(question, reference):
            place = place_of(question, earlier[0])
            at = reference.word.end
            return f"{question.text[:at]} {place}{question.text[at:]}" if place else None
    for before in earlier:
        if found := referent(question, reference, before):
            return _put(question, reference, found)
    return None


def with_thing_pointed_out(question: Question, earlier: Sequence[Before]) -> str | None:
    """`question` with «denne planen» as the plan that was named («den nye handlingsplanen»)."""
    pointing = [p for p in question.phrases if p.words[0].lower in POINTING and len(p.words) == 2]
    for phrase in pointing:
        for before in earlier:
            asked = before.question
            for other in asked.phrases:
                if other.head.endswith(phrase.head) and other.words[0].lower not in POINTING:
                    named = asked.text[other.start : asked.complement_end(other)]
                    return question.text[: phrase.start] + named + question.text[phrase.end :]
    return None


def with_topic(clause: Question, before: Before) -> str | None:
    """`clause`, which names nothing, with what the last question was about."""
    asked = before.question
    topic = topic_of(asked)
    if topic is None:
        return None
    if not clause.phrases and clause.words[-1].kind not in (Kind.VERB, Kind.PREPOSITION):
        return _beside(clause, before)
    start, end = topic.start, asked.complement_end(topic)
    if topic.preposition is not None and topic.preposition.lower in PLACES:
        start = topic.preposition.start
        return f"{clause.body} {asked.text[start : _time_end(asked, end)]}?"
    if _EVENT.search(topic.head):
        return f"{clause.body} {at_place(clause, asked.text[start:end])}?"
    link = "for " if clause.phrases else ""
    return f"{clause.body} {link}{asked.text[start:end]}?"


def with_question_word(asked_now: str, before: Before) -> str | None:
    """The last question once more, but asking `asked_now` («Hvorfor ikke»); None if that is odd."""
    asked = before.question
    if asked_now.lower() in WHAT | WHICH or asked_now.lower() == asked.first:
        return None
    if asked.verb is None:
        return f"{asked_now}: {asked.text}"
    negation = _NOT.search(asked_now)
    word = _NOT.sub("", asked_now).strip()
    rest = asked.body[asked.words[asked.verb].start :]
    rest = rest[:1].lower() + rest[1:]
    if asked.asks_yes_or_no:
        rest = _SOMEBODY.sub(r"\1 ", rest)
    elif word.lower() in ADVERBIAL:
        rest = _without_gap(rest, before)
    if negation and not _NOT.search(rest):
        first, _, others = rest.partition(" ")
        rest = f"{first} {negation.group()} {others}"
    return f"{word} {rest}?"


def substitute(fragment: str, before: Before) -> str:
    """The last question with the part of it that `fragment` is another of («Og i 2024?»)."""
    asked = before.question
    if both := _WITH_TIME.fullmatch(fragment):
        return substitute(both[2], Before(parse(substitute(both[1], before)), before.answer))
    new = parse(fragment, is_fragment=True)
    span = (
        _quantity(fragment, asked.text)
        or _question_part(new, asked)
        or _time(fragment, asked.text)
        or _after_preposition(new, asked)
        or _thing(new, asked)
    )
    if span is not None:
        return asked.text[: span[0]] + fragment + asked.text[span[1] :]
    if new.words and new.words[0].kind is Kind.PREPOSITION:
        return f"{asked.body} {fragment}?"
    return f"{asked.body} {'i' if TIME.fullmatch(fragment) else 'for'} {fragment}?"


def _asks_of_event(question: Question) -> bool:
    """Whether it asks when, where or why «det» was, or was done."""
    words = [word.lower for word in question.words if word.kind is not Kind.PARTICLE]
    return (
        question.first in ADVERBIAL
        and question.verb == 1
        and question.main in BEING | HAPPENING
        and words[2:3] != []
        and words[2] in ANYTHING
        and (not words[3:] or words[3:] in (["gjort"], ["done"]))
    )


def _counts(question: Question, reference: Reference) -> bool:
    """«Hvor mange plasser er det?»: «det» stands for nothing, but it is not said where."""
    after_verb = question.verb is not None and question.words[
        question.verb + 1 : question.verb + 2
    ] == (reference.word,)
    asked_for = any(phrase.asked_for for phrase in question.phrases)
    return after_verb and asked_for and question.main in BEING


def _of_event(question: Question, reference: Reference, before: Before) -> str | None:
    """«Når var det?» of the thing of the last question, or else of what was done in it."""
    asked = before.question
    word = question.words[0].text
    if question.first in WHY:
        return with_question_word(word, before)
    thing = fittest(asked, Gender.NEUTER)
    if thing and thing.gender is Gender.NEUTER and question.words[-1].lower not in DOING:
        return _put(question, reference, words_of(asked, thing))
    done = any(
        verb.kind is Kind.VERB and verb.lower not in BEING | {"har", "hadde", "has"}
        for verb in asked.words
    )
    adverbial = asked.first in ADVERBIAL and asked.verb == 1
    if done and (asked.asks_yes_or_no or adverbial or (before.asks_who and before.named)):
        return with_question_word(word, before)
    topic = topic_of(asked)
    return _put(question, reference, words_of(asked, topic)) if topic else None


def _put(question: Question, reference: Reference, found: str) -> str:
    word, text = reference.word, question.text
    if reference.is_possessive:
        return f"{text[: word.start].rstrip()} til {found}{text[word.end :]}"
    return text[: word.start] + found + text[word.end :]


def _beside(question: Question, before: Before) -> str | None:
    """`question` with the topic in brackets, where no grammar says how they belong together."""
    topic = topic_of(before.question)
    return f"{question.body} ({words_of(before.question, topic)})?" if topic else None


def _time_end(asked: Question, end: int) -> int:
    """Where the time ends that follows at `end` («i valgkampen» «i 2023»), else `end`."""
    return next((p.end for p in asked.phrases if p.is_time and 0 < p.start - end < 5), end)


def _without_gap(rest: str, before: Before) -> str:
    """`rest`, from the verb on, with the answer where the question word is missing now."""
    asked = before.question
    verb, _, others = rest.partition(" ")
    assert asked.verb is not None
    nearest = asked.words[asked.verb + 1 : asked.verb + 2]
    has_subject = bool(nearest) and nearest[0].kind in (
        Kind.NAMING,
        Kind.DETERMINER,
        Kind.PRONOUN,
    )
    counted = next((phrase for phrase in asked.phrases if phrase.asked_for), None)
    if counted is not None:
        noun = asked.text[counted.start : counted.end]
        amount = before.short_answer or ""
        missing = f"{amount} {noun}" if _NUMBER.fullmatch(amount) else noun
        return f"{rest} {missing}" if has_subject else f"{verb} {missing} {others}".strip()
    if before.asks_who and before.named:
        if asked.words[-1].kind is Kind.PREPOSITION:
            return f"{rest} {before.named}"
        return f"{verb} {before.named} {others}".strip()
    if asked.first in WHAT and verb not in BEING and has_subject and asked.phrases:
        subject = asked.phrases[0]
        at = subject.end - asked.words[asked.verb].start
        return f"{rest[:at]} det{rest[at:]}" if subject.start == nearest[0].start else rest
    return rest


def _quantity(fragment: str, text: str) -> Span | None:
    found = _QUANTITY.search(text) if _QUANTITY.match(fragment) else None
    return found.span() if found else None


def _question_part(new: Question, asked: Question) -> Span | None:
    """The words before the verb, where `new` too is such («Og hvor mange likerklikk?»)."""
    if not new.words or new.words[0].kind is not Kind.QUESTION or not asked.verb:
        return None
    return 0, asked.words[asked.verb - 1].end


def _time(fragment: str, text: str) -> Span | None:
    """The time in `text`, with its preposition where `fragment` has one."""
    new, old = TIME.search(fragment), TIME.search(text)
    if new is None or old is None or new.end() != len(fragment) or len(fragment.split()) > 4:
        return None
    if new.start() == 0:
        return old.span()
    preposition = re.search(r"\S+ $", text[: old.start()])
    return (preposition.start() if preposition else old.start(), old.end())


def _after_preposition(new: Question, asked: Question) -> Span | None:
    """The phrase after the same preposition, or another of a place; or else the last name."""
    if not new.words or new.words[0].kind is not Kind.PREPOSITION:
        return None
    own = new.words[0].lower
    others = [(p.preposition.lower, p) for p in asked.phrases if p.preposition and not p.is_time]
    same = [phrase for preposition, phrase in others if preposition == own]
    places = [phrase for preposition, phrase in others if {own, preposition} <= PLACES]
    names = [phrase for _, phrase in others if phrase.is_name]
    is_name = bool(new.phrases) and new.phrases[0].is_name
    found = same or places or (names if is_name else [])
    if not found:
        return None
    old = found[-1]
    end = asked.complement_end(old) if len(new.phrases) > 1 else old.end
    return old.preposition.start if old.preposition else old.start, end


def _thing(new: Question, asked: Question) -> Span | None:
    """The phrase that is most like `new`; the last of those that are as like."""
    candidates = [phrase for phrase in asked.phrases if not phrase.is_time]
    if not new.phrases or new.phrases[0].start > 0 or not candidates:
        return None

    def fits(phrase: Phrase) -> float:
        is_about = phrase.preposition is not None and phrase.preposition.lower in ABOUT
        return _likeness(new.phrases[0], phrase) + 3 * (asked.takes_about and is_about)

    best = max(candidates, key=lambda phrase: (fits(phrase), phrase.start))
    return best.start, best.end


def _likeness(new: Phrase, old: Phrase) -> float:
    indefinite = not _names(new) and not new.is_definite
    both_indefinite = indefinite == (not _names(old) and not old.is_definite)
    return (
        4 * (new.words[0].lower == old.words[0].lower)
        + 3 * (new.head != "" and new.head == old.head)
        + 3 * (_names(new) == _names(old) == 2)
        + 2 * (_names(new) > 0 and _names(old) > 0)
        + old.asked_for * (3 if indefinite else -2)
        + both_indefinite
        + (new.gender is not None and new.gender is old.gender)
    )


def _names(phrase: Phrase) -> int:
    """2 for letters or marks that only names have, 1 for a capital letter, else 0."""
    first = phrase.words[0].text
    if first[:2].isupper() or any(letter.isdigit() for letter in first):
        return 2
    return int(first[0].isupper())
