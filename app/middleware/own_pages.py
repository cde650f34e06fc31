"""Whose pages may send anything: our own, and those of other sites that were named."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.cross_origin import SHARED, is_shared
from app.problems import problem

_OTHERS_REMEDY = ", or name that page's origin in KILDESVAR_ALLOWED_ORIGINS"


class OwnPages:
    """Refuses to change or answer anything for a page of another site.

    Any page in a browser may send a form to this machine without asking first. Browsers say whose
    page it was; programs that are no browsers say nothing, and are let through. So are pages of the
    `others`, origins that may use the shared routes.
    """

    def __init__(self, app: ASGIApp, others: tuple[str, ...]) -> None:
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _is_of_own_page(headers) or is_shared(scope, self._others):
            await self._app(scope, receive, send)
            return
        detail = (
            f"The request comes from a page of {headers.get('origin', 'another site')}, which may "
            "not use this service. Use the service's own pages, or a program that is no browser"
            + _OTHERS_REMEDY * (scope["path"] in SHARED)
            + "."
        )
        await problem(403, detail, scope["path"])(scope, receive, send)


def _is_of_own_page(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:  # the browser's own word, whatever a proxy made of the host's name
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return True
    # A page of another site can set neither: X-Forwarded-Host comes from a proxy.
    names = {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()}
    return origin.lower().partition("://")[2] in names - {""}
