"""Generations: what is searched, derived from the library, immutable once published.

    generations/
        000007/  base/  delta/  gone.npy  lexical/  suggestions/  vocabulary/  manifest.json
        current  ->  "000007", replaced atomically

A generation is built beside the current one, written through to disk, and becomes current by the
rename of one small file. One that differs little from the current one shares its files (hard links)
and adds to them; when it has grown too far from its base, a new base is made. A reader holds the
generation that it has open, and nobody removes that one.
"""

import contextlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from index.analysis import ANALYSER_VERSION, Analyser
from index.embedding.encoder import Matrix, Vector
from index.errors import GenerationMismatchError, LibraryError, NothingPublishedError
from index.files import Checksums, sync
from index.layers import Change, LayeredDense, write_layers
from index.lexical import LexicalIndex, LexicalWriter
from index.lock import Hold, hold, unless_held
from index.passages import PASSAGES_VERSION, PassageSettings
from index.records import Ids, Version
from index.suggestions import SuggestionIndex, SuggestionWriter
from index.vocabulary import Vocabulary, count_forms, write_vocabulary

_SMALL = 2000
"""Passages up to which a generation is made whole each time, which takes less than a second."""

_OVERGROWN = 0.1
"""Share of its base that may have come or gone before a new base is made."""

_REMEDY = (
    "start `kildesvar serve` again, or run `kildesvar ingest`, to have a new one made from the "
    "library, where no document is lost"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides a generation besides the documents: if it differs, vectors or words do."""

    fingerprint: str
    dimension: int
    max_tokens: int
    passages_version: int = PASSAGES_VERSION
    analyser_version: int = ANALYSER_VERSION

    @classmethod
    def of(cls, fingerprint: str, dimension: int, settings: PassageSettings) -> "Recipe":
        return cls(fingerprint, dimension, settings.max_tokens)

    def of_passages(self) -> dict[str, Any]:
        """What of a recipe decides passages and vectors: not how words are analysed."""
        return {name: value for name, value in asdict(self).items() if name != "analyser_version"}

    def can_search(self, other: "Recipe") -> bool:
        """Whether a question that is embedded and analysed by this fits passages made by `other`.

        How those were cut does not matter.
        """
        return (self.fingerprint, self.dimension, self.analyser_version) == (
            other.fingerprint,
            other.dimension,
            other.analyser_version,
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was made of: the library at its `version`."""

    name: str
    version: Version
    documents: int
    passages: int
    recipe: Recipe
    checksums: dict[str, str]


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


@dataclass(frozen=True, slots=True)
class Contents:
    """What a generation is to hold: the passages `ids` (int64[n], ascending).

    `fetch` gives the entries of some of them, in that order, in batches.
    """

    ids: Ids
    documents: int
    version: Version
    fetch: Callable[[Ids], Iterator[list[Entry]]]


class Generation:
    """An open generation. It keeps what it opened, whatever is published after it."""

    def __init__(self, folder: Path, manifest: Manifest, held: Hold) -> None:
        self.manifest = manifest
        self.folder = folder
        self._held = held
        self.dense = LayeredDense(folder)
        self.lexical = LexicalIndex(folder / "lexical")
        self.vocabulary = Vocabulary(folder / "vocabulary", _still_stands_in(self.lexical))
        self.suggestions = SuggestionIndex(folder / "suggestions")

    @property
    def name(self) -> str:
        return self.manifest.name


class Generations:
    """The folder of generations: publishes new ones and opens the current one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checksums = Checksums()

    def current_name(self) -> str | None:
        """Name of the published generation, or None when there is none."""
        try:
            return (self._folder / "current").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None

    def manifest(self) -> Manifest | None:
        """The published generation's manifest; None when nothing is published, or it is damaged."""
        name = self.current_name()
        try:
            manifest = self._manifest(name) if name else None
        except LibraryError:
            return None
        return manifest if manifest and self._is_whole(manifest) else None

    def open(self, recipe: Recipe | None = None) -> Generation:
        """The current generation, its checksums verified.

        Raises NothingPublishedError when there is none, GenerationMismatchError when `recipe`
        cannot search it, and LibraryError when it is damaged.
        """
        name, held = self._hold_current()
        manifest = self._manifest(name)
        if recipe is not None and not recipe.can_search(manifest.recipe):
            raise GenerationMismatchError(difference(manifest.recipe, recipe))
        if not self._is_whole(manifest):
            raise LibraryError(f"generation {name} is damaged; {_REMEDY}")
        return Generation(self._folder / name, manifest, held)

    def publish(self, contents: Contents, recipe: Recipe) -> Manifest:
        """Makes a generation of `contents`, and makes it current.

        A change that is small against what is published is there first, and costs what it is large;
        if it was the last that the base can bear, a new base is made and published after it.
        """
        published = self._growable(contents, recipe)
        if published is not None:
            change = published.dense.change_to(contents.ids)
            if len(change) <= _OVERGROWN * len(published.dense):
                manifest, overgrowth = self._publish_grown(published, change, contents, recipe)
                if overgrowth <= _OVERGROWN:
                    return manifest
        return self.compact(contents, recipe)

    def are_several(self) -> bool:
        """Whether there are others than the current one."""
        return len(list(self._folder.glob("[0-9]*[0-9]"))) > 1

    def last_id(self) -> int:
        """The highest id of a passage that any generation holds, damaged ones aside; else 0."""
        last = 0
        for path in self._folder.glob("[0-9]*/*/ids.npy"):
            with contextlib.suppress(OSError, ValueError):
                last = max(last, int(np.load(path, mmap_mode="r").max(initial=0)))
        return last

    def compact(self, contents: Contents, recipe: Recipe) -> Manifest:
        """Makes a whole new generation, in which nothing is left of what was removed."""
        return self._publish(contents, recipe, lambda folder: _build(folder, contents))

    def collect(self) -> list[Manifest]:
        """Removes the generations that are neither current nor held, and what killed builds left.

        Only for who holds the writer's lock. Gives the manifests of those that remain.
        """
        current = self.current_name()
        remaining: list[Manifest] = []
        for folder in self._folder.glob("[0-9]*[0-9]"):
            with unless_held(folder / "manifest.json") as is_free:
                if is_free and folder.name != current:
                    # Renamed first: a reader must find a generation whole or not at all.
                    folder.rename(self._folder / f"building-{folder.name}")
                else:
                    with contextlib.suppress(LibraryError):  # damaged: it will be made anew
                        remaining.append(self._manifest(folder.name))
        for folder in self._folder.glob("building-*"):
            shutil.rmtree(folder, ignore_errors=True)
        return remaining

    def _growable(self, contents: Contents, recipe: Recipe) -> Generation | None:
        """The current generation, if it is whole and one for `contents` can be grown from it."""
        if len(contents.ids) <= _SMALL:
            return None
        manifest = self.manifest()
        if manifest is None or manifest.recipe != recipe:
            return None
        old, new = manifest.version, contents.version
        # Ids of another library may be the same, and mean other passages.
        is_grown = (old.identity, old.edition) == (new.identity, new.edition)
        return self.open(recipe) if is_grown else None

    def _publish_grown(
        self, published: Generation, change: Change, contents: Contents, recipe: Recipe
    ) -> tuple[Manifest, float]:
        """Publishes what `published` becomes by `change`; how far it is then from its base, too."""
        manifest = self._publish(
            contents, recipe, lambda folder: _grow(folder, published, change, contents)
        )
        return manifest, LayeredDense(self._folder / manifest.name).overgrowth

    def _publish(
        self, contents: Contents, recipe: Recipe, build: Callable[[Path], None]
    ) -> Manifest:
        number = 1 + max((int(p.name) for p in self._folder.glob("[0-9]*[0-9]")), default=0)
        building = self._folder / f"building-{os.getpid()}"
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(parents=True)
            build(building)
            manifest = Manifest(
                name=f"{number:06d}",
                version=contents.version,
                documents=contents.documents,
                passages=len(contents.ids),
                recipe=recipe,
                checksums=self._checksums_of(building),
            )
            text = json.dumps(asdict(manifest), indent=2)
            (building / "manifest.json").write_text(text, encoding="utf-8")
            sync(*building.rglob("*"), building)
            building.rename(self._folder / manifest.name)
            self._make_current(manifest.name)
        except OSError as error:
            shutil.rmtree(building, ignore_errors=True)
            raise LibraryError(
                f"the new generation could not be written: {error.strerror or error}. The current "
                "one still answers; make room or mend the folder's rights, then ingest again."
            ) from error
        return manifest

    def _hold_current(self) -> tuple[str, Hold]:
        """The current generation's name, held so that it is not collected."""
        while True:
            name = self.current_name()
            if name is None:
                raise NothingPublishedError(
                    "nothing is indexed yet; run `kildesvar ingest FOLDER` with some documents"
                )
            held = hold(self._folder / name / "manifest.json")
            if held is not None or name == self.current_name():
                return name, held or Hold()
            # It was collected between the two looks: a newer one is current.

    def _manifest(self, name: str) -> Manifest:
        path = self._folder / name / "manifest.json"
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            version, recipe = Version(**fields["version"]), Recipe(**fields["recipe"])
            return Manifest(**{**fields, "version": version, "recipe": recipe})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LibraryError(
                f"the manifest of generation {name} cannot be read ({error}); {_REMEDY}"
            ) from error

    def _is_whole(self, manifest: Manifest) -> bool:
        return self._checksums_of(self._folder / manifest.name) == manifest.checksums

    def _checksums_of(self, folder: Path) -> dict[str, str]:
        """Of every file but the manifest, and the locks that tantivy makes wherever it reads."""
        return {
            name: checksum
            for name, checksum in self._checksums.of(folder).items()
            if name != "manifest.json" and not name.endswith(".lock")
        }

    def _make_current(self, name: str) -> None:
        pointer = self._folder / "current.next"
        pointer.write_text(name, encoding="ascii")
        sync(pointer)
        pointer.replace(self._folder / "current")
        sync(self._folder)


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


def _build(folder: Path, contents: Contents) -> None:
    """Writes all of `contents` into `folder`, fetched once."""
    with _WordWriter(folder) as words:
        write_layers(folder, contents.ids, words.vectors_of(contents.fetch(contents.ids)))


def _grow(folder: Path, published: Generation, change: Change, contents: Contents) -> None:
    """Writes into `folder` what `published` becomes by `change`."""
    with _WordWriter(folder, published.folder) as words:
        for passage_id in change.removed.tolist():
            words.remove_passage(passage_id)
        published.dense.grow(folder, change, words.vectors_of(contents.fetch(change.added)))


def difference(made_by: Recipe, wanted: Recipe) -> str:
    """What a generation was made by and what it is wanted by, and how to bring them together."""
    old, new = asdict(made_by), asdict(wanted)
    changes = ", ".join(
        f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name]
    )
    return (
        f"the index was made by other settings ({changes}); run `kildesvar ingest` again to make "
        "it anew, or set them back as they were"
    )
