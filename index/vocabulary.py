"""The words of a generation as they are written, to correct questions by."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import tantivy

from index.tantivy_index import IndexWriter
from index.text import normalise

WORD = re.compile(r"[^\W\d_]+")
_MOST_NEAR = 500
_LONGEST = 60


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("form", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("count", stored=True)
    return builder.build()


def count_forms(text: str) -> Counter[str]:
    """The lower-case words of `text`, and how often each stands there."""
    words = (found.group().lower() for found in WORD.finditer(normalise(text)))
    return Counter(word for word in words if len(word) <= _LONGEST)


def write_vocabulary(folder: Path, counts: Counter[str], grown_from: Path | None = None) -> None:
    """Writes words with their counts into a new `folder`; those of `grown_from` are added to.

    Counts never go down: words of removed texts are known by the texts that are left, see
    `Vocabulary`.
    """
    before = Vocabulary(grown_from) if grown_from is not None else None
    with IndexWriter(folder, _schema(), "form", grown_from) as writer:
        for form, count in counts.items():
            known = before.count(form) if before else 0
            if known:
                writer.remove(form)
            writer.add(tantivy.Document(form=form, count=count + known))


class Vocabulary:
    """Lower-case words and how often they occur. Safe to share between threads.

    `still_stands` says of a word whether any text is left that has it, where texts were removed.
    """

    def __init__(self, folder: Path, still_stands: Callable[[str], bool] = lambda _: True) -> None:
        self._schema = _schema()
        self._searcher = tantivy.Index(self._schema, path=str(folder)).searcher()
        self.still_stands = still_stands

    def count(self, word: str) -> int:
        """How often `word` stands in the texts, in this very form."""
        query = tantivy.Query.term_query(self._schema, "form", word, index_option="basic")
        count = next((count for _, count in self._found(query)), 0)
        return count if count and self.still_stands(word) else 0

    def near(self, word: str, distance: int) -> list[tuple[str, int]]:
        """Words within `distance` edits (1 or 2) of `word`, with their counts, in no order.

        An edit adds, drops or replaces a letter, or swaps two neighbours. Words that stand in
        removed texts alone may be among them.
        """
        query = tantivy.Query.fuzzy_term_query(
            self._schema, "form", word, distance=distance, transposition_cost_one=True
        )
        return self._found(query)

    def _found(self, query: tantivy.Query) -> list[tuple[str, int]]:
        hits = self._searcher.search(query, _MOST_NEAR, count=False).hits
        documents = (self._searcher.doc(address) for _, address in hits)
        return [(document["form"][0], document["count"][0]) for document in documents]
