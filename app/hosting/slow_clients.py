"""Clients that send their headers a byte at a time, or never: a connection is not theirs for long.

uvicorn times the silence between two requests, and nothing of a request itself. Bodies are timed by
`app/middleware/body_limit.py`.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN = 10.0
"""Seconds from the connection, or from the first byte of a later request."""


class TimedProtocol(H11Protocol):
    """HTTP/1.1 on one connection, which is closed when a request's headers do not come in time."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        if self._due is None and (before is None or before.response_complete):
            self._expect()
        super().data_received(data)
        if self.cycle is not before:
            self._expect_nothing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._due = self.loop.call_later(HEADERS_WITHIN, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
