"""Words of a question that point back to what was said before it: «den», «hun», «der», «it».

Most of the work is to leave alone what points nowhere («Er det lov å …?», «Hvor mange er det i
kommunen?») or within the question itself («Hvor bodde Ibsen da han døde?»).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.answering.grammar.phrases import Gender, Question, Word
from app.answering.grammar.small_words import ADVERBIAL, BEING, HOW, MODAL, Kind, word_set
from index.norwegian.verbs import verbs

_PERSONS = word_set("han hun ham ho honom henne he she him her hans hennes hennar his hers")
_GENDERS = {
    Gender.NEUTER: "det dette dets",
    Gender.COMMON: "den denne dens",
    Gender.PLURAL: "de dei dem disse desse deres deira they them those these their theirs",
}
_GENDER_OF = {word: gender for gender, words in _GENDERS.items() for word in words.split()}
_THINGS = frozenset(_GENDER_OF) | word_set("it its that this")
_POSSESSIVE = word_set("hans hennes hennar deres deira dets dens his her hers its their theirs")
_PLACE = word_set("der dit there")
_EXPLETIVE = word_set("det it")
_EMPTY = BEING | word_set(
    "finnes finst fins fantes fanst finnast gis kommer kjem kom komme skjer skjedde skje hender "
    "hendte hende tar tek tok koster kostar lønner løner gjelder gjeld gjaldt bor bur bodde budde "
    "lever levde står stod sto ligger ligg lå mangler manglar trengs trengst haster hastar går "
    "gikk gjekk gå foregå føregå oppstå oppstår pågå pågår vært vore blitt vorte takes does"
)
"""Verbs that «det» says nothing with, when more follows: «kommer det flere», «tar det lang tid»."""
_SELF = word_set("som der who selv sjølv")
"""What makes «de» somebody that the question itself tells of."""
_SOME = word_set("mange få flere fleire noen nokon noe noko ingen nok mer meir mye mykje")
_PREDICATE = re.compile(r"(?:t|ig|sk|e)$")
_LINKS = (Kind.CLAUSE, Kind.AND, Kind.QUESTION)
_MARK = re.compile(r"[,;:]")


@dataclass(frozen=True, slots=True)
class Reference:
    """A word that points back, and what it must agree with."""

    word: Word
    gender: Gender | None

    @property
    def is_person(self) -> bool:
        return self.word.lower in _PERSONS

    @property
    def is_place(self) -> bool:
        return self.word.lower in _PLACE

    @property
    def is_possessive(self) -> bool:
        return self.word.lower in _POSSESSIVE


def reference_of(question: Question) -> Reference | None:
    """The first word of `question` that points to something outside it; None when none does."""
    for at, word in enumerate(question.words):
        if _points_back(question, at) and not _has_own_referent(question, at):
            return Reference(word, _GENDER_OF.get(word.lower))
    return None


def _points_back(question: Question, at: int) -> bool:
    word = question.words[at]
    if at and word.text[0].isupper():
        return False  # «Hans Jæger»
    if word.lower in _PLACE:
        return _is_place(question, at)
    if word.lower in _POSSESSIVE:
        return at > 0 and question.words[at - 1].kind is Kind.NAMING
    if word.lower in _PERSONS:
        return True
    if word.kind is not Kind.PRONOUN or word.lower not in _THINGS:
        return False
    return not _is_told_of(question, at) and not (
        word.lower in _EXPLETIVE and _is_empty(question, at)
    )


def _is_told_of(question: Question, at: int) -> bool:
    """Whether what follows says who it is: «de som bor der», «de med barn», «that committee»."""
    word, rest = question.words[at].lower, question.words[at + 1 :]
    if not rest:
        return False
    if word in ("that", "this") or rest[0].lower in _SELF:
        return True
    if word in ("dem", "them"):
        return False
    if rest[0].kind is Kind.VERB and not verbs().is_infinite(rest[0].lower):
        return True  # the subject of a clause within the question
    goes_on = any(other.kind is Kind.VERB for other in rest)
    return rest[0].kind is Kind.PREPOSITION and word in ("de", "dei", "den") and goes_on


def _is_place(question: Question, at: int) -> bool:
    """«Hvor mange bor der?», but not «kommuner der det bor få» or «Is there …»."""
    rest = [word.kind for word in question.words[at + 1 :]]
    if question.words[at].lower == "there":
        return not rest and at > 0
    goes_on = bool(rest) and rest[0] not in (Kind.PREPOSITION, Kind.PARTICLE)
    return at > 0 and not goes_on and Kind.VERB not in rest


def _is_empty(question: Question, at: int) -> bool:
    """Whether the «det» at `at` stands for nothing, or for what the question goes on with."""
    before, after = question.words[:at], question.words[at + 1 :]
    rest = [word for word in after if word.kind is not Kind.PARTICLE or word.lower == "å"]
    if any(word.kind is Kind.CLAUSE or word.lower in ("å", "to", "that") for word in after):
        return True
    if before and before[-1].kind is Kind.CLAUSE:
        return True
    if not rest or not before:
        return False
    if before[-1].lower.endswith("es") or rest[0].lower.endswith("es") or after[0].lower in _SOME:
        return True  # «drives det», «kan det drives», «flytter det mange»
    verb = next((word.lower for word in reversed(before) if word.kind is Kind.VERB), "")
    if verb in MODAL:
        how = verb in ("har", "hadde") and question.first in HOW  # «hvordan har de det der»
        return how or (len(rest) > 1 and any(word.lower in _EMPTY for word in rest))
    return verb in _EMPTY and not _is_predicated(question, verb, rest)


def _is_predicated(question: Question, verb: str, rest: Sequence[Word]) -> bool:
    """Whether something is said of «det»: «er det dyrt», «når ble det vedtatt»."""
    if verb not in BEING:
        return False
    if verb in ("is", "are", "was", "were") and rest[0].lower.endswith(("ed", "en")):
        return True  # «when was it published»
    if rest[0].kind is Kind.VERB:
        return _is_passive(question, rest[1:])
    asks_for_thing = any(phrase.asked_for for phrase in question.phrases)
    return len(rest) == 1 and bool(_PREDICATE.search(rest[0].lower)) and not asks_for_thing


def _is_passive(question: Question, rest: Sequence[Word]) -> bool:
    """Whether it is «når ble det vedtatt», of «det» itself, not «når ble det bygd hus»."""
    if rest and rest[-1].kind is Kind.PREPOSITION:
        return True
    adverbial = question.first in ADVERBIAL and question.verb == 1
    if not rest:
        return question.first in ADVERBIAL or question.asks_yes_or_no
    return (adverbial or question.asks_yes_or_no) and rest[0].kind in (
        Kind.PREPOSITION,
        Kind.NUMBER,
    )


def _has_own_referent(question: Question, at: int) -> bool:
    """Whether the question itself names something, in another clause, that the word may be."""
    word, after = question.words[at], question.words[at + 1 : at + 2]
    named = [
        phrase for phrase in question.phrases if phrase.start < word.start and not phrase.is_time
    ]
    if word.lower in _POSSESSIVE:  # «moren hans» names nobody that «hans» could be
        return len(named) > 1 or any(other.kind is Kind.AND for p in named for other in p.words)
    person = word.lower in _PERSONS
    subject = person and bool(after) and verbs().is_finite(after[0].lower)
    return any(
        subject
        or (person and phrase.names_person)
        or _MARK.search(question.text[phrase.end : word.start])
        or any(other.kind in _LINKS and phrase.end <= other.start for other in question.words[:at])
        for phrase in named
    )
