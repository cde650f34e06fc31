"""Compounds: which words a Norwegian word is put together from."""

from functools import cache, lru_cache

from index.norwegian.forms import WordForms, lines_of, word_forms

_SHORTEST_HEAD, _SHORTEST_TAIL = 3, 4
_SHORTEST, _LONGEST = 7, 60
"""Letters of what is tried at all."""
_MOST_PARTS = 4


class Compounds:
    """Splits into parts that a dictionary has. Safe to share between threads."""

    def __init__(self, forms: WordForms) -> None:
        self._forms = forms
        self._lemmas = frozenset(lines_of("lemmas.txt"))
        self._tails = frozenset(map(forms.key, self._lemmas))
        self.parts = lru_cache(maxsize=50_000)(self._parts)

    def is_known(self, word: str) -> bool:
        """Whether the lower-case `word` is a form of a word in the dictionary."""
        return word in self._lemmas or self._forms.key(word) in self._tails

    def is_lemma(self, word: str) -> bool:
        """Whether the dictionary has the lower-case `word` itself."""
        return word in self._lemmas

    def _parts(self, word: str) -> tuple[str, ...]:
        """The keys of the parts of the lower-case `word`, in order; none when it is no compound.

        As few parts as possible, and of those the ones whose shortest is longest. A word that the
        dictionary has is left whole.
        """
        if not _SHORTEST <= len(word) <= _LONGEST or not word.isalpha() or self.is_known(word):
            return ()
        split = self._split(word, _MOST_PARTS)
        return tuple(map(self._forms.key, split)) if split else ()

    def _split(self, word: str, most: int) -> tuple[str, ...] | None:
        best: tuple[str, ...] | None = None
        for at in range(_SHORTEST_HEAD, len(word) - _SHORTEST_TAIL + 1):
            head = self._head(word[:at])
            if head is None:
                continue
            tail = word[at:]
            found: tuple[str, ...] | None = None
            if self._forms.key(tail) in self._tails:
                found = (head, tail)
            elif most > 2 and (rest := self._split(tail, most - 1)):
                found = (head, *rest)
            if found and (best is None or _rank(found) < _rank(best)):
                best = found
        return best

    def _head(self, head: str) -> str | None:
        """The word that a first part is, without the letter that binds it to the next."""
        if head in self._lemmas or (len(head) > _SHORTEST_HEAD and self._forms.is_known(head)):
            return head
        bare = head[:-1]
        return bare if head[-1] in "se" and len(bare) > 3 and bare in self._lemmas else None


def _rank(parts: tuple[str, ...]) -> tuple[int, int]:
    return len(parts), -min(map(len, parts))


@cache
def compounds() -> Compounds:
    """The dictionary, read once."""
    return Compounds(word_forms())
