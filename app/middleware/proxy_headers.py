"""What proxies say of a request: taken from those that are trusted, and from nobody else."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.proxies import TrustedProxies


class ProxyHeaders:
    """Makes `client` the address that a request comes from, and `scheme` https where it came so.

    Takes the headers that name a person out of every request that no trusted proxy sent, so that
    nothing further in can believe them: these headers are `personal`.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies, personal: Sequence[str]) -> None:
        self._app = app
        self._proxies = proxies
        self._personal = {name.lower().encode() for name in personal}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._note(scope)
        await self._app(scope, receive, send)

    def _note(self, scope: Scope) -> None:
        peer = scope["client"][0] if scope.get("client") else None
        headers = Headers(scope=scope)
        if self._proxies.trusts(peer):
            scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
            if scheme in {"http", "https"}:
                scope["scheme"] = scheme
        else:
            scope["headers"] = [
                (name, value) for name, value in scope["headers"] if name not in self._personal
            ]
        address = self._proxies.client_address(peer, headers.getlist("x-forwarded-for"))
        if address != peer:
            scope["client"] = (address, 0)  # of its port nothing is known
