"""Generations: what is searched, derived from the library, immutable once published.

    generations/
        000007/  vectors/  lexical/  manifest.json
        current  ->  "000007", replaced atomically

A generation is built beside the current one, written through to disk, and becomes current by the
rename of one small file. A reader that holds an older one keeps it until it asks for the next.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from index.analysis import ANALYSER_VERSION, Analyser
from index.dense import DenseIndex, write_dense_index
from index.embedding.encoder import Matrix
from index.errors import GenerationMismatchError, LibraryError, NothingPublishedError
from index.files import sha256_of
from index.lexical import LexicalIndex, write_lexical_index
from index.passages import PASSAGES_VERSION, PassageSettings
from index.vocabulary import Vocabulary, write_vocabulary

_KEPT = 2
"""The current generation and the one before it, which a reader may still be opening."""


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


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was made of. `revision` is the library's at the time."""

    name: str
    revision: int
    documents: int
    passages: int
    recipe: Recipe
    checksums: dict[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One passage on its way into a generation."""

    passage_id: int
    document_id: str
    text: str


class Generation:
    """An open generation. It keeps what it opened, whatever is published after it."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.manifest = manifest
        self.dense = DenseIndex(folder / "vectors")
        self.lexical = LexicalIndex(folder / "lexical")
        self.vocabulary = Vocabulary(folder / "vocabulary")

    @property
    def name(self) -> str:
        return self.manifest.name


class Generations:
    """The folder of generations: publishes new ones and opens the current one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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

        Raises NothingPublishedError when there is none, GenerationMismatchError when it was made
        by another recipe than `recipe`, and LibraryError when it is damaged.
        """
        name = self.current_name()
        if name is None:
            raise NothingPublishedError(
                "nothing is indexed yet; run `kildesvar ingest FOLDER` with some documents"
            )
        manifest = self._manifest(name)
        if recipe is not None and manifest.recipe != recipe:
            raise GenerationMismatchError(_difference(manifest.recipe, recipe))
        if not self._is_whole(manifest):
            raise LibraryError(f"generation {name} is damaged; {_REMEDY}")
        return Generation(self._folder / name, manifest)

    def publish(
        self, entries: Iterable[Entry], vectors: Matrix, recipe: Recipe, revision: int
    ) -> Manifest:
        """Builds a generation of `entries` and float32[n, d] `vectors`, and makes it current."""
        entries = list(entries)
        number = 1 + max((int(p.name) for p in self._folder.glob("[0-9]*[0-9]")), default=0)
        building = self._folder / f"building-{os.getpid()}"
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(parents=True)
            _write_indexes(building, entries, vectors)
            manifest = Manifest(
                name=f"{number:06d}",
                revision=revision,
                documents=len({entry.document_id for entry in entries}),
                passages=len(entries),
                recipe=recipe,
                checksums=_checksums(building),
            )
            text = json.dumps(asdict(manifest), indent=2)
            (building / "manifest.json").write_text(text, encoding="utf-8")
            _sync_tree(building)
            building.rename(self._folder / manifest.name)
            self._make_current(manifest.name)
        except OSError as error:
            shutil.rmtree(building, ignore_errors=True)
            raise LibraryError(
                f"the new generation could not be written: {error.strerror}. The current one still "
                "answers; make room or mend the folder's rights, then ingest again."
            ) from error
        self._collect()
        return manifest

    def _manifest(self, name: str) -> Manifest:
        path = self._folder / name / "manifest.json"
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return Manifest(**{**fields, "recipe": Recipe(**fields["recipe"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LibraryError(
                f"the manifest of generation {name} cannot be read ({error}); {_REMEDY}"
            ) from error

    def _is_whole(self, manifest: Manifest) -> bool:
        return _checksums(self._folder / manifest.name) == manifest.checksums

    def _make_current(self, name: str) -> None:
        pointer = self._folder / "current.next"
        pointer.write_text(name, encoding="ascii")
        _sync(pointer)
        pointer.replace(self._folder / "current")
        _sync(self._folder)

    def _collect(self) -> None:
        """Removes generations that nobody opens any more, and what a killed build left behind."""
        published = sorted(self._folder.glob("[0-9]*[0-9]"))
        for folder in [*published[:-_KEPT], *self._folder.glob("building-*")]:
            shutil.rmtree(folder, ignore_errors=True)


def _write_indexes(folder: Path, entries: Sequence[Entry], vectors: Matrix) -> None:
    analyser = Analyser()
    ids = np.array([entry.passage_id for entry in entries], dtype=np.int64)
    write_dense_index(folder / "vectors", ids, [vectors])
    write_lexical_index(
        folder / "lexical",
        ((e.passage_id, e.document_id, analyser.words(e.text)) for e in entries),
    )
    write_vocabulary(folder / "vocabulary", (entry.text for entry in entries))


def empty_matrix(dimension: int) -> Matrix:
    return np.empty((0, dimension), dtype=np.float32)


def _checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a generation but its manifest and locks, by relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in files
        if path.name != "manifest.json" and path.suffix != ".lock"
    }


def _sync_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _difference(made_by: Recipe, wanted: Recipe) -> str:
    old, new = asdict(made_by), asdict(wanted)
    changes = ", ".join(
        f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name]
    )
    return (
        f"the index was made by other settings ({changes}); run `kildesvar ingest` again to make "
        "it anew, or set them back as they were"
    )
