"""Errors in the shape that clients of OpenAI's API read, for the routes that speak it."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from app.openai_api.schemas import ErrorBody, ErrorOut
from index.errors import KildesvarError

_PATHS = re.compile(r"/v1/(?:chat/completions|models(?:/.*)?)/?")

_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
_CODES = {
    HTTPStatus.UNAUTHORIZED: "invalid_api_key",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded",
}


@dataclass(frozen=True, slots=True)
class Blame:
    """What only OpenAI's shape has a place for: the field that is to blame, and a name for why."""

    param: str | None = None
    code: str | None = None


class ChatRequestError(KildesvarError):
    """A chat completion that is asked for in a way that cannot be met; `param` is the field."""

    code: str | None = None

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.blame = Blame(param, self.code)


class UnsupportedValueError(ChatRequestError):
    """A field of OpenAI's whose meaning cannot be passed over has a value that is not served."""

    code = "unsupported_value"


class ModelNotFoundError(ChatRequestError):
    """A model is asked for by a name that is not this service's."""

    code = "model_not_found"


def speaks_openai(path: str) -> bool:
    """Whether clients of OpenAI's API use the path, and read its errors."""
    return _PATHS.fullmatch(path) is not None


def status_for_openai(status: int) -> int:
    """OpenAI has 400 for whatever is wrong with a request's fields."""
    return HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status


def openai_error(status: int, message: str, blame: Blame | None = None) -> ErrorOut:
    """What is said of an error that has, or would have, the `status`."""
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return ErrorOut(
        error=ErrorBody(
            message=message,
            type=_TYPES.get(HTTPStatus(status), kind),
            param=blame.param if blame else None,
            code=blame.code if blame and blame.code else _CODES.get(HTTPStatus(status)),
        )
    )
