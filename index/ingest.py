"""A document's way in: files -> documents -> passages -> vectors -> library -> generation."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np

from index.collection_names import DEFAULT, collection_name
from index.documents import Document
from index.embedding.encoder import Encoder, Matrix, Vector
from index.engine import Contents, IndexEngine, Published, Recipe, difference
from index.entries import entries_of, vectors_lost
from index.errors import (
    DeletedMeanwhileError,
    FollowedLaterError,
    GenerationMismatchError,
    InaccessibleFileError,
    IndexConfigurationError,
    IndexUnavailableError,
    KildesvarError,
    LibraryBusyError,
    UnreadableDocumentError,
)
from index.filing import Filing
from index.folders import (
    Skipped,
    listed,
    places_of,
    printable,
    require_meant,
    vanished_from,
)
from index.known_files import KnownFiles, is_untouched
from index.library import Library
from index.outbox import Outbox
from index.parts import Entry
from index.passages import Passage, PassageSettings, contextual_text, split
from index.readers import require_readable
from index.readers.isolation import IsolatedReader
from index.records import DELETED, Ids, NewPassage, Source, Vectors, Version
from index.units import units_of

log = logging.getLogger("kildesvar")


_FOLLOWS_EVERY = 30.0
"""Seconds after which an index that follows is told, while more is read."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest has come, for a progress bar."""

    files_done: int
    files_total: int
    passages: int
    file: str = ""


Made = TypeVar("Made")

OnProgress = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """For those who do not watch."""


@dataclass
class IngestReport:
    """What an ingest did. `embedded` counts passages that the model ran on, `noted` are files that
    were read but for a part. `model_seconds` are those of `seconds` that the
    model took, `publish_seconds` those for the index."""

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
    model_seconds: float = 0.0
    publish_seconds: float = 0.0
    generation: str = ""
    published: bool = False
    waits: str = ""
    """Why what was read is not found yet: another process will bring it into the index."""


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
    was_in: str | None
    collection: str
    new: list[NewPassage]
    texts: dict[str, _Texts]  # by vector key


class Ingester:
    """Brings files into the library and publishes. Hold `Library.writing` around it."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it is made of
        self,
        library: Library,
        engine: IndexEngine,
        encoder: Encoder,
        settings: PassageSettings,
        on_progress: OnProgress = ignore_progress,
        ocr: bool = False,
        renews: bool = True,
        uploads_dir: Path | None = None,
    ) -> None:
        """`renews` says that a library made by another model or other settings is to be made anew,
        which takes long; else that is an error. Files in `uploads_dir` lie in no folder of a
        person's making."""
        self._library = library
        self._engine = engine
        self._encoder = encoder
        self._settings = settings
        self._on_progress = on_progress
        self._ocr = ocr
        self._renews = renews
        self._uploads = str(uploads_dir) if uploads_dir else None
        self._reader = IsolatedReader(ocr=ocr)

    def ingest(
        self,
        paths: Sequence[Path],
        accept_removals: bool = False,
        retry: bool = False,
        replaces: str | None = None,
        collection: str | None = None,
    ) -> IngestReport:
        """Makes the library hold what `paths` (files, or folders to their depths) hold now.

        All of it goes into `collection`, if one is given, and so does what comes into the folders
        later. Else a known file stays in its own, and a new one goes to that of its folder, see
        `index.filing`.

        New and changed files are read, unchanged ones cost a stat and at most a hash, and files
        that vanished from a given folder are removed; one that was moved is known by its content.
        Raises IngestRefusedError, and changes nothing, when a path holds no file or when more than
        a fifth of the known files have vanished; `accept_removals` says that documents from there
        may go, and `retry` that files which were left out are to be read all the same.

        Raises GenerationMismatchError when the library was made by another recipe than this one's,
        unless this renews it. What is read takes over the document that it `replaces`, which stays
        as it is when nothing can be read.
        """
        began = perf_counter()
        places = places_of(paths)
        filing = self._filing(places, collection)
        known = KnownFiles(self._library, places, filing, self._ocr)
        files, unlisted = listed(paths, known.sources, accept_removals)
        gone = vanished_from({*known.sources, *known.left_out}, paths, files, unlisted)
        moves = known.moves(gone, files, self._library.titles(sorted(gone)))
        removed = gone & known.sources.keys() - moves.keys()
        require_meant(removed, paths, known.sources, accept_removals)
        report = IngestReport(skipped=unlisted, removed=len(removed))
        self._renew(report)
        if filing.named:
            self._put_folders(places, filing.named)
        self._move(moves, known, report)
        known.forget(gone)
        if retry:
            known.forget_left_out()
        if replaces:
            known.forget_read()
        self._read_in(files, known, report, replaces)
        if gone:
            self._library.remove_sources(sorted(gone))
        return self._finished(report, began)

    def reread(self, files: Sequence[Path]) -> IngestReport:
        """Reads known files again, whatever is known of them; nothing else changes.

        What a file held stays as it is when that cannot be read now. The last of several copies of
        one document gives it its title, where that is the file's name. Raises as `ingest`.
        """
        began = perf_counter()
        report = IngestReport()
        self._renew(report)
        filing = self._filing([*map(str, files)])
        known = KnownFiles(self._library, (), filing, self._ocr, leaves_out=False)
        known.forget_left_out()
        known.forget_read()
        self._read_in(files, known, report)
        return self._finished(report, began)

    def _filing(self, places: Sequence[str], named: str | None = None) -> Filing:
        return Filing(
            self._library.collection_of_each(places),
            self._library.folders(),
            None if named is None else collection_name(named),
            frozenset(places),
            self._uploads,
            self._library.collection_of_each,
        )

    def _put_folders(self, places: Sequence[str], collection: str) -> None:
        for place in places:
            if Path(place).is_dir():
                self._library.put_folder(place, collection)

    def _read_in(
        self,
        files: Sequence[Path],
        known: KnownFiles,
        report: IngestReport,
        replaces: str | None = None,
    ) -> None:
        followed = perf_counter()
        with self._reader:
            for reading in self._readings(files, known, report):
                self._store(reading, known, report, replaces)
                if self._engine.follows and perf_counter() - followed > _FOLLOWS_EVERY:
                    self._have_follow()
                    followed = perf_counter()

    def _have_follow(self) -> None:
        """Brings what was read so far into an index that follows, if that can be now."""
        try:
            self._publish(IngestReport())
        except (IndexUnavailableError, LibraryBusyError) as error:
            log.info("%s", error)

    def _finished(self, report: IngestReport, began: float) -> IngestReport:
        """The report, once what was read is published."""
        publishing = perf_counter()
        try:
            manifest = self._publish(report)
        except FollowedLaterError as error:
            log.info("%s", error)
            report.published, report.waits = False, str(error)
            report.documents, report.passages = self._library.count()
            report.generation = self._engine.current_name() or ""
            report.seconds = perf_counter() - began
            return report
        except IndexUnavailableError as error:
            raise IndexUnavailableError(
                "what was read is stored, and is found as soon as a service or a `kildesvar work` "
                "of this library, or the next `kildesvar ingest`, has brought it into the index. "
                f"That could not be done now: {error}"
            ) from error
        if report.published:
            self.let_go_in_time()
        report.publish_seconds = perf_counter() - publishing
        report.documents, report.passages = manifest.documents, manifest.passages
        report.generation = manifest.name
        report.seconds = perf_counter() - began
        return report

    def publish(self, *, anyway: bool = False) -> None:
        """Publishes the library, unless the current generation holds just that already; `anyway`
        is for one that is lost.

        Raises GenerationMismatchError as `ingest`.
        """
        report = IngestReport()
        self._renew(report)
        self._publish(report, anyway=anyway)

    def compact(self) -> Published:
        """Publishes the library in a whole new generation, and lets go of all that is unused."""
        self._renew(IngestReport())
        manifest = self._engine.compact(self._contents(self._library.version()), self._recipe())
        self.let_go()
        return manifest

    def _publish(self, report: IngestReport, *, anyway: bool = False) -> Published:
        version = self._library.version()
        if not self._engine.follows and not self._library.is_shared:
            Outbox(self._library).end()
        searched = self._engine.manifest()
        if searched and not anyway and self._engine.is_current(version, self._recipe()):
            return searched
        if searched is not None and searched.is_newer and not self._renews:
            raise GenerationMismatchError(
                "a newer version of Kildesvar has made the index; update this one too, or run "
                "`kildesvar ingest` with this version to go back to it"
            )
        report.published = True
        return self._engine.publish(self._contents(version), self._recipe())

    def _contents(self, version: Version) -> Contents:
        return Contents(partial(self._library.parts, version.edition), version, self._entries)

    def _entries(self, ids: Ids) -> Iterator[list[Entry]]:
        missing = len(ids)
        for batch in entries_of(self._library, ids, self._encoder.fingerprint):
            missing -= len(batch)
            yield batch
        if missing:
            raise vectors_lost(missing)

    def let_go(self) -> None:
        """Removes generations that nobody reads, and of the library what no generation needs."""
        remaining = self._engine.collect()
        editions = {self._library.version().edition, *(m.version.edition for m in remaining)}
        models = {self._encoder.fingerprint, *(m.recipe.fingerprint for m in remaining)}
        if coming := self._library.coming_edition():
            editions.add(coming.number)
            models.add(json.loads(coming.recipe or "{}").get("fingerprint", ""))
        self._library.forget_unused(editions, models)

    def let_go_in_time(self) -> None:
        """Lets go at once, or where several may write leaves that to a quiet moment: to look
        through all vectors after each file would be most of the work of a large library."""
        if self._library.is_shared and self._engine.follows:
            self._library.put_off_forgetting()
        else:
            self.let_go()

    def _recipe(self) -> Recipe:
        return Recipe.of(self._encoder.fingerprint, self._encoder.dimension, self._settings)

    def _renew(self, report: IngestReport) -> None:
        """After a change of model or passage settings: the whole library, cut and embedded anew.

        It is done document by document, beside the passages that are searched, and goes on where
        an earlier run was stopped. The published generation answers until the new one is there, and
        whoever has it open can go on with it.
        """
        self._require_no_other_engine()
        recipe = self._recipe().of_passages()
        made_by = json.loads(self._library.edition().recipe or "null")
        if made_by is not None and Recipe(**made_by).of_passages() == recipe:
            if self._renews:
                self._library.give_up_next_edition()
            return
        if made_by and not self._renews:
            raise GenerationMismatchError(difference(Recipe(**made_by), self._recipe()))
        with self._library.unless_others_write() as is_alone:
            if not is_alone:
                raise LibraryBusyError(
                    "all passages are to be made anew, for which nobody else may write; wait until "
                    "other hosts have read what they were sent, then run the command again"
                )
            self._make_anew(json.dumps(recipe, sort_keys=True), report)

    def _require_no_other_engine(self) -> None:
        """Raises IndexConfigurationError when this would publish for one host alone, and others
        search an index that follows."""
        if self._engine.follows or not self._library.is_shared:
            return
        if (follower := Outbox(self._library).follower()) is not None:
            raise IndexConfigurationError(
                f"the library is searched in the index «{follower}» of a search cluster, and this "
                "process would end that for all; set KILDESVAR_OPENSEARCH_URL as it is set for the "
                "others. If no host is to search there any more, run `kildesvar index leave`"
            )

    def _make_anew(self, recipe: str, report: IngestReport) -> None:
        edition = self._library.begin_edition(recipe)
        remaining = self._library.documents_without(edition.number)
        for number, document_id in enumerate(remaining):
            self._on_progress(Progress(number, len(remaining), report.embedded))
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
            coming = replace(self._library.version(), edition=edition.number)
            self._engine.publish(self._contents(coming), self._recipe())
            report.published = True
        self._library.switch_edition(edition)

    def _move(self, moves: Mapping[str, Source], known: KnownFiles, report: IngestReport) -> None:
        for path, source in moves.items():
            self._library.add_copy(path, source)
            known.filing.note(source.path, known.filing.held(path) or DEFAULT)
            collection = known.filing.of_moved(source.path)
            if collection != known.filing.held(source.path):
                self._library.remove_sources([path])  # so that the document goes with the file
                self._file(source.path, collection, known)
        known.sources.update({source.path: source for source in moves.values()})
        report.moved = len(moves)
        report.unchanged -= len(moves)  # they will be met again among the files

    def _readings(
        self, files: Sequence[Path], known: KnownFiles, report: IngestReport
    ) -> Iterator[_Reading]:
        """What is new or changed of `files`; each is read while the one before is embedded."""
        wanted = self._wanted(files, known, report)
        source = self._begin(wanted)
        while source is not None:
            document = self._tried(source, known, report, self._reader.finish)
            following = self._begin(wanted)
            if document is not None:
                cut = self._tried(source, known, report, partial(self._cut, document))
                if cut is not None:
                    self._count(source, known, report)
                    report.noted += [Skipped(source.path, notice) for notice in document.notices]
                    collection = known.collection_of(source)
                    # Who names a collection wants it there, wherever others put it meanwhile.
                    was_in = None if known.filing.named else known.filing.held(source.path)
                    known.filing.note(source.path, collection)
                    yield _Reading(document, source, was_in, collection, *cut)
            source = following

    def _wanted(
        self, files: Sequence[Path], known: KnownFiles, report: IngestReport
    ) -> Iterator[Source]:
        """Those of `files` that must be read."""
        for number, path in enumerate(files):
            self._on_progress(Progress(number, len(files), report.embedded, path.name))
            try:
                source = self._unknown(path, known, report)
            except UnreadableDocumentError as error:
                self._skip(path, known.sources.get(str(path)), error, report)
                continue
            if source is not None:
                yield source
        self._on_progress(Progress(len(files), len(files), report.embedded))

    def _begin(self, wanted: Iterator[Source]) -> Source | None:
        """Has the next file read; None when there is none."""
        source = next(wanted, None)
        if source is not None:
            self._reader.begin(Path(source.path))
        return source

    def _tried(
        self, source: Source, known: KnownFiles, report: IngestReport, step: Callable[[], Made]
    ) -> Made | None:
        """What `step` makes of a file. None when it fails: then the file is named, and not tried
        again as long as it is as it is."""
        path = Path(source.path)
        try:
            return _foreseen(path, step)
        except UnreadableDocumentError as error:
            if known.leaves_out and not isinstance(error, InaccessibleFileError):
                self._library.leave_out(source, str(error), known.collection_of(source))
            self._skip(path, known.sources.get(source.path), error, report)
            return None

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
        lasts = not isinstance(error, InaccessibleFileError)
        report.skipped.append(Skipped(printable(path), reason, lasts))

    def _unknown(self, path: Path, known: KnownFiles, report: IngestReport) -> Source | None:
        """The file as it is now if it is to be read; None when the library holds it already.

        Raises UnreadableDocumentError.
        """
        if printable(path) != str(path):
            raise UnreadableDocumentError("the file's name is not UTF-8; rename it")
        status = require_readable(path)
        before = known.before(path)
        if before and is_untouched(before, status):
            self._pass_by(before, known, report)
            return None
        source = known.now(path)
        if before and before.file_hash == source.file_hash:
            self._library.touch(source)
            self._pass_by(before, known, report)
            return None
        collection = known.collection_of(source)
        if deleted := known.deleted_as(source, collection):
            deleted_too = replace(source, readers=DELETED)
            self._library.leave_out(deleted_too, deleted.reason, collection)
            raise UnreadableDocumentError(deleted.reason)
        twin = known.twin(source, collection)
        if twin and self._library.add_copy(twin, source):
            known.filing.note(source.path, collection)
            self._count(source, known, report)
            return None
        return source

    def _pass_by(self, source: Source, known: KnownFiles, report: IngestReport) -> None:
        """Counts a file that is as it was. Raises UnreadableDocumentError for one left out."""
        if left_out := known.left_out.get(source.path):
            if known.filing.of(source.path) != left_out.collection:
                named = known.filing.of(source.path)
                self._library.leave_out(left_out.source, left_out.reason, named)
            raise UnreadableDocumentError(left_out.reason)
        if self._file(source.path, known.filing.of(source.path), known):
            report.changed += 1
        else:
            report.unchanged += 1

    def _file(self, path: str, collection: str, known: KnownFiles) -> bool:
        """Puts what was read from a known file into the collection; whether it was in another."""
        if known.filing.held(path) == collection:
            return False
        self._library.move(path, collection)
        known.filing.note(path, collection)
        return True

    def _count(self, source: Source, known: KnownFiles, report: IngestReport) -> None:
        if source.path in known.sources:
            report.changed += 1
        else:
            report.added += 1

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

    def _store(
        self, reading: _Reading, known: KnownFiles, report: IngestReport, replaces: str | None
    ) -> None:
        try:
            self._library.put(
                reading.document,
                reading.source,
                reading.new,
                self._embedded(reading.texts, report),
                self._encoder.fingerprint,
                replaces,
                reading.collection,
                was_in=reading.was_in,
                was_deleted=reading.source.path in known.deleted,
            )
        except DeletedMeanwhileError as error:
            report.skipped.append(Skipped(printable(Path(reading.source.path)), str(error)))
        else:
            known.note_read(reading.source, reading.collection)

    def _embedded(self, texts: dict[str, _Texts], report: IngestReport) -> dict[str, Vectors]:
        """Vectors of those `texts` that the cache does not hold yet."""
        cached = self._library.vectors(texts, self._encoder.fingerprint)
        missing = {key: text for key, text in texts.items() if key not in cached}
        flat = [part for text in missing.values() for part in (text.passage, *text.units)]
        began = perf_counter()
        rows = iter(self._encoder.embed_documents(flat))
        report.model_seconds += perf_counter() - began
        report.embedded += len(missing)
        return {
            key: Vectors(next(rows), self._stacked([next(rows) for _ in text.units]))
            for key, text in missing.items()
        }

    def _stacked(self, rows: Sequence[Vector]) -> Matrix:
        return np.stack(rows) if rows else np.empty((0, self._encoder.dimension), np.float32)


def _foreseen(path: Path, step: Callable[[], Made]) -> Made:
    """What `step` makes of the file. A failure of ours must cost one file, not the whole run."""
    try:
        return step()
    except KildesvarError:
        raise
    except Exception as error:
        log.exception("unforeseen error while reading %s", path)
        reason = f"unforeseen error ({type(error).__name__}: {error}); please report it"
        raise UnreadableDocumentError(reason) from error
