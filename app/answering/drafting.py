"""A language model's draft: sentences with the numbers of the sources that they name.

The text comes in pieces of any size. A sentence is whole once the first word of the next one is:
its number may follow its full stop, and the word tells whether that full stop ends anything.
"""

import re
import unicodedata
from dataclasses import dataclass

from index.sentences import split_sentences
from index.text import normalise_line

_NUMBERS = r"\d{1,3}(?:\s*[,;]\s*\d{1,3})*"
_MARKER = re.compile(rf"\[(?:kilde|kjelde|source)?\s*({_NUMBERS})\]", re.IGNORECASE)
_UNFINISHED_MARKER = re.compile(r"\[[^\]\n]{0,30}$")
# «1. juli» begins a sentence, «1. Rådet» an item of a list.
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s+(?=[A-ZÆØÅ*_\"«])")
_BULLET = re.compile(r"^\s*(?:[-*•–>]\s+|#{1,6}\s+)+")
_EMPHASIS = re.compile(r"\*\*|__|`")
_BEFORE_STOP = re.compile(r"\s+(?=[.!?…,;:])")
_BRACKETS = str.maketrans("[]", "()")
_FIRST_WORD = re.compile(r"\w\S*\s")
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_BEGINS_TO_THINK = "<think>"
_END = re.compile(r"[.!?…][»\"”’)]*$")
_LONGEST_LINE = 2000
"""Letters after which a line is taken for one, however it goes on."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A sentence of the draft, without its markers and without mark-up.

    `numbers` are those of the sources that it names; `opens` says that a paragraph begins with it.
    """

    text: str
    numbers: tuple[int, ...]
    opens: bool


class Draft:
    """Takes text in as it comes, and gives each sentence when it is whole."""

    def __init__(self) -> None:
        self._line = ""
        self._opens = True
        self._before = ""
        """What came before it was clear whether the model thinks aloud first."""
        self._is_past_thought = False

    def take(self, text: str) -> list[Drafted]:
        """The sentences that are whole now that `text` has come."""
        *lines, rest = (self._line + self._without_thought(text)).split("\n")
        found: list[Drafted] = []
        for line in lines:
            found += self._given(self._sentences(line))
            self._opens = True
        sentences = self._sentences(rest)
        if len(rest) > _LONGEST_LINE:
            found += self._given(sentences)
            rest = ""
        elif len(sentences) > 1 and _FIRST_WORD.search(sentences[-1].text):
            found += self._given(sentences[:-1])
            rest = rest[sentences[-1].start :]
        self._line = rest
        return found

    def end(self) -> list[Drafted]:
        """The sentences that were still open; nothing comes after them."""
        line, self._line = self._line, ""
        return self._given(self._sentences(line))

    def break_off(self) -> list[Drafted]:
        """The sentences that were whole, though nobody knows what should have come after them."""
        whole = (s for s in self.end() if s.numbers and _END.search(s.text))
        return list(whole)

    def _sentences(self, line: str) -> "list[_Sentence]":
        return _sentences(line, opens=self._opens)

    def _given(self, sentences: "list[_Sentence]") -> list[Drafted]:
        found = []
        for sentence in sentences:
            found.append(Drafted(sentence.text, sentence.numbers, self._opens))
            self._opens = False
        return found

    def _without_thought(self, text: str) -> str:
        """What follows the thoughts that some models write down before they answer."""
        if self._is_past_thought:
            return text
        self._before += text
        begun = self._before.lstrip()
        if _BEGINS_TO_THINK.startswith(begun[: len(_BEGINS_TO_THINK)]):
            thought = _THOUGHT.match(self._before)
            if thought is None:
                return ""
            begun = self._before[thought.end() :]
        self._is_past_thought, self._before = True, ""
        return begun


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    numbers: tuple[int, ...]
    start: int


def _sentences(line: str, opens: bool) -> list[_Sentence]:
    """The sentences of a line, or of what is left of one; without letters there is none.

    A marker stands after the words that it is about, be it before their full stop or after.
    """
    unfinished = _UNFINISHED_MARKER.search(line)
    whole = line[: unfinished.start()] if unfinished else line
    plain = _MARKER.sub(lambda marker: " " * len(marker[0]), whole)
    spans = [span for span in split_sentences(plain) if _says_something(plain[slice(*span)])]
    found = []
    for at, (start, end) in enumerate(spans):
        until = spans[at + 1][0] if at + 1 < len(spans) else len(whole)
        markers = _MARKER.finditer(whole, start, until)
        numbers = dict.fromkeys(int(n) for m in markers for n in re.findall(r"\d+", m[1]))
        text = _BULLET.sub("", plain[start:end])
        if opens and at == 0:
            text = _LIST_NUMBER.sub("", text)
        found.append(_Sentence(_tidied(text), tuple(numbers), start))
    return found


def without_thought(text: str) -> str:
    """A whole text without the thoughts that some models write down first."""
    return _THOUGHT.sub("", text, count=1) if _THOUGHT.match(text) else text


def _says_something(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def _tidied(text: str) -> str:
    """Without the marks of Markdown and of other sources: an answer is prose, its numbers ours."""
    prose = normalise_line(_EMPHASIS.sub("", text))
    visible = "".join(letter for letter in prose if unicodedata.category(letter) != "Cf")
    return _BEFORE_STOP.sub("", visible.translate(_BRACKETS))
