"""The words of an answer: its quotes with their numbers, the short answer, an honest no."""

from collections.abc import Sequence

from app.answering.citations import Citation
from index.language import detect_language

_REFUSALS = {
    "nb": "Jeg finner ikke svaret i dokumentene. Jeg søkte etter «{question}» i {documents}.",
    "nn": "Eg finn ikkje svaret i dokumenta. Eg søkte etter «{question}» i {documents}.",
    "en": "I cannot find the answer in the documents. I searched for “{question}” in {documents}.",
}
_DOCUMENTS = {
    "nb": ("ett dokument", "{} dokumenter"),
    "nn": ("eitt dokument", "{} dokument"),
    "en": ("one document", "{} documents"),
}


def paragraphs(citations: Sequence[Citation]) -> list[str]:
    """What the answer says with each citation, a paragraph each."""
    quoted = [f"{citation.quote} [{citation.number}]" for citation in citations]
    return [*quoted[:1], *(f"\n\n{text}" for text in quoted[1:])]


def short_answer(citations: Sequence[Citation]) -> str | None:
    """The words of citation 1 that answer by themselves."""
    first = citations[0] if citations else None
    return first.short_answer_text if first is not None and first.number == 1 else None


def refusal(question: str, count: int) -> str:
    """That nothing answers the `question` that was searched, in its language; `count` documents."""
    language = detect_language(question)
    one, several = _DOCUMENTS[language]
    documents = one if count == 1 else several.format(count)
    return _REFUSALS[language].format(question=question, documents=documents)
