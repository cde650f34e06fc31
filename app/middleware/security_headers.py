"""The headers that keep a page from running or loading anything but our own files."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "content-security-policy"
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # What is answered is for who asked: no proxy and no disk of theirs is to keep it.
    "cache-control": "no-store",
}
_PDF_POLICY = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""A PDF runs nothing here, and browsers' viewers need the styles that ours forbids."""
_SECURE_TRANSPORT = "max-age=31536000"
"""For a year, this host is asked over HTTPS alone. Said where it was asked so."""


class SecurityHeaders:
    """Adds the headers that keep a page from running or loading anything but our own files, other
    sites from loading ours, and caches from keeping answers. A route's own word on one of them goes
    before; but what is streamed is not kept either.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                _complete(headers)
                if scope.get("scheme") == "https":
                    headers["strict-transport-security"] = _SECURE_TRANSPORT
                message["headers"] = headers.raw
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _complete(headers: MutableHeaders) -> None:
    kind = headers.get("content-type", "").partition(";")[0]
    if kind == "application/pdf":
        headers.setdefault(_POLICY, _PDF_POLICY)
    if kind == "text/event-stream":
        headers["cache-control"] = "no-store"
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
