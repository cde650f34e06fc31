"""What can be asked of the service: one function a route, which both clients have as a method.

Each gives the request, and how its answer is read; nothing is sent here. What the arguments may be
is the service's to say: it refuses with ProblemError.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from app.schemas import (
    AskResponse,
    AuditList,
    CallerOut,
    Citation,
    CollectionList,
    ConversationList,
    ConversationOut,
    ConversationSummaryOut,
    DocumentList,
    DocumentOut,
    ExampleList,
    FeedbackList,
    FilterFields,
    Health,
    JobAccepted,
    JobList,
    JobOut,
    LeftOutList,
    Message,
    SearchResponse,
    StageOut,
    Statistics,
    SuggestResponse,
    TextOut,
)

T = TypeVar("T")

AnswerEvent: TypeAlias = StageOut | Citation | TextOut | AskResponse
"""What `stream` gives: the stages, citations and texts on the way, and the whole answer last."""

FileToSend: TypeAlias = str | os.PathLike[str] | bytes
"""The path of a file, or what is in it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has not been sent; `parameters` are those of the query string."""

    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    file: tuple[str, Path | bytes] | None = None
    form: Mapping[str, str] | None = None
    changes_nothing: bool = False
    """Whether it may be sent once more when the service was too busy for it."""

    @contextmanager
    def opened(self) -> Iterator[dict[str, Any]]:
        """What httpx2 builds the request from; a file is open meanwhile."""
        asked: dict[str, Any] = {"method": self.method, "url": self.path, "params": self.parameters}
        if self.file is None:
            yield asked if self.json is None else {**asked, "json": self.json}
            return
        name, content = self.file
        asked["data"] = self.form
        if isinstance(content, bytes):
            yield {**asked, "files": {"file": (name, content)}}
            return
        with content.open("rb") as opened:
            yield {**asked, "files": {"file": (name, opened)}}


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request with one answer, which `read` makes of the body."""

    request: Request
    read: Callable[[bytes], T]


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """A request that is answered with events, up to one that `is_last`.

    `kinds` reads the data of an event, by its name. Events of other names are passed by, and those
    that are read as None: a newer service may say more.
    """

    request: Request
    kinds: Mapping[str, Callable[[str], T | None]]
    is_last: Callable[[T], bool]


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that begins a job, and whether to wait until that is finished."""

    call: Call[JobAccepted]
    waits: bool


def ask(
    question: str,
    *,
    limit: int = 5,
    filters: FilterFields | None = None,
    messages: Sequence[Message] = (),
    conversation_id: str | None = None,
) -> Call[AskResponse]:
    """Answers a question in the documents' own words, or says that they do not answer it.

    `limit` is how many passages come with the answer; `messages` are the turns before (see
    `messages_of`).
    """
    body = _question(question, limit, filters, messages, conversation_id)
    request = Request("POST", "/v1/ask", json=body, changes_nothing=True)
    return Call(request, AskResponse.model_validate_json)


def stream(
    question: str,
    *,
    limit: int = 5,
    filters: FilterFields | None = None,
    messages: Sequence[Message] = (),
    conversation_id: str | None = None,
) -> Stream[AnswerEvent]:
    """Answers as `ask` does, step by step: the last event is the whole answer.

    It is asked when the first event is wanted. To close the iterator ends the request.
    """
    body = {**_question(question, limit, filters, messages, conversation_id), "stream": True}
    request = Request("POST", "/v1/ask", json=body, changes_nothing=True)
    kinds: dict[str, Callable[[str], AnswerEvent | None]] = {
        "stage": _known_stage,
        "citation": Citation.model_validate_json,
        "token": TextOut.model_validate_json,
        "answer": AskResponse.model_validate_json,
    }
    return Stream(request, kinds, lambda event: isinstance(event, AskResponse))


def search(
    q: str,
    *,
    limit: int = 10,
    offset: int = 0,
    sort: Literal["relevance", "date"] = "relevance",
    filters: FilterFields | None = None,
) -> Call[SearchResponse]:
    """Passages that fit words or a question, with the matching words marked."""
    request = _get("/v1/search", q=q, limit=limit, offset=offset, sort=sort, **_fields(filters))
    return Call(request, SearchResponse.model_validate_json)


def suggest(
    q: str, *, limit: int = 8, filters: FilterFields | None = None
) -> Call[SuggestResponse]:
    """Titles, headings and words that begin as what is typed so far."""
    request = _get("/v1/suggest", q=q, limit=limit, **_fields(filters))
    return Call(request, SuggestResponse.model_validate_json)


def examples(*, language: Literal["nb", "nn", "en"] = "nb", limit: int = 3) -> Call[ExampleList]:
    """Questions that the documents answer, to begin with."""
    request = _get("/v1/examples", language=language, limit=limit)
    return Call(request, ExampleList.model_validate_json)


def documents(
    *,
    limit: int = 50,
    offset: int = 0,
    q: str = "",
    sort: Literal["title", "date", "updated", "passages"] = "title",
    descending: bool = False,
) -> Call[DocumentList]:
    """What is in the library; `q` are words, or parts of them, of title or source."""
    request = _get(
        "/v1/documents", limit=limit, offset=offset, q=q, sort=sort, descending=descending
    )
    return Call(request, DocumentList.model_validate_json)


def document(document_id: str) -> Call[DocumentOut]:
    """One document: its text, and the blocks that it consists of."""
    return Call(_get(_document(document_id)), DocumentOut.model_validate_json)


def original(document_id: str) -> Call[bytes]:
    """The file that a document was read from, as it came."""
    return Call(_get(f"{_document(document_id)}/original"), bytes)


def upload(
    file: FileToSend,
    *,
    name: str | None = None,
    collection: str | None = None,
    wait: bool = False,
) -> Submission:
    """Sends a file to be read; its job, as it is now or, with `wait`, when it is done or failed.

    Of bytes, `name` is the file's name; of a path, its own unless `name` is another. A file that
    cannot be opened is an OSError. `collection` is needless for who may use one alone.
    """
    form = {"collection": collection} if collection else None
    return _submission("POST", "/v1/documents", wait, _named(file, name), form)


def replace(
    document_id: str, file: FileToSend, *, name: str | None = None, wait: bool = False
) -> Submission:
    """Sends another version of an uploaded document, which keeps its id; otherwise as `upload`."""
    return _submission("PUT", _document(document_id), wait, _named(file, name))


def reindex(document_id: str, *, wait: bool = False) -> Submission:
    """Reads a document's file again; gives the job, as `upload` does."""
    return _submission("POST", f"{_document(document_id)}/reindex", wait)


def delete(document_id: str) -> Call[None]:
    """Removes a document: afterwards nothing of it is found or cited any more."""
    return Call(Request("DELETE", _document(document_id)), _nothing)


def jobs(*, limit: int = 50, offset: int = 0) -> Call[JobList]:
    """The files that were sent and how far they have come, from the newest to the oldest."""
    return Call(_get("/v1/jobs", limit=limit, offset=offset), JobList.model_validate_json)


def job(job_id: str) -> Call[JobOut]:
    """One job; a failed one with the reason, a done one with its document."""
    return Call(_get(_job(job_id)), JobOut.model_validate_json)


def follow(job_id: str) -> Stream[JobOut]:
    """The job now and after each change, until it is done or failed."""
    request = _get(f"{_job(job_id)}/events")
    kinds = {"message": JobOut.model_validate_json}
    return Stream(request, kinds, lambda job: job.state in {"done", "failed"})


def collections() -> Call[CollectionList]:
    """The collections that you may read, with how many documents each has."""
    return Call(_get("/v1/collections"), CollectionList.model_validate_json)


def left_out(*, limit: int = 50, offset: int = 0) -> Call[LeftOutList]:
    """Files that are not read, and why."""
    return Call(_get("/v1/left-out", limit=limit, offset=offset), LeftOutList.model_validate_json)


def conversations(*, limit: int = 50, offset: int = 0) -> Call[ConversationList]:
    """The conversations that are kept, from the one that was last gone on with."""
    request = _get("/v1/conversations", limit=limit, offset=offset)
    return Call(request, ConversationList.model_validate_json)


def conversation(conversation_id: str) -> Call[ConversationOut]:
    """A conversation with its turns, in the words that the documents have now."""
    return Call(_get(_conversation(conversation_id)), ConversationOut.model_validate_json)


def rename_conversation(conversation_id: str, title: str) -> Call[ConversationSummaryOut]:
    """Gives a conversation another title."""
    request = Request("PATCH", _conversation(conversation_id), json={"title": title})
    return Call(request, ConversationSummaryOut.model_validate_json)


def delete_conversation(conversation_id: str) -> Call[None]:
    """Deletes a conversation: it is not gone on with."""
    return Call(Request("DELETE", _conversation(conversation_id)), _nothing)


def export_conversation(
    conversation_id: str, *, format: Literal["markdown", "json"] = "markdown"
) -> Call[bytes]:
    """A conversation with its sources, as a file to be saved."""
    return Call(_get(f"{_conversation(conversation_id)}/export", format=format), bytes)


def give_feedback(
    answer_id: str, verdict: Literal["up", "down"], reason: str | None = None
) -> Call[None]:
    """Notes whether an answer was good, and why; `answer_id` is the answer's own."""
    said = {"answer_id": answer_id, "verdict": verdict, "reason": reason}
    return Call(Request("POST", "/v1/feedback", json=said), _nothing)


def feedback(*, limit: int = 50, offset: int = 0) -> Call[FeedbackList]:
    """What people thought of answers, from the newest to the oldest."""
    return Call(_get("/v1/feedback", limit=limit, offset=offset), FeedbackList.model_validate_json)


def statistics(*, days: int = 30) -> Call[Statistics]:
    """What the library holds, and how the questions of the last days were answered."""
    return Call(_get("/v1/statistics", days=days), Statistics.model_validate_json)


def caller() -> Call[CallerOut]:
    """Who the service takes this client for, by its key, and what it may do."""
    return Call(_get("/v1/caller"), CallerOut.model_validate_json)


def audit(*, limit: int = 50, offset: int = 0, since: datetime | None = None) -> Call[AuditList]:
    """Who changed what, from the newest to the oldest; `since` has a time zone."""
    parameters = {"limit": limit, "offset": offset, "since": since and since.isoformat()}
    given = {name: value for name, value in parameters.items() if value is not None}
    return Call(_get("/v1/audit", **given), AuditList.model_validate_json)


def healthy() -> Call[Health]:
    """Whether the process lives: UnreachableError where it does not."""
    return Call(_get("/healthz"), Health.model_validate_json)


def ready() -> Call[Health]:
    """Whether it can answer: ProblemError with the reason, and status 503, until it can."""
    return Call(_get("/readyz"), Health.model_validate_json)


def _get(path: str, **parameters: Any) -> Request:
    return Request("GET", path, parameters, changes_nothing=True)


def _question(
    question: str,
    limit: int,
    filters: FilterFields | None,
    messages: Sequence[Message],
    conversation_id: str | None,
) -> dict[str, Any]:
    asked = {
        "question": question,
        "limit": limit,
        "filters": _fields(filters),
        "messages": [message.model_dump(mode="json") for message in messages],
        "conversation_id": conversation_id,
    }
    return {name: value for name, value in asked.items() if value not in ({}, [], None)}


def _known_stage(data: str) -> StageOut | None:
    """None for a stage that only a newer service has."""
    try:
        return StageOut.model_validate_json(data)
    except ValidationError as error:
        if all(detail["type"] == "literal_error" for detail in error.errors()):
            return None
        raise


def _fields(filters: FilterFields | None) -> dict[str, Any]:
    """As they are named over HTTP, without those that limit nothing."""
    if filters is None:
        return {}
    return filters.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _submission(
    method: str,
    path: str,
    wait: bool,
    file: tuple[str, Path | bytes] | None = None,
    form: Mapping[str, str] | None = None,
) -> Submission:
    request = Request(method, path, file=file, form=form)
    return Submission(Call(request, JobAccepted.model_validate_json), wait)


def _named(file: FileToSend, name: str | None) -> tuple[str, Path | bytes]:
    if not isinstance(file, bytes):
        return name or Path(file).name, Path(file)
    if not name:
        raise ValueError("bytes have no name; give that of the file, such as name='notat.txt'")
    return name, file


def _document(document_id: str) -> str:
    return f"/v1/documents/{_segment(document_id)}"


def _conversation(conversation_id: str) -> str:
    return f"/v1/conversations/{_segment(conversation_id)}"


def _job(job_id: str) -> str:
    return f"/v1/jobs/{_segment(job_id)}"


def _segment(identifier: str) -> str:
    """An id as one part of a path, wherever it comes from."""
    if identifier in {"", ".", ".."}:
        raise ValueError(f"«{identifier}» is no id; take one that the service gave")
    return quote(identifier, safe="")


def _nothing(_: bytes) -> None:
    return None
