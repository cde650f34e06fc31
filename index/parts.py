"""Parts of a generation: all that is searched of one collection, which holds nothing of another.

    default/  base/  delta/  gone.npy  lexical/  suggestions/  vocabulary/

What is asked of a part cannot depend on a document of another: no count, rarity, score, suggestion
or mended spelling does. A part that did not change shares its files with the generation before.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from index.analysis import Analyser
from index.embedding.encoder import Matrix, Vector
from index.files import link_or_copy
from index.layers import Change, LayeredDense, write_layers
from index.lexical import LexicalIndex, LexicalWriter
from index.records import Ids
from index.suggestions import SuggestionIndex, SuggestionWriter
from index.vocabulary import Vocabulary, count_forms, write_vocabulary


@dataclass(frozen=True, slots=True)
class Entry:
    """One passage on its way into a generation: its text in its context, and float32[d].

    `body` is the text without its context; `title` and `headings` are what begins with it.
    """

    passage_id: int
    document_id: str
    text: str
    vector: Vector
    body: str = ""
    title: str | None = None
    headings: tuple[str, ...] = ()


Fetch = Callable[[Ids], Iterator[list[Entry]]]
"""Gives the entries of passages, in the order of their ids, in batches."""


class Part:
    """What is searched of one collection. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dense = LayeredDense(folder)
        self.lexical = LexicalIndex(folder / "lexical")
        self.vocabulary = Vocabulary(folder / "vocabulary", _still_stands_in(self.lexical))
        self.suggestions = SuggestionIndex(folder / "suggestions")

    def build_next(self, folder: Path, change: Change, fetch: Fetch) -> None:
        """Writes into the new `folder` what this becomes by `change`; this stays as it is."""
        folder.mkdir()
        with _WordWriter(folder, self.folder) as words:
            for passage_id in change.removed.tolist():
                words.remove_passage(passage_id)
            self.dense.grow(folder, change, words.vectors_of(fetch(change.added)))


def share(published: Path, folder: Path) -> None:
    """Makes the new `folder` of the same files as that of a published part."""
    folder.mkdir()
    for path in sorted(published.rglob("*")):
        copy = folder / path.relative_to(published)
        if path.is_dir():
            copy.mkdir()
        elif path.suffix == ".json":  # tantivy replaces what tells of its files
            shutil.copyfile(path, copy)
        elif path.suffix != ".lock":
            link_or_copy(path, copy)


def build(folder: Path, ids: Ids, fetch: Fetch) -> None:
    """Writes the passages `ids` (ascending) into the new `folder`, fetched once."""
    folder.mkdir()
    with _WordWriter(folder) as words:
        write_layers(folder, ids, words.vectors_of(fetch(ids)))


def _still_stands_in(lexical: LexicalIndex) -> Callable[[str], bool]:
    """Whether a passage has a word in some form; the vocabulary has those of removed ones too."""
    analyser = Analyser()
    return lambda form: any(map(lexical.has, analyser.words(form)[:1]))


class _WordWriter:
    """The parts of a generation that are made of words, written passage by passage."""

    def __init__(self, folder: Path, grown_from: Path | None = None) -> None:
        """With `grown_from`, the folder of a generation, its parts are added to."""
        self._folder = folder
        self._grown_from = grown_from
        self._analyser = Analyser()
        self._counts: Counter[str] = Counter()
        self._named: set[str] = set()
        self._lexical = LexicalWriter(folder / "lexical", self._old("lexical"))
        self._suggestions = SuggestionWriter(folder / "suggestions", self._old("suggestions"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lexical.__exit__(kind, error, trace)
        self._suggestions.__exit__(kind, error, trace)
        if error is None:
            write_vocabulary(
                self._folder / "vocabulary", self._counts, self._named, self._old("vocabulary")
            )

    def remove_passage(self, passage_id: int) -> None:
        self._lexical.remove_passage(passage_id)
        self._suggestions.remove_passage(passage_id)

    def vectors_of(self, batches: Iterator[list[Entry]]) -> Iterator[Matrix]:
        """The vectors of entries, whose words are written on the way."""
        for batch in batches:
            for entry in batch:
                self._add(entry)
            yield np.stack([entry.vector for entry in batch])

    def _add(self, entry: Entry) -> None:
        words = self._analyser.words(entry.text)
        self._lexical.add_passage(entry.passage_id, entry.document_id, words)
        self._suggestions.add_passage(
            entry.passage_id, entry.document_id, entry.body, entry.title, entry.headings
        )
        self._counts.update(count_forms(entry.text))
        for name in filter(None, (entry.title, *entry.headings)):
            self._named.update(count_forms(name))

    def _old(self, part: str) -> Path | None:
        return self._grown_from / part if self._grown_from else None
