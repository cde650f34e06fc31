"""Tracing: a span around each request, within the trace of who sent it."""

from opentelemetry.trace import Status, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.middleware.accounting import method_of, route_of
from app.sight.acting import request_id
from app.sight.traces import Traces

_FAILED = 500


class Tracing:
    """Makes a span of each request: method, route, status and id, and nothing that was asked."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = method_of(scope)
        with self._traces.request(method, Headers(scope=scope)) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= _FAILED:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self._app(scope, receive, send_and_note)
            finally:
                route = route_of(scope)
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.request.method": method, "http.route": route})
                span.set_attribute("kildesvar.request_id", request_id() or "")
