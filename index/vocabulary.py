"""The words of a generation as they are written, to correct what is typed."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import tantivy

from index.tantivy_index import IndexWriter
from index.text import normalise

WORD = re.compile(r"[^\W\d_]+")
_MOST_NEAR = 500
_LONGEST = 60


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("form", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("count", stored=True, fast=True)
    builder.add_boolean_field("named", stored=True, indexed=True)  # in a title or a heading
    return builder.build()


def count_forms(text: str) -> Counter[str]:
    """The lower-case words of `text`, and how often each stands there."""
    words = (found.group().lower() for found in WORD.finditer(normalise(text)))
    return Counter(word for word in words if len(word) <= _LONGEST)


def write_vocabulary(
    folder: Path,
    counts: Counter[str],
    named: Collection[str] = (),
    grown_from: Path | None = None,
) -> None:
    """Writes words with their counts into a new `folder`; those of `grown_from` are added to.

    `named` are those of them that stand in a title or a heading. Counts never go down: words of
    removed texts are known by the texts that are left, see `Vocabulary`.
    """
    before = Vocabulary(grown_from) if grown_from is not None else None
    with IndexWriter(folder, _schema(), "form", grown_from) as writer:
        for form, count in counts.items():
            known, was_named = before.entry(form) if before else (0, False)
            if known:
                writer.remove(form)
            document = tantivy.Document(form=form)
            document.add_unsigned("count", count + known)
            document.add_boolean("named", was_named or form in named)
            writer.add(document)


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
        count, _ = self.entry(word)
        return count if count and self.still_stands(word) else 0

    def counts(self, words: Collection[str]) -> dict[str, int]:
        """The same of each of `words`, at once."""
        return {word: self.count(word) for word in words}

    def entry(self, word: str) -> tuple[int, bool]:
        """The count of `word`, removed texts and all, and whether it has been in a name."""
        query = tantivy.Query.term_query(self._schema, "form", word, index_option="basic")
        hits = self._searcher.search(query, 1, count=False).hits
        if not hits:
            return 0, False
        document = self._searcher.doc(hits[0][1])
        return document["count"][0], document["named"][0]

    def near(self, word: str, distance: int) -> list[tuple[str, int]]:
        """Words within `distance` edits (1 or 2) of `word`, with their counts, in no order.

        An edit adds, drops or replaces a letter, or swaps two neighbours. Words that stand in
        removed texts alone may be among them.
        """
        query = tantivy.Query.fuzzy_term_query(
            self._schema, "form", word, distance=distance, transposition_cost_one=True
        )
        return self._counted(self._searcher.search(query, _MOST_NEAR, count=False).hits)

    def starting_near(
        self, start: str, distance: int, limit: int, named: bool = False
    ) -> list[str]:
        """Words of which a beginning is within `distance` edits of `start`, most frequent first.

        Only those in titles and headings if `named`. Words of removed texts may be among them.
        """
        return [form for form, _ in self.counted_near(start, distance, limit, named)]

    def counted_near(
        self, start: str, distance: int, limit: int, named: bool = False
    ) -> list[tuple[str, int]]:
        """The same with their counts."""
        query = tantivy.Query.fuzzy_term_query(
            self._schema, "form", start, distance, transposition_cost_one=True, prefix=True
        )
        if named:
            is_named = tantivy.Query.term_query(self._schema, "named", True, index_option="basic")
            must = tantivy.Occur.Must
            query = tantivy.Query.boolean_query([(must, query), (must, is_named)])
        hits = self._searcher.search(query, limit, count=False, order_by_field="count").hits
        return self._counted(hits)

    def _counted(self, hits: Sequence[tuple[Any, tantivy.DocAddress]]) -> list[tuple[str, int]]:
        documents = (self._searcher.doc(address) for _, address in hits)
        return [(document["form"][0], document["count"][0]) for document in documents]
