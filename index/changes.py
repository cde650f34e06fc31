"""What is written to the library's tables, each within the transaction of its caller."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from index.documents import Document
from index.queries import batches, document_of, revision_of, state_of
from index.records import ChangeKind, NewPassage, Source, Vectors
from index.tables import documents, left_out, outbox, passages, sources, state, vectors

Journal = Callable[[sa.Connection, ChangeKind, Sequence[str], Mapping[str, str | None]], None]
"""Is told of each change within its transaction: the ids of what is changed, and more about it."""

FOLLOWED = "followed"
"""Name of the state that says that an index elsewhere follows what changes here."""

JOURNAL = "journal"
"""Name of the execution option under which the connections of a library have its journal."""


def note(
    connection: sa.Connection,
    kind: ChangeKind,
    subjects: Sequence[str],
    details: Mapping[str, str | None] | None = None,
) -> None:
    """Tells of a change, if someone keeps a journal of the library's."""
    journal: Journal | None = connection.get_execution_options().get(JOURNAL)
    if journal is not None and subjects:
        journal(connection, kind, subjects, details or {})


def mark(connection: sa.Connection, document_ids: Collection[str]) -> None:
    """Has the index that follows the library, if one does, learn of documents that changed."""
    if document_ids and state_of(connection, FOLLOWED) is not None:
        now = time.time()
        rows = [{"document_id": i, "marked_at": now} for i in sorted(set(document_ids))]
        connection.execute(sa.insert(outbox), rows)


def raise_revision(connection: sa.Connection) -> None:
    set_state(connection, "revision", str(revision_of(connection) + 1))


def raise_files(connection: sa.Connection) -> None:
    """Counts a change to which files there are: what is searched may stay as it was."""
    set_state(connection, "files", str(int(state_of(connection, "files") or 0) + 1))


def set_state(connection: sa.Connection, name: str, value: str | None) -> None:
    connection.execute(sa.delete(state).where(state.c.name == name))
    if value is not None:
        connection.execute(sa.insert(state), {"name": name, "value": value})


def document_row(document: Document, document_id: str, collection: str) -> dict[str, Any]:
    return {
        "id": document_id,
        "collection": collection,
        "title": document.title,
        "text": document.text,
        "blocks": [[b.kind.value, b.start, b.end, b.level, b.page] for b in document.blocks],
        "media_type": document.media_type,
        "language": document.language,
        "source_url": document.source_url,
        "pages": document.pages,
        "author": document.author,
        "date": document.date,
        "notices": list(document.notices),
        "content_hash": document.content_hash,
        "updated_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def is_alone(connection: sa.Connection, document_id: str, source: Source) -> bool:
    """Whether no file but `source` and copies of it holds the document, which may so change.

    A copy has the same bytes as `source` now, and the same kind of name: it would read the same.
    """
    others = sa.select(sources.c.path, sources.c.file_hash).where(
        sources.c.document_id == document_id, sources.c.path != source.path
    )
    kind = Path(source.path).suffix.lower()
    return all(
        other.file_hash == source.file_hash and Path(other.path).suffix.lower() == kind
        for other in connection.execute(others)
    )


def insert_passages(
    connection: sa.Connection, document_id: str, new: Sequence[NewPassage], edition: int
) -> None:
    rows = [
        {
            "document_id": document_id,
            "start": item.passage.start,
            "end": item.passage.end,
            "heading_path": list(item.passage.heading_path),
            "page": item.passage.page,
            "lead_start": item.passage.lead_in[0] if item.passage.lead_in else None,
            "lead_end": item.passage.lead_in[1] if item.passage.lead_in else None,
            "units": [[unit.kind.value, unit.start, unit.end] for unit in item.units],
            "vector_key": item.vector_key,
            "edition": edition,
        }
        for item in new
    ]
    if rows:
        connection.execute(sa.insert(passages), rows)


def insert_vectors(connection: sa.Connection, new: Mapping[str, Vectors], fingerprint: str) -> None:
    known: set[str] = set()
    for some in batches(list(new)):
        query = sa.select(vectors.c.key).where(
            vectors.c.fingerprint == fingerprint, vectors.c.key.in_(some)
        )
        known.update(connection.scalars(query))
    rows = [
        {
            "key": key,
            "fingerprint": fingerprint,
            "vector": made.passage.astype("<f4").tobytes(),
            "units": made.units.astype("<f2").tobytes(),
        }
        for key, made in new.items()
        if key not in known
    ]
    if rows:
        connection.execute(sa.insert(vectors), rows)


def set_source(connection: sa.Connection, source: Source, document_id: str) -> None:
    former = document_of(connection, source.path)
    mark(connection, {document_id, former} if former else {document_id})
    connection.execute(sa.delete(sources).where(sources.c.path == source.path))
    connection.execute(sa.delete(left_out).where(left_out.c.path == source.path))
    connection.execute(sa.insert(sources), {**asdict(source), "document_id": document_id})
    raise_files(connection)


def set_left_out(connection: sa.Connection, source: Source, reason: str, collection: str) -> None:
    connection.execute(sa.delete(left_out).where(left_out.c.path == source.path))
    row = {**asdict(source), "reason": reason, "collection": collection}
    connection.execute(sa.insert(left_out), row)


def copy_passages(connection: sa.Connection, document_id: str, copy_id: str) -> None:
    """Gives document `copy_id` the passages of another, of every edition, under ids of their own.

    It may be the same document, whose passages then have other ids than before.
    """
    kept = [column for column in passages.c if column.name not in {"id", "document_id"}]
    last = connection.scalar(sa.select(sa.func.max(passages.c.id))) or 0
    of_document = sa.select(sa.literal(copy_id), *kept).where(
        passages.c.document_id == document_id, passages.c.id <= last
    )
    names = ["document_id", *(column.name for column in kept)]
    ordered = of_document.order_by(passages.c.id)
    connection.execute(sa.insert(passages).from_select(names, ordered))
    if copy_id == document_id:
        former = sa.and_(passages.c.document_id == document_id, passages.c.id <= last)
        connection.execute(sa.delete(passages).where(former))


def copy_document(
    connection: sa.Connection, document_id: str, copy_id: str, collection: str
) -> None:
    """Makes a document of another collection that says the same, with passages of its own."""
    kept = [column for column in documents.c if column.name not in {"id", "collection"}]
    of_document = sa.select(sa.literal(copy_id), sa.literal(collection), *kept).where(
        documents.c.id == document_id
    )
    names = ["id", "collection", *(column.name for column in kept)]
    connection.execute(sa.insert(documents).from_select(names, of_document))
    copy_passages(connection, document_id, copy_id)


def remove_sources_of(connection: sa.Connection, paths: Sequence[str]) -> None:
    """Forgets files, and every document that no file holds any more; if so, raises the revision."""
    deleted = 0
    for some in batches(list(paths)):
        held = sa.select(sources.c.document_id).where(sources.c.path.in_(some))
        document_ids = list(connection.scalars(held))
        mark(connection, document_ids)
        connection.execute(sa.delete(sources).where(sources.c.path.in_(some)))
        deleted += delete_orphans(connection, document_ids)
    raise_files(connection)
    if deleted:
        raise_revision(connection)


def delete_orphans(connection: sa.Connection, document_ids: Sequence[str]) -> int:
    """Deletes those of the documents that no file holds any more; how many they were."""
    orphan = ~sa.exists().where(sources.c.document_id == documents.c.id)
    query = sa.delete(documents).where(documents.c.id.in_(document_ids), orphan)
    deleted = connection.scalars(query.returning(documents.c.id)).all()
    note(connection, ChangeKind.DELETED, deleted)
    mark(connection, deleted)
    return len(deleted)
