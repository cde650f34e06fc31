"""The parts of a question: its question word, its verb, and the phrases that name things.

No grammar of Norwegian, only as much of one as tells which words of a short question are names of
things. Wrong now and then, so what is built on it prefers to leave a question alone.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from itertools import pairwise

from app.answering.grammar.small_words import (
    AUXILIARIES,
    BEING,
    DEMONSTRATIVES,
    KINDS,
    MEASURES,
    NOUN_LIKE,
    POINTING,
    QUANTIFYING,
    WHAT,
    WHO,
    Kind,
    word_set,
)
from index.norwegian.compounds import compounds
from index.norwegian.verbs import verbs
from index.text import normalise


class Gender(Enum):
    """What a pronoun must agree with."""

    COMMON = auto()
    NEUTER = auto()
    PLURAL = auto()


_COMPLEMENTS = word_set("av til i om for fra frå med hos hjå på mellom of in from")
ABOUT = word_set("om for med på about with")
"""Prepositions that go with what is said or done as often as with a noun."""
_AMOUNTS = word_set("mer meir flere fleire færre mindre mange få more many")
_NEUTER_ARTICLES = word_set("et eit det hvilket")
_COMMON_ARTICLES = word_set("en ein ei den hvilken")

_TOKEN = re.compile(
    r"«[^»]{1,200}»"
    # «Meld. St. 9 (2023–2024)», «NOU 2023: 5»: the name of a document is one word
    r"|(?:Meld\. ?St\.|Prop\.|Innst\.|Ot\. ?prp\.|St\.? ?meld\.|NOU|Dok\.)(?: nr\.)? ?\d+"
    r"(?:: ?\d+)?(?: ?[LS]\b)?(?: \(\d{4}(?:[–-]\d{2,4})?\))?"
    r"|§+ ?\d+(?:-\d+)?"
    r"|\d+(?:[.,:/–-]\d+)*\.?(?=\W|$)"
    r"|[^\W_]+(?:[-'’.&/][^\W_]+)*-?"
)
_REFERENCE = re.compile(r"Meld|Prop|Innst|Ot|St|NOU|Dok|§")
_MONTHS = "januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember"
TIME = re.compile(
    rf"(?:\d{{1,2}}\. ?)?(?:(?:{_MONTHS}) )?\b(?:1[5-9]|20)\d\d\b"
    r"|\b\d{1,2}\.\d{1,2}\.(?:\d{2,4})?",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r" (?:(?:for|til|om|med|av|på) å|som) ")
"""«fristen for å søke», «dem som søker»"""
_ADJECTIVE = re.compile(r"(?:sk|al|ig|lig|leg|iv|ell|nde|te|are)e?t?$", re.IGNORECASE)
_DEFINITE = re.compile(r"\w{2}(?:en|et|a|ene|ane)$")
_PLURAL = re.compile(r"\w{2}(?:er|ar|ene|ane)$")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a question: `question[start:end]`."""

    text: str
    start: int
    end: int
    kind: Kind

    @property
    def lower(self) -> str:
        return self.text.lower()

    @property
    def is_name(self) -> bool:
        """Whether it is written as a name, which no first word can be told to be."""
        marked = self.text[0].isupper() or self.text[0] == "«" or _REFERENCE.match(self.text)
        return bool(marked) and self.start > 0


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that name a thing, with nothing between them."""

    words: tuple[Word, ...]
    preposition: Word | None
    asked_by: str | None = None
    """The question word that asks the number or the choice of it, in lower case."""

    @property
    def start(self) -> int:
        return self.words[0].start

    @property
    def end(self) -> int:
        return self.words[-1].end

    @property
    def asked_for(self) -> bool:
        return self.asked_by is not None

    @property
    def head(self) -> str:
        """The last word that is no number, which tells gender and number; in lower case."""
        return next((w.lower for w in reversed(self.words) if w.kind is Kind.NAMING), "")

    @property
    def is_name(self) -> bool:
        return any(word.is_name for word in self.words)

    @property
    def names_person(self) -> bool:
        """«Kari Nordmann» or «statsråd Nordmann», as far as capital letters tell."""
        last = self.words[-1]
        return len(self.words) > 1 and last.is_name and last.text[1:].islower()

    @property
    def is_time(self) -> bool:
        numbers = all(word.kind is Kind.NUMBER for word in self.words)
        return numbers and bool(TIME.search(" ".join(word.text for word in self.words)))

    @property
    def is_definite(self) -> bool:
        return self.is_name or bool(_DEFINITE.search(self.head))

    @property
    def gender(self) -> Gender | None:
        """None where neither article nor ending tells."""
        article = self.asked_by or self.words[0].lower
        if article == "hvilke" or self._joins_several() or _is_plural(self.head):
            return Gender.PLURAL
        if article in _NEUTER_ARTICLES:
            return Gender.NEUTER
        if article in _COMMON_ARTICLES or self._ends("en", "a"):
            return Gender.COMMON
        return Gender.NEUTER if self._ends("et") else None

    def _joins_several(self) -> bool:
        """«Bergen og Oslo», but not «helse- og velferdskonferansen»."""
        return any(
            word.kind is Kind.AND and not before.text.endswith("-")
            for before, word in pairwise(self.words)
        )

    def _ends(self, *endings: str) -> bool:
        """Of «rådet» and «HelseOmsorg21-rådet»; the ending of «Bergen» is none."""
        last = self.words[-1].text
        is_noun = (len(last) > 4 and last[0].islower()) or "-" in last
        return is_noun and self.head.endswith(endings)


@dataclass(frozen=True)
class Question:
    """A question in its parts."""

    text: str
    is_fragment: bool = False
    """Whether it is only a part of a question, without a verb."""

    @cached_property
    def words(self) -> tuple[Word, ...]:
        return _classified(self.text, self.is_fragment)

    @cached_property
    def verb(self) -> int | None:
        """Index of the word that is the main verb; 0 when it begins the question."""
        return next((at for at, word in enumerate(self.words) if word.kind is Kind.VERB), None)

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """The phrases that name things, in order, without what follows on them."""
        return tuple(_phrases(self.words, self.text, self.verb))

    @property
    def first(self) -> str:
        """The first word, in lower case; "" when there is none."""
        return self.words[0].lower if self.words else ""

    @property
    def main(self) -> str:
        """The main verb, in lower case; "" when there is none."""
        return self.words[self.verb].lower if self.verb is not None else ""

    @property
    def asks_yes_or_no(self) -> bool:
        return self.verb == 0

    @property
    def takes_about(self) -> bool:
        """«Hva mener rådet om planen», but not «hva går planen om jernbane ut på»."""
        ends_open = bool(self.words) and self.words[-1].kind is Kind.PREPOSITION
        return self.first in WHAT and self.main not in BEING and not ends_open

    @property
    def body(self) -> str:
        """The text without its question mark."""
        return self.text.rstrip(" ?.!…")

    def complement_end(self, phrase: Phrase) -> int:
        """Where `phrase` ends together with what tells which one it is («brevet» «fra rådet»)."""
        end = phrase.end
        if phrase.is_name and not _DEFINITE.search(phrase.head):
            return end
        # «hva mener rådet om planen»: the preposition goes with the verb, not with the noun
        bound = self.takes_about and phrase.is_definite
        for other in self.phrases:
            before = other.preposition
            if (
                before is not None
                and before.lower in _COMPLEMENTS
                and not (bound and before.lower in ABOUT)
                and self.text[end : before.start] == " "
                and not other.is_time
            ):
                end = other.end
        if not bound and _GOES_ON.match(self.text, end):
            return len(self.body)
        return end


def parse(text: str, is_fragment: bool = False) -> Question:
    """The parts of `text`, which is normalised first."""
    return Question(" ".join(normalise(text).split()), is_fragment)


def _classified(text: str, is_fragment: bool) -> tuple[Word, ...]:
    found = list(_TOKEN.finditer(text))
    lower = [match.group().lower() for match in found]
    names = [at > 0 and match.group()[0].isupper() for at, match in enumerate(found)]
    kinds = [_kind(word, name) for word, name in zip(lower, names, strict=True)]
    for at, word in enumerate(lower):
        if at and word in MEASURES and lower[at - 1] in ("hvor", "kor", "how"):
            kinds[at] = Kind.PARTICLE
    if not is_fragment:
        _mark_verbs(kinds, ["" if name else word for word, name in zip(lower, names, strict=True)])
    for at, word in enumerate(lower):
        if kinds[at] is Kind.DETERMINER and word in DEMONSTRATIVES:
            before_name = word not in POINTING and names[at + 1 : at + 2] == [True]
            if not before_name and not _determines(kinds, lower, at):
                kinds[at] = Kind.PRONOUN
    return tuple(
        Word(match.group(), match.start(), match.end(), kind)
        for match, kind in zip(found, kinds, strict=True)
    )


def _kind(word: str, is_name: bool) -> Kind:
    if word[0].isdigit():
        return Kind.NUMBER
    if is_name and word != "i":
        return Kind.NAMING
    return KINDS.get(word, Kind.NAMING)


def _mark_verbs(kinds: list[Kind], words: list[str]) -> None:
    """Makes verbs of those that stand where verbs do."""
    known = verbs()
    main = _main_verb(kinds, words)
    if main is None:
        return
    kinds[main] = Kind.VERB
    for at in range(main + 1, len(words)):
        word, before = words[at], words[at - 1]
        nominal = before in DEMONSTRATIVES and word.endswith(("e", "a"))  # «de spurte»
        finite = known.is_finite(word) and known.is_always(word) and not nominal
        goes_on = before == "å" or (
            words[main] in AUXILIARIES
            and _is_free(kinds, words, at)
            and not _is_subject(words, main, at)
        )
        if kinds[at] is Kind.NAMING and (
            word in AUXILIARIES or finite or (known.is_infinite(word) and goes_on)
        ):
            kinds[at] = Kind.VERB


def _main_verb(kinds: list[Kind], words: list[str]) -> int | None:
    known = verbs()
    if not words:
        return None
    asks = kinds[0] is Kind.QUESTION or kinds[:2] == [Kind.PREPOSITION, Kind.QUESTION]
    if not asks:
        return 0 if known.is_finite(words[0]) and kinds[0] is Kind.NAMING else None
    if words[0] in ("who", "what") and kinds[1:2] == [Kind.NAMING]:
        return 1
    candidates: list[tuple[int, int]] = []
    for at in range(1, len(words)):
        if kinds[at] is Kind.CLAUSE and candidates:
            break
        if kinds[at] is not Kind.NAMING or kinds[at - 1] in (Kind.DETERMINER, Kind.PREPOSITION):
            continue
        follows_question = kinds[at - 1] is Kind.QUESTION and words[at - 1] not in QUANTIFYING
        if known.is_finite(words[at]) or (follows_question and known.is_infinite(words[at])):
            # «hvilke saker arbeider»: what is asked for and the verb may look alike
            sure = known.is_always(words[at]) or follows_question
            doubt = 2 if words[at - 1] in QUANTIFYING else int(not sure)
            candidates.append((doubt, at))
    return min(candidates)[1] if candidates else None


def _is_free(kinds: list[Kind], words: list[str], at: int) -> bool:
    """Whether the word at `at` goes with the auxiliary rather than with a noun."""
    if kinds[at - 1] is Kind.DETERMINER and words[at - 1] in DEMONSTRATIVES - POINTING:
        following = words[at + 1] if at + 1 < len(words) else ""
        return words[at] not in NOUN_LIKE and not (
            following.endswith("e") or _DEFINITE.search(following) or _PLURAL.search(following)
        )
    return kinds[at - 1] not in (Kind.PREPOSITION, Kind.NUMBER, Kind.DETERMINER)


def _is_subject(words: list[str], main: int, at: int) -> bool:
    """Whether what looks like a participle stands where a subject does: «hva har rådet sagt»."""
    noun = bool(_DEFINITE.search(words[at])) and not verbs().is_always(words[at])
    if not noun or at > main + 1:
        return False
    if main > 1:  # «hvilken ordning ble kuttet», but «hvor mange medlemmer har rådet»
        return words[main] not in BEING
    return words[0] not in WHO or words[main] in BEING


def _determines(kinds: list[Kind], words: list[str], at: int) -> bool:
    """Whether the «det», «den» or «de» at `at` belongs to what follows."""
    if at + 1 == len(words):
        return False
    following = words[at + 1]
    if kinds[at + 1] is not Kind.NAMING:
        return kinds[at + 1] is Kind.NUMBER or following in ("mest", "få", "mange", "flere")
    if words[at] in POINTING or following in NOUN_LIKE:
        return True
    if following in ("hele", "heile"):
        return False  # «dekker det hele kostnaden»
    return following.endswith("e") or bool(_DEFINITE.search(following))


def _is_plural(word: str) -> bool:
    """Whether the noun is more than one, as far as its ending tells («lærer» is one)."""
    return bool(_PLURAL.search(word)) and not compounds().is_lemma(word)


def _phrases(words: tuple[Word, ...], text: str, verb: int | None) -> list[Phrase]:
    runs: list[list[int]] = []
    open_run = False
    for at, word in enumerate(words):
        joins = word.kind is Kind.AND and open_run and _before_naming(words, at)
        names = word.kind in (Kind.NAMING, Kind.NUMBER, Kind.DETERMINER)
        if not names and not joins:
            open_run = False
            continue
        if open_run:
            run = [words[index] for index in runs[-1]]
            apart = text[run[-1].end : word.start].strip()
            open_run = not apart and not _begins_anew(run, word)
        if open_run:
            runs[-1].append(at)
        elif names:
            runs.append([at])
            open_run = True
    return [
        _phrase(words, run, verb)
        for run in runs
        if any(words[at].kind in (Kind.NAMING, Kind.NUMBER) for at in run)
    ]


def _before_naming(words: tuple[Word, ...], at: int) -> bool:
    return at + 1 < len(words) and words[at + 1].kind is Kind.NAMING


def _phrase(words: tuple[Word, ...], run: list[int], verb: int | None) -> Phrase:
    first = run[0]
    own = tuple(words[at] for at in run)
    before = first - 1 if first and words[first - 1].lower not in _AMOUNTS else first - 2
    if before >= 0 and words[before].kind is Kind.PREPOSITION:
        return Phrase(own, words[before])
    asked = [word.lower for word in words[:first] if word.kind is Kind.QUESTION]
    is_asked_for = (verb is None or first < verb) and not _DEFINITE.search(own[-1].lower)
    return Phrase(own, None, asked[-1] if asked and is_asked_for else None)


def _begins_anew(run: list[Word], word: Word) -> bool:
    """Whether `word` names another thing than the words before it, which stand right before it."""
    last = run[-1]
    if Kind.AND in (word.kind, last.kind) or last.text.endswith("-"):
        return False
    if Kind.DETERMINER in (word.kind, last.kind):
        return last.kind is not Kind.DETERMINER
    if word.kind is Kind.NUMBER:  # «ministeren 6. mars»
        return word.text.endswith(".") and last.kind is not Kind.NUMBER
    if last.kind is Kind.NUMBER:
        return word.text[0].isupper() and len(run) > 1
    if last.is_name:  # «har Virke medlemmer», but «Nasjonal transportplan»
        return word.text[0].islower() and not _ADJECTIVE.search(last.text)
    return bool(_DEFINITE.search(last.lower)) and last.start > 0 and not word.is_name
