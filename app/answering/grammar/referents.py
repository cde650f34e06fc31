"""What was named before: in the last questions and in the short answers to them."""

import re
from dataclasses import dataclass

from app.answering.grammar.phrases import ABOUT, Gender, Phrase, Question, parse
from app.answering.grammar.references import Reference
from app.answering.grammar.small_words import ANYTHING, BEING, PLACES, WHAT, WHERE, WHO
from index.language import detect_language

_LONGEST_NAME = 80
"""Letters of a short answer that is put into a question."""
_PERSON = re.compile(r"(?:[A-ZÆØÅ][\w'’.-]+ )+[A-ZÆØÅ][\w'’-]+")
_CITED = re.compile(r"\s*\[\d+\]")
_ON = re.compile(r"(?:konferansen|seminaret|møtet|kurset|stevnet|skolen|skulen|sykehuset)$")


@dataclass(frozen=True, slots=True)
class Before:
    """A question that was asked before, complete, and the text of its answer."""

    question: Question
    answer: str = ""

    @property
    def short_answer(self) -> str | None:
        """The short answer that an answer's text begins with, on a line of its own."""
        first, _, rest = self.answer.partition("\n")
        if len(first) > _LONGEST_NAME or "[" in first or not _CITED.search(rest):
            return None
        return first.strip(" .") or None

    @property
    def named(self) -> str | None:
        """The short answer, when it names somebody or something."""
        short = self.short_answer
        phrases = parse(f"– {short}", is_fragment=True).phrases if short else ()
        if short is None or short[0].isdigit() or not phrases:
            return None
        return short if phrases[0].is_definite else None

    @property
    def person(self) -> str | None:
        """The one person's name of the answer."""
        names = set(_PERSON.findall(self.short_answer or ""))
        if not names and self.asks_who:
            names = set(_PERSON.findall(_CITED.sub("", self.answer)))
        return names.pop() if len(names) == 1 else None

    @property
    def asks_who(self) -> bool:
        return self.question.first in WHO


def referent(question: Question, reference: Reference, before: Before) -> str | None:
    """What the `reference` of `question` points to in `before`; None when nothing fits."""
    if reference.is_place:
        return place_of(question, before)
    if reference.is_person:
        return before.person or _named_person(before.question) or _who_did(before)
    if before.named and _means_answer(question, reference, before):
        return before.named
    best = fittest(before.question, reference.gender)
    if reference.word.lower in ANYTHING and (best is None or best.gender is not Gender.NEUTER):
        best = topic_of(before.question)
    return words_of(before.question, best) if best else before.named


def topic_of(asked: Question) -> Phrase | None:
    """What a question was about: the last thing in it that does not only tell which another is."""
    end = 0
    topics = []
    for phrase in asked.phrases:
        if phrase.start >= end and not phrase.is_time and not phrase.asked_for:
            topics.append(phrase)
            if len(phrase.words) == 1 and not phrase.is_definite:
                continue  # of «kopi av brevet» the letter is the topic
        end = max(end, asked.complement_end(phrase))
    return max(topics, key=lambda phrase: (phrase.is_definite, phrase.start), default=None)


def fittest(asked: Question, gender: Gender | None) -> Phrase | None:
    """The phrase that a pronoun of `gender` most probably points to."""
    least = 2 if gender is Gender.PLURAL else 0  # a town is seldom «de»
    scored = [(_fitness(asked, phrase, gender), -at) for at, phrase in enumerate(asked.phrases)]
    best, at = max(scored, default=(0.0, 0))
    return asked.phrases[-at] if best > least else None


def words_of(asked: Question, phrase: Phrase) -> str:
    """`phrase` with what tells which one it is; in definite form, where it was asked for."""
    if not phrase.asked_for:
        return asked.text[phrase.start : asked.complement_end(phrase)]
    definite = _definite(asked.text[phrase.start : phrase.end], phrase.gender)
    others = [p for p in asked.phrases if p.is_definite and not p.is_time and not p.asked_for]
    return f"{definite} i {words_of(asked, others[0])}" if others else definite


def place_of(question: Question, before: Before) -> str | None:
    """Where what `before` asks of is, with its preposition («i kommunen»)."""
    asked = before.question
    for phrase in reversed(asked.phrases):
        preposition = phrase.preposition
        if preposition is not None and preposition.lower in PLACES and not phrase.is_time:
            return asked.text[preposition.start : asked.complement_end(phrase)]
    if asked.first in WHERE and before.named:
        named = before.named
        return named if named.split()[0].lower() in PLACES else at_place(question, named)
    best = fittest(asked, None)
    return at_place(question, words_of(asked, best)) if best else None


def at_place(question: Question, place: str) -> str:
    """`place` with the preposition that it has in the language of `question`."""
    preposition = "in" if detect_language(question.text) == "en" else "i"
    return f"{'på' if _ON.search(place) else preposition} {place}"


def _fitness(asked: Question, phrase: Phrase, gender: Gender | None) -> float:
    if phrase.is_time:
        return -1
    fitness = 1.0 + (2 if phrase.is_definite else 0) - (1.5 if phrase.asked_for else 0)
    if gender is not None and phrase.gender is not None:
        fitness += 4 if gender is phrase.gender else -4
    if gender is Gender.PLURAL and phrase.is_name:
        fitness += 1  # an organisation is «de»
    if phrase.preposition is not None:
        about = asked.takes_about and phrase.preposition.lower in ABOUT
        fitness += 1 if about else -0.5
        if phrase.preposition.lower in PLACES and _belongs(asked, phrase):
            fitness -= 1.5
    return fitness


def _belongs(asked: Question, phrase: Phrase) -> bool:
    """Whether it tells which one another phrase is."""
    return any(p.start < phrase.start < asked.complement_end(p) for p in asked.phrases)


def _means_answer(question: Question, reference: Reference, before: Before) -> bool:
    """Whether the short answer rather than the question named what is pointed to."""
    words = question.words
    if len(words) == 3 and question.first in WHO | WHAT and question.main in BEING:
        return True  # «hva er det»
    if reference.gender is Gender.PLURAL and before.asks_who:
        return True
    asked_for = any(phrase.asked_for for phrase in before.question.phrases)
    answer = parse(f"– {before.named}", is_fragment=True).phrases[0]
    return asked_for and answer.gender is not None and answer.gender is reference.gender


def _definite(noun: str, gender: Gender | None) -> str:
    """«medlemmer» as «medlemmene», «ordning» as «ordningen»."""
    if gender is Gender.PLURAL:
        if noun.endswith("ar"):
            return noun[:-1] + "ne"
        return re.sub(r"(?:er|e)?$", "ene", noun, count=1)
    ending = "t" if gender is Gender.NEUTER else "n"
    return noun + (ending if noun.endswith("e") else "e" + ending)


def _named_person(asked: Question) -> str | None:
    names = [p for p in asked.phrases if p.names_person and p.gender is None]
    return asked.text[names[0].start : names[0].end] if names else None


def _who_did(before: Before) -> str | None:
    """«Hvem leder rådet?» as «den som leder rådet»."""
    asked = before.question
    if before.asks_who and asked.verb == 1:
        lead = "the one who" if asked.first == "who" else "den som"
        return f"{lead} {asked.body[asked.words[1].start :]}"
    best = fittest(asked, Gender.COMMON)
    return words_of(asked, best) if best else None
