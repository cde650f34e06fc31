"""The socket that the service listens on."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from app.hosting.listening import listen


def test_an_answer_is_sent_without_waiting_for_what_went_before() -> None:
    at_once: list[int] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        at_once.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    async def connect() -> None:
        listening = listen("127.0.0.1", 0)
        async with await asyncio.start_server(note, sock=listening):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            await reader.read()
            writer.close()
            await writer.wait_closed()

    with ThreadPoolExecutor(1) as other:  # the browser tests leave a loop in this thread
        other.submit(asyncio.run, connect()).result()
    assert at_once == [1]
