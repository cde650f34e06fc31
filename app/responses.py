"""Answers and hits in the form that they leave in, over HTTP and from the command line alike."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from app.answering.answerer import Answer
from app.kept.conversations import Conversation
from app.schemas import (
    AskResponse,
    Citation,
    ConversationOut,
    ConversationTurnOut,
    DraftOut,
    FacetsOut,
    PassageOut,
    SearchHit,
    SearchResponse,
)
from index.analysis import Analyser
from index.facets import facets_of
from index.retriever import Browsed, Hit


def ask_response(
    answer: Answer, answer_id: str | None = None, conversation_id: str | None = None
) -> AskResponse:
    """`answer_id` is what the answer log knows it by; `conversation_id` has it as a turn."""
    return AskResponse(
        answered=answer.answered,
        answer=answer.answer,
        short_answer=answer.short_answer,
        confidence=round(answer.confidence, 4),
        citations=[Citation(**asdict(citation)) for citation in answer.citations],
        passages=[PassageOut(**passage_fields(hit)) for hit in answer.hits],
        question=answer.question,
        timings=_rounded(answer.timings),
        generation=answer.generation,
        composed_by=answer.composed_by,
        notice=answer.notice,
        draft=DraftOut(**asdict(answer.draft)) if answer.draft else None,
        cached=answer.is_cached,
        answer_id=answer_id,
        conversation_id=conversation_id,
    )


def conversation_response(conversation: Conversation) -> ConversationOut:
    turns = [ConversationTurnOut(**asdict(turn)) for turn in conversation.turns]
    return ConversationOut(**{**asdict(conversation.summary), "turns": turns})


def search_response(
    browsed: Browsed, analyser: Analyser, generation: str, folder_of: Callable[[str], str]
) -> SearchResponse:
    """The hits, with the spans of their text that match a telling word; and all facets."""
    result = browsed.result
    words = analyser.telling_words(result.wording.searched)
    return SearchResponse(
        query=result.wording.corrected,
        hits=[_search_hit(hit, analyser, words) for hit in result.hits],
        total=result.total,
        facets=FacetsOut(**asdict(facets_of(browsed.candidates, folder_of))),
        timings=_rounded(
            {
                "embed": result.embed_ms,
                "retrieve": result.retrieve_ms,
                "total": result.embed_ms + result.retrieve_ms,
            }
        ),
        generation=generation,
    )


def _search_hit(hit: Hit, analyser: Analyser, words: set[str]) -> SearchHit:
    tokens = analyser.tokens(hit.passage.text)
    highlights = [
        (token.start, token.end)
        for token in tokens
        if token.word in words or not words.isdisjoint(token.parts)
    ]
    passage = hit.passage
    return SearchHit(
        **passage_fields(hit),
        source=passage.source,
        collection=passage.collection,
        language=passage.language,
        media_type=passage.media_type,
        date=passage.date,
        updated_at=passage.updated_at,
        highlights=highlights,
    )


def passage_fields(hit: Hit) -> dict[str, Any]:
    """The fields of a PassageOut."""
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


def _rounded(timings: dict[str, float]) -> dict[str, float]:
    return {stage: round(milliseconds, 3) for stage, milliseconds in timings.items()}
