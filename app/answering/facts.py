"""The numbers and names in a text, and how they are known again in another."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from index.analysis import Analyser
from index.norwegian.forms import word_forms
from index.norwegian.small_words import STOP_WORDS

_SPELLED_OUT = (
    "tre fire fem seks sju åtte ni ti elleve tolv tretten fjorten femten seksten sytten atten "
    "nitten tjue",
    "three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty",
)
_NUMERALS = {
    word: str(number)
    for words in _SPELLED_OUT
    for number, word in enumerate(words.split(), start=3)
} | {"syv": "7", "tyve": "20"}
"""Those that are no other word in one of the languages: «to» is."""
_SCALE = re.compile(
    r"\w*(?:hundre|tusen|million(?:er|ar|s)?|milliard(?:er|ar)?|hundred|thousand|billion)s?|"
    r"(?:tretti|førti|femti|seksti|sytti|åtti|nitti)\w*|halvparten|dobbelt\w*|tredjedel\w*"
)
"""What makes another number of the one that it stands beside, or is one itself."""
_YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}")
_SHORT_DATE = re.compile(r"\b\d{1,2}\.\d{1,2}\.(\d{2}|\d{4})\b")
_OPENING = re.compile(r"(?:^|[.!?:…\n])[\s«\"“(–—-]*$")
_LOOKS_BACK = 8
_BETWEEN = re.compile(r"[ ,./–-]*(?:(?:og|and|eller|or) )?")
_AS_IT_STANDS = re.compile(r"https?://\S+|www\.\S+|\]\(|<[a-z/!]|(?<!\S)[-−]\d\S*", re.IGNORECASE)
"""Addresses, mark-up and negative numbers: nothing of them is matched by a word."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A number or name, and where it stands; any of its keys finds it in another text."""

    start: int
    end: int
    written: str
    keys: tuple[str, ...]
    is_number: bool

    @property
    def place(self) -> tuple[int, int]:
        return self.start, self.end

    def is_among(self, keys: Collection[str]) -> bool:
        return any(key in keys for key in self.keys)


class Facts:
    """Finds facts, and the keys by which a text has them."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser

    def of(self, text: str) -> list[Fact]:
        """The numbers and names of a normalised text, in their order."""
        tokens = list(self._analyser.tokens(text))
        written = [text[token.start : token.end] for token in tokens]
        facts: list[Fact] = []
        for token, word, next_word in zip(tokens, written, [*written[1:], ""], strict=True):
            lower = word.lower()
            before = max(token.start - _LOOKS_BACK, 0)
            opens = _OPENING.search(text, before, token.start) is not None
            keys: tuple[str, ...] = (token.word,)
            is_number = any(map(str.isdigit, word)) or _SCALE.fullmatch(lower) is not None
            if lower in _NUMERALS:
                keys, is_number = (_NUMERALS[lower],), True
            elif not is_number and not _is_name(word, next_word, opens):
                continue
            elif word.endswith("s"):  # «Noregs» is in no table, «Noreg» is
                keys = (token.word, *self._analyser.words(word[:-1]))
            facts.append(Fact(token.start, token.end, word, keys, is_number))
        return facts

    def keys(self, text: str) -> frozenset[str]:
        """By which the words, numbers and names of a text are found."""
        years = (found[1] for found in _SHORT_DATE.finditer(text))
        whole = (year if len(year) == 4 else f"20{year}" for year in years)
        words = (word.strip('.,;:!?()«»"') for word in text.lower().split())
        numerals = (_NUMERALS[word] for word in words if word in _NUMERALS)
        return frozenset((*self._analyser.words(text), *whole, *numerals))


def only_as_it_stands(sentence: str) -> list[str]:
    """The parts of a sentence that a source must have to the letter."""
    return _AS_IT_STANDS.findall(sentence)


def joined(sentence: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts, those of a kind as one that follow each other («2023 og 2024»)."""
    found: list[Fact] = []
    for fact in facts:
        last = found[-1] if found else None
        if (
            last is not None
            and fact.is_number == last.is_number
            and _BETWEEN.fullmatch(sentence[last.end : fact.start])
        ):
            written = sentence[last.start : fact.end]
            keys = (*last.keys, *fact.keys)
            found[-1] = Fact(last.start, fact.end, written, keys, fact.is_number)
        else:
            found.append(fact)
    return found


def question_for(sentence: str, fact: Fact) -> str:
    """The sentence as a question for that fact."""
    asked = "hvem eller hva"
    if fact.is_number:
        asked = "når" if _YEAR.fullmatch(fact.written) else "hvor mange"
    question = f"{sentence[: fact.start]}{asked}{sentence[fact.end :]}".strip(" .!")
    return f"{question[:1].upper()}{question[1:]}?"


def _is_name(word: str, next_word: str, opens: bool) -> bool:
    """Whether `word` names something; `opens` says that any word would have a capital there."""
    if not word[0].isupper():
        return False
    if not opens or next_word[:1].isupper():
        return True
    lower = word.lower()
    return lower not in STOP_WORDS and not word_forms().is_known(lower)
