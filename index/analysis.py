"""Norwegian analysis for the lexical side: from text to the words that are matched.

One analyser for indexing, searching and highlighting, so that they cannot disagree. The index
engine only ever sees the words made here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from threading import local

import Stemmer

from index.text import normalise

ANALYSER_VERSION = 1
"""Part of every generation's manifest: raise it when the same text would give other words."""

# «1 369», «15.515» and «1369» are one number; a decimal comma stays within its number («8,9»).
_WORD = re.compile(
    r"\d{1,3}(?:[ .\u00a0\u202f]\d{3})+(?![\d.,]?\d)|\d+(?:,\d+)?|[^\W_]+", re.UNICODE
)
_GROUPING = re.compile(r"[ .\u00a0\u202f]")


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it is matched, and where it stands: `text[start:end]` of the analysed text."""

    word: str
    start: int
    end: int


class Analyser:
    """Lower case, numbers in one spelling, Snowball's Norwegian stems. æ, ø and å are letters.

    A stemmer keeps state while it works, so each thread has its own.
    """

    def __init__(self) -> None:
        self._local = local()

    def tokens(self, text: str) -> Iterator[Token]:
        """The words of `text`, which must be normalised already for the offsets to fit."""
        stemmer = self._stemmer()
        for found in _WORD.finditer(text):
            word = found.group().lower()
            if word[0].isdigit():
                word = _GROUPING.sub("", word)
            else:
                word = stemmer.stemWord(word)
            yield Token(word, found.start(), found.end())

    def words(self, text: str) -> list[str]:
        """The words of `text` in order, for indexing or searching."""
        return [token.word for token in self.tokens(normalise(text))]

    def _stemmer(self) -> Stemmer.Stemmer:
        if not hasattr(self._local, "stemmer"):
            self._local.stemmer = Stemmer.Stemmer("norwegian")
        return self._local.stemmer
