"""A check of all that is stored: that the parts are whole, and that they agree.

Nobody need run it for Kildesvar to work. It is for whoever wants to know that a disk, a copy or a
killed machine has done no harm, and for the tests that do the harm.
"""

import hashlib
from collections.abc import Iterator

import numpy as np

from index.errors import KildesvarError
from index.generations import Generation, Generations
from index.library import Library
from index.records import StoredDocument


def problems_in(library: Library, generations: Generations) -> Iterator[str]:
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
    try:
        generation = generations.open()
    except KildesvarError as error:
        if not library.is_empty():
            yield str(error)
        return
    if generation.manifest.version == library.version():
        yield from _disagreements(library, generation)


def _problems_of(document: StoredDocument) -> Iterator[str]:
    if document.content_hash != "sha256:" + hashlib.sha256(document.text.encode()).hexdigest():
        yield f"the text of document {document.id} is not what it was"
    ends = [0]
    for block in document.blocks:
        if not ends[-1] <= block.start <= block.end <= len(document.text):
            yield f"document {document.id} has blocks that overlap or lie outside its text"
            break
        ends.append(block.end)


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
