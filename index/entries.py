"""Entries: passages of the library in the form in which an index takes them."""

from collections.abc import Iterator

from index.errors import LibraryError
from index.library import Library
from index.parts import Entry
from index.passages import contextual_text
from index.records import Ids


def entries_of(library: Library, ids: Ids, fingerprint: str) -> Iterator[list[Entry]]:
    """Those of `ids` (ascending) that the library knows, in batches, with vectors of a model."""
    for batch in library.indexed(ids, fingerprint):
        yield [
            Entry(
                passage.id,
                passage.document_id,
                contextual_text(passage.title, passage.heading_path, passage.lead_in, passage.text),
                passage.vector,
                passage.text,
                passage.title if passage.opens else None,
                passage.headings,
            )
            for passage in batch
        ]


def vectors_lost(count: int) -> LibraryError:
    """What to raise for so many passages that the library knows, of which it has no vectors."""
    return LibraryError(
        f"the library is damaged: {count} passages have lost their vectors. Restore a backup "
        "(`kildesvar restore`), or ingest the documents into a new data folder."
    )
