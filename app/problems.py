"""Errors as `application/problem+json` (RFC 9457): one table from meaning to status."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.schemas import Problem
from index.errors import (
    DocumentNotFoundError,
    GenerationMismatchError,
    KildesvarError,
    LibraryBusyError,
    LibraryError,
    ModelNotPreparedError,
    NothingPublishedError,
)

log = logging.getLogger("kildesvar")


class TooBusyError(KildesvarError):
    """As many questions as the service takes at once are being answered."""


_STATUS: dict[type[KildesvarError], HTTPStatus] = {
    DocumentNotFoundError: HTTPStatus.NOT_FOUND,
    TooBusyError: HTTPStatus.TOO_MANY_REQUESTS,
    LibraryBusyError: HTTPStatus.CONFLICT,
    NothingPublishedError: HTTPStatus.SERVICE_UNAVAILABLE,
    GenerationMismatchError: HTTPStatus.SERVICE_UNAVAILABLE,
    ModelNotPreparedError: HTTPStatus.SERVICE_UNAVAILABLE,
    LibraryError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_RETRY_AFTER = {HTTPStatus.TOO_MANY_REQUESTS: "1", HTTPStatus.SERVICE_UNAVAILABLE: "5"}

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": HTTPStatus(status).phrase}
    for status in (404, 422, 429, 503)
}
"""For the OpenAPI of every route: what else than 200 may come."""


def problem(
    status: int, detail: str, instance: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem document; its type is `about:blank`, whose title is the status's own phrase."""
    body = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance,
    )
    retry = _RETRY_AFTER.get(HTTPStatus(status))
    return JSONResponse(
        body.model_dump(),
        status,
        {**({"Retry-After": retry} if retry else {}), **(headers or {})},
        media_type="application/problem+json",
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Turns every error that leaves a route into a problem document."""

    @app.exception_handler(KildesvarError)
    def foreseen(request: Request, error: KildesvarError) -> JSONResponse:
        status = next(
            (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS),
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        return problem(status, str(error), request.url.path)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, _explained(error.errors()), request.url.path)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        asked = f"{request.method} {request.url.path}"
        detail = f"{asked}: {error.detail}. /openapi.json lists what there is."
        headers = dict(error.headers) if error.headers else None
        return problem(error.status_code, detail, request.url.path, headers)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        log.error("unforeseen error at %s", request.url.path, exc_info=error)
        detail = "Something went wrong that was not foreseen; the service's log has the details."
        return problem(500, detail, request.url.path)


def _explained(errors: Sequence[Any]) -> str:
    parts = []
    for error in errors:
        place = ".".join(str(part) for part in error["loc"] if part != "body")
        parts.append(f"{place or 'the request body'}: {error['msg']}")
    return "; ".join(parts) + ". /openapi.json describes the request."
