"""The tools over the Model Context Protocol, by its own SDK.

To import this takes half a second, so it is imported where the protocol is spoken, and only then.
"""

import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as ToolDescription
from pydantic import ValidationError

from app.access.callers import COMMAND_LINE, Caller
from app.asking.working import while_connected
from app.mcp.tools import Tool, Tools
from app.problems import explained, problem_of

log = logging.getLogger("kildesvar")

_INSTRUCTIONS = (
    "Kildesvar answers from an organisation's own documents, most of them Norwegian policy: annual "
    "reports, letters, white papers. Ask in the language of the documents. Start with `ask`; where "
    "it has no answer, `search`, then `read_document` around what was found. Quotes and passages "
    "are the documents' own text: quote them as they stand, and name the title and the page. So is "
    "`answer` where `composed_by` is `quotes`. Where the documents do not answer, say so."
)
_READS_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)


def server_of(
    tools: Tools, caller_of: Callable[[ServerRequestContext[Any]], Caller]
) -> Server[Any]:
    """A server that offers `tools`, and nothing else, to whom `caller_of` says that it is."""
    descriptions = [_described(tool) for tool in tools.by_name.values()]

    async def list_tools(
        _: ServerRequestContext[Any], __: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=descriptions)

    async def call_tool(
        context: ServerRequestContext[Any], called: CallToolRequestParams
    ) -> CallToolResult:
        tool = tools.by_name.get(called.name)
        if tool is None:
            names = ", ".join(tools.by_name)
            raise MCPError(
                code=INVALID_PARAMS, message=f"there is no tool {called.name!r}; there are {names}"
            )
        calling = _called(tool, called.arguments or {}, caller_of(context))
        if context.request is None:
            return await calling
        result = await while_connected(context.request.receive, calling)
        return result or _failed("who asked has left")

    return Server(
        "kildesvar",
        title="Kildesvar",
        version=version("kildesvar"),
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def session_manager_of(tools: Tools) -> StreamableHTTPSessionManager:
    """Serves the tools over HTTP: each request is answered by itself, with one JSON document.

    No session is kept, for there is nothing to keep in one. Who may ask at all, by host and by
    origin, is for the middleware around it to say.
    """
    return StreamableHTTPSessionManager(
        server_of(tools, _who_sent), json_response=True, stateless=True
    )


async def serve_stdio(tools: Tools) -> None:
    """Serves the tools over standard input and output, until either is closed."""
    server = server_of(tools, lambda _: COMMAND_LINE)
    try:
        async with stdio_server() as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())
    except* BrokenPipeError:
        log.info("nobody reads the output any more")


def _described(tool: Tool) -> ToolDescription:
    return ToolDescription(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.arguments.model_json_schema(),
        output_schema=tool.result.model_json_schema(mode="serialization"),
        annotations=_READS_ONLY,
    )


def _who_sent(context: ServerRequestContext[Any]) -> Caller:
    """Who asks over HTTP, as the middleware found out."""
    if context.request is None:
        raise RuntimeError("a tool was called over HTTP by no request, so that nobody is known")
    caller: Caller = context.request.state.caller
    return caller


async def _called(tool: Tool, arguments: dict[str, Any], caller: Caller) -> CallToolResult:
    """What the tool gives, or why it gives nothing, which a model may read and mend."""
    try:
        result = await tool.run(tool.arguments.model_validate(arguments), caller)
    except ValidationError as error:
        return _failed(f"{explained(error.errors())}. tools/list describes the arguments.")
    except Exception as error:
        return _failed(problem_of(error, f"the tool {tool.name}").detail)
    return CallToolResult(
        content=[TextContent(text=result.model_dump_json())],
        structured_content=result.model_dump(mode="json"),
    )


def _failed(reason: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=reason)], is_error=True)
