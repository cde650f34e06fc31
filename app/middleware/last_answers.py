"""The last answer on a connection says that it is the last, while the service ends."""

from threading import Event

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CLOSE = (b"connection", b"close")


class LastAnswers:
    """Adds `Connection: close` once `leaving` is set, so that whoever asks next opens another
    connection, and does not find this one closed."""

    def __init__(self, app: ASGIApp, leaving: Event) -> None:
        self._app = app
        self._leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_as_last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._leaving.is_set():
                message["headers"] = [*message["headers"], _CLOSE]
            await send(message)

        await self._app(scope, receive, send_as_last)
