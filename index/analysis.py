"""Norwegian analysis for the lexical side: from text to the words that are matched.

One analyser for indexing, searching and highlighting, so that they cannot disagree. The index
engine only ever sees the words made here.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from threading import local

import Stemmer

from index.text import normalise

ANALYSER_VERSION = 1
"""Part of every generation's manifest: raise it when the same text would give other words."""

# «1 369», «15.515» and «1369» are one number; a decimal comma stays within its number («8,9»).
# At most five groups, so that «123.123.123 …» without end is not tried again from each of them.
_WORD = re.compile(
    r"\d{1,3}(?:[ .\u00a0\u202f]\d{3}){1,5}(?:,\d+)?(?![\d.,]?\d)|\d+(?:,\d+)?|[^\W_]+"
)
_GROUPING = re.compile(r"[ .\u00a0\u202f]")


# Words that carry a question's grammar, not its subject. In a large library their frequency tells
# that they weigh little; a small one would take «hvor mange» for rare and telling words.
_FUNCTION_WORDS = """
    og i å at er som en et ei den det de til på av for med har ikke om var fra men seg så kan vil
    skal ble blir bli være vært hadde han hun jeg vi du dere dem seg sin sitt sine da når nå enn
    over under etter ved mot mellom inn ut opp ned også bare eller hvis dette denne disse man
    hva hvem hvor hvordan hvorfor hvilke hvilken hvilket hvilken mange mye gjør gjøre ifølge
    ein eit dei ikkje frå vere vore hadde ho eg me dykk sin når no òg berre viss desse kva kven
    kvar kor korleis kvifor kva mykje gjer gjere ifølgje blei vart vert blir
    the of and to is are was were in that which who what how why when where from with not by this
    have has does did do an a it its many much there for on at as be
"""
FUNCTION_WORD_WEIGHT = 0.1


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
        self._function_words = frozenset(self.words(_FUNCTION_WORDS))

    def tokens(self, text: str) -> Iterator[Token]:
        """The words of `text`, which must be normalised already for the offsets to fit."""
        stemmer = self._stemmer()
        for found in _WORD.finditer(text):
            word = found.group().lower()
            is_number = word[0].isdigit()
            word = _GROUPING.sub("", word) if is_number else stemmer.stemWord(word)
            yield Token(word, found.start(), found.end())

    def words(self, text: str) -> list[str]:
        """The words of `text` in order, for indexing or searching."""
        return [token.word for token in self.tokens(normalise(text))]

    def weights(self, query: str) -> dict[str, float]:
        """How often each word of `query` stands in it, function words weighed down."""
        counts = Counter(self.words(query))
        return {
            word: count * (FUNCTION_WORD_WEIGHT if word in self._function_words else 1.0)
            for word, count in counts.items()
        }

    def _stemmer(self) -> Stemmer.Stemmer:
        if not hasattr(self._local, "stemmer"):
            self._local.stemmer = Stemmer.Stemmer("norwegian")
        return self._local.stemmer
