"""Limits of requests' bodies, as announced and as received, and of how long they take to come."""

import re
from time import monotonic

from anyio import fail_after, move_on_after
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import problem
from app.uploads import FORM_BYTES, too_large

MAX_BODY = 2 * 1024**2  # a conversation may be of forty messages of 8,000 letters
_TOO_LARGE = f"a request may hold at most {MAX_BODY // 1024**2} MB; send less"
_UPLOADS = re.compile(r"/v1/documents(/[^/]+)?")

_WAITS = 30.0
"""Seconds that the service waits for a body in all, and one more for each so many bytes of it."""
_BYTES_A_SECOND = 4096
_TOO_SLOW = (
    f"the body comes too slowly: less than {_BYTES_A_SECOND} bytes a second after the first "
    f"{_WAITS:.0f} seconds; send it again, over a better line"
)

_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 * 1024**2


class BodyLimit:
    """Refuses a request whose body is too large, as announced or, failing that, as received; and
    one whose body comes too slowly.

    Uploads may have `max_upload` bytes. A connection on which an answer comes before all of the
    body is closed soon after it, so that nobody has to take in the rest.
    """

    def __init__(self, app: ASGIApp, max_upload: int) -> None:
        self._app = app
        self._max_upload = max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most, refusal = self._limit(scope)
        body = _Body(receive, most, refusal)
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        length = int(announced) if announced.isdecimal() else 0
        has_body = length > 0 or "transfer-encoding" in headers

        closes = False

        async def send_and_close(message: Message) -> None:
            nonlocal closes
            if message["type"] == "http.response.start" and has_body and not body.is_read:
                closes = True
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            if not closes or message["type"] == "http.response.start" or message.get("more_body"):
                await send(message)
                return
            await send({**message, "more_body": True})
            await body.linger()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        if length > most:
            await problem(413, f"{refusal}.", scope["path"])(scope, receive, send_and_close)
        else:
            await self._app(scope, body.receive, send_and_close)

    def _limit(self, scope: Scope) -> tuple[int, str]:
        """The most bytes that this request's body may have, and what to say of more."""
        if scope["method"] in {"POST", "PUT"} and _UPLOADS.fullmatch(scope["path"]):
            return self._max_upload + FORM_BYTES, too_large(self._max_upload)
        return MAX_BODY, _TOO_LARGE


class _Body:
    """A request's body on its way in, counted."""

    def __init__(self, receive: Receive, most: int, refusal: str) -> None:
        self._receive = receive
        self._most = most
        self._refusal = refusal
        self._received = 0
        self._waited = 0.0
        self.is_read = False

    async def receive(self) -> Message:
        message = await self._timed()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            # To the route that reads; it becomes a problem.
            raise HTTPException(413, self._refusal)
        self.is_read = self.is_read or not message.get("more_body", False)
        return message

    async def _timed(self) -> Message:
        """The next message. What counts is how long the other side keeps us waiting, not we it."""
        if self.is_read:
            return await self._receive()  # when they leave
        began = monotonic()
        try:
            with fail_after(_WAITS + self._received / _BYTES_A_SECOND - self._waited):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(408, _TOO_SLOW) from None
        finally:
            self._waited += monotonic() - began

    async def linger(self) -> None:
        """Throws a little more away, until the other side has seen the answer and stops.

        A connection closed on what still comes is reset, and with it the answer is lost.
        """
        most = self._received + _LINGER_BYTES
        with move_on_after(_LINGER_SECONDS):
            while not self.is_read and self._received < most:
                message = await self._receive()
                self._received += len(message.get("body", b""))
                self.is_read = not message.get("more_body", False)
