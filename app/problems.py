"""Errors as `application/problem+json` (RFC 9457): one table from meaning to status."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.errors import KeyRejectedError, NotAllowedError, NotSignedInError
from app.access.upload_collections import CollectionNotChosenError, CollectionNotOpenError
from app.asking.gate import TooBusyError
from app.asking.working import TooSlowError
from app.file_names import FileNameError, UnsupportedFormatError
from app.methods import allowed_methods
from app.openai_api.errors import (
    Blame,
    ChatRequestError,
    ModelNotFoundError,
    openai_error,
    speaks_openai,
    status_for_openai,
)
from app.reasons import Reasons
from app.schemas import Problem
from app.sight.acting import note_problem
from app.uploads import UploadRefusedError, UploadTooLargeError
from index.errors import (
    AnswerNotFoundError,
    AnswersNotKeptError,
    CollectionNameError,
    ConversationFullError,
    ConversationNotFoundError,
    DiskFullError,
    DocumentFromFolderError,
    DocumentNotFoundError,
    FileGoneError,
    GenerationMismatchError,
    IndexConfigurationError,
    IndexUnavailableError,
    JobNotFoundError,
    KildesvarError,
    LibraryBusyError,
    LibraryError,
    ModelNotPreparedError,
    NothingPublishedError,
    OriginalGoneError,
    UploadsNotSharedError,
)

log = logging.getLogger("kildesvar")


class ServiceStoppingError(KildesvarError):
    """The service ends before it has answered."""


_STATUS: dict[type[KildesvarError], HTTPStatus] = {
    NotSignedInError: HTTPStatus.UNAUTHORIZED,
    NotAllowedError: HTTPStatus.FORBIDDEN,
    DocumentNotFoundError: HTTPStatus.NOT_FOUND,
    OriginalGoneError: HTTPStatus.NOT_FOUND,
    JobNotFoundError: HTTPStatus.NOT_FOUND,
    AnswerNotFoundError: HTTPStatus.NOT_FOUND,
    ConversationNotFoundError: HTTPStatus.NOT_FOUND,
    ModelNotFoundError: HTTPStatus.NOT_FOUND,
    ChatRequestError: HTTPStatus.BAD_REQUEST,
    AnswersNotKeptError: HTTPStatus.CONFLICT,
    ConversationFullError: HTTPStatus.CONFLICT,
    FileGoneError: HTTPStatus.CONFLICT,
    DocumentFromFolderError: HTTPStatus.CONFLICT,
    UploadTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedFormatError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UploadRefusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    FileNameError: HTTPStatus.UNPROCESSABLE_ENTITY,
    CollectionNameError: HTTPStatus.UNPROCESSABLE_ENTITY,
    CollectionNotChosenError: HTTPStatus.UNPROCESSABLE_ENTITY,
    CollectionNotOpenError: HTTPStatus.FORBIDDEN,
    DiskFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    TooBusyError: HTTPStatus.TOO_MANY_REQUESTS,
    TooSlowError: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceStoppingError: HTTPStatus.SERVICE_UNAVAILABLE,
    LibraryBusyError: HTTPStatus.CONFLICT,
    NothingPublishedError: HTTPStatus.SERVICE_UNAVAILABLE,
    GenerationMismatchError: HTTPStatus.SERVICE_UNAVAILABLE,
    ModelNotPreparedError: HTTPStatus.SERVICE_UNAVAILABLE,
    LibraryError: HTTPStatus.SERVICE_UNAVAILABLE,
    UploadsNotSharedError: HTTPStatus.SERVICE_UNAVAILABLE,
    IndexUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    IndexConfigurationError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_RETRY_AFTER = {HTTPStatus.TOO_MANY_REQUESTS: "1", HTTPStatus.SERVICE_UNAVAILABLE: "5"}
_BUSY_RETRY_AFTER = "5"

_REASONS = Reasons()
_UNFORESEEN = "Something went wrong that was not foreseen; the service's log has the details."

_MEDIA_TYPE = "application/problem+json"
# By reference, since FastAPI describes a response `model` as `application/json`.
_CONTENT = {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

_RETRY = {"schema": {"type": "string"}, "description": "Seconds to wait", "required": True}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    429: {"Retry-After": _RETRY},
    503: {"Retry-After": _RETRY},
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI of a route: that a problem may come with any of `statuses`."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": dict(_CONTENT),
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in statuses
    }


PROBLEM_RESPONSES = problem_responses(400, 401, 403, 404, 408, 413, 422, 429, 500, 503)
"""For the OpenAPI of every route: what else may come."""
# The server itself says so, before any of this is asked.
PROBLEM_RESPONSES[400]["content"]["text/plain"] = {
    "schema": {"type": "string", "description": "No HTTP, or an address of more than 64 kB"}
}


def problem(
    status: int,
    detail: str,
    instance: str,
    headers: dict[str, str] | None = None,
    blame: Blame | None = None,
) -> JSONResponse:
    """A problem document, as an answer of its own; in OpenAI's shape where that is spoken."""
    retry = _RETRY_AFTER.get(HTTPStatus(status))
    body: BaseModel = _body(status, detail, instance)
    media_type = _MEDIA_TYPE
    if speaks_openai(instance):
        status, media_type = status_for_openai(status), "application/json"
        body = openai_error(status, detail, blame)
    return JSONResponse(
        body.model_dump(),
        status,
        {**({"Retry-After": retry} if retry else {}), **(headers or {})},
        media_type=media_type,
    )


def problem_response(error: KildesvarError, instance: str) -> JSONResponse:
    """The answer of its own that a foreseen error becomes."""
    note_problem(type(error).__name__)
    error = _REASONS.without_places(error)
    status, headers = _status_of(error), {}
    if isinstance(error, LibraryBusyError):
        headers = {"Retry-After": _BUSY_RETRY_AFTER}
    elif isinstance(error, TooBusyError):
        headers = {"Retry-After": str(error.retry_after)}
    elif status is HTTPStatus.UNAUTHORIZED:
        wrong = isinstance(error, KeyRejectedError)
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"' if wrong else "Bearer"}
    blame = error.blame if isinstance(error, ChatRequestError) else None
    return problem(status, str(error), instance, headers, blame)


def problem_of(error: Exception, instance: str) -> Problem:
    """The problem document of an error for which an answer of its own comes too late.

    An unforeseen error is logged.
    """
    note_problem(type(error).__name__)
    if isinstance(error, KildesvarError):
        return _body(_status_of(error), str(_REASONS.without_places(error)), instance)
    log.error("unforeseen error at %s", instance, exc_info=error)
    return _body(HTTPStatus.INTERNAL_SERVER_ERROR, _UNFORESEEN, instance)


def _status_of(error: KildesvarError) -> HTTPStatus:
    return next(
        (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def _body(status: int, detail: str, instance: str) -> Problem:
    """Its type is `about:blank`, whose title is the status's own phrase."""
    return Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance,
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Turns every foreseen error that leaves a route into a problem document."""

    @app.exception_handler(KildesvarError)
    def foreseen(request: Request, error: KildesvarError) -> JSONResponse:
        return problem_response(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = error.errors()
        detail = f"{explained(errors)}. /openapi.json describes the request."
        blame = Blame(_place(errors[0]) or None)
        return problem(422, detail, request.url.path, blame=blame)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        asked = f"{request.method} {request.url.path}"
        detail = f"{asked}: {error.detail}. /openapi.json lists what there is."
        headers = dict(error.headers) if error.headers else {}
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = allowed_methods(request, headers.get("Allow", ""))
        return problem(error.status_code, detail, request.url.path, headers)


def describe_problems(app: FastAPI) -> None:
    """Adds to the OpenAPI the Problem schema that PROBLEM_RESPONSES refers to."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        description = describe()
        description["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return description

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's manual has it


class UnforeseenErrors:
    """Answers 500 for every other error, and logs it once.

    A handler of `Exception` would do neither: Starlette runs it outside all middleware, so without
    the security headers, and raises the error again for the server to log once more.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise  # too late for an answer: the server logs it, and breaks the connection
            unforeseen = problem_of(error, scope["path"])
            await problem(500, unforeseen.detail, scope["path"])(scope, receive, send)


_MOST_NAMED = 10


def explained(errors: Sequence[Any]) -> str:
    """What pydantic finds wrong with what was given, field by field."""
    named = [f"{_place(e) or 'the request body'}: {e['msg']}" for e in errors[:_MOST_NAMED]]
    further = len(errors) - len(named)
    return "; ".join([*named, *([f"and {further} more"] if further else [])])


def _place(error: Any) -> str:
    return ".".join(str(part) for part in error["loc"] if part != "body")
