"""Norwegian analysis for the lexical side: from text to the words that are matched.

One analyser for indexing, searching and highlighting, so that they cannot disagree. The index
engine only ever sees the words made here.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from index.norwegian.compounds import compounds
from index.norwegian.forms import word_forms
from index.norwegian.small_words import FUNCTION_WORDS
from index.text import normalise

ANALYSER_VERSION = 3
"""Part of every generation's manifest: raise it when the same text would give other words, or words
would be kept otherwise. 3: words and headings to suggest are kept too."""

_MONTH_NAMES = "januar februar mars april mai juni juli august september oktober november desember"
_MONTHS = _MONTH_NAMES.split()
# «1 369», «15.515» and «1369» are one number; a decimal comma stays within its number («8,9»).
# At most five groups, so that «123.123.123 …» without end is not tried again from each of them.
_WORD = re.compile(
    r"\d{1,3}(?:[ .\u00a0\u202f]\d{3}){1,5}(?:,\d+)?(?![\d.,]?\d)|\d+(?:,\d+)?|[^\W_]+"
)
_GROUPING = re.compile(r"[ .\u00a0\u202f]")
_DATE = re.compile(
    r"(?<![\d.,])(\d{1,2})(?:\.[ \u00a0]?|[ \u00a0])"
    rf"(?:(?P<name>{'|'.join(_MONTHS)})\b|(?P<number>\d{{1,2}})\.(?!\d(?!\d)|\d\d\.))",
    re.IGNORECASE,
)

FUNCTION_WORD_WEIGHT = 0.1
PART_WEIGHT = 0.3
"""Weight of a part of a compound in a query. Anything from 0.15 to 0.6 was as good."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it is matched, and where it stands: `text[start:end]` of the analysed text.

    `parts` are further words that it is matched by: those that a compound is made of, and for the
    day of a date the whole date.
    """

    word: str
    start: int
    end: int
    parts: tuple[str, ...] = ()


class Analyser:
    """Lower case, one key for all forms of a word, compounds with their parts, numbers and dates
    in one spelling. æ, ø and å are letters. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._forms = word_forms()
        self._compounds = compounds()
        self._function_words = frozenset(self.words(FUNCTION_WORDS))

    def tokens(self, text: str) -> Iterator[Token]:
        """The words of `text`, which must be normalised already for the offsets to fit."""
        dates = {found.start(): _date(found) for found in _DATE.finditer(text)}
        for found in _WORD.finditer(text):
            word = found.group().lower()
            if word[0].isdigit():
                date = dates.get(found.start())
                parts: tuple[str, ...] = (date,) if date else ()
                word = _GROUPING.sub("", word)
            else:
                parts = self._compounds.parts(word)
                word = self._forms.key(word)
            yield Token(word, found.start(), found.end(), parts)

    def words(self, text: str) -> list[str]:
        """The words of `text` in order, each followed by its parts, for indexing or searching."""
        return [
            word for token in self.tokens(normalise(text)) for word in (token.word, *token.parts)
        ]

    def telling_words(self, query: str) -> set[str]:
        """What a reader looks for in a text that fits `query`: its words, and parts of compounds.

        Function words are among them only when there is nothing else.
        """
        words = set(self.words(query))
        return words - self._function_words or words

    def weights(self, query: str) -> dict[str, float]:
        """How often each word of `query` stands in it, function words and parts weighed down."""
        weights: dict[str, float] = defaultdict(float)
        for token in self.tokens(normalise(query)):
            is_function_word = token.word in self._function_words
            weights[token.word] += FUNCTION_WORD_WEIGHT if is_function_word else 1.0
            for part in token.parts:
                weights[part] += PART_WEIGHT
        return dict(weights)


def _date(found: re.Match[str]) -> str | None:
    """«8. april», «8 april» and «8.4.» as «8.4»; None when there is no such day."""
    name = found["name"]
    month = _MONTHS.index(name.lower()) + 1 if name else int(found["number"])
    day = int(found[1])
    return f"{day}.{month}" if 1 <= month <= 12 and 1 <= day <= 31 else None
