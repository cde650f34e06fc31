"""A document's way in: files -> documents -> passages -> vectors -> library -> generation."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from index.documents import Document
from index.embedding.encoder import Encoder, Matrix, Vector
from index.errors import IngestRefusedError, UnreadableDocumentError
from index.generations import Entry, Generations, Manifest, Recipe, empty_matrix
from index.library import Library, NewPassage, Source, Vectors
from index.passages import Passage, PassageSettings, contextual_text, split
from index.readers import read
from index.units import units_of

_BATCH_PASSAGES = 256
"""Passages embedded together: enough to sort by length, few enough that a stop loses little."""

_VANISHED_SHARE = 0.2
"""More than this share of a folder's files gone at once is asked about, not obeyed."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not in the library, and why, in one line."""

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

    def __init__(
        self,
        library: Library,
        generations: Generations,
        encoder: Encoder,
        settings: PassageSettings,
        on_progress: OnProgress = ignore_progress,
    ) -> None:
        self._library = library
        self._generations = generations
        self._encoder = encoder
        self._settings = settings
        self._on_progress = on_progress

    def ingest(self, paths: Sequence[Path], accept_removals: bool = False) -> IngestReport:
        """Makes the library hold what `paths` (files, or folders to their depths) hold now.

        New and changed files are read, unchanged ones cost a stat and at most a hash, and files
        that vanished from a given folder are removed. Raises IngestRefusedError when a path does
        not exist, when there is no file at all, or when more than a fifth of the known files have
        vanished and `accept_removals` is false; then nothing was changed.
        """
        began = perf_counter()
        files = _files(paths)
        known = self._library.sources()
        vanished = _vanished(known, paths, files, accept_removals)
        report = IngestReport()
        self._renew(report)
        readings = self._readings(files, known, report)
        for batch in _batched(readings, _BATCH_PASSAGES):
            self._store(batch, report)
        if vanished:
            self._library.remove_sources(vanished)
            report.removed = len(vanished)
        manifest = self._publish(report)
        report.documents, report.passages = manifest.documents, manifest.passages
        report.generation = manifest.name
        report.seconds = perf_counter() - began
        return report

    def publish(self) -> None:
        """Publishes the library as it is, unless the current generation holds just that already."""
        report = IngestReport()
        self._renew(report)
        self._publish(report)

    def _publish(self, report: IngestReport) -> Manifest:
        self._library.forget_unused_vectors()
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
        return self._generations.publish(entries, vectors, self._recipe(), revision)

    def _recipe(self) -> Recipe:
        return Recipe.of(self._encoder.fingerprint, self._encoder.dimension, self._settings)

    def _renew(self, report: IngestReport) -> None:
        """After a change of model or passage settings: the whole library, cut and embedded anew.

        The published generation goes on answering meanwhile. What was embedded before an
        interruption is found in the vector cache by the next run.
        """
        current = self._generations.manifest()
        if current is not None and current.recipe == self._recipe():
            return
        for document_id in self._library.document_ids():
            stored = self._library.document(document_id)
            document = Document(
                stored.title, stored.text, stored.blocks, stored.media_type, stored.language
            )
            new, texts = self._cut(document)
            vectors = self._embedded(texts, report)
            self._library.replace_passages(document_id, new, vectors, self._encoder.fingerprint)

    def _readings(
        self, files: Sequence[Path], known: dict[str, Source], report: IngestReport
    ) -> Iterator[_Reading]:
        for number, path in enumerate(files):
            self._on_progress(Progress(number, len(files), report.embedded, path.name))
            try:
                reading = self._reading(path, known.get(str(path)), report)
            except UnreadableDocumentError as error:
                report.skipped.append(Skipped(str(path), str(error)))
                continue
            if reading is not None:
                yield reading
        self._on_progress(Progress(len(files), len(files), report.embedded))

    def _reading(self, path: Path, known: Source | None, report: IngestReport) -> _Reading | None:
        """The file's document if it is new or changed; None when the library holds it already."""
        size, modified_ns = _stat(path)
        if known and (known.size, known.modified_ns) == (size, modified_ns):
            report.unchanged += 1
            return None
        file_hash = _hash(path)
        source = Source(str(path), size, modified_ns, file_hash)
        if known and known.file_hash == file_hash:
            self._library.touch(source)
            report.unchanged += 1
            return None
        document = read(path)
        new, texts = self._cut(document)
        report.added += known is None
        report.changed += known is not None
        return _Reading(document, source, new, texts)

    def _cut(self, document: Document) -> tuple[list[NewPassage], dict[str, _Texts]]:
        new: list[NewPassage] = []
        texts: dict[str, _Texts] = {}
        for passage in split(document, self._encoder.count_tokens, self._settings):
            units = units_of(document, passage)
            unit_texts = tuple(document.text[unit.start : unit.end] for unit in units)
            passage_texts = _Texts(_contextual(document, passage), unit_texts)
            texts[passage_texts.key] = passage_texts
            new.append(NewPassage(passage, units, passage_texts.key))
        return new, texts

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


def _contextual(document: Document, passage: Passage) -> str:
    lead_in = document.text[slice(*passage.lead_in)] if passage.lead_in else ""
    body = document.text[passage.start : passage.end]
    return contextual_text(document.title, passage.heading_path, lead_in, body)


def _files(paths: Sequence[Path]) -> list[Path]:
    """Every file that `paths` name or hold, once, in a stable order; hidden ones are left out."""
    found: dict[Path, None] = {}
    for given in paths:
        path = given.expanduser().resolve()
        if path.is_dir():
            found.update((file, None) for file in _walk(path))
        elif path.exists():
            found[path] = None
        else:
            raise IngestRefusedError(f"{given} does not exist; nothing was changed")
    if not found:
        names = ", ".join(str(path) for path in paths)
        raise IngestRefusedError(f"there is no file in {names}; nothing was changed")
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


def _vanished(
    known: dict[str, Source], paths: Sequence[Path], files: Sequence[Path], accepted: bool
) -> list[str]:
    folders = [path for path in (p.expanduser().resolve() for p in paths) if path.is_dir()]
    there = {str(file) for file in files}
    under = [p for p in known if any(Path(p).is_relative_to(folder) for folder in folders)]
    vanished = [path for path in under if path not in there]
    if not accepted and len(vanished) > 1 and len(vanished) > _VANISHED_SHARE * len(under):
        raise IngestRefusedError(
            f"{len(vanished)} of the {len(under)} files known from there have vanished; if their "
            "documents are to be removed, run the command again with --yes. Nothing was changed."
        )
    return vanished


def _stat(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableDocumentError(f"cannot open the file: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableDocumentError(f"cannot open the file: {error.strerror}") from error


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
