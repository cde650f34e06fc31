"""Forms of words: which of them are one word, in Bokmål and Nynorsk."""

from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from threading import local

import Stemmer

_FOLDER = Path(__file__).parent
# Of no use to a translator of single words, or beyond its list.
_MORE_NYNORSK = {"nokre": "noen", "nokon": "noen", "noko": "noe", "ikkje": "ikke", "ho": "hun"}


class WordForms:
    """The one key that all forms of a word share. Safe to share between threads."""

    def __init__(self) -> None:
        self._inflections = _table("inflections.tsv")
        self._nynorsk = {**_table("nynorsk.tsv"), **_MORE_NYNORSK}
        self._local = local()  # a stemmer keeps state while it works
        self.key = lru_cache(maxsize=50_000)(self._key)

    def _key(self, word: str) -> str:
        """The stem of the lower-case `word`'s lemma in Bokmål, as far as the tables know it.

        «kven» and «hvem», «gikk» and «gå», «kommunane» and «kommunene» have the same.
        """
        bokmal = self._nynorsk.get(word, word)
        stem: str = self._stemmer().stemWord(self._inflections.get(bokmal, bokmal))
        return stem

    def in_bokmal(self, word: str) -> str | None:
        """How the lower-case Nynorsk `word` is written in Bokmål; None if the same, or unknown."""
        return self._nynorsk.get(word)

    def is_known(self, word: str) -> bool:
        """Whether a table has the lower-case `word` as a form of its own."""
        return word in self._nynorsk or word in self._inflections

    def _stemmer(self) -> Stemmer.Stemmer:
        if not hasattr(self._local, "stemmer"):
            self._local.stemmer = Stemmer.Stemmer("norwegian")
        return self._local.stemmer


@cache
def word_forms() -> WordForms:
    """The tables, read once."""
    return WordForms()


def lines_of(name: str) -> Iterator[str]:
    """The lines of one of the tables."""
    with (_FOLDER / name).open(encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def _table(name: str) -> dict[str, str]:
    return dict(line.split("\t") for line in lines_of(name))
