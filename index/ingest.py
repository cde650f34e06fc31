"""A document's way in: files -> documents -> passages -> vectors -> library -> generation."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from index.documents import Document
from index.embedding.encoder import Encoder, Matrix, Vector
from index.errors import (
    InaccessibleFileError,
    IngestRefusedError,
    KildesvarError,
    UnreadableDocumentError,
)
from index.files import accessed, sha256_of
from index.generations import Entry, Generations, Manifest, Recipe, empty_matrix
from index.library import Library, NewPassage, Source, Vectors
from index.passages import Passage, PassageSettings, contextual_text, split
from index.readers import require_readable
from index.readers.isolation import IsolatedReader
from index.units import units_of

log = logging.getLogger("kildesvar")

_BATCH_PASSAGES = 256
"""Passages embedded together: enough to sort by length, few enough that a stop loses little."""

_VANISHED_SHARE = 0.2
"""More than this share of a folder's files gone at once is asked about, not obeyed."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was left out, and why, in one line."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest has come, for a progress bar."""

    files_done: int
    files_total: int
    passages: int
    file: str = ""


OnProgress = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """For those who do not watch."""


@dataclass
class IngestReport:
    """What an ingest did. `embedded` counts passages that the model ran on."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    embedded: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    documents: int = 0
    passages: int = 0
    seconds: float = 0.0
    generation: str = ""
    published: bool = False


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is embedded of a passage: itself in its context, and each of its units."""

    passage: str
    units: tuple[str, ...]

    @property
    def key(self) -> str:
        """The passage's key in the vector cache."""
        return hashlib.sha256("\0".join([self.passage, *self.units]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Reading:
    """A document that was read and cut, waiting for its vectors."""

    document: Document
    source: Source
    new: list[NewPassage]
    texts: dict[str, _Texts]  # by vector key


class Ingester:
    """Brings files into the library and publishes. One at a time: hold `index.lock` around it."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it is made of
        self,
        library: Library,
        generations: Generations,
        encoder: Encoder,
        settings: PassageSettings,
        on_progress: OnProgress = ignore_progress,
        ocr: bool = False,
    ) -> None:
        self._library = library
        self._generations = generations
        self._encoder = encoder
        self._settings = settings
        self._on_progress = on_progress
        self._reader = IsolatedReader(ocr=ocr)

    def ingest(self, paths: Sequence[Path], accept_removals: bool = False) -> IngestReport:
        """Makes the library hold what `paths` (files, or folders to their depths) hold now.

        New and changed files are read, unchanged ones cost a stat and at most a hash, and files
        that vanished from a given folder are removed. Raises IngestRefusedError, and changes
        nothing, when a path holds no file or when more than a fifth of the known files have
        vanished; `accept_removals` says that documents from there may go.
        """
        began = perf_counter()
        known = self._library.sources()
        files, unlisted = _files(paths, known, accept_removals)
        vanished = _vanished(known, paths, files, unlisted, accept_removals)
        report = IngestReport(skipped=unlisted)
        self._renew(report)
        with self._reader:
            readings = self._readings(files, known, report)
            for batch in _batched(readings, _BATCH_PASSAGES):
                self._store(batch, report)
        if vanished:
            self._library.remove_sources(vanished)
            report.removed += len(vanished)
        manifest = self._publish(report)
        report.documents, report.passages = manifest.documents, manifest.passages
        report.generation = manifest.name
        report.seconds = perf_counter() - began
        return report

    def publish(self) -> None:
        """Publishes the library, unless the current generation holds just that already."""
        report = IngestReport()
        self._renew(report)
        self._publish(report)

    def _publish(self, report: IngestReport) -> Manifest:
        revision = self._library.revision()
        current = self._generations.manifest()
        if current and (current.revision, current.recipe) == (revision, self._recipe()):
            return current
        report.published = True
        entries: list[Entry] = []
        keys: list[str] = []
        for stored, key in self._library.all_passages():
            text = contextual_text(stored.title, stored.heading_path, stored.lead_in, stored.text)
            entries.append(Entry(stored.id, stored.document_id, text))
            keys.append(key)
        cached = self._library.vectors(keys, self._encoder.fingerprint)
        vectors = self._stacked([cached[key] for key in keys])
        manifest = self._generations.publish(entries, vectors, self._recipe(), revision)
        self._library.forget_unused_vectors(self._encoder.fingerprint)
        return manifest

    def _recipe(self) -> Recipe:
        return Recipe.of(self._encoder.fingerprint, self._encoder.dimension, self._settings)

    def _renew(self, report: IngestReport) -> None:
        """After a change of model or passage settings: the whole library, cut and embedded anew.

        Until everything is embedded only the vector cache grows, so that the published generation
        goes on answering and a stop loses nothing; then all passages change in one transaction.
        """
        recipe = json.dumps(asdict(self._recipe()), sort_keys=True)
        if self._library.recipe() == recipe:
            return
        cut: dict[str, list[NewPassage]] = {}
        for document_id in self._library.document_ids():
            stored = self._library.document(document_id)
            document = Document(
                stored.title, stored.text, stored.blocks, stored.media_type, stored.language
            )
            cut[document_id], texts = self._cut(document)
            vectors = self._embedded(texts, report)
            self._library.store_vectors(vectors, self._encoder.fingerprint)
        self._library.renew(cut, recipe)

    def _readings(
        self, files: Sequence[Path], known: dict[str, Source], report: IngestReport
    ) -> Iterator[_Reading]:
        for number, path in enumerate(files):
            self._on_progress(Progress(number, len(files), report.embedded, path.name))
            source = known.get(str(path))
            try:
                reading = self._reading(path, source, report)
            except UnreadableDocumentError as error:
                self._skip(path, source, error, report)
                continue
            if reading is not None:
                yield reading
        self._on_progress(Progress(len(files), len(files), report.embedded))

    def _skip(
        self,
        path: Path,
        known: Source | None,
        error: UnreadableDocumentError,
        report: IngestReport,
    ) -> None:
        """Notes why a file is left out; what it held before goes too, if it is surely gone."""
        reason = str(error)
        if known and isinstance(error, InaccessibleFileError):
            reason += "; its earlier version still answers"
        elif known:
            self._library.remove_sources([known.path])
            report.removed += 1
            reason += "; its earlier version was removed"
        report.skipped.append(Skipped(_printable(path), reason))

    def _reading(self, path: Path, known: Source | None, report: IngestReport) -> _Reading | None:
        """The file's document if it is new or changed; None when the library holds it already."""
        if _printable(path) != str(path):
            raise UnreadableDocumentError("the file's name is not UTF-8; rename it")
        status = require_readable(path)
        size, modified_ns = status.st_size, status.st_mtime_ns
        if known and (known.size, known.modified_ns) == (size, modified_ns):
            report.unchanged += 1
            return None
        file_hash = "sha256:" + accessed(lambda: sha256_of(path))
        source = Source(str(path), size, modified_ns, file_hash)
        if known and known.file_hash == file_hash:
            self._library.touch(source)
            report.unchanged += 1
            return None
        document, new, texts = self._read_and_cut(path)
        report.added += known is None
        report.changed += known is not None
        return _Reading(document, source, new, texts)

    def _read_and_cut(self, path: Path) -> tuple[Document, list[NewPassage], dict[str, _Texts]]:
        try:
            document = self._reader.read(path)
            return document, *self._cut(document)
        except KildesvarError:
            raise
        except Exception as error:  # a failure of ours must cost one file, not the whole run
            log.exception("unforeseen error while reading %s", path)
            reason = f"unforeseen error ({type(error).__name__}: {error}); please report it"
            raise UnreadableDocumentError(reason) from error

    def _cut(self, document: Document) -> tuple[list[NewPassage], dict[str, _Texts]]:
        new: list[NewPassage] = []
        texts: dict[str, _Texts] = {}
        for passage in split(document, self._encoder.count_tokens, self._settings):
            units = units_of(document, passage)
            unit_texts = tuple(document.text[unit.start : unit.end] for unit in units)
            passage_texts = _Texts(self._contextual(document, passage), unit_texts)
            texts[passage_texts.key] = passage_texts
            new.append(NewPassage(passage, units, passage_texts.key))
        return new, texts

    def _contextual(self, document: Document, passage: Passage) -> str:
        """The passage in its context, or in as much of it as the model can take."""
        lead_in = document.text[slice(*passage.lead_in)] if passage.lead_in else ""
        body = document.text[passage.start : passage.end]
        path = passage.heading_path
        for context in ((document.title, path, lead_in), (document.title, path[-1:], "")):
            text = contextual_text(*context, body)
            if self._encoder.count_tokens(text) <= self._encoder.max_tokens:
                return text
        return body

    def _store(self, batch: Sequence[_Reading], report: IngestReport) -> None:
        texts = {key: text for reading in batch for key, text in reading.texts.items()}
        vectors = self._embedded(texts, report)
        for reading in batch:
            own = {key: vectors[key] for key in reading.texts if key in vectors}
            self._library.put(
                reading.document, reading.source, reading.new, own, self._encoder.fingerprint
            )

    def _embedded(self, texts: dict[str, _Texts], report: IngestReport) -> dict[str, Vectors]:
        """Vectors of those `texts` that the cache does not hold yet."""
        cached = self._library.vectors(texts, self._encoder.fingerprint)
        missing = {key: text for key, text in texts.items() if key not in cached}
        flat = [part for text in missing.values() for part in (text.passage, *text.units)]
        rows = iter(self._encoder.embed_documents(flat))
        report.embedded += len(missing)
        return {
            key: Vectors(next(rows), self._stacked([next(rows) for _ in text.units]))
            for key, text in missing.items()
        }

    def _stacked(self, rows: Sequence[Vector]) -> Matrix:
        return np.stack(rows) if rows else empty_matrix(self._encoder.dimension)


def _files(
    paths: Sequence[Path], known: Iterable[str], accepted: bool
) -> tuple[list[Path], list[Skipped]]:
    """Every file that `paths` name or hold, once and in a stable order, and what cannot be listed.

    A path that is gone, or an empty folder, is refused, unless documents are known from there and
    `accepted` says that they may go.
    """
    found: dict[Path, None] = {}
    unlisted: list[Skipped] = []
    for given in paths:
        path = _absolute(given)
        before = len(found) + len(unlisted)
        if path.is_dir():
            found.update((file, None) for file in _walk(path, unlisted))
        elif path.exists():
            found[path] = None
        if len(found) + len(unlisted) > before:
            continue
        what = "holds no file" if path.is_dir() else "does not exist"
        if not _under(path, known):
            raise IngestRefusedError(f"{given} {what}; nothing was changed")
        if not accepted:
            raise IngestRefusedError(
                f"{given} {what}, though documents are known from there; if they are to be "
                "removed, run the command again with --yes. Nothing was changed."
            )
    return list(found), unlisted


def _walk(folder: Path, unlisted: list[Skipped]) -> Iterator[Path]:
    """The files under `folder`, without hidden ones; what cannot be followed goes to `unlisted`."""

    def note(path: str | Path, reason: str) -> None:
        unlisted.append(Skipped(_printable(Path(path)), reason))

    def on_error(error: OSError) -> None:
        note(error.filename, f"cannot list the folder: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if Path(root, name).is_symlink():
                note(Path(root, name), "links to folders are not followed; name the folder itself")
        for name in sorted(names):
            if not name.startswith((".", "~$")):
                yield Path(root, name)


def _vanished(
    known: Iterable[str],
    paths: Sequence[Path],
    files: Sequence[Path],
    unlisted: Sequence[Skipped],
    accepted: bool,
) -> list[str]:
    """Known files that are gone from where they were; not those in a folder that is unlisted."""
    there = {str(file) for file in files}
    under = [path for given in paths for path in _under(_absolute(given), known)]
    hidden = {path for skipped in unlisted for path in _under(Path(skipped.path), known)}
    vanished = sorted({path for path in under if path not in there} - hidden)
    if not accepted and len(vanished) > 1 and len(vanished) > _VANISHED_SHARE * len(under):
        raise IngestRefusedError(
            f"{len(vanished)} of the {len(under)} files known from there have vanished; if their "
            "documents are to be removed, run the command again with --yes. Nothing was changed."
        )
    return vanished


def _under(path: Path, known: Iterable[str]) -> list[str]:
    """Those of the `known` files that are `path`, or lie in it."""
    return [name for name in known if Path(name).is_relative_to(path)]


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


def _printable(path: Path) -> str:
    """The path as text that can be written; a name in another encoding than UTF-8 is altered."""
    return str(path).encode("utf-8", "replace").decode()


def _batched(readings: Iterable[_Reading], passages: int) -> Iterator[list[_Reading]]:
    batch: list[_Reading] = []
    size = 0
    for reading in readings:
        batch.append(reading)
        size += len(reading.new)
        if size >= passages:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
