"""The tools over the Model Context Protocol, spoken with the SDK's own client."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, TextContent

from app.asking.asking import Asking
from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.mcp.server import session_manager_of
from app.mcp.tools import Tools
from tests.conftest import ROOT

QUESTION = "Hvor mange medlemmer har bransjen?"
ERAS = ["auto", "legacy"]


def talk(server: Any, said: Callable[[Client], Awaitable[None]], mode: str = "auto") -> None:
    """Connects a client, lets it talk, and sees to it that the server sent nothing amiss."""
    amiss: list[object] = []

    async def note(message: object) -> None:
        if isinstance(message, Exception):
            amiss.append(message)

    async def connected() -> None:
        async with Client(server, mode=mode, message_handler=note) as client:
            await said(client)

    with ThreadPoolExecutor(1) as other:  # the browser tests leave a loop in this thread
        other.submit(asyncio.run, connected()).result()
    assert not amiss


def data_of(result: CallToolResult) -> dict[str, Any]:
    """What a tool gave, which is there twice: for programs, and for models that read text."""
    assert not result.is_error
    [content] = result.content
    assert isinstance(content, TextContent)
    data: dict[str, Any] = result.structured_content
    assert json.loads(content.text) == data
    return data


def reason_of(result: CallToolResult) -> str:
    assert result.is_error
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("mode", ERAS)
def test_what_is_served_over_http_answers_nobody_who_came_otherwise(
    kildesvar: Kildesvar, mode: str
) -> None:
    """Who asks stands in the request: without one they are not taken for the command line."""
    asking = Asking(kildesvar.answerer, None, threading.Event())
    server = session_manager_of(Tools(kildesvar, asking, Gate(4))).app

    async def said(client: Client) -> None:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("list_documents", {})
        assert "documents" not in str(refused.value)

    talk(server, said, mode)


@pytest.mark.parametrize("mode", ERAS)
def test_the_tools_over_http(service_url: str, mode: str) -> None:
    async def said(client: Client) -> None:
        assert client.server_info is not None
        assert client.server_info.name == "kildesvar"
        assert "name the title and the page" in (client.instructions or "")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"ask", "search", "read_document", "list_documents"}
        for tool in tools.values():
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint
            assert tool.description
            assert tool.output_schema is not None
            for field in tool.input_schema["properties"].values():
                assert field["description"], tool.name
        answer = data_of(await client.call_tool("ask", {"question": QUESTION}))
        assert (answer["answered"], answer["short_answer"]) == (True, "1369")
        [citation] = answer["citations"]
        place = {name: citation[name] for name in ("document_id", "start")}
        place["length"] = citation["end"] - citation["start"]
        part = data_of(await client.call_tool("read_document", place))
        assert part["text"] == citation["quote"]
        found = data_of(await client.call_tool("search", {"query": "samhandling", "limit": 2}))
        assert len(found["passages"]) == 2
        listed = data_of(await client.call_tool("list_documents", {}))
        assert (listed["total"], listed["next_offset"]) == (5, None)
        verdict = {"answer_id": answer["answer_id"], "verdict": "up"}
        assert httpx.post(f"{service_url}/v1/feedback", json=verdict).status_code == 204

    talk(f"{service_url}/mcp", said, mode)


def test_what_goes_wrong_is_told_so_that_a_model_can_mend_it(service_url: str) -> None:
    async def said(client: Client) -> None:
        unknown = await client.call_tool("read_document", {"document_id": "finnes-ikke"})
        assert "list_documents lists" in reason_of(unknown)
        wrong = await client.call_tool("search", {"query": "helse", "limit": 99, "filter": {}})
        assert reason_of(wrong) == (
            "limit: Input should be less than or equal to 20; filter: Extra inputs are not "
            "permitted. tools/list describes the arguments."
        )
        with pytest.raises(MCPError, match="no tool 'delete'; there are ask, search"):
            await client.call_tool("delete", {})

    talk(f"{service_url}/mcp", said)


def test_the_tools_over_standard_input_and_output(examples_dir: Path, tmp_path: Path) -> None:
    clean = {n: v for n, v in os.environ.items() if not n.startswith("KILDESVAR_")}
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "app.cli", "mcp", "--data-dir", str(examples_dir)],
        cwd=ROOT,
        env={**clean, "KILDESVAR_LOG_LEVEL": "debug"},  # all of which goes to the other stream
    )

    async def said(client: Client) -> None:
        answer = data_of(await client.call_tool("ask", {"question": QUESTION}))
        assert (answer["short_answer"], answer["answer_id"]) == ("1369", None)
        refused = data_of(await client.call_tool("ask", {"question": "Hvem vant VM i 1998?"}))
        assert not refused["answered"]
        assert refused["nearest"]
        wrong = await client.call_tool("ask", {})
        assert "question: Field required" in reason_of(wrong)

    log = tmp_path / "stderr"
    with log.open("w", encoding="utf-8") as stderr:
        talk(stdio_client(server, errlog=stderr), said)
    assert "DEBUG" in log.read_text(encoding="utf-8")
    assert "Traceback" not in log.read_text(encoding="utf-8")
