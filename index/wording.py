"""The wording of a question: spelling mended, and Nynorsk bridged to the Bokmål of the texts.

Matching stays strict; it is the question that is changed, and the reader is told what was searched.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from index.norwegian.compounds import compounds
from index.norwegian.forms import word_forms
from index.norwegian.small_words import STOP_WORDS
from index.text import normalise
from index.views import Words
from index.vocabulary import WORD

_SHORTEST = 4
"""Letters of a word that is corrected. Shorter ones are near to too many others."""
_TWO_ERRORS = 6
"""Letters from which a word may be two edits from the right one. A name never is."""
_CERTAIN_PART = 4
"""Letters of the parts of what is taken for a compound rather than for a misspelt word."""
_EDIT, _FIRST_LETTER = 6.0, 4.0
"""What an edit, and another first letter, count against the logarithm of a word's frequency."""

Change = Callable[[str, bool], str]


@dataclass(frozen=True, slots=True)
class Wording:
    """A question as it is searched."""

    corrected: str
    """As asked, but for words that are spelt as no text spells them."""
    searched: str
    """The same with Nynorsk words in Bokmål, where that is what the texts have more often."""


class Wordings:
    """Reads questions against the words of the texts. Safe to share between threads."""

    def __init__(self) -> None:
        self._forms = word_forms()
        self._compounds = compounds()

    def of(self, question: str, vocabulary: Words) -> Wording:
        question = normalise(question)
        known = _Known(vocabulary, self._looked_up(question))
        corrected = _changed(question, lambda word, is_name: self._corrected(word, is_name, known))
        return Wording(corrected, _changed(corrected, lambda word, _: self._bridged(word, known)))

    def _looked_up(self, question: str) -> set[str]:
        """The words of which it must be known how often they stand in the texts."""
        words = {found.group().lower() for found in WORD.finditer(question)}
        bridges = {word: self._forms.in_bokmal(word) for word in words}
        bridged = {w for pair in bridges.items() if pair[1] for w in pair if w}
        return bridged | {word for word in words if _is_corrected(word)}

    def _corrected(self, word: str, is_name: bool, known: "_Known") -> str:
        """The word of the texts that `word` was most probably meant to be, else itself.

        A name gets the benefit of the doubt: one that the texts lack may well be right, and the
        answer then is that they do not know it.
        """
        if not self._is_strange(word, known):
            return word
        vocabulary = known.vocabulary
        distance = 1 if is_name or len(word) < _TWO_ERRORS else 2
        near = sorted(
            vocabulary.near(word, distance),
            key=lambda found: _likelihood(word, *found),
            reverse=True,
        )
        return next((form for form, _ in near if vocabulary.still_stands(form)), word)

    def _is_strange(self, word: str, known: "_Known") -> bool:
        parts = self._compounds.parts(word)
        return _is_corrected(word) and not (
            known.count(word)
            or self._forms.is_known(word)
            or self._compounds.is_known(word)
            or (parts and min(map(len, parts)) >= _CERTAIN_PART)
        )

    def _bridged(self, word: str, known: "_Known") -> str:
        bokmal = self._forms.in_bokmal(word)
        if bokmal is None or known.count(bokmal) <= known.count(word):
            return word
        return bokmal


class _Known:
    """How often words stand in the texts, most of them looked up at once."""

    def __init__(self, vocabulary: Words, words: Collection[str]) -> None:
        self.vocabulary = vocabulary
        self._counts = vocabulary.counts(words)

    def count(self, word: str) -> int:
        if word not in self._counts:
            self._counts[word] = self.vocabulary.count(word)
        return self._counts[word]


def _is_corrected(word: str) -> bool:
    """Whether a word may be taken for a misspelt one."""
    return len(word) >= _SHORTEST and word not in STOP_WORDS


def _likelihood(word: str, form: str, count: int) -> float:
    """Comparable for one `word`: how well it may have been meant as `form`."""
    other_start = _FIRST_LETTER if form[0] != word[0] else 0.0
    return math.log(count) - _EDIT * edits(word, form) - other_start


def _changed(question: str, change: Change) -> str:
    """`question` with `change` made to its words, given in lower case and whether names.

    A capital letter inside the question marks a name; at its start it marks nothing.
    """
    parts = []
    end = 0
    for number, found in enumerate(WORD.finditer(question)):
        word = found.group()
        is_capital = word[0].isupper()
        lower = word.lower()
        changed = change(lower, is_capital and number > 0)
        if changed != lower:
            word = changed[0].upper() + changed[1:] if is_capital else changed
        parts += [question[end : found.start()], word]
        end = found.end()
    return "".join([*parts, question[end:]])


def edits(left: str, right: str) -> int:
    """Least number of letters added, dropped, replaced, or swapped with their neighbour."""
    return _edits_to_beginnings(left, right)[-1]


def edits_to_beginning(typed: str, word: str) -> int:
    """Least `edits` between what is typed and any beginning of `word`."""
    same = next(
        (at for at, (one, other) in enumerate(zip(typed, word, strict=False)) if one != other),
        min(len(typed), len(word)),
    )
    # What both begin with takes no edits, and is most of the work.
    return min(_edits_to_beginnings(typed[same:], word[same:]))


def _edits_to_beginnings(left: str, right: str) -> list[int]:
    """For each beginning of `right`, from none of it to all, its edits from `left`.

    The optimal string alignment distance (Boytsov 2011, "Indexing methods for approximate
    dictionary searching").
    """
    before: list[int] = []
    last = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        row = [i]
        for j, other in enumerate(right, 1):
            best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last
