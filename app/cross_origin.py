"""Pages of other sites: which of them may use the service, and for what (CORS)."""

import re

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

SHARED = {"/v1/search": "GET", "/v1/suggest": "GET", "/v1/ask": "POST"}
"""What a search box on another site needs; no other route is ever shared."""

ANY_ORIGIN = "*"
_PORTS = {"http": "80", "https": "443"}
_ORIGIN = re.compile(r"(https?)://([^\s/?#@*:\[\]\\]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")


def origin_from(text: str) -> str:
    """An origin as browsers write it: `https://intranet.example`, lower case, no default port.

    Raises ValueError, with the remedy, for what is no origin.
    """
    if text == ANY_ORIGIN:
        return text
    refusal = ValueError(
        f"«{text}» is no origin; write scheme://host or scheme://host:port, such as "
        "https://intranet.example, without a path or a slash at the end, or * for all"
    )
    match = _ORIGIN.fullmatch(text.lower())
    if not match:
        raise refusal
    scheme, host, port = match.groups()
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        raise refusal from None
    return f"{scheme}://{name}" + (f":{port}" if port and port != _PORTS[scheme] else "")


def is_shared(scope: Scope, origins: tuple[str, ...]) -> bool:
    """Whether the request comes from a page of `origins`, and is for a route that they may use."""
    origin = Headers(scope=scope).get("origin")
    listed = origin is not None and (ANY_ORIGIN in origins or origin in origins)
    return listed and SHARED.get(scope["path"]) == scope["method"]


class OtherSites:
    """Tells browsers that pages of `origins` may read what the shared routes answer.

    Without cookies or other credentials. Of all other routes and origins browsers are told nothing,
    and keep the answers from the page.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._shared = {
            path: CORSMiddleware(
                app,
                allow_origins=origins,
                allow_methods=(method,),
                allow_headers=("Authorization",),
                expose_headers=("Retry-After", "WWW-Authenticate"),
            )
            for path, method in SHARED.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shared = self._shared.get(scope["path"]) if scope["type"] == "http" else None
        await (shared or self._app)(scope, receive, send)
