"""Host names by which this machine may be asked, where it listens to nobody else."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.problems import problem


class LocalHosts:
    """Refuses a request that names another machine than this one.

    A page of a site whose name is made to resolve to 127.0.0.1 (DNS rebinding) could otherwise read
    the documents; the browser still sends that site's name as Host.
    """

    def __init__(self, app: ASGIApp, listens_on: str) -> None:
        self._app = app
        own = f"[{listens_on}]" if ":" in listens_on else listens_on
        self._names = {"127.0.0.1", "localhost", "[::1]", own.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if re.sub(r":\d+$", "", host).lower() in self._names:
            await self._app(scope, receive, send)
            return
        detail = (
            f"The service listens on this machine only, and the request is for «{host}». Use "
            "localhost as the address, let a proxy send `Host: localhost`, or set KILDESVAR_HOST "
            "to an address that others may reach."
        )
        await problem(400, detail, scope["path"])(scope, receive, send)
