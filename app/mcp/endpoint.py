"""/mcp: the tools over HTTP. What speaks the protocol is made when it is first asked for."""

import logging
from typing import TYPE_CHECKING

from anyio import Lock, sleep_forever
from anyio.abc import TaskGroup, TaskStatus
from anyio.to_thread import run_sync
from starlette.types import Receive, Scope, Send

from app.mcp.tools import Tools

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

log = logging.getLogger("kildesvar")


class McpEndpoint:
    """An ASGI application, whose work is done in the task group that it is started in."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._tasks: TaskGroup | None = None
        self._making = Lock()
        self._manager: StreamableHTTPSessionManager | None = None

    def start(self, tasks: TaskGroup) -> None:
        """Lets requests be answered, until `tasks` ends."""
        self._tasks = tasks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager = await self._running_manager()
        await manager.handle_request(scope, receive, send)

    async def _running_manager(self) -> "StreamableHTTPSessionManager":
        async with self._making:
            if self._manager is None:
                assert self._tasks is not None, "the service's lifespan has not begun"
                manager = await run_sync(_session_manager, self._tools)
                await self._tasks.start(self._run, manager)
                self._manager = manager
            return self._manager

    async def _run(
        self, manager: "StreamableHTTPSessionManager", *, task_status: TaskStatus[None]
    ) -> None:
        try:
            async with manager.run():
                task_status.started()
                await sleep_forever()
        except Exception as error:  # nothing may end the task, and with it the service
            log.error("MCP failed; it begins anew with the next request", exc_info=error)
        finally:
            self._manager = None


def _session_manager(tools: Tools) -> "StreamableHTTPSessionManager":
    from app.mcp.server import session_manager_of  # noqa: PLC0415 - it takes half a second

    return session_manager_of(tools)
