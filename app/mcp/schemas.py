"""What tools take and give, as pydantic models whose descriptions a language model reads."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.schemas import (
    MAX_MESSAGES,
    Citation,
    FilterFields,
    Message,
    PassageOut,
    Question,
    ShortText,
)


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchArguments(_Arguments):
    query: Annotated[
        Question,
        Field(description="A question or words, best in the language of the documents"),
    ]
    limit: Annotated[int, Field(ge=1, le=20, description="Passages to give")] = 5
    filters: Annotated[FilterFields | None, Field(description="Which documents to search")] = None


class AskArguments(_Arguments):
    question: Annotated[
        Question,
        Field(description="One question, best in the language of the documents; 2,000 characters"),
    ]
    messages: Annotated[
        list[Message],
        Field(
            max_length=MAX_MESSAGES,
            description="The turns before, oldest first, if the question leans on them («Og i "
            "2023?»). A question that says everything itself needs none",
        ),
    ] = []
    filters: Annotated[FilterFields | None, Field(description="Which documents may answer")] = None


class ReadArguments(_Arguments):
    document_id: Annotated[ShortText, Field(description="As search, ask or list_documents gave it")]
    start: Annotated[
        int, Field(ge=0, description="Where to begin: a `start` or `next_start` that was given")
    ] = 0
    length: Annotated[int, Field(ge=1, le=20_000, description="Most characters to give")] = 6000


class ListArguments(_Arguments):
    q: Annotated[
        ShortText, Field(description="Words, or parts of them, of title or path; none lists all")
    ] = ""
    limit: Annotated[int, Field(ge=1, le=100, description="Documents to give")] = 25
    offset: Annotated[int, Field(ge=0, le=2**31, description="Documents to pass over")] = 0


class FoundPassage(PassageOut):
    """A passage of a document, word for word."""

    source: Annotated[str, Field(description="Path or web address of the document")]
    language: str
    date: Annotated[str | None, Field(description="ISO day that the document itself states")]


class SearchResult(BaseModel):
    query: Annotated[str, Field(description="What was searched: the query, its spelling mended")]
    passages: Annotated[list[FoundPassage], Field(description="Best first")]
    total: Annotated[int, Field(description="Candidates that were ranked")]


class AskResult(BaseModel):
    answered: Annotated[bool, Field(description="False: the documents do not answer this")]
    answer: Annotated[str, Field(description="Each sentence is followed by its [n]")]
    short_answer: Annotated[str | None, Field(description="The words that answer by themselves")]
    confidence: Annotated[
        float, Field(ge=0, le=1, description="Probability that the documents answer")
    ]
    composed_by: Annotated[
        Literal["quotes", "model"],
        Field(description="`quotes`: the answer is the documents' own words"),
    ]
    notice: Annotated[str | None, Field(description="What to know of how it came about")]
    citations: Annotated[list[Citation], Field(description="Where each [n] stands")]
    nearest: Annotated[
        list[PassageOut], Field(description="Where nothing answers: what is nearest to it")
    ]
    question: Annotated[str, Field(description="The question that was searched")]
    generation: Annotated[str, Field(description="Which state of the library answered")]
    answer_id: Annotated[str | None, Field(description="For POST /v1/feedback")]


class DocumentPart(BaseModel):
    document_id: str
    title: str
    source: str
    language: str
    date: str | None
    text: Annotated[str, Field(description="The document's text from `start` to `end`")]
    start: int
    end: Annotated[int, Field(description="Exclusive")]
    page: Annotated[int | None, Field(description="The page on which `text` begins")]
    length: Annotated[int, Field(description="Characters of the whole document")]
    next_start: Annotated[
        int | None,
        Field(description="To read on, call again with this as `start`; null at the end"),
    ]


class ListedDocument(BaseModel):
    id: str
    title: str
    source: str
    media_type: str
    language: str
    pages: int | None
    author: str | None
    date: Annotated[str | None, Field(description="ISO day that the document itself states")]
    updated_at: str


class DocumentsResult(BaseModel):
    documents: Annotated[list[ListedDocument], Field(description="In order of title")]
    total: Annotated[int, Field(description="All documents that have the words of `q`")]
    next_offset: Annotated[
        int | None,
        Field(description="For more, call again with this as `offset`; null at the end"),
    ]
