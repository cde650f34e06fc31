"""Generations: what is searched, derived from the library, immutable once published.

    generations/
        000007/  default/  styret/  manifest.json
        current  ->  "000007", replaced atomically

A generation has a part for each collection (`index.parts`). It is built beside the current one,
written through to disk, and becomes current by the rename of one small file. A part that differs
little from the current one shares its files (hard links) and adds to them; when it has grown too
far from its base, a new base is made. A reader holds the generation that it has open, and nobody
removes that one.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Set
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from index.collection_names import Readable
from index.engine import Contents, Recipe, Searched, difference
from index.errors import (
    GenerationMismatchError,
    KildesvarError,
    LibraryError,
    NothingPublishedError,
)
from index.files import Checksums, sync
from index.layers import LayeredDense
from index.library import Library
from index.local import LocalView
from index.lock import Hold, hold, unless_held
from index.parts import Fetch, Part, build, share
from index.records import Ids, PartContents, Version

_SMALL = 2000
"""Passages up to which a part is made whole each time, which takes less than a second."""

_OVERGROWN = 0.1
"""Share of its base that may have come or gone before a new base is made."""

_REMEDY = (
    "start `kildesvar serve` again, or run `kildesvar ingest`, to have a new one made from the "
    "library, where no document is lost"
)


@dataclass(frozen=True, slots=True)
class PartManifest:
    """What a part was made of. Its `mark` tells what it holds: equal ones hold the same."""

    documents: int
    passages: int
    mark: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was made of: the library at its `version`, a part for each collection."""

    name: str
    version: Version
    recipe: Recipe
    parts: dict[str, PartManifest]
    checksums: dict[str, str]

    @property
    def is_newer(self) -> bool:
        return self.recipe.is_newer

    @property
    def documents(self) -> int:
        return sum(part.documents for part in self.parts.values())

    @property
    def passages(self) -> int:
        return sum(part.passages for part in self.parts.values())


class Generation(LocalView, Searched):
    """An open generation, and what is searched for who may read all of it.

    It keeps what it opened, whatever is published after it.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, held: Hold, library: Library | None = None
    ) -> None:
        self.manifest: Manifest = manifest
        self.folder = folder
        self.made_at = (folder / "manifest.json").stat().st_mtime
        self._held = held
        self.parts = {name: Part(folder / name) for name in manifest.parts}
        parts = list(self.parts.values())
        super().__init__(manifest.name, None, manifest.documents, parts, library)

    def view(self, collections: Readable) -> LocalView:
        """What is searched for somebody who may read only those collections.

        Its name changes only when what they may read does: it is not the generation's own, which
        would tell them how often others' documents change.
        """
        if collections is None:
            return self
        names = sorted(collections & self.parts.keys())
        of_parts = [self.manifest.parts[name] for name in names]
        return LocalView(
            _digest(*(part.mark for part in of_parts))[:12],
            collections,
            sum(part.documents for part in of_parts),
            [self.parts[name] for name in names],
            self._library,
            self,
        )


def nothing_for(collections: frozenset[str], library: Library) -> LocalView:
    """What is searched, before anything is published, for who may read only those collections: to
    them a library with nothing for them in it is the same, whatever it has for others."""
    return LocalView(_digest()[:12], collections, 0, [], library)


class Generations:
    """The folder of generations: publishes new ones and opens the current one."""

    follows = False

    def __init__(self, folder: Path, library: Library | None = None) -> None:
        """Generations of `library`, which is needed to search them within filters."""
        self._folder = folder
        self._library = library
        self._checksums = Checksums()

    def require_reachable(self) -> None:
        """Nothing: what is searched is held open."""

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

    def is_current(self, version: Version, recipe: Recipe) -> bool:
        """Whether the published generation is the library at that version, by that recipe."""
        manifest = self.manifest()
        return manifest is not None and (manifest.version, manifest.recipe) == (version, recipe)

    def is_lost(self) -> bool:
        """Never: without all of its files there is no manifest."""
        return False

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
        return Generation(self._folder / name, manifest, held, self._library)

    def publish(self, contents: Contents, recipe: Recipe) -> Manifest:
        """Makes a generation of `contents`, and makes it current.

        A change that is small against what is published is there first, and costs what it is large;
        of parts for which it was the last that their base can bear, new ones are made and published
        after it.
        """
        published = self._growable(contents, recipe)
        if published is None:
            return self.compact(contents, recipe)
        manifest = self._publish(
            contents,
            recipe,
            lambda name, folder: _write_next(
                published.parts.get(name), folder, contents.parts[name].ids, contents.fetch
            ),
        )
        overgrown = {
            name
            for name in manifest.parts
            if LayeredDense(self._folder / manifest.name / name).overgrowth > _OVERGROWN
        }
        if not overgrown:
            return manifest
        return self._publish(
            contents, recipe, partial(self._renew_some, manifest.name, overgrown, contents)
        )

    def are_several(self) -> bool:
        """Whether there are others than the current one."""
        return len(list(self._folder.glob("[0-9]*[0-9]"))) > 1

    def last_id(self) -> int:
        """The highest id of a passage that any generation holds, damaged ones aside; else 0."""
        last = 0
        # Those of a version without collections have no folder for each.
        for pattern in ("[0-9]*/*/*/ids.npy", "[0-9]*/*/ids.npy"):
            for path in self._folder.glob(pattern):
                with contextlib.suppress(OSError, ValueError):
                    last = max(last, int(np.load(path, mmap_mode="r").max(initial=0)))
        return last

    def compact(self, contents: Contents, recipe: Recipe) -> Manifest:
        """Makes a whole new generation, in which nothing is left of what was removed."""
        return self._publish(
            contents,
            recipe,
            lambda name, folder: build(folder, contents.parts[name].ids, contents.fetch),
        )

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

    def problems(self, library: Library) -> Iterator[str]:
        """How the current generation differs from the library, a sentence each."""
        try:
            generation = self.open()
        except KildesvarError as error:
            if not library.is_empty():
                yield str(error)
            return
        if generation.manifest.version == library.version():
            yield from _disagreements(library, generation)

    def close(self) -> None:
        """A generation is held by who has it open, and by nobody else."""

    def _growable(self, contents: Contents, recipe: Recipe) -> Generation | None:
        """The current generation, if it is whole and one for `contents` can be made from it."""
        manifest = self.manifest()
        if manifest is None or manifest.recipe != recipe:
            return None
        old, new = manifest.version, contents.version
        # Ids of another library may be the same, and mean other passages.
        is_grown = (old.identity, old.edition) == (new.identity, new.edition)
        return self.open(recipe) if is_grown else None

    def _renew_some(
        self, published: str, names: Set[str], contents: Contents, name: str, folder: Path
    ) -> None:
        """Writes a part anew if it is one of `names`, else shares the published one."""
        if name in names:
            build(folder, contents.parts[name].ids, contents.fetch)
        else:
            share(self._folder / published / name, folder)

    def _publish(
        self, contents: Contents, recipe: Recipe, write: Callable[[str, Path], None]
    ) -> Manifest:
        """Publishes what `write` makes of each collection, given its name and the part's folder."""
        number = 1 + max((int(p.name) for p in self._folder.glob("[0-9]*[0-9]")), default=0)
        building = self._folder / f"building-{os.getpid()}"
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(parents=True)
            for name in contents.parts:
                write(name, building / name)
            manifest = Manifest(
                name=f"{number:06d}",
                version=contents.version,
                recipe=recipe,
                parts={
                    name: _part_manifest(name, part, contents.version, recipe)
                    for name, part in contents.parts.items()
                },
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
            parts = {name: PartManifest(**part) for name, part in fields["parts"].items()}
            return Manifest(**{**fields, "version": version, "recipe": recipe, "parts": parts})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
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


def _write_next(published: Part | None, folder: Path, ids: Ids, fetch: Fetch) -> None:
    """Writes the part that is to hold the passages `ids`, from the published one where it pays."""
    if published is None:
        build(folder, ids, fetch)
        return
    change = published.dense.change_to(ids)
    if not change:
        share(published.folder, folder)
    elif len(ids) <= _SMALL or len(change) > _OVERGROWN * len(published.dense):
        build(folder, ids, fetch)
    else:
        published.build_next(folder, change, fetch)


def _part_manifest(name: str, part: PartContents, version: Version, recipe: Recipe) -> PartManifest:
    # The library's identity is no one's to know, so that nothing can be told from the mark.
    of_library = f"{version.identity} {version.edition}"
    mark = _digest(name, of_library, json.dumps(asdict(recipe)), part.ids.tobytes().hex())
    return PartManifest(part.documents, len(part.ids), mark)


def _digest(*values: str) -> str:
    return hashlib.sha256("\n".join(values).encode()).hexdigest()


def _disagreements(library: Library, generation: Generation) -> Iterator[str]:
    """Where a generation differs from the library that it was made of."""
    contents = library.parts(generation.manifest.version.edition)
    differing = 0
    for name in contents.keys() | generation.parts.keys():
        ids = contents[name].ids if name in contents else np.empty(0, np.int64)
        part = generation.parts.get(name)
        differing += len(part.dense.change_to(ids)) if part else len(ids)
    if differing:
        yield f"generation {generation.name} lacks or has beyond the library {differing} passages"
        return
    ids = library.passage_ids(generation.manifest.version.edition)
    if len(generation.lexical) != len(ids):
        yield f"generation {generation.name} has words of {len(generation.lexical)} passages"
    found = 0
    for batch in library.indexed(ids, generation.manifest.recipe.fingerprint):
        found += len(batch)
        rows = generation.dense.rows(np.array([passage.id for passage in batch], np.int64))
        vectors = np.stack([passage.vector for passage in batch])
        if not np.allclose(rows, vectors, atol=1e-6):
            yield f"generation {generation.name} has other vectors than the library"
    if found != len(ids):
        yield f"{len(ids) - found} passages have no vector"
