"""Accounting: what is noted of each request once it is over, and never what was asked."""

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.sight.acting import actor
from app.sight.logs import FIELDS
from app.sight.metrics.events import Metrics

log = logging.getLogger("kildesvar.access")

NO_ROUTE = "none"
"""Stands for the route where none fits, or where the request was refused before one was looked for.

The path would be anything that anybody sends."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ENDS = ("endpoint", "app")
_BROKEN_OFF = 499
"""As nginx has it: who asked has left, or the connection broke, before there was an answer."""


class Accounting:
    """Counts each request, and writes a line: method, route, status, time, bytes, caller, address.

    No line has a path, a query or a body, for questions are personal.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, size = perf_counter(), _BROKEN_OFF, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            seconds = perf_counter() - began
            problem = scope["state"].get("problem")
            self._metrics.requested(route_of(scope), method_of(scope), status, seconds, problem)
            _write_line(scope, status, seconds, size)


def route_of(scope: Scope) -> str:
    """The template of the route that a request fits, such as `/v1/documents/{document_id}`."""
    route = scope.get("route")
    if route is None and (endpoint := scope.get("endpoint")) is not None:
        # Routes that are not FastAPI's own leave no more than what they lead to.
        routes = scope["app"].routes
        route = next(
            (r for r in routes if endpoint in (getattr(r, name, None) for name in _ENDS)), None
        )
    path: str = getattr(route, "path", NO_ROUTE)
    return path


def method_of(scope: Scope) -> str:
    """The method, or OTHER for what anybody may have made up."""
    method: str = scope["method"]
    return method if method in _METHODS else "OTHER"


def _write_line(scope: Scope, status: int, seconds: float, size: int) -> None:
    if not log.isEnabledFor(logging.INFO):
        return
    caller, client = actor().caller, scope.get("client")
    fields = {
        "method": method_of(scope),
        "route": route_of(scope),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "bytes": size,
        "caller": caller.id,
        "caller_name": caller.name,
        "client": client[0] if client else "",
    }
    if problem := scope["state"].get("problem"):
        fields["problem"] = problem
    log.info("%s", _as_text(fields), extra={FIELDS: fields})


def _as_text(fields: dict[str, object]) -> str:
    who = f"{fields['caller_name']} ({fields['caller']})" if fields["caller"] else ""
    parts = (
        f"{fields['method']} {fields['route']} {fields['status']}",
        f"{fields['ms']} ms",
        f"{fields['bytes']} bytes",
        *([f"to {who or fields['caller_name']}"]),
        f"at {fields['client']}",
        *([str(fields["problem"])] if "problem" in fields else []),
    )
    return ", ".join(parts)
