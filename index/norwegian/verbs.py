"""Verbs: which words can be forms of one, and which forms."""

from functools import cache

from index.norwegian.forms import WordForms, lines_of, word_forms

# What the dictionary of Bokmål lacks: Nynorsk forms that no table maps, and what an English
# question has for a verb.
_MORE = {
    "f": "vart vert blei fekk fær gjekk stod heiter seier gjer veit vil skal må kan bør "
    "is are was were do does did has have had can could will would shall should may might must",
    "i": "vere verte bli få gå seie gjere "
    "be have do get say mean cost take need want give show work make write lead live propose "
    "suggest contain receive mention",
    "p": "vore vorte blitt fått gått sagt gjort been had done",
}


class Verbs:
    """Knows the frequent ones. Safe to share between threads."""

    def __init__(self, forms: WordForms) -> None:
        self._forms = forms
        self._uses = dict(line.split("\t") for line in lines_of("verbs.tsv"))
        for use, words in _MORE.items():
            for word in words.split():
                self._uses[word] = self._uses.get(word, "") + use

    def is_finite(self, word: str) -> bool:
        """Whether the lower-case `word` may be a verb in the present or the past."""
        return "f" in self._of(word)

    def is_infinite(self, word: str) -> bool:
        """Whether it may be an infinitive or a participle."""
        uses = self._of(word)
        return "i" in uses or "p" in uses

    def is_always(self, word: str) -> bool:
        """Whether it is a form of no noun and no adjective."""
        uses = self._of(word)
        return bool(uses) and "n" not in uses

    def _of(self, word: str) -> str:
        return self._uses.get(word) or self._uses.get(self._forms.in_bokmal(word) or "", "")


@cache
def verbs() -> Verbs:
    """The table, read once."""
    return Verbs(word_forms())
