"""A check of all that is stored: that the parts are whole, and that they agree.

Nobody need run it for Kildesvar to work. It is for whoever wants to know that a disk, a copy or a
killed machine has done no harm, and for the tests that do the harm.
"""

import hashlib
from collections.abc import Iterator

from index.engine import IndexEngine
from index.library import Library
from index.records import StoredDocument


def problems_in(library: Library, engine: IndexEngine) -> Iterator[str]:
    """What is wrong, a sentence each; nothing when all is well."""
    damage = library.damage()
    yield from damage
    if damage:
        return
    yield from library.strays()
    edition = library.edition().number
    for document_id in library.document_ids():
        document = library.document(document_id)
        yield from _problems_of(document)
        passages = library.passages_of({document_id}, edition)
        if not passages:
            yield f"document {document_id} has no passage"
        for passage in library.passages(passages).values():
            units = [(unit.start, unit.end) for unit in passage.units]
            whole = [(passage.start, passage.end), *units]
            if any(not passage.start <= s < e <= passage.end for s, e in whole):
                yield f"passage {passage.id} of document {document_id} has spans that lie outside"
            if passage.text != document.text[passage.start : passage.end]:
                yield f"passage {passage.id} of document {document_id} is not its text"
    yield from engine.problems(library)


def _problems_of(document: StoredDocument) -> Iterator[str]:
    if document.content_hash != "sha256:" + hashlib.sha256(document.text.encode()).hexdigest():
        yield f"the text of document {document.id} is not what it was"
    ends = [0]
    for block in document.blocks:
        if not ends[-1] <= block.start <= block.end <= len(document.text):
            yield f"document {document.id} has blocks that overlap or lie outside its text"
            break
        ends.append(block.end)
