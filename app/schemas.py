"""What goes over HTTP: requests and answers, as pydantic models."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_QUESTION = 2000

Question = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION)
]
# A constrained string is checked to be Unicode: a lone surrogate would fail in the library.
ShortText = Annotated[str, StringConstraints(max_length=1000)]


class FilterFields(BaseModel):
    """Limits a question to some documents. Several values of one field mean any of them."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    document: Annotated[list[ShortText], Field(max_length=500, description="Document ids")] = []
    language: Annotated[list[ShortText], Field(max_length=20, description="nb, nn, en")] = []
    media_type: Annotated[list[ShortText], Field(max_length=50, examples=[["text/html"]])] = []
    folder: Annotated[
        list[ShortText], Field(max_length=50, description="Folders that the files lie under")
    ] = []
    from_: Annotated[
        date | None, Field(alias="from", description="Updated on this day or later")
    ] = None
    to: Annotated[date | None, Field(description="Updated on this day or earlier")] = None


class AskRequest(BaseModel):
    """A question in the reader's own words."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"question": "Hvor mange medlemmer har bransjen?"}]},
    )

    question: Annotated[Question, Field(description="The question, at most 2,000 characters")]
    limit: Annotated[int, Field(ge=1, le=20, description="Passages to hand back")] = 5
    filters: FilterFields | None = None
    conversation_id: Annotated[
        ShortText | None,
        Field(description="Accepted and ignored: every question still stands by itself"),
    ] = None
    stream: Annotated[
        bool, Field(description="Whether the answer comes as server-sent events, step by step")
    ] = False


class Citation(BaseModel):
    """Where an answer's sentence stands: `document.text[start:end] == quote`, always."""

    number: Annotated[int, Field(ge=1, description="The n of the answer's [n]")]
    document_id: str
    title: str
    source: Annotated[str, Field(description="Path or web address")]
    content_hash: Annotated[str, Field(description="SHA-256 of the document's text")]
    page: int | None
    heading_path: list[str]
    start: Annotated[int, Field(ge=0, description="Code points from the document's start")]
    end: Annotated[int, Field(ge=0, description="Exclusive")]
    quote: str
    short_answer: Annotated[
        tuple[int, int] | None,
        Field(description="Start and end of the short answer, if this quote holds it"),
    ]


class PassageOut(BaseModel):
    """A passage that was found; `text` is the document's at that span."""

    document_id: str
    title: str
    page: int | None
    heading_path: list[str]
    start: int
    end: int
    text: str
    score: Annotated[float, Field(description="Comparable within one answer only")]


class AskResponse(BaseModel):
    """An answer in the documents' own words, or an honest no with the nearest passages."""

    answered: bool
    answer: Annotated[str, Field(description="Each sentence is followed by its [n]")]
    short_answer: Annotated[
        str | None, Field(description="The words of the first quote that answer by themselves")
    ]
    confidence: Annotated[
        float, Field(ge=0, le=1, description="Probability that the documents answer")
    ]
    citations: list[Citation]
    passages: list[PassageOut]
    question: Annotated[
        str, Field(description="The question that was searched: its spelling mended")
    ]
    timings: Annotated[dict[str, float], Field(description="Milliseconds per stage")]
    generation: str


class StageOut(BaseModel):
    """Event `stage` of a streamed answer: what is begun now."""

    name: Literal["retrieve", "read", "compose"]


class TextOut(BaseModel):
    """Event `token` of a streamed answer; joined, the texts are exactly the answer."""

    text: str


class SearchHit(PassageOut):
    """A passage with the words that matched; highlights are offsets in the hit's `text`."""

    source: str
    highlights: list[tuple[int, int]]


class SearchResponse(BaseModel):
    query: Annotated[str, Field(description="What was searched: the query, its spelling mended")]
    hits: list[SearchHit]
    total: Annotated[int, Field(description="Candidates that were ranked")]
    timings: dict[str, float]
    generation: str


class DocumentSummary(BaseModel):
    id: str
    title: str
    source: str
    media_type: str
    language: str
    passages: int
    pages: int | None
    author: str | None
    date: Annotated[str | None, Field(description="ISO day that the document itself states")]
    notices: Annotated[
        list[str], Field(description="What could not be read of it, a sentence each")
    ]
    content_hash: str
    updated_at: str


class DocumentList(BaseModel):
    documents: list[DocumentSummary]
    total: int


class BlockOut(BaseModel):
    """A span of the document's text: heading, paragraph, list_item or table_row."""

    kind: str
    start: int
    end: int
    page: int | None
    level: int


class DocumentOut(DocumentSummary):
    text: str
    blocks: list[BlockOut]


class JobAccepted(BaseModel):
    """The file is on the disk and will be read; GET /v1/jobs/{job_id} says when it was."""

    job_id: str


class JobOut(BaseModel):
    """A file that was sent, on its way into the library."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    done: Annotated[int, Field(description="Files that are done, of `total`")]
    total: int
    error: Annotated[
        str | None, Field(description="Why it failed; for a queued job, why it has to wait")
    ]
    document_id: Annotated[
        str | None, Field(description="The document it was read into, or is to replace")
    ]
    file: Annotated[str, Field(description="Name of the file")]
    created_at: Annotated[str, Field(description="ISO 8601, UTC")]
    updated_at: Annotated[str, Field(description="ISO 8601, UTC")]


class JobList(BaseModel):
    jobs: list[JobOut]
    total: int


class Health(BaseModel):
    status: Annotated[str, Field(examples=["ok"])]


class Problem(BaseModel):
    """RFC 9457 problem details: `detail` says what happened and what to do."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
