"""Hits as they go over HTTP, the same for answers and for searches."""

from typing import Any

from app.schemas import PassageOut, SearchHit
from index.analysis import Analyser
from index.retriever import Hit


def passage_out(hit: Hit) -> PassageOut:
    return PassageOut(**_fields(hit))


def search_hit(hit: Hit, analyser: Analyser, words: set[str]) -> SearchHit:
    """A hit with the spans of its text whose word is one of `words`."""
    tokens = analyser.tokens(hit.passage.text)
    highlights = [(token.start, token.end) for token in tokens if token.word in words]
    return SearchHit(**_fields(hit), source=hit.passage.source, highlights=highlights)


def _fields(hit: Hit) -> dict[str, Any]:
    passage = hit.passage
    return {
        "document_id": passage.document_id,
        "title": passage.title,
        "page": passage.page,
        "heading_path": list(passage.heading_path),
        "start": passage.start,
        "end": passage.end,
        "text": passage.text,
        "score": round(hit.score, 4),
    }
