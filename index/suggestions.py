"""What can be suggested of a generation: its titles, headings and words, found by how they begin.

They are kept as terms of an index of passages, `beginning/text`, so that one walk through its
dictionary gives all that begin alike, and in how many passages of those that are asked for they
stand. What was removed is in none of them.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import tantivy

from index.norwegian.small_words import STOP_WORDS
from index.records import Scope
from index.tantivy_index import IndexWriter
from index.text import normalise

Counted = list[tuple[str, int]]
"""Texts as they are written, with the number of passages that have each, most frequent first."""

NAME_WORD = re.compile(r"[^\W_]+")
"""A word of a title or a heading; a number is one as well."""

_SHORTEST_TERM = 3
_LONGEST_TERM = 60
_LONGEST_NAME = 200
_MOST_WORDS = 12
"""Words of a name by which it is found."""

# A word that ends in a hyphen («helse- og omsorg») is half a word, and one with digits a code.
_TERM = re.compile(r"(?<![\w-])[^\W\d_]+(?:-[^\W\d_]+)*(?![\w-])")
_FIRST = "^"


class Kind(StrEnum):
    """What a suggestion is; the first ones go before the others."""

    TITLE = "title"
    HEADING = "heading"
    TERM = "term"


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("document", tokenizer_name="raw", index_option="basic")
    for kind in Kind:
        builder.add_text_field(kind, tokenizer_name="raw", index_option="basic")
    return builder.build()


_SCHEMA = _schema()


class SuggestionWriter(IndexWriter):
    """Writes an index of passages; see `IndexWriter`."""

    def __init__(self, folder: Path, grown_from: Path | None = None) -> None:
        super().__init__(folder, _SCHEMA, "id", grown_from)

    def add_passage(
        self,
        passage_id: int,
        document_id: str,
        body: str,
        title: str | None = None,
        headings: Collection[str] = (),
    ) -> None:
        """A passage's words, the title of the document that it opens, and headings in it."""
        document = tantivy.Document(id=str(passage_id), document=document_id)
        for key in keys_of_terms(body):
            document.add_text(Kind.TERM, key)
        for key in keys_of_name(title or ""):
            document.add_text(Kind.TITLE, key)
        for key in keys_of_names(headings):
            document.add_text(Kind.HEADING, key)
        self.add(document)

    def remove_passage(self, passage_id: int) -> None:
        self.remove(str(passage_id))


def name_words(text: str) -> list[str]:
    """The words of a title, of a heading, or of what is typed, in lower case.

    `text` is normalised, as all that comes from the index is.
    """
    return [word.lower() for word in NAME_WORD.findall(text)]


def keys_of_terms(body: str) -> list[str]:
    """What the words of a passage are found by, each once."""
    terms = dict.fromkeys(found.group() for found in _TERM.finditer(normalise(body)))
    return [
        f"{term.lower()}/{term}"
        for term in terms
        if _SHORTEST_TERM <= len(term) <= _LONGEST_TERM and term.lower() not in STOP_WORDS
    ]


def keys_of_names(names: Collection[str]) -> list[str]:
    """The same of several titles or headings, each key once."""
    return list(dict.fromkeys(key for name in names for key in keys_of_name(name)))


def keys_of_name(name: str) -> list[str]:
    """What a title or heading is found by: each of its words, and its first as such."""
    text = normalise(name)
    words = name_words(text)
    if not words or len(name) > _LONGEST_NAME:
        return []
    return [f"{word}/{text}" for word in dict.fromkeys([_FIRST + words[0], *words[:_MOST_WORDS]])]


class Asked(NamedTuple):
    """The `limit` most frequent texts of a kind of which a key begins with `start`.

    `among` is what `Suggestions.within` gave; without it removed passages may be counted as well,
    which takes a tenth of the time.
    """

    kind: Kind
    start: str
    among: Any
    limit: int


class Held(NamedTuple):
    """A text as it is written, in passages of `among`."""

    kind: Kind
    text: str
    among: Any


class Suggestions(ABC):
    """Titles, headings and words of a view by their beginnings. Safe to share between threads."""

    @abstractmethod
    def within(self, scope: Any, beside: Sequence[str] = ()) -> Any:
        """The passages of `scope` (of all if None) with each word of `beside`."""

    def prepare(self, asked: Sequence[Asked]) -> None:  # noqa: B027 - files need not
        """Tells what may be asked for next, for an index that had better look it up at once."""

    @abstractmethod
    def texts(self, asked: Sequence[Asked]) -> list[Counted]:
        """For each of `asked` its texts, most frequent first."""

    @abstractmethod
    def holders(self, held: Sequence[Held], limit: int) -> list[list[int]]:
        """For each of `held` ids of `limit` passages that have it."""

    def with_word(self, kind: Kind, word: str, among: Any, limit: int) -> Counted:
        """The `limit` most frequent texts with just that word."""
        [found] = self.texts([Asked(kind, word_key(word), among, limit)])
        return found


class SuggestionIndex(Suggestions):
    """Titles, headings and words by their beginnings, of one part of a generation."""

    def __init__(self, folder: Path) -> None:
        self._searcher = tantivy.Index(_SCHEMA, path=str(folder)).searcher()

    def within(self, scope: Scope | None, beside: Sequence[str] = ()) -> tantivy.Query:
        return within(scope, beside)

    def texts(self, asked: Sequence[Asked]) -> list[Counted]:
        return [texts_of(self.keys(one)) for one in asked]

    def holders(self, held: Sequence[Held], limit: int) -> list[list[int]]:
        return [self._holders(one, limit) for one in held]

    def keys(self, asked: Asked) -> Counted:
        """The most frequent keys that begin so, as they are written here."""
        # The query is what leaves removed passages out, even when it is for all.
        return self._searcher.terms_with_prefix(asked.kind, asked.start, asked.among, asked.limit)

    def _holders(self, held: Held, limit: int) -> list[int]:
        has = tantivy.Query.term_query(_SCHEMA, held.kind, key_of(held.kind, held.text), "basic")
        must = tantivy.Occur.Must
        query = tantivy.Query.boolean_query([(must, has), (must, held.among)])
        hits = self._searcher.search(query, limit, count=False).hits
        return [int(self._searcher.doc(address)["id"][0]) for _, address in hits]


def within(scope: Scope | None, beside: Sequence[str] = ()) -> tantivy.Query:
    """Passages of an index: see `Suggestions.within`."""
    query, must = tantivy.Query, tantivy.Occur.Must
    clauses = [
        (must, query.fuzzy_term_query(_SCHEMA, Kind.TERM, f"{word}/", 0, prefix=True))
        for word in beside
    ]
    told = query.term_set_query(_SCHEMA, "document", sorted(scope.ids)) if scope else None
    if scope and told and not scope.others:
        clauses.append((must, told))
    if not clauses:
        clauses.append((must, query.all_query()))
    if scope and told and scope.others:
        clauses.append((tantivy.Occur.MustNot, told))
    return query.boolean_query(clauses)


def key_of(kind: Kind, text: str) -> str:
    """A key that a text is found by, as it is written."""
    words = [text.lower()] if kind is Kind.TERM else name_words(text)
    return f"{words[0]}/{text}"


def word_key(word: str) -> str:
    """What the terms of texts with just that word begin with."""
    return f"{word}/"


def beginning_key(start: str) -> str:
    """What the terms of titles or headings begin with that themselves begin with `start`."""
    return _FIRST + start


def texts_of(keys: Counted) -> Counted:
    """The texts of terms as they are written."""
    counts: dict[str, int] = {}
    for key, count in keys:
        text = key.partition("/")[2]
        counts[text] = max(count, counts.get(text, 0))  # found by several of its words
    return list(counts.items())
