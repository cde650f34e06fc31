"""A document's way in: files -> documents -> passages -> vectors -> library -> generation."""

import hashlib
import json
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
from index.generations import Contents, Entry, Generations, Manifest, Recipe
from index.library import Edition, Ids, LeftOut, Library, NewPassage, Source, Vectors
from index.passages import Passage, PassageSettings, contextual_text, split
from index.readers import READERS_VERSION, require_readable
from index.readers.isolation import IsolatedReader
from index.text import normalise_line
from index.units import units_of

log = logging.getLogger("kildesvar")

_BATCH_PASSAGES = 256
"""Passages embedded together: enough to sort by length, few enough that a stop loses little."""

_READERS = str(READERS_VERSION)

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
    """What an ingest did. `embedded` counts passages that the model ran on, `noted` are files that
    were read but for a part."""

    added: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    embedded: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    noted: list[Skipped] = field(default_factory=list)
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


@dataclass(slots=True)
class _Known:
    """What an ingest finds in the library: files that were read, and files that are left out."""

    sources: dict[str, Source]
    left_out: dict[str, LeftOut]
    _by_content: dict[str, list[Source]] = field(init=False)

    def __post_init__(self) -> None:
        self._by_content = defaultdict(list)
        for source in self.sources.values():
            self._by_content[source.file_hash].append(source)

    def before(self, path: Path) -> Source | None:
        """The file as it was when it was last read or left out."""
        left_out = self.left_out.get(str(path))
        return left_out.source if left_out else self.sources.get(str(path))

    def forget(self, vanished: Collection[str]) -> None:
        """What has vanished is nobody's twin."""
        for path in vanished & self.sources.keys():
            del self.sources[path]

    def twin(self, source: Source) -> str | None:
        """The path of another file that holds the same, if one was read."""
        same = self._by_content.get(source.file_hash, ())
        return next((o.path for o in same if o.path in self.sources and _are_same(source, o)), None)


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
        self._reader = IsolatedReader()

    def ingest(
        self, paths: Sequence[Path], accept_removals: bool = False, retry: bool = False
    ) -> IngestReport:
        """Makes the library hold what `paths` (files, or folders to their depths) hold now.

        New and changed files are read, unchanged ones cost a stat and at most a hash, and files
        that vanished from a given folder are removed; one that was moved is known by its content.
        Raises IngestRefusedError, and changes nothing, when a path holds no file or when more than
        a fifth of the known files have vanished; `accept_removals` says that documents from there
        may go, and `retry` that files which were left out are to be read all the same.
        """
        began = perf_counter()
        known = self._library.sources()
        files, unlisted = _files(paths, known, accept_removals)
        left_out = self._library.left_out()
        there = _Known(dict(known), {} if retry else left_out)
        gone = _vanished({*known, *left_out}, paths, files, unlisted)
        moves = self._moves(known, gone, files)
        vanished = sorted(gone - set(moves))
        there.forget(gone)
        _require_meant([path for path in vanished if path in known], paths, known, accept_removals)
        report = IngestReport(skipped=unlisted)
        self._renew(report)
        self._move(moves, there, report)
        with self._reader:
            for batch in _batched(self._readings(files, there, report), _BATCH_PASSAGES):
                self._store(batch, report)
        if vanished:
            self._library.remove_sources(vanished)
            report.removed += sum(path in known for path in vanished)
        manifest = self._publish(report)
        if report.published:
            self._let_go()
        report.documents, report.passages = manifest.documents, manifest.passages
        report.generation = manifest.name
        report.seconds = perf_counter() - began
        return report

    def publish(self) -> None:
        """Publishes the library, unless the current generation holds just that already."""
        report = IngestReport()
        self._renew(report)
        self._publish(report)
        self._let_go()

    def compact(self) -> Manifest:
        """Publishes the library in a whole new generation, and lets go of all that is unused."""
        self._renew(IngestReport())
        manifest = self._generations.compact(
            self._contents(self._library.edition()), self._recipe()
        )
        self._let_go()
        return manifest

    def _publish(self, report: IngestReport) -> Manifest:
        edition = self._library.edition()
        current = self._generations.manifest()
        contents = self._contents(edition)
        if current and (current.revision, current.edition, current.recipe) == (
            contents.revision,
            contents.edition,
            self._recipe(),
        ):
            return current
        report.published = True
        return self._generations.publish(contents, self._recipe())

    def _contents(self, edition: Edition) -> Contents:
        return Contents(
            ids=self._library.passage_ids(edition.number),
            documents=self._library.count()[0],
            revision=self._library.revision(),
            edition=edition.number,
            fetch=self._entries,
        )

    def _entries(self, ids: Ids) -> Iterator[list[Entry]]:
        for batch in self._library.indexed(ids, self._encoder.fingerprint):
            yield [
                Entry(
                    passage.id,
                    passage.document_id,
                    contextual_text(
                        passage.title, passage.heading_path, passage.lead_in, passage.text
                    ),
                    passage.vector,
                )
                for passage in batch
            ]

    def _let_go(self) -> None:
        """Removes generations that nobody reads, and of the library what no generation needs."""
        remaining = self._generations.collect()
        self._library.forget_unused(
            {self._library.edition().number, *(manifest.edition for manifest in remaining)},
            {self._encoder.fingerprint, *(manifest.recipe.fingerprint for manifest in remaining)},
        )

    def _recipe(self) -> Recipe:
        return Recipe.of(self._encoder.fingerprint, self._encoder.dimension, self._settings)

    def _renew(self, report: IngestReport) -> None:
        """After a change of model or passage settings: the whole library, cut and embedded anew.

        It is done document by document, beside the passages that are searched, and goes on where
        an earlier run was stopped. The published generation answers until the new one is there, and
        whoever has it open can go on with it.
        """
        recipe = json.dumps(asdict(self._recipe()), sort_keys=True)
        if self._library.edition().recipe == recipe:
            self._library.give_up_next_edition()
            return
        edition = self._library.begin_edition(recipe)
        for document_id in self._library.documents_without(edition.number):
            stored = self._library.document(document_id)
            document = Document(
                stored.title, stored.text, stored.blocks, stored.media_type, stored.language
            )
            cut, texts = self._cut(document)
            vectors = self._embedded(texts, report)
            self._library.add_to_edition(
                edition, document_id, cut, vectors, self._encoder.fingerprint
            )
        if not self._library.is_empty():
            self._generations.publish(self._contents(edition), self._recipe())
            report.published = True
        self._library.switch_edition(edition)

    def _moves(
        self, known: Mapping[str, Source], vanished: set[str], files: Sequence[Path]
    ) -> dict[str, Source]:
        """For files that vanished the one that now holds the same, by their old path.

        A document that is named after its file is read anew instead, for its name's sake.
        """
        sizes: dict[int, list[str]] = defaultdict(list)
        for path in sorted(vanished & known.keys()):
            sizes[known[path].size].append(path)
        if not sizes:
            return {}
        titles = self._library.titles(sorted(vanished & known.keys()))
        moves: dict[str, Source] = {}
        for file in files:
            if str(file) in known or _printable(file) != str(file):
                continue
            try:
                candidates = sizes.get(accessed(file.stat).st_size, [])
                found = self._source(file) if candidates else None
            except InaccessibleFileError:
                continue  # to be named when its turn to be read has come
            for old in candidates:
                if found is None or old in moves or not _are_same(known[old], found):
                    continue
                if titles[old] != normalise_line(Path(old).stem):
                    moves[old] = found
                    break
        return moves

    def _move(self, moves: Mapping[str, Source], there: _Known, report: IngestReport) -> None:
        self._library.add_sources({old: [source] for old, source in moves.items()})
        self._library.remove_sources(list(moves))
        for source in moves.values():
            there.sources[source.path] = source
        report.moved = len(moves)
        report.unchanged -= len(moves)  # they will be met again among the files

    def _readings(
        self, files: Sequence[Path], there: _Known, report: IngestReport
    ) -> Iterator[_Reading]:
        for number, path in enumerate(files):
            self._on_progress(Progress(number, len(files), report.embedded, path.name))
            try:
                reading = self._reading(path, there, report)
            except UnreadableDocumentError as error:
                self._skip(path, there.sources.get(str(path)), error, report)
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

    def _reading(self, path: Path, there: _Known, report: IngestReport) -> _Reading | None:
        """The file's document if it is to be read; None when the library holds it already.

        Raises UnreadableDocumentError.
        """
        if _printable(path) != str(path):
            raise UnreadableDocumentError("the file's name is not UTF-8; rename it")
        status = require_readable(path)
        before = there.before(path)
        if before and self._is_read(before) and _is_untouched(before, status):
            self._pass_by(before, there, report)
            return None
        source = self._source(path)
        if before and self._is_read(before) and before.file_hash == source.file_hash:
            self._library.touch(source)
            self._pass_by(before, there, report)
            return None
        is_known = source.path in there.sources
        report.added += not is_known
        report.changed += is_known
        if twin := there.twin(source):
            self._library.add_sources({twin: [source]})
            return None
        document, new, texts = self._read_or_leave_out(source)
        report.noted += [Skipped(source.path, notice) for notice in document.notices]
        return _Reading(document, source, new, texts)

    def _pass_by(self, source: Source, there: _Known, report: IngestReport) -> None:
        """Counts a file that is as it was. Raises UnreadableDocumentError for one left out."""
        if source.path in there.left_out:
            raise UnreadableDocumentError(there.left_out[source.path].reason)
        report.unchanged += 1

    def _is_read(self, source: Source) -> bool:
        """Whether the file was read by these readers; others might make something else of it."""
        return source.readers == _READERS

    def _source(self, path: Path) -> Source:
        """The file as it is now. Raises InaccessibleFileError."""
        status = accessed(path.stat)
        file_hash = "sha256:" + accessed(lambda: sha256_of(path))
        return Source(str(path), status.st_size, status.st_mtime_ns, file_hash, _READERS)

    def _read_or_leave_out(
        self, source: Source
    ) -> tuple[Document, list[NewPassage], dict[str, _Texts]]:
        """Reads the file. One that cannot be read is not tried again as long as it is as it is."""
        try:
            return self._read_and_cut(Path(source.path))
        except InaccessibleFileError:
            raise
        except UnreadableDocumentError as error:
            self._library.leave_out(source, str(error))
            raise

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
        return np.stack(rows) if rows else np.empty((0, self._encoder.dimension), np.float32)


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
    known: Collection[str],
    paths: Sequence[Path],
    files: Sequence[Path],
    unlisted: Sequence[Skipped],
) -> set[str]:
    """Known files that are gone from where they were; not those in a folder that is unlisted."""
    there = {str(file) for file in files}
    under = {path for given in paths for path in _under(_absolute(given), known)}
    hidden = {path for skipped in unlisted for path in _under(Path(skipped.path), known)}
    return under - there - hidden


def _require_meant(
    vanished: Sequence[str], paths: Sequence[Path], known: Collection[str], accepted: bool
) -> None:
    """Raises IngestRefusedError when so much has vanished that it may be a disk that is missing."""
    under = {path for given in paths for path in _under(_absolute(given), known)}
    if not accepted and len(vanished) > 1 and len(vanished) > _VANISHED_SHARE * len(under):
        raise IngestRefusedError(
            f"{len(vanished)} of the {len(under)} files known from there have vanished; if their "
            "documents are to be removed, run the command again with --yes. Nothing was changed."
        )


def _is_untouched(source: Source, status: os.stat_result) -> bool:
    return (source.size, source.modified_ns) == (status.st_size, status.st_mtime_ns)


def _are_same(one: Source, other: Source) -> bool:
    """Whether two files hold the same bytes, and a reader would make the same of them."""
    return (
        one.file_hash == other.file_hash
        and one.readers == other.readers
        and Path(one.path).suffix.lower() == Path(other.path).suffix.lower()
    )


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
