"""The library: documents, their sources, passages and vectors. The one thing never to be lost.

Every change is one transaction, acknowledged when it is on disk (WAL with full sync). Whatever
else there is (FAISS file, lexical index) is derived from here and can be made again.
"""

import contextlib
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from index.changes import (
    JOURNAL,
    Journal,
    copy_document,
    copy_passages,
    delete_orphans,
    document_row,
    insert_passages,
    insert_vectors,
    is_alone,
    mark,
    note,
    raise_revision,
    remove_sources_of,
    set_left_out,
    set_source,
    set_state,
)
from index.collection_names import DEFAULT, Readable
from index.database import Address, Database, open_database
from index.documents import Block, BlockKind, Document
from index.editions import (
    forget_kept_edition,
    give_up_next_edition,
    kept_edition_of,
    last_edition_of,
    next_edition_of,
    set_kept_edition,
    set_next_edition,
)
from index.embedding.encoder import Matrix, Vector
from index.errors import DeletedMeanwhileError, DocumentNotFoundError, OriginalGoneError
from index.facets import Facts
from index.files import sha256_of
from index.lock import BUSY_SECONDS, IsHeld
from index.queries import (
    LEFT_OUT_COLUMNS,
    SOURCE_COLUMNS,
    LastWritten,
    batches,
    cited_documents,
    cited_excerpt,
    collection_of,
    conditions,
    count_of_passages,
    document_of,
    documents_of,
    edition_of,
    facts,
    facts_of,
    headings_at,
    hydrated,
    hydrated_with_words,
    id_ranges,
    indexed,
    indexed_passage,
    is_listed,
    left_out_file,
    lying_in,
    order_of,
    page_at,
    passage_vectors,
    readable,
    revision_of,
    slice_of,
    state_of,
    stored_document,
    stored_passage,
    summary,
    texts_of,
    unit_vectors,
    wordings,
)
from index.records import (
    DELETED,
    ChangeKind,
    CitedExcerpt,
    CitedSpan,
    CollectionCount,
    Edition,
    Excerpt,
    Filters,
    IdRanges,
    Ids,
    IndexedPassage,
    LeftOut,
    Listing,
    NewPassage,
    PartContents,
    PassageWording,
    Scope,
    Source,
    StoredDocument,
    StoredPassage,
    Told,
    Vectors,
    Version,
)
from index.tables import documents, folders, jobs, left_out, passages, sources, vectors
from index.text import alphabetical

_PUT_OFF = "forgets_later"

Guard = Callable[[sa.Connection], None]


class Library:
    """Any number of threads and processes read; who writes documents holds its lock (`writing`).

    What is told of documents, by their id or of all of them, is read within `collections`. What is
    read by passages' ids is not limited: those are of a generation's parts, and a passage never
    comes into another collection under the id that it had. Nor is what an ingest asks by the paths
    of files, or by what they hold.
    """

    def __init__(
        self, database: Database, collections: Readable = None, guard: Guard | None = None
    ) -> None:
        self._database = database
        self._engine = database.engine
        self._guard = guard
        self.readable = collections
        """The collections that are read; None for all."""
        self._within = readable(collections)

    @classmethod
    def open(cls, address: Address) -> "Library":
        """Opens the library at the address, made or migrated forward as needed.

        Before a file is migrated a copy is kept beside it, `library-0001.sqlite3` of schema 0001.

        Raises LibraryError when it cannot be opened or is no library.
        """
        return cls(open_database(address))

    def read_by(self, collections: Readable) -> "Library":
        """The same library for somebody who may read only those collections.

        The documents of others are not there: nothing tells them from ones that never were.
        """
        if collections == self.readable:
            return self
        return Library(self._database, collections, self._guard)

    def guarded_by(self, guard: Guard) -> "Library":
        """The same library for somebody who may lose the right to change it: `guard` is called at
        the beginning of each transaction, within it, and what it raises undoes that."""
        return Library(self._database, self.readable, guard)

    def close(self) -> None:
        self._engine.dispose()

    @property
    def engine(self) -> sa.Engine:
        """The database, for those who keep other tables of it."""
        return self._engine

    @property
    def is_shared(self) -> bool:
        """Whether several hosts may use it at once."""
        return self._engine.dialect.name != "sqlite"

    # Reading

    def version(self) -> Version:
        """What a generation is compared with."""
        with self._engine.connect() as connection:
            return _version_of(connection)

    def told(self) -> Told:
        """What is different whenever an answer may be: to be compared, and no more."""
        with self._engine.connect() as connection:
            return Told(_version_of(connection), int(state_of(connection, "files") or 0))

    def edition(self) -> Edition:
        """The edition that is searched; its recipe is None as long as there are no passages."""
        with self._engine.connect() as connection:
            return Edition(edition_of(connection), state_of(connection, "recipe"))

    def is_empty(self) -> bool:
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(documents.c.id).limit(1)) is None

    def sources(self, places: Sequence[str] | None = None) -> dict[str, Source]:
        """Every file that documents were read from and that is one of `places`, or lies in one, by
        path; of all where `places` is None."""
        query = sa.select(*SOURCE_COLUMNS)
        found: dict[str, Source] = {}
        with self._engine.connect() as connection:
            for condition in lying_in(sources.c.path, places):
                rows = connection.execute(query.where(*condition))
                found.update((row.path, Source(*row)) for row in rows)
        return found

    def left_out(self, places: Sequence[str] | None = None) -> dict[str, LeftOut]:
        """Every file that is not read as long as it is as it was, by path; as `sources`."""
        query = sa.select(*LEFT_OUT_COLUMNS)
        if self.readable is not None:
            query = query.where(left_out.c.collection.in_(sorted(self.readable)))
        found: dict[str, LeftOut] = {}
        with self._engine.connect() as connection:
            for condition in lying_in(left_out.c.path, places):
                rows = connection.execute(query.where(*condition))
                found.update((row.path, left_out_file(row)) for row in rows)
        return found

    def collection_of_each(self, places: Sequence[str] | None = None) -> dict[str, str]:
        """The collection of every file that is read or left out, by path; as `sources`."""
        query = sa.select(sources.c.path, documents.c.collection).join(documents)
        aside = sa.select(left_out.c.path, left_out.c.collection)
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            # A file that is read and left out for another version is told by what is read of it.
            for q, column in ((aside, left_out.c.path), (query, sources.c.path)):
                for condition in lying_in(column, places):
                    found.update((path, of) for path, of in connection.execute(q.where(*condition)))
        return found

    def holding(self, file_hash: str) -> list[tuple[Source, str]]:
        """The files that held just that when they were read, and the collection of each."""
        query = sa.select(*SOURCE_COLUMNS, documents.c.collection).join(documents)
        query = query.where(sources.c.file_hash == file_hash).order_by(sources.c.path)
        with self._engine.connect() as connection:
            return [(Source(*row[:-1]), row[-1]) for row in connection.execute(query)]

    def deleted_holding(self, file_hash: str, collection: str) -> LeftOut | None:
        """A file that held just that, whose document a person deleted from the collection."""
        query = sa.select(*LEFT_OUT_COLUMNS).where(
            left_out.c.file_hash == file_hash,
            left_out.c.readers == DELETED,
            left_out.c.collection == collection,
        )
        with self._engine.connect() as connection:
            row = connection.execute(query.order_by(left_out.c.path).limit(1)).one_or_none()
        return left_out_file(row) if row else None

    def folders(self) -> dict[str, str]:
        """The collections of folders that were put into one, by path."""
        with self._engine.connect() as connection:
            return dict(connection.execute(sa.select(folders.c.path, folders.c.collection)).all())

    def collections(self) -> list[CollectionCount]:
        """The collections in order of name: the default one, and all others that have documents.

        Of somebody who may read only some, all of those: whether one is empty or was never made is
        the same to them.
        """
        query = sa.select(documents.c.collection, sa.func.count()).where(*self._within)
        with self._engine.connect() as connection:
            rows = connection.execute(query.group_by(documents.c.collection))
            counts: dict[str, int] = {row[0]: row[1] for row in rows}
        names = {DEFAULT, *counts} if self.readable is None else self.readable
        return [CollectionCount(n, counts.get(n, 0)) for n in sorted(names, key=alphabetical)]

    def titles(self, paths: Sequence[str]) -> dict[str, str]:
        """Titles of the documents that were read from those files, by path."""
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for some in batches(paths):
                query = sa.select(sources.c.path, documents.c.title).join(documents)
                rows = connection.execute(query.where(sources.c.path.in_(some), *self._within))
                found.update((row.path, row.title) for row in rows)
        return found

    def original(self, document_id: str) -> Path:
        """A file that the document was read from and that is as it was then.

        Raises DocumentNotFoundError, or OriginalGoneError when each was moved or changed.
        """
        query = sa.select(*SOURCE_COLUMNS).where(*self._is_of(document_id))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(sources.c.path))
            files = [Source(*row) for row in rows]
        if not files:
            raise _not_found(document_id)
        for source in files:
            with contextlib.suppress(OSError):  # it cannot be read: then another, or none
                if _is_as_it_was(source):
                    return Path(source.path)
        raise OriginalGoneError(
            f"{files[0].path} has been moved, changed or closed to the service since it was read; "
            "run `kildesvar ingest` on its folder"
        )

    def files_of(self, document_id: str) -> list[str]:
        """Paths of the files that the document was read from. Raises DocumentNotFoundError."""
        query = sa.select(sources.c.path).where(*self._is_of(document_id))
        with self._engine.connect() as connection:
            paths = list(connection.scalars(query.order_by(sources.c.path)))
        if not paths:
            raise _not_found(document_id)
        return paths

    def collection_of(self, document_id: str) -> str:
        """The collection that the document is in. Raises DocumentNotFoundError."""
        query = sa.select(documents.c.collection).where(documents.c.id == document_id)
        with self._engine.connect() as connection:
            found: str | None = connection.scalar(query.where(*self._within))
        if found is None:
            raise _not_found(document_id)
        return found

    def _is_of(self, document_id: str) -> list[sa.ColumnElement[bool]]:
        """That a file is one of the document's, which may be read."""
        of_document = sources.c.document_id == document_id
        if not self._within:
            return [of_document]
        there = sa.exists().where(documents.c.id == document_id, *self._within)
        return [of_document, there]

    def document_of(self, path: str) -> str | None:
        """Id of the document that was read from the file; None when none was."""
        with self._engine.connect() as connection:
            return document_of(connection, path)

    def count(self) -> tuple[int, int]:
        """Number of documents, and of passages."""
        with self._engine.connect() as connection:
            of_documents = sa.select(sa.func.count()).select_from(documents).where(*self._within)
            of_passages = count_of_passages(edition_of(connection), self.readable)
            return connection.scalar(of_documents) or 0, connection.scalar(of_passages) or 0

    def documents(
        self, limit: int, offset: int = 0, listing: Listing | None = None
    ) -> list[StoredDocument]:
        """Documents without their text, in order of title unless `listing` names another."""
        listing = listing or Listing()
        query = summary().where(*self._within, *is_listed(listing)).order_by(*order_of(listing))
        query = query.limit(limit).offset(offset)
        with self._engine.connect() as connection:
            return [stored_document(row) for row in connection.execute(query).mappings()]

    def count_documents(self, listing: Listing) -> int:
        query = sa.select(sa.func.count()).select_from(documents)
        query = query.where(*self._within, *is_listed(listing))
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def files_of_each(self, document_ids: Sequence[str]) -> dict[str, list[str]]:
        """Paths of the files that each of the documents was read from, by document."""
        found: dict[str, list[str]] = {document_id: [] for document_id in document_ids}
        with self._engine.connect() as connection:
            for some in batches(document_ids):
                query = sa.select(sources.c.document_id, sources.c.path).order_by(sources.c.path)
                query = query.join(documents).where(documents.c.id.in_(some), *self._within)
                for row in connection.execute(query):
                    found[row.document_id].append(row.path)
        return found

    def document(self, document_id: str) -> StoredDocument:
        """The document with its text and blocks. Raises DocumentNotFoundError."""
        query = (
            summary()
            .add_columns(documents.c.text, documents.c.blocks)
            .where(documents.c.id == document_id, *self._within)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise _not_found(document_id)
        blocks = tuple(
            Block(BlockKind(kind), start, end, level, page)
            for kind, start, end, level, page in row["blocks"]
        )
        return stored_document({**row, "blocks": blocks})

    def passages(self, ids: Sequence[int]) -> dict[int, StoredPassage]:
        """Those of `ids` that the library knows, by id; what was deleted is not among them."""
        found: dict[int, StoredPassage] = {}
        with self._engine.connect() as connection:
            for some in batches(ids):
                of = connection.execute(documents_of(), {"ids": some}).all()
                asked_of = Counter(document_id for _, document_id in of)
                alone = [i for i, document_id in of if asked_of[document_id] == 1]
                together = [i for i, document_id in of if asked_of[document_id] > 1]
                if alone:
                    for row in connection.execute(hydrated_with_words(), {"ids": alone}):
                        found[row.id] = stored_passage(row, row.text, row.lead_in)
                if together:
                    found.update(_sliced(connection, together))
        return {i: found[i] for i in ids if i in found}

    def facts(self, ids: Sequence[int]) -> dict[int, Facts]:
        """What is known of the documents of those of `ids` that the library knows, by id."""
        of = self.documents_of(ids)
        found: dict[str, Facts] = {}
        with self._engine.connect() as connection:
            for some in batches(sorted(set(of.values()))):
                found.update(facts_of(connection.execute(facts(), {"ids": some})))
        return {i: found[document_id] for i, document_id in of.items() if document_id in found}

    def documents_of(self, ids: Sequence[int]) -> dict[int, str]:
        """The documents of those of `ids` that the library knows, by id."""
        found: dict[int, str] = {}
        with self._engine.connect() as connection:
            for some in batches(ids):
                for passage_id, document_id in connection.execute(documents_of(), {"ids": some}):
                    found[passage_id] = document_id
        return found

    def wordings(self, ids: Sequence[int]) -> dict[int, PassageWording]:
        """The words of those of `ids` that the library knows, by id."""
        found: dict[int, PassageWording] = {}
        with self._engine.connect() as connection:
            for some in batches(ids):
                for passage_id, *wording in connection.execute(wordings(), {"ids": some}):
                    found[passage_id] = PassageWording(*wording)
        return found

    def excerpt(self, document_id: str, start: int, end: int) -> Excerpt | None:
        """`document.text[start:end]`, or None when there is no such document."""
        words = slice_of(sa.literal(start), sa.literal(end)).label("text")
        # A document without pages may have many blocks, of which none needs to be looked at.
        blocks = sa.case((documents.c.pages.is_not(None), documents.c.blocks)).label("blocks")
        query = sa.select(words, documents.c.content_hash, blocks)
        query = query.where(documents.c.id == document_id, *self._within)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Excerpt(row.text, row.content_hash, page_at(row.blocks or [], start))

    def cited(
        self, spans: Iterable[CitedSpan], *, places: bool = True
    ) -> dict[CitedSpan, CitedExcerpt]:
        """What stands at each of the spans whose document is there, and has the text it had.

        Without `places` no page and no headings, which take longer to find than the words.
        """
        by_document: dict[str, set[CitedSpan]] = {}
        for span in spans:
            by_document.setdefault(span.document_id, set()).add(span)
        found: dict[CitedSpan, CitedExcerpt] = {}
        with self._engine.connect() as connection:
            edition = edition_of(connection)
            for some in batches(sorted(by_document)):
                query = cited_documents(places).where(documents.c.id.in_(some), *self._within)
                for row in connection.execute(query):
                    for span in by_document[row.id]:
                        if span.content_hash == row.content_hash:
                            at = headings_at(row.id, span.start, edition)
                            headings = connection.scalar(at) if places else None
                            found[span] = cited_excerpt(row, span, headings or [])
        return found

    def passage_ids(self, edition: int) -> Ids:
        """int64[n], ascending: every passage of an edition."""
        query = sa.select(passages.c.id).where(passages.c.edition == edition)
        with self._engine.connect() as connection:
            return np.fromiter(connection.scalars(query.order_by(passages.c.id)), np.int64)

    def parts(self, edition: int) -> dict[str, PartContents]:
        """By collection, what a generation is to hold of it: every passage of an edition."""
        of_each = sa.select(documents.c.collection, sa.func.count())
        query = sa.select(documents.c.collection, passages.c.id).join(
            documents, documents.c.id == passages.c.document_id
        )
        query = query.where(passages.c.edition == edition).order_by(passages.c.id)
        ids: defaultdict[str, list[int]] = defaultdict(list)
        with self._engine.connect() as connection:
            counts = connection.execute(of_each.group_by(documents.c.collection)).all()
            for collection, passage_id in connection.execute(query):
                ids[collection].append(passage_id)
        return {
            name: PartContents(np.array(ids[name], np.int64), count)
            for name, count in sorted((row[0], row[1]) for row in counts)
        }

    def indexed(self, ids: Ids, fingerprint: str) -> Iterator[list[IndexedPassage]]:
        """Those of `ids` (ascending) that the library knows, in batches, with vectors of a model.

        A document's text is fetched once for the passages of it that follow each other: slicing it
        in the database would read it anew for each.
        """
        for some in batches(ids.tolist()):
            # Passages and texts of one state, or a passage would get words of what came later.
            with self._engine.connect() as connection:
                written_in = LastWritten(connection)
                rows = connection.execute(indexed(some, fingerprint)).all()
                batch = [indexed_passage(row, written_in(row.document_id)) for row in rows]
            if batch:
                yield batch

    def document_ids(self) -> list[str]:
        with self._engine.connect() as connection:
            ids = sa.select(documents.c.id).where(*self._within).order_by(documents.c.id)
            return list(connection.scalars(ids))

    def documents_without(self, edition: int) -> list[str]:
        """Ids of the documents that have no passage of that edition yet."""
        cut = sa.exists().where(
            passages.c.document_id == documents.c.id, passages.c.edition == edition
        )
        query = sa.select(documents.c.id).where(~cut).order_by(documents.c.id)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def passages_of(self, document_ids: set[str], edition: int | None = None) -> list[int]:
        """Ids of the passages of those documents, of every edition if none is given."""
        found: list[int] = []
        with self._engine.connect() as connection:
            for some in batches(sorted(document_ids)):
                query = sa.select(passages.c.id).where(passages.c.document_id.in_(some))
                if edition is not None:
                    query = query.where(passages.c.edition == edition)
                found.extend(connection.scalars(query))
        return found

    def damage(self) -> list[str]:
        """What the database finds wrong with its file; if anything, no query can be relied on."""
        return self._database.damage()

    def strays(self) -> list[str]:
        """Rows whose owner is not there."""
        return self._database.strays()

    def size(self) -> int:
        """Bytes that the database takes on its disk."""
        return self._database.size()

    def look(self, within: float) -> None:
        """Reads next to nothing, for which it waits so many seconds. Raises LibraryError."""
        self._database.look(within)

    def matching(self, filters: Filters) -> set[str]:
        """Ids of the documents that `filters` let through."""
        with self._engine.connect() as connection:
            within = (*self._within, *conditions(filters))
            return set(connection.scalars(sa.select(documents.c.id).where(*within)))

    def scope(self, filters: Filters) -> tuple[Scope, int]:
        """The documents that `filters` let through, and how many they are."""
        passes = sa.and_(sa.true(), *conditions(filters))
        counts = sa.select(sa.func.count(), sa.func.count(sa.case((passes, 1))))
        with self._engine.connect() as connection:
            counted = counts.select_from(documents).where(*self._within)
            every, passing = connection.execute(counted).one()
            others = passing > every / 2
            told = sa.select(documents.c.id)
            told = told.where(*self._within, ~passes if others else passes)
            return Scope(frozenset(connection.scalars(told)), others), passing

    def count_passing(self, filters: Filters) -> int:
        """How many documents `filters` let through."""
        count = sa.select(sa.func.count()).select_from(documents)
        with self._engine.connect() as connection:
            query = count.where(*self._within, *conditions(filters))
            return int(connection.execute(query).scalar_one())

    def passing(self, ids: Sequence[int], filters: Filters) -> set[int]:
        """Those of `ids` that the library knows, in documents that `filters` let through."""
        found: set[int] = set()
        query = sa.select(passages.c.id).join(documents)
        query = query.where(*self._within, *conditions(filters))
        with self._engine.connect() as connection:
            for some in batches(ids):
                found.update(connection.scalars(query.where(passages.c.id.in_(some))))
        return found

    def passages_within(self, scope: Scope) -> IdRanges:
        """The passages of the documents of `scope`, of every edition."""
        ranges: list[tuple[int, int]] = []
        scattered: set[str] = set()
        with self._engine.connect() as connection:
            for some in batches(sorted(scope.ids)):
                for document_id, first, last, count in connection.execute(
                    id_ranges(), {"ids": some}
                ):
                    # They are stored at once, so that no other's ids come between them.
                    if last - first + 1 == count:
                        ranges.append((first, last + 1))
                    else:
                        scattered.add(document_id)
        ranges += [(passage_id, passage_id + 1) for passage_id in self.passages_of(scattered)]
        return IdRanges(np.array(ranges, dtype=np.int64).reshape(-1, 2), scope.others)

    def vectors(self, keys: Iterable[str], fingerprint: str) -> dict[str, Vector]:
        """Cached vectors of passages by key, of the model with that fingerprint."""
        found: dict[str, Vector] = {}
        with self._engine.connect() as connection:
            for some in batches(list(keys)):
                query = sa.select(vectors.c.key, vectors.c.vector).where(
                    vectors.c.fingerprint == fingerprint, vectors.c.key.in_(some)
                )
                for row in connection.execute(query):
                    found[row.key] = np.frombuffer(row.vector, dtype="<f4")
        return found

    def passage_vectors(self, passage_ids: Sequence[int], fingerprint: str) -> dict[int, Vector]:
        """float32[d] of those of the passages that the library knows, by id."""
        found: dict[int, Vector] = {}
        with self._engine.connect() as connection:
            for some in batches(passage_ids):
                asked = {"ids": some, "fingerprint": fingerprint}
                for passage_id, vector in connection.execute(passage_vectors(), asked):
                    found[passage_id] = np.frombuffer(vector, dtype="<f4")
        return found

    def unit_vectors(self, passage_ids: Sequence[int], fingerprint: str) -> dict[int, Matrix]:
        """float32[n, d] for the n units of each passage, by passage id."""
        asked = {"ids": passage_ids, "fingerprint": fingerprint}
        with self._engine.connect() as connection:
            return {
                passage_id: np.frombuffer(units, "<f2").astype(np.float32).reshape(-1, size // 4)
                for passage_id, units, size in connection.execute(unit_vectors(), asked)
            }

    def keep_journal(self, journal: Journal) -> None:
        """From now on `journal` is told of every change of documents, within its transaction.

        What it raises undoes the change.
        """
        self._engine.update_execution_options(**{JOURNAL: journal})

    # Writing: each method is one transaction

    def put(  # noqa: PLR0913, PLR0917 - what there is to store
        self,
        document: Document,
        source: Source,
        new: Sequence[NewPassage],
        new_vectors: Mapping[str, Vectors],
        fingerprint: str,
        replaces: str | None = None,
        collection: str = DEFAULT,
        *,
        was_in: str | None = None,
        was_deleted: bool = True,
    ) -> str:
        """Stores the document that `source` now holds in `collection`, and returns its id.

        `was_in` is the collection that the file was in when it began to be read: where it is in
        another by now, it stays in that. `was_deleted` says that it was known then that a person
        had deleted it; else it may have been since, for which DeletedMeanwhileError is raised.

        A changed file keeps its document's id, unless another file still holds what it held. A file
        with the same text as another of the collection is one more source of the same document. A
        file that `replaces` a document takes its id over, and the files that it was read from
        before are forgotten.
        """
        with self.transaction() as connection:
            known = document_of(connection, source.path)
            if known is None and not was_deleted:
                _require_not_deleted(connection, source)
            if known is not None and was_in is not None:
                is_in = collection_of(connection, known)
                collection = is_in if is_in != was_in else collection
            twin = _twin(connection, document.content_hash, collection)
            own = known if known and is_alone(connection, known, source) else None
            document_id = twin or replaces or own
            if document_id is None:
                document_id = secrets.token_hex(8)
                row = document_row(document, document_id, collection)
                connection.execute(sa.insert(documents), row)
                note(connection, ChangeKind.ADDED, [document_id])
            else:
                row = document_row(document, document_id, collection)
                connection.execute(sa.update(documents).where(documents.c.id == document_id), row)
                if twin in (None, own, replaces):  # else it is but one more file of the same
                    note(connection, ChangeKind.REPLACED, [document_id])
            connection.execute(sa.delete(passages).where(passages.c.document_id == document_id))
            insert_passages(connection, document_id, new, edition_of(connection))
            insert_vectors(connection, new_vectors, fingerprint)
            if replaces:
                connection.execute(sa.delete(sources).where(sources.c.document_id == replaces))
            set_source(connection, source, document_id)
            delete_orphans(connection, [former for former in (known, replaces) if former])
            raise_revision(connection)
            return document_id

    def add_copy(self, path: str, source: Source) -> bool:
        """Makes `source` one more source of the document that the file at `path` was read into.

        What it held before is forgotten. False, and nothing is changed, when that document was
        not, or is no longer, read from the same bytes.
        """
        query = sa.select(sources.c.document_id).where(
            sources.c.path == path, sources.c.file_hash == source.file_hash
        )
        with self.transaction() as connection:
            document_id = connection.scalar(query)
            if document_id is None:
                return False
            if path != source.path:
                remove_sources_of(connection, [source.path])
            set_source(connection, source, document_id)
        return True

    def move(self, path: str, collection: str) -> None:
        """Puts what was read from the file into `collection`; nothing, if it is there already.

        A document that other files hold too stays with those, and the file gets one of its own.
        """
        held = sa.select(documents.c.id, documents.c.collection, documents.c.content_hash)
        with self.transaction() as connection:
            row = connection.execute(held.join(sources).where(sources.c.path == path)).one_or_none()
            if row is None or row.collection == collection:
                return
            others = sa.select(sources.c.path).where(
                sources.c.document_id == row.id, sources.c.path != path
            )
            document_id = _twin(connection, row.content_hash, collection)
            if document_id is None and connection.scalar(others.limit(1)) is None:
                document_id = row.id
                change = sa.update(documents).where(documents.c.id == row.id)
                connection.execute(change, {"collection": collection})
                # Under new ids: who searches an older generation must not come upon them.
                copy_passages(connection, row.id, row.id)
            elif document_id is None:
                document_id = secrets.token_hex(8)
                copy_document(connection, row.id, document_id, collection)
            change = sa.update(sources).where(sources.c.path == path)
            connection.execute(change, {"document_id": document_id})
            note(connection, ChangeKind.MOVED, [document_id], {"collection": collection})
            mark(connection, {row.id, document_id})
            of_file = sa.update(jobs).where(jobs.c.path == path)
            connection.execute(of_file, {"collection": collection, "document_id": document_id})
            delete_orphans(connection, [row.id])
            raise_revision(connection)

    def put_folder(self, path: str, collection: str) -> None:
        """From now on what lies under the folder belongs to `collection`, and what will; but for
        what lies in a folder below that was put into one of its own."""
        with self.transaction() as connection:
            connection.execute(sa.delete(folders).where(folders.c.path == path))
            connection.execute(sa.insert(folders), {"path": path, "collection": collection})

    def touch(self, source: Source) -> None:
        """Notes a file's new time or size when its content is as before; nothing else changes."""
        with self.transaction() as connection:
            for table in (sources, left_out):
                connection.execute(
                    sa.update(table).where(table.c.path == source.path),
                    {"size": source.size, "modified_ns": source.modified_ns},
                )

    def remove_sources(self, paths: Sequence[str]) -> None:
        """Forgets files, and every document that no file holds any more."""
        with self.transaction() as connection:
            for some in batches(paths):
                connection.execute(sa.delete(left_out).where(left_out.c.path.in_(some)))
            remove_sources_of(connection, paths)

    def leave_out(self, source: Source, reason: str, collection: str = DEFAULT) -> None:
        """Notes a file that is not to be read as long as it is as it is now, and forgets what it
        held before. `collection` is the one that it was for."""
        with self.transaction() as connection:
            set_left_out(connection, source, reason, collection)
            remove_sources_of(connection, [source.path])

    def remove_document(self, document_id: str, reason: str) -> list[str]:
        """Deletes a document, and gives the paths of the files that it was read from.

        They are left out for `reason`, until they change, whoever reads. Raises
        DocumentNotFoundError.
        """
        query = sa.select(*SOURCE_COLUMNS).where(*self._is_of(document_id))
        of_document = sa.select(documents.c.collection).where(documents.c.id == document_id)
        with self.transaction() as connection:
            files = [Source(*row) for row in connection.execute(query)]
            if not files:
                raise _not_found(document_id)
            collection = connection.scalar(of_document) or DEFAULT
            for source in files:
                deleted = replace(source, readers=DELETED)
                set_left_out(connection, deleted, reason, collection)
            remove_sources_of(connection, [source.path for source in files])
        return [source.path for source in files]

    def begin_edition(self, recipe: str) -> Edition:
        """The edition to be made by `recipe`: one begun by an earlier run, or the one before the
        current that is kept, or a new one.

        One that was begun by another recipe is given up.
        """
        with self.transaction() as connection:
            begun = next_edition_of(connection)
            if begun is not None and begun.recipe == recipe:
                return begun
            give_up_next_edition(connection)
            kept = kept_edition_of(connection)
            if kept is not None and kept.recipe == recipe:
                number = kept.number
            else:
                number = 1 + last_edition_of(connection)
            edition = Edition(number, recipe)
            set_next_edition(connection, edition)
        return edition

    def coming_edition(self) -> Edition | None:
        """The one that was begun, if one is."""
        with self._engine.connect() as connection:
            return next_edition_of(connection)

    def add_to_edition(
        self,
        edition: Edition,
        document_id: str,
        new: Sequence[NewPassage],
        new_vectors: Mapping[str, Vectors],
        fingerprint: str,
    ) -> None:
        """A document's passages of a coming edition, with their vectors; none is searched yet."""
        with self.transaction() as connection:
            insert_passages(connection, document_id, new, edition.number)
            insert_vectors(connection, new_vectors, fingerprint)

    def switch_edition(self, edition: Edition) -> None:
        """From now on `edition` is what counts. Passages of the one before it stay, for those who
        still search it or go back to it, until `forget_unused`."""
        with self.transaction() as connection:
            before = Edition(edition_of(connection), state_of(connection, "recipe"))
            if before.recipe and before.number != edition.number:
                set_kept_edition(connection, before)
            set_state(connection, "edition", str(edition.number))
            set_state(connection, "recipe", edition.recipe or "")
            set_next_edition(connection, None)

    def give_up_next_edition(self) -> None:
        """Deletes what an earlier run began, if any did, by a recipe that is no longer wanted."""
        if self.coming_edition() is not None:
            with self.transaction() as connection:
                give_up_next_edition(connection)

    def forget_unused(self, editions: Collection[int], fingerprints: Collection[str]) -> None:
        """Deletes passages of other editions, then cached vectors that no passage has, and those
        of other models; while others write, who may have found a vector just now, it is put off."""
        with self._database.unless_others_write() as is_alone:
            if is_alone:
                self._forget_unused(editions, fingerprints)
            else:
                self.put_off_forgetting()

    def _forget_unused(self, editions: Collection[int], fingerprints: Collection[str]) -> None:
        unused = ~sa.exists().where(passages.c.vector_key == vectors.c.key)
        other_model = vectors.c.fingerprint.not_in(fingerprints)
        with self.transaction() as connection:
            connection.execute(sa.delete(passages).where(passages.c.edition.not_in(editions)))
            forget_kept_edition(connection, editions)
            set_state(connection, _PUT_OFF, None)
        # Nobody waits for this, which takes long where there are many: who would be harmed waits
        # for the writer's lock.
        with self.transaction(alone=False) as connection:
            connection.execute(sa.delete(vectors).where(sa.or_(unused, other_model)))
        self.empty_log()

    def put_off_forgetting(self) -> None:
        """Notes that there may be something unused, for whoever has time for it."""
        with self.transaction() as connection:
            set_state(connection, _PUT_OFF, "yes")

    def has_put_off_forgetting(self) -> bool:
        """Whether something unused may be there since then."""
        with self._engine.connect() as connection:
            return state_of(connection, _PUT_OFF) is not None

    def empty_log(self) -> None:
        """Deleted text must not live on in a log of the database's, if that is in one's hands."""
        self._database.empty_log()

    @contextlib.contextmanager
    def transaction(
        self, waits: float = BUSY_SECONDS, *, alone: bool = True
    ) -> Iterator[sa.Connection]:
        """All that is written within, or nothing. Raises LibraryError when it cannot be written.

        Those that are `alone` come one after the other; `waits` is how many seconds another may
        keep it. What needs no such order, and is harmed by no other, need not be.
        """
        with self._database.transaction(waits, alone) as connection:
            if self._guard is not None:
                self._guard(connection)
            yield connection

    def writing(
        self, *, exclusive: bool = True, waits: float | None = None
    ) -> contextlib.AbstractContextManager[None]:
        """Holds the writer's lock, which dies with its process. Raises LibraryBusyError when
        another process does; where hosts share the library it `waits` so many seconds before.

        It may be shared in PostgreSQL, by those who add, change and remove documents; who changes
        what others rely on meanwhile holds it `exclusive`.
        """
        return self._database.writing(exclusive, waits)

    def unless_others_write(self) -> contextlib.AbstractContextManager[bool]:
        """Gives whether nobody else holds the writer's lock; if so, nobody can until the end."""
        return self._database.unless_others_write()

    def following(self) -> contextlib.AbstractContextManager[IsHeld | None]:
        """Gives whether it is held still, if this is the one that has an index follow; then nobody
        else is until the end, or until that is lost. Only for who holds the writer's lock."""
        return self._database.following()


def _sliced(connection: sa.Connection, ids: Sequence[int]) -> Iterator[tuple[int, StoredPassage]]:
    """Passages with their words, for which each document's text is fetched once: a long text takes
    the database a while each time."""
    rows = connection.execute(hydrated(), {"ids": ids}).all()
    of_document = defaultdict(list)
    for row in rows:
        of_document[row.document_id].append(row)
    for document_id, text in connection.execute(texts_of(), {"ids": list(of_document)}):
        for row in of_document[document_id]:
            lead_in = "" if row.lead_start is None else text[row.lead_start : row.lead_end]
            yield row.id, stored_passage(row, text[row.start : row.end], lead_in)


def _require_not_deleted(connection: sa.Connection, source: Source) -> None:
    """Raises DeletedMeanwhileError when a person deleted what the file holds."""
    query = sa.select(left_out.c.reason).where(
        left_out.c.path == source.path,
        left_out.c.file_hash == source.file_hash,
        left_out.c.readers == DELETED,
    )
    reason: str | None = connection.scalar(query)
    if reason is not None:
        raise DeletedMeanwhileError(reason)


def _twin(connection: sa.Connection, content_hash: str, collection: str) -> str | None:
    """Id of the document of the collection that has that text."""
    query = sa.select(documents.c.id).where(
        documents.c.collection == collection, documents.c.content_hash == content_hash
    )
    found: str | None = connection.scalar(query)
    return found


def _is_as_it_was(source: Source) -> bool:
    path = Path(source.path)
    status = path.stat()
    if status.st_size != source.size:
        return False
    return (
        status.st_mtime_ns == source.modified_ns or f"sha256:{sha256_of(path)}" == source.file_hash
    )


def _version_of(connection: sa.Connection) -> Version:
    return Version(
        state_of(connection, "identity") or "", revision_of(connection), edition_of(connection)
    )


def _not_found(document_id: str) -> DocumentNotFoundError:
    return DocumentNotFoundError(
        f"there is no document {document_id!r}; it may have been removed. "
        "GET /v1/documents lists those that there are."
    )
