"""What goes over HTTP: requests and answers, as pydantic models."""

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

MAX_QUESTION = 2000
MAX_MESSAGES = 40
MAX_MESSAGE = 8000
"""Letters of what one side said."""

Question = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION),
    Field(json_schema_extra={"pattern": r"\S"}),
]
# A constrained string is checked to be Unicode: a lone surrogate would fail in the library.
ShortText = Annotated[str, StringConstraints(max_length=1000)]

ConversationId = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
]
ConversationTitle = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    BeforeValidator(lambda given: " ".join(given.split()) if isinstance(given, str) else given),
]


def _as_number(given: object) -> object:
    """Refuses what pydantic would turn into a number, and the OpenAPI does not allow.

    For bodies: in a query string a number is text.
    """
    if isinstance(given, bool | str):
        raise PydanticCustomError("no_number", "write a number, without quotation marks")
    return given


def _as_day(given: object) -> object:
    """Refuses days that are no text of the form 2024-12-31: a number would be seconds."""
    if given is None or isinstance(given, date):
        return given
    if not isinstance(given, str) or not _ISO_DAY.fullmatch(given):
        raise PydanticCustomError("no_day", "write a day as year-month-day, such as 2024-12-31")
    return given


def _as_moment(given: object) -> object:
    """Refuses a number, which pydantic would take for seconds, and the OpenAPI does not allow."""
    if isinstance(given, str) and not _ISO_DAY.match(given):
        raise PydanticCustomError("no_moment", "write a moment such as 2024-12-31T12:00:00Z")
    return given


_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Day = Annotated[date | None, BeforeValidator(_as_day)]
Moment = Annotated[AwareDatetime | None, BeforeValidator(_as_moment)]
# The bounds stand first: behind a validator pydantic does not describe them.
Limit = Annotated[
    int, Field(ge=1, le=20, description="Passages to hand back"), BeforeValidator(_as_number)
]

_DATED = "The day that the document states, or else that of its update, is"


class FilterFields(BaseModel):
    """Limits a question to some documents. Several values of one field mean any of them."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    document: Annotated[list[ShortText], Field(max_length=500, description="Document ids")] = []
    language: Annotated[list[ShortText], Field(max_length=20, description="nb, nn, en")] = []
    media_type: Annotated[list[ShortText], Field(max_length=50, examples=[["text/html"]])] = []
    folder: Annotated[
        list[ShortText], Field(max_length=50, description="Folders that the files lie under")
    ] = []
    collection: Annotated[
        list[ShortText],
        Field(max_length=100, description="Collections; one that may not be read holds nothing"),
    ] = []
    from_: Annotated[Day, Field(alias="from", description=f"{_DATED} this day or later")] = None
    to: Annotated[Day, Field(description=f"{_DATED} this day or earlier")] = None


class Message(BaseModel):
    """What was said before the question, by who asks (user) or by the service (assistant)."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Annotated[
        str,
        StringConstraints(max_length=MAX_MESSAGE),
        Field(
            description="A question; or an answer's text, after its short answer and an empty line"
        ),
    ]


class AskRequest(BaseModel):
    """A question in the reader's own words."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"question": "Hvor mange medlemmer har bransjen?"}],
            "not": {
                "properties": {"conversation_id": {"type": "string"}, "messages": {"minItems": 1}},
                "required": ["conversation_id", "messages"],
            },
        },
    )

    question: Annotated[Question, Field(description="The question, at most 2,000 characters")]
    messages: Annotated[
        list[Message],
        Field(
            max_length=MAX_MESSAGES,
            description="The turns before the question, oldest first: what it leaves out is taken "
            "from them. Nothing is kept of them; `conversation_id` has it kept",
            examples=[
                [
                    {"role": "user", "content": "Hvor mange medlemmer har bransjen?"},
                    {
                        "role": "assistant",
                        "content": "1369\n\nBransjen har 1369 medlemmer per april 2024. [1]",
                    },
                ]
            ],
        ),
    ] = []
    limit: Limit = 5
    filters: FilterFields | None = None
    conversation_id: Annotated[
        ConversationId | None,
        Field(
            description="The client's own name for a conversation that is kept: an unknown one "
            "begins it, a known one goes on, in place of `messages`. 1 to 64 letters of A to Z, "
            "digits, - and _, such as a random UUID. There is no access control yet: whoever "
            "reaches the service can list, read and delete every conversation"
        ),
    ] = None
    stream: Annotated[
        StrictBool,
        Field(description="Whether the answer comes as server-sent events, step by step"),
    ] = False

    @model_validator(mode="after")
    def _one_history(self) -> Self:
        if self.conversation_id is not None and self.messages:
            raise PydanticCustomError(
                "two_histories",
                "send `conversation_id` or `messages`, not both: what was said before either is "
                "kept here, or comes with the question",
            )
        return self


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


class DraftOut(BaseModel):
    """What a language model wrote, before sentences that the sources do not support were left out.

    `recall` is the share of its sentences that are supported by what they cite, `precision` the
    share of its citations that a supported sentence needs; null where there was none.
    """

    sentences: int
    supported: Annotated[int, Field(description="Sentences that the sources support")]
    recall: float | None
    precision: float | None


class AskResponse(BaseModel):
    """An answer in the documents' own words, or in those of a language model that are verified to
    say what the documents do; or an honest no with the nearest passages."""

    answered: bool
    answer: Annotated[str, Field(description="Each sentence is followed by its [n]")]
    short_answer: Annotated[
        str | None, Field(description="Words of a quote that answer by themselves")
    ]
    confidence: Annotated[
        float, Field(ge=0, le=1, description="Probability that the documents answer")
    ]
    citations: list[Citation]
    passages: list[PassageOut]
    question: Annotated[
        str,
        Field(
            description="The question that was searched: completed from the turns before, "
            "spelling mended"
        ),
    ]
    timings: Annotated[dict[str, float], Field(description="Milliseconds per stage")]
    generation: str
    composed_by: Annotated[
        Literal["quotes", "model"],
        Field(description="Whose words the answer has: the documents', or a language model's"),
    ] = "quotes"
    notice: Annotated[
        str | None,
        Field(
            description="What the reader should know of how the answer came about, in the language "
            "of the question: that the language model could not be reached, say"
        ),
    ] = None
    draft: Annotated[
        DraftOut | None, Field(description="Of a language model; null where it wrote nothing")
    ] = None
    cached: Annotated[
        bool,
        Field(
            description="Whether it was worked out for the same question, asked before or at the "
            "same time, and nothing has changed since. Then no stage took any time, and `total` is "
            "how long it took to come by"
        ),
    ] = False
    answer_id: Annotated[
        str | None, Field(description="For POST /v1/feedback; null where no records are kept")
    ] = None
    conversation_id: Annotated[
        str | None,
        Field(
            description="The conversation that now has this turn, which is on the disk; null when "
            "none was asked for, none are kept, or it could not be written at once"
        ),
    ] = None


class StageOut(BaseModel):
    """Event `stage` of a streamed answer: what is begun now. `rewrite` is of a language model."""

    name: Literal["rewrite", "retrieve", "read", "compose"]


class TextOut(BaseModel):
    """Event `token` of a streamed answer; joined, the texts are exactly the answer."""

    text: str


class SearchHit(PassageOut):
    """A passage with the words that matched; highlights are offsets in the hit's `text`."""

    source: str
    collection: str
    language: str
    media_type: str
    date: Annotated[str | None, Field(description="ISO day that the document itself states")]
    updated_at: Annotated[str, Field(description="ISO 8601, UTC")]
    highlights: list[tuple[int, int]]


class FacetValueOut(BaseModel):
    """A value that the filter of that name takes, and how many candidates it would leave."""

    value: str
    count: int


class DocumentFacetValueOut(FacetValueOut):
    label: Annotated[str, Field(description="Title of the document")]


class FacetsOut(BaseModel):
    """The candidates by what they can be narrowed by, most first, at most 20 values each."""

    collection: list[FacetValueOut]
    language: list[FacetValueOut]
    media_type: list[FacetValueOut]
    folder: list[FacetValueOut]
    year: Annotated[
        list[FacetValueOut],
        Field(description="Of the day that the document states, or else of its update"),
    ]
    document: list[DocumentFacetValueOut]


class SearchResponse(BaseModel):
    query: Annotated[str, Field(description="What was searched: the query, its spelling mended")]
    hits: list[SearchHit]
    total: Annotated[int, Field(description="Candidates that were ranked")]
    facets: FacetsOut
    timings: dict[str, float]
    generation: str


class ExampleOut(BaseModel):
    """A question that the service answers, with a citation in that document."""

    question: str
    document_id: str


class ExampleList(BaseModel):
    examples: list[ExampleOut]
    generation: Annotated[
        str | None, Field(description="What they are answered from; null when nothing is indexed")
    ]


class SuggestionOut(BaseModel):
    """What may be searched for, as it stands in the documents."""

    text: Annotated[
        str, Field(description="A title, a heading, or what was typed with its last word completed")
    ]
    kind: Literal["title", "heading", "term"]
    document_id: Annotated[str | None, Field(description="Of a title or heading: its document")]
    start: Annotated[int | None, Field(description="Of a heading: its span in the document")]
    end: Annotated[int | None, Field(description="Exclusive")]


class SuggestResponse(BaseModel):
    suggestions: Annotated[list[SuggestionOut], Field(description="Best first")]
    timings: Annotated[dict[str, float], Field(description="Milliseconds")]


class DocumentSummary(BaseModel):
    id: str
    collection: Annotated[str, Field(description="That it belongs to; one, and no other")]
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
    uploaded: Annotated[
        bool, Field(description="Whether its file was sent over HTTP, so that PUT may replace it")
    ]


class CollectionOut(BaseModel):
    name: str
    documents: int


class CollectionList(BaseModel):
    collections: Annotated[
        list[CollectionOut], Field(description="Those that the caller may read, by name")
    ]


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
        str | None,
        Field(description="The document it was read into, or is to replace or read again"),
    ]
    file: Annotated[str, Field(description="Name of the file")]
    collection: Annotated[str, Field(description="That it goes into, or is in")]
    created_at: Annotated[str, Field(description="ISO 8601, UTC")]
    updated_at: Annotated[str, Field(description="ISO 8601, UTC")]


class JobList(BaseModel):
    jobs: list[JobOut]
    total: int


class LeftOutFile(BaseModel):
    """A file that is not read as long as it is as it is now."""

    file: Annotated[str, Field(description="Name of the file")]
    path: str
    reason: str
    deleted: Annotated[bool, Field(description="Whether a person deleted its document")]


class LeftOutList(BaseModel):
    files: list[LeftOutFile]
    total: int


class FeedbackRequest(BaseModel):
    """What a person thinks of an answer; it takes the place of what was said of it before."""

    model_config = ConfigDict(extra="forbid")

    answer_id: Annotated[ShortText, Field(description="`answer_id` of POST /v1/ask")]
    verdict: Literal["up", "down"]
    reason: Annotated[
        ShortText | None, Field(description="In the person's own words, at most 1,000 characters")
    ] = None


class CitedSpanOut(BaseModel):
    """A place that an answer cited; its words are those of the document, while there is one."""

    document_id: str
    content_hash: str
    start: int
    end: int


class FeedbackOut(BaseModel):
    answer_id: str
    given_at: Annotated[str, Field(description="ISO 8601, UTC")]
    verdict: Literal["up", "down"]
    reason: str | None
    question: Annotated[str, Field(description="As it was asked")]
    answered: bool
    confidence: float
    citations: list[CitedSpanOut]


class FeedbackList(BaseModel):
    feedback: list[FeedbackOut]
    total: int


class ConversationSummaryOut(BaseModel):
    id: str
    title: Annotated[str, Field(description="At first the first question, shortened at a word")]
    created_at: Annotated[str, Field(description="ISO 8601, UTC")]
    updated_at: Annotated[str, Field(description="When it was last gone on with; ISO 8601, UTC")]
    turns: Annotated[int, Field(description="How many there are")]


class ConversationList(BaseModel):
    conversations: list[ConversationSummaryOut]
    total: int


class ConversationTurnOut(BaseModel):
    """A question, and its answer in the words that the documents have now."""

    question: Annotated[str, Field(description="As it was asked")]
    asked_at: Annotated[str, Field(description="ISO 8601, UTC")]
    answered: Annotated[bool, Field(description="Whether it was, when it was asked")]
    answer: Annotated[
        str, Field(description="Without what is gone; empty when all that it quoted is")
    ]
    short_answer: str | None
    citations: Annotated[
        list[Citation], Field(description="Under the numbers that they had, without what is gone")
    ]
    gone: Annotated[int, Field(description="Citations whose document was deleted or changed since")]


class ConversationOut(BaseModel):
    id: str
    title: str
    created_at: Annotated[str, Field(description="ISO 8601, UTC")]
    updated_at: Annotated[str, Field(description="ISO 8601, UTC")]
    turns: Annotated[list[ConversationTurnOut], Field(description="Oldest first")]


class RenameRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[
        ConversationTitle, Field(description="At most 200 characters, put on one line")
    ]


class CountOut(BaseModel):
    value: str
    count: Annotated[int, Field(description="Documents")]


class LengthCountOut(BaseModel):
    """Passages of `from` to `to` letters; `to` is exclusive, and null for the longest."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[int, Field(alias="from")]
    to: int | None
    count: int


class LibraryStatisticsOut(BaseModel):
    documents: int
    passages: int
    pages: Annotated[int, Field(description="Of the documents that have pages")]
    by_type: list[CountOut]
    by_language: list[CountOut]
    by_year: Annotated[
        list[CountOut],
        Field(description="By the year that a document states, or else that of its update"),
    ]
    by_folder: Annotated[
        list[CountOut], Field(description="The 100 fullest folders, as filters take them")
    ]
    passage_lengths: list[LengthCountOut]
    left_out: Annotated[int, Field(description="Files that are not read; GET /v1/left-out")]


class DayOut(BaseModel):
    day: Annotated[str, Field(description="ISO day, UTC")]
    questions: int
    answered: int
    median_ms: float | None


class AnswerStatisticsOut(BaseModel):
    """Of the questions in the span of days; `up` and `down` are what people said of them."""

    questions: int
    answered: int
    median_ms: float | None
    up: int
    down: int
    since: Annotated[str | None, Field(description="Day of the oldest question that is kept")]
    kept_days: Annotated[int, Field(description="0: no records are kept")]
    days: Annotated[list[DayOut], Field(description="Every day, from the oldest on")]


class Statistics(BaseModel):
    library: LibraryStatisticsOut
    answers: Annotated[AnswerStatisticsOut | None, Field(description="For admins; else null")]


class CallerOut(BaseModel):
    """Who a request is from."""

    name: Annotated[str, Field(description="Of a key or a person; `anyone` without either")]
    role: Literal["read", "write", "admin"]
    collections: Annotated[
        list[str] | None, Field(description="That they may use; null stands for all")
    ]
    signed_in: Annotated[bool, Field(description="By a session of the pages, which can be ended")]


class AuditEntryOut(BaseModel):
    """One change: who made it, and what was changed, by their ids."""

    id: int
    at: Annotated[str, Field(description="ISO 8601, UTC")]
    caller: Annotated[str, Field(description="Id of who made it; empty where nobody has one")]
    name: Annotated[str, Field(description="Of who made it, as it was then")]
    action: Annotated[str, Field(examples=["document.deleted"])]
    subject: Annotated[str, Field(description="Id of what was changed")]
    details: dict[str, str | int | float | bool | None]
    request_id: Annotated[str | None, Field(description="Of the request, as its log lines have it")]


class AuditList(BaseModel):
    entries: Annotated[list[AuditEntryOut], Field(description="Newest first")]
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
