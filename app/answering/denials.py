"""Whether a sentence denies what another affirms, or the other way round."""

import re
from collections.abc import Collection, Mapping, Sequence

from index.analysis import Analyser
from index.language import detect_language

_DENIALS = frozenset(
    "ikke ikkje ingen inga intet ingenting aldri uten utan verken korkje neppe knapt not none "  # noqa: SIM905
    "never nor cannot without neither hardly".split()
)
_IN_ENGLISH = frozenset({"no"})
"""In Nynorsk it is «now»."""
_SHORTENED = re.compile(r"n['’]t\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_CLAUSE_END = re.compile(r"[,;:–—()]|\b(?:men|som|fordi|but|because|which)\b")


def turned(
    sentence: str, texts: Sequence[str], telling: Mapping[str, float], analyser: Analyser
) -> set[tuple[bool, bool]]:
    """Of each clause of the sentence, whether it denies, and whether the nearest of `texts` does.

    The nearest has most of its `telling` words: of two clauses, one may be denied and the other
    not.
    """
    theirs = [(c, {*analyser.words(c)}) for text in texts for c in _clauses(text)]
    found = set()
    for clause in _clauses(sentence):
        words = {*analyser.words(clause)}
        weights = {word: weight for word, weight in telling.items() if word in words}
        nearest, _ = max(theirs, key=lambda other: covered(weights, other[1]))
        found.add((_denies(clause), _denies(nearest)))
    return found


def covered(telling: Mapping[str, float], words: Collection[str]) -> float:
    """How much of the `telling` words is among `words`."""
    return sum(weight for word, weight in telling.items() if word in words)


def _clauses(text: str) -> list[str]:
    """The parts of a sentence; the whole of one that has none."""
    parts = _CLAUSE_END.split(text)
    return [part for part in parts if _WORD.search(part)] or [text]


def _denies(text: str) -> bool:
    words = set(_WORD.findall(text.lower()))
    if words & _DENIALS or _SHORTENED.search(text):
        return True
    return bool(words & _IN_ENGLISH) and detect_language(text) == "en"
