"""The lexical half of a generation: BM25 in tantivy, over words that our own analyser made."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy

from index.records import Scope
from index.tantivy_index import IndexWriter

Scored = tuple[int, float]
"""A passage's id and its score; higher is better."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """In how many passages a word stands, of how many."""

    having: int = 0
    of: int = 0

    def __add__(self, other: "Frequency") -> "Frequency":
        return Frequency(self.having + other.having, self.of + other.of)

    @property
    def rarity(self) -> float:
        """Inverse document frequency, as BM25 weighs it."""
        return math.log(1 + (self.of - self.having + 0.5) / (self.having + 0.5))


def shares_of(words: Mapping[str, float], rarity: Callable[[str], float]) -> dict[str, float]:
    """The weight of each word times its `rarity`, so that they sum to 1."""
    weighed = {word: weight * rarity(word) for word, weight in words.items()}
    total = sum(weighed.values()) or 1.0
    return {word: weight / total for word, weight in weighed.items()}


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("document", tokenizer_name="raw", index_option="basic")
    # Words come analysed and joined by spaces; tantivy only takes them apart again.
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


class LexicalWriter(IndexWriter):
    """Writes an index of passages; see `IndexWriter`."""

    def __init__(self, folder: Path, grown_from: Path | None = None) -> None:
        super().__init__(folder, _schema(), "id", grown_from)

    def add_passage(self, passage_id: int, document_id: str, words: Sequence[str]) -> None:
        self.add(tantivy.Document(id=str(passage_id), document=document_id, words=" ".join(words)))

    def remove_passage(self, passage_id: int) -> None:
        self.remove(str(passage_id))


class LexicalIndex:
    """BM25 (k1 = 1.2, b = 0.75) over passages. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._schema = _schema()
        self._searcher = tantivy.Index(self._schema, path=str(folder)).searcher()
        self._written = _count_written(folder)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(
        self, words: Mapping[str, float], limit: int, scope: Scope | None = None
    ) -> list[Scored]:
        """The `limit` passages that score highest on any of `words`, within `scope` if given.

        `words` says what each word's score is multiplied by.
        """
        if not words or limit == 0 or (scope and scope.is_empty):
            return []
        some = tantivy.Occur.Should
        clauses = [
            (some, tantivy.Query.boost_query(self._word(word), weight))
            for word, weight in words.items()
        ]
        query = tantivy.Query.boolean_query(clauses)
        if scope and scope.ids:
            told = tantivy.Query.term_set_query(self._schema, "document", sorted(scope.ids))
            limits = (
                (tantivy.Occur.MustNot, told)
                if scope.others
                else (tantivy.Occur.Must, tantivy.Query.const_score_query(told, 0.0))
            )
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), limits])
        return self._scored(query, limit)

    def has(self, word: str) -> bool:
        """Whether any passage has the analysed word."""
        return bool(self._searcher.search(self._word(word), 1, count=False).hits)

    def coverage(self, words: Mapping[str, float], passages: Sequence[int]) -> dict[int, float]:
        """How much of `words` each of `passages` has: 0 for none of them, 1 for all.

        Each word counts as much as its weight times its rarity, once however often it stands there.
        """
        return self.covered(self.shares(words), passages)

    def covered(self, shares: Mapping[str, float], passages: Sequence[int]) -> dict[int, float]:
        """Of each of `passages` that is here, the sum of the shares of the words that it has."""
        if not passages or not shares:
            return dict.fromkeys(passages, 0.0)
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.const_score_query(self._word(word), share))
            for word, share in shares.items()
        ]
        among = tantivy.Query.term_set_query(self._schema, "id", [str(i) for i in passages])
        must = tantivy.Occur.Must
        query = tantivy.Query.boolean_query(
            [
                (must, tantivy.Query.const_score_query(among, 0.0)),
                (tantivy.Occur.Should, tantivy.Query.boolean_query(clauses)),
            ]
        )
        return dict(self._scored(query, len(passages)))

    def shares(self, words: Mapping[str, float]) -> dict[str, float]:
        """The weight of each word times its rarity, so that they sum to 1."""
        return shares_of(words, self.rarity)

    def rarity(self, word: str) -> float:
        """Inverse document frequency of an analysed word, as BM25 weighs it."""
        return self.frequency(word).rarity

    def frequency(self, word: str) -> Frequency:
        """In how many passages an analysed word stands."""
        # Removed passages are counted as having the word for a while.
        having = min(self._searcher.doc_freq("words", word), self._searcher.num_docs)
        return Frequency(having, self._searcher.num_docs)

    def written(self, word: str) -> Frequency:
        """The same with the removed passages that are still in its files, as its scores go by."""
        return Frequency(self._searcher.doc_freq("words", word), self._written)

    def _scored(self, query: tantivy.Query, limit: int) -> list[Scored]:
        hits = self._searcher.search(query, limit, count=False).hits
        return [(int(self._searcher.doc(address)["id"][0]), score) for score, address in hits]

    def _word(self, word: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, "words", word, index_option="freq")


def _count_written(folder: Path) -> int:
    """How many passages the files of an index have, removed ones too."""
    about = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return sum(segment["max_doc"] for segment in about["segments"])
