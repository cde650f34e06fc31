"""What goes over HTTP in OpenAI's shapes, as pydantic models.

Requests may hold any other field: clients send many that say how a language model is to be run.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

from app.schemas import AskResponse, FilterFields, Limit

MODEL = "kildesvar"
"""The name by which clients ask for this service."""

# A constrained string is checked to be Unicode; how long it is, the body's own limit says.
_Text = Annotated[str, StringConstraints(min_length=0)]
_ShortText = Annotated[str, StringConstraints(max_length=200)]


class ContentPart(BaseModel):
    """A part of a message. Only those of `type` text are read."""

    type: _ShortText
    text: _Text = ""


def _kind_of(content: Any) -> str:
    return "parts" if isinstance(content, list) else "text"


class ChatMessage(BaseModel):
    """What one side said. Only what `user` and `assistant` said is read."""

    role: _ShortText
    content: (
        Annotated[
            Annotated[_Text, Tag("text")] | Annotated[list[ContentPart], Tag("parts")],
            Discriminator(_kind_of),
        ]
        | None
    ) = None


class StreamOptions(BaseModel):
    include_usage: Annotated[
        StrictBool, Field(description="Whether a chunk with `usage` comes before the end")
    ] = False


class ChatExtension(BaseModel):
    """What POST /v1/ask takes, and OpenAI's request has no field for."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 5
    filters: FilterFields | None = None


class ChatRequest(BaseModel):
    """A conversation in OpenAI's shape. The last message of the user is the question.

    Fields that are not here (`temperature`, `max_tokens`, …) are accepted and ignored.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": MODEL,
                    "messages": [{"role": "user", "content": "Hvor mange medlemmer har bransjen?"}],
                }
            ]
        }
    )

    model: Annotated[_ShortText, Field(description=f"`{MODEL}`"), WithJsonSchema({"const": MODEL})]
    messages: Annotated[
        list[ChatMessage],
        Field(
            max_length=2000,
            description="Oldest first. Instructions (`system`, `developer`) and what tools said "
            "are ignored: the documents answer",
        ),
    ]
    stream: StrictBool | None = False
    stream_options: StreamOptions | None = None
    # What other values these have is refused by the route, which says what to do instead.
    n: Annotated[
        int | None,
        Field(description="1: there is one answer"),
        WithJsonSchema({"enum": [1, None]}),
    ] = 1
    response_format: Annotated[
        dict[str, Any] | None,
        Field(description="`text`: an answer has its own form"),
        WithJsonSchema({"type": ["object", "null"], "properties": {"type": {"const": "text"}}}),
    ] = None
    tool_choice: Annotated[
        str | dict[str, Any] | None,
        Field(description="`none` or `auto`: no tool is ever called"),
        WithJsonSchema({"enum": ["none", "auto", None]}),
    ] = None
    kildesvar: ChatExtension | None = None


class Usage(BaseModel):
    """Tokens that a language model read and wrote for the answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AssistantMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: Annotated[
        str, Field(description="Markdown: the short answer, the answer, and its sources")
    ]
    refusal: None = None


class Choice(BaseModel):
    index: Literal[0] = 0
    message: AssistantMessage
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class ChatCompletion(BaseModel):
    """An answer in OpenAI's shape; `kildesvar` is the same as POST /v1/ask gives it."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: Annotated[int, Field(description="Seconds since 1970")]
    model: str = MODEL
    choices: list[Choice]
    usage: Annotated[
        Usage | None,
        Field(description="0 where no language model was asked, and null where one was"),
    ]
    kildesvar: AskResponse


class ChunkChoice(BaseModel):
    index: Literal[0] = 0
    delta: Annotated[dict[str, str], Field(description="`role` first, then pieces of `content`")]
    finish_reason: Literal["stop"] | None = None
    logprobs: None = None


class ChatChunk(BaseModel):
    """A part of a streamed answer; that with a `finish_reason` has `kildesvar`."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str = MODEL
    choices: list[ChunkChoice]
    usage: Usage | None = None
    kildesvar: AskResponse | None = None


class ModelOut(BaseModel):
    id: str = MODEL
    object: Literal["model"] = "model"
    created: Annotated[int, Field(description="When this service was started, in seconds")]
    owned_by: str = MODEL


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelOut]


class ErrorBody(BaseModel):
    message: Annotated[str, Field(description="What happened and what to do")]
    type: str
    param: Annotated[str | None, Field(description="The field that is to blame")]
    code: str | None


class ErrorOut(BaseModel):
    """An error in OpenAI's shape."""

    error: ErrorBody
