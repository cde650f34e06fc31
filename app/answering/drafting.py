"""A language model's draft: sentences with the numbers of the sources that they name.

The text comes in pieces of any size. A sentence is whole once the first word of the next one is:
its number may follow its full stop, and the word tells whether that full stop ends anything.
"""

import re
from dataclasses import dataclass

from index.sentences import split_sentences

_NUMBERS = r"\d{1,3}(?:\s*[,;]\s*\d{1,3})*"
_MARKER = re.compile(rf"[ \t]*\[(?:kilde|kjelde|source)?\s*({_NUMBERS})\]", re.IGNORECASE)
_UNFINISHED_MARKER = re.compile(r"[ \t]*\[[^\]\n]{0,30}$")
_LINE_START = re.compile(r"^\s*(?:[-*•–>]\s+|\d{1,2}[.)]\s+(?=\D)|#{1,6}\s+)+")
_EMPHASIS = re.compile(r"\*\*|__|`")
_FIRST_WORD = re.compile(r"\w\S*\s")
_SPACES = re.compile(r"[ \t\u00a0]{2,}")
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_BEGINS_TO_THINK = "<think>"


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
        text = self._without_thought(text)
        *lines, rest = (self._line + text).split("\n")
        found: list[Drafted] = []
        for line in lines:
            found += self._given(_sentences(line))
            self._opens = True
        sentences = _sentences(rest)
        if len(sentences) > 1 and _FIRST_WORD.search(sentences[-1].text):
            found += self._given(sentences[:-1])
            rest = rest[sentences[-2].end :]
        self._line = rest
        return found

    def end(self) -> list[Drafted]:
        """The sentences that were still open; nothing comes after them."""
        rest = _sentences(_UNFINISHED_MARKER.sub("", self._line))
        self._line = ""
        return self._given(rest)

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
    end: int
    """Where in its line what belongs to it ends."""


def _sentences(line: str) -> list[_Sentence]:
    """The sentences of a line; what has no letter and no digit is none."""
    plain, places = _without_markers(line)
    spans = [span for span in split_sentences(plain) if _says_something(plain[slice(*span)])]
    found = []
    for at, (start, end) in enumerate(spans):
        until = spans[at + 1][0] if at + 1 < len(spans) else len(plain) + 1
        own = [marker for marker in places if start < marker.place < until]
        # A marker stands after the words that it is about, be it before their full stop or after.
        numbers = dict.fromkeys(number for marker in own for number in marker.numbers)
        cut = sum(marker.length for marker in places if marker.place < until)
        found.append(_Sentence(_tidied(plain[start:end]), tuple(numbers), until + cut))
    return found


@dataclass(frozen=True, slots=True)
class _Marker:
    place: int
    """Where it stood, in the line without any."""
    length: int
    numbers: tuple[int, ...]


def _without_markers(line: str) -> tuple[str, list[_Marker]]:
    unfinished = _UNFINISHED_MARKER.search(line)
    whole = line[: unfinished.start()] if unfinished else line
    plain, last = "", 0
    places = []
    for found in _MARKER.finditer(whole):
        plain += whole[last : found.start()]
        last = found.end()
        numbers = tuple(int(number) for number in re.findall(r"\d+", found[1]))
        places.append(_Marker(len(plain), len(found[0]), numbers))
    return plain + whole[last:], places


def _says_something(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def _tidied(text: str) -> str:
    """Without the marks of Markdown: an answer is prose."""
    return _SPACES.sub(" ", _EMPHASIS.sub("", _LINE_START.sub("", text))).strip()
