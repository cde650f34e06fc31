"""The documents that speed is measured on."""

import random
from pathlib import Path

from index.embedding import Encoder
from index.library import Library
from scripts.made_library import PASSAGES_A_DOCUMENT, MadeLibrary
from tests.conftest import all_passages


def test_a_made_document_is_cut_into_passages_that_together_hold_every_block(
    encoder: Encoder, tmp_path: Path
) -> None:
    library = Library.open(tmp_path / "library.sqlite3")
    MadeLibrary(library, encoder, random.Random(1)).put(0)
    passages = all_passages(library)
    assert len(passages) == PASSAGES_A_DOCUMENT
    [document_id] = library.document_ids()
    document = library.document(document_id)
    for block in document.blocks:
        [holder] = [p for p in passages if p.start <= block.start and block.end <= p.end]
        assert document.text[block.start : block.end] in holder.text
    library.close()
