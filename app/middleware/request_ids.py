"""Request ids: by which a request, its answer and what was logged of it are known as one."""

import re
import secrets

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.authentication import session_secret
from app.sight.acting import begin_request

_HEADER = "x-request-id"
_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")
_KEY = re.compile(r"kv_[A-Za-z0-9_-]+")
"""A key, or as much of one as was copied."""
_SESSION = re.compile(r"[A-Za-z0-9_-]{43}")


class RequestIds:
    """Gives each request the id that it comes with, if that is sane, or one of its own.

    Whatever is logged while it is worked on has the id, and so has the answer, in `X-Request-Id`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(_HEADER, "")
        identifier = given if _SANE.fullmatch(given) else secrets.token_hex(8)
        begin_request(identifier, scope.setdefault("state", {}), _secrets_in(headers))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (_HEADER.encode(), identifier.encode())
                message["headers"] = [*message["headers"], header]
            await send(message)

        await self._app(scope, receive, send_with_id)


def _secrets_in(headers: Headers) -> tuple[str, ...]:
    """What the request proves its caller with: keys, and what our cookie says.

    Nothing else that it sends: it could blot out whatever it names in the lines about itself.
    """
    keys = _KEY.findall(headers.get("authorization", ""))
    return (*keys, *_SESSION.findall(session_secret(headers) or ""))
