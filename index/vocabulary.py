"""The words of a generation as they are written, to correct questions by."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import tantivy

from index.tantivy_index import write_index
from index.text import normalise

WORD = re.compile(r"[^\W\d_]+")
_MOST_NEAR = 500
_LONGEST = 60


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("form", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("count", stored=True)
    return builder.build()


def write_vocabulary(folder: Path, texts: Iterable[str]) -> None:
    """Writes the lower-case words of `texts`, with their counts, into an empty `folder`."""
    counts: Counter[str] = Counter()
    for text in texts:
        words = (found.group().lower() for found in WORD.finditer(normalise(text)))
        counts.update(word for word in words if len(word) <= _LONGEST)
    documents = (tantivy.Document(form=form, count=count) for form, count in counts.items())
    write_index(folder, _schema(), documents)


class Vocabulary:
    """Lower-case words and how often they occur. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._schema = _schema()
        self._searcher = tantivy.Index(self._schema, path=str(folder)).searcher()

    def count(self, word: str) -> int:
        """How often `word` stands in the texts, in this very form."""
        query = tantivy.Query.term_query(self._schema, "form", word, index_option="basic")
        return next((count for _, count in self._found(query)), 0)

    def near(self, word: str, distance: int) -> list[tuple[str, int]]:
        """Words within `distance` edits (1 or 2) of `word`, with their counts, in no order.

        An edit adds, drops or replaces a letter, or swaps two neighbours.
        """
        query = tantivy.Query.fuzzy_term_query(
            self._schema, "form", word, distance=distance, transposition_cost_one=True
        )
        return self._found(query)

    def _found(self, query: tantivy.Query) -> list[tuple[str, int]]:
        hits = self._searcher.search(query, _MOST_NEAR, count=False).hits
        documents = (self._searcher.doc(address) for _, address in hits)
        return [(document["form"][0], document["count"][0]) for document in documents]
