"""Writing a tantivy index in one go, as a part of a generation that is never changed."""

from collections.abc import Iterable
from pathlib import Path

import tantivy


def write_index(
    folder: Path, schema: tantivy.Schema, documents: Iterable[tantivy.Document]
) -> None:
    """Writes `documents` into a new `folder`, and waits until it is all on disk."""
    folder.mkdir()
    writer = tantivy.Index(schema, path=str(folder)).writer(heap_size=64_000_000, num_threads=1)
    for document in documents:
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
