"""What others would retrieve from the same passages: plain BM25, the embedding model, txtai."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.assembly import Kildesvar
from index.embedding import prepared_folder
from index.lexical import LexicalIndex, LexicalWriter
from index.passages import contextual_text
from index.records import StoredPassage

Search = Callable[[str, int], Sequence[int]]
"""The ids of the passages that fit a question best."""

_WORD = re.compile(r"\w+")


def text_of(passage: StoredPassage) -> str:
    """What Kildesvar itself embeds and indexes of a passage."""
    return contextual_text(passage.title, passage.heading_path, passage.lead_in, passage.text)


def plain_bm25(passages: Mapping[int, StoredPassage]) -> Search:
    """Okapi BM25 over lower-case words, without anything that knows Norwegian."""
    folder = Path(tempfile.mkdtemp()) / "bm25"
    with LexicalWriter(folder) as writer:
        for passage in passages.values():
            words = _WORD.findall(text_of(passage).lower())
            writer.add_passage(passage.id, passage.document_id, words)
    index = LexicalIndex(folder)

    def search(question: str, limit: int) -> Sequence[int]:
        words = dict.fromkeys(_WORD.findall(question.lower()), 1.0)
        return [passage for passage, _ in index.search(words, limit)]

    return search


def embeddings_alone(kildesvar: Kildesvar) -> Search:
    """The nearest vectors, exactly searched."""
    dense = kildesvar.generation().dense

    def search(question: str, limit: int) -> Sequence[int]:
        vector = kildesvar.encoder.embed_query(question)
        return [passage for passage, _ in dense.search(vector, limit)]

    return search


def txtai(kildesvar: Kildesvar, passages: Mapping[int, StoredPassage]) -> Search | None:
    """txtai's hybrid index as its documentation sets it up, with the same model; None without it.

    https://neuml.github.io/txtai/embeddings/configuration/
    """
    try:
        from txtai import Embeddings  # noqa: PLC0415
    except ImportError:
        return None
    settings = kildesvar.settings
    embeddings = Embeddings(
        path=str(prepared_folder(settings.model, settings.models_dir)),
        hybrid=True,
        instructions={"query": "query: ", "data": "passage: "},
    )
    embeddings.index((passage.id, text_of(passage), None) for passage in passages.values())

    def search(question: str, limit: int) -> Sequence[int]:
        return [int(passage) for passage, _ in embeddings.search(question, limit)]

    return search
