"""A network between a process and the servers, which can be cut.

The process runs in a network namespace of its own. A link of two virtual interfaces leads from
there to each server: not to the machine's own network, which is left as it is, but to a second
namespace, from which connections are passed on to 127.0.0.1. A link that is cut loses packets
without a word, as a cable does, and connections that were open stay so. Nothing remains when this
process ends, however it does.

    with separated([*(node.port for node in cluster.nodes), postgresql.port]) as network:
        settings = {"opensearch_url": network.through(cluster.urls)}
        with serving(data_dir, network.before, **settings) as (url, _):
            seen_from_here = network.reached(url)
            network.cut(cluster.nodes[0].port)
"""

import asyncio
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.cluster.processes import ServerError

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_CHUNK = 65_536


def why_not() -> str:
    """Why networks cannot be separated here; empty if they can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [name for name in ("ip", "tc", "nsenter") if not shutil.which(name, path=_PATH)]
    if missing:
        return f"`{missing[0]}` is not here (Debian's iproute2 and util-linux)"
    try:
        _Namespace().close()
    except OSError as error:
        return f"the kernel makes no network namespace: {error}"
    return ""


_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class _Namespace:
    """A network namespace without a name: that of one thread, and gone with it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="namespace")
        self.id = self.do(_leave_network)

    def do(self, work: Callable[[], T]) -> T:
        """What `work` gives when it is done inside. A socket stays where it was made."""
        return self._thread.submit(work).result()

    def run(self, *command: str) -> None:
        """Runs a command inside."""
        _run(*self.entering, *command)

    @property
    def entering(self) -> list[str]:
        """What to put before a command, so that it runs inside."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/task/{self.id}/ns/net"]

    def close(self) -> None:
        self._thread.shutdown()


def _leave_network() -> str:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return str(threading.get_native_id())


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": _PATH})
    if done.returncode:
        raise ServerError(f"{' '.join(command)}: {done.stderr}")


class _Relay:
    """Passes connections on, in a thread with an event loop."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._passing: set[asyncio.Task[None] | None] = set()
        """Kept here, since the loop itself lets go of those that nobody else holds."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay")
        self._thread.start()

    def pass_on(
        self, listening: socket.socket, make: Callable[[], socket.socket], port: int
    ) -> None:
        """Passes on what comes to `listening`: to a port of 127.0.0.1, by a socket of `make`."""

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._passing.add(task := asyncio.current_task())
            try:
                await _pass_on(reader, writer, make, port)
            except asyncio.CancelledError:  # by `close`: asyncio would tell of it as of a failure
                pass
            finally:
                self._passing.discard(task)

        self._servers.append(self._do(asyncio.start_server(pass_on, sock=listening)))

    def close(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    make: Callable[[], socket.socket],
    port: int,
) -> None:
    ends = [writer]
    try:
        back, forth = await asyncio.open_connection(sock=await _connected(make(), port))
        ends.append(forth)
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, forth))
            both.create_task(_copy(back, writer))
        for end in ends:
            end.close()
            await end.wait_closed()
    except* OSError:  # refused, or broken off at one end: so it is at the other
        pass
    finally:
        for end in ends:
            end.transport.abort()


async def _connected(there: socket.socket, port: int) -> socket.socket:
    there.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(there, ("127.0.0.1", port))
    except BaseException:
        there.close()
        raise
    return there


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


@dataclass(frozen=True, slots=True)
class _End:
    """Of a link: an interface in a namespace, with an address that nobody has elsewhere."""

    namespace: _Namespace
    interface: str
    host: str
    hardware: str

    def set_up(self, other: "_End") -> None:
        """The neighbour is known for good: whoever had to look for one that is cut off would be
        told that it is not there, and so soon after the link is mended as well."""
        device = ["dev", self.interface]
        self.namespace.run("ip", "address", "add", f"{self.host}/24", *device)
        self.namespace.run("ip", "link", "set", self.interface, "up")
        known = [other.host, "lladdr", other.hardware, "nud", "permanent"]
        self.namespace.run("ip", "neighbour", "add", *known, *device)

    def change(self, *what: str) -> None:
        """Changes what happens with the packets that leave here."""
        verb, *discipline = what
        self.namespace.run("tc", "qdisc", verb, "dev", self.interface, "root", *discipline)


class Network:
    """What `separated` makes."""

    def __init__(self, servers: _Namespace, inside: _Namespace, relay: _Relay) -> None:
        self._servers = servers
        self._inside = inside
        self._relay = relay
        self._links: dict[int, tuple[_End, _End]] = {}
        inside.run("ip", "link", "set", "lo", "up")

    @property
    def before(self) -> list[str]:
        """What to put before a command, so that it sees nothing but the servers."""
        return self._inside.entering

    def link(self, port: int) -> None:
        """Makes a server on 127.0.0.1 seen inside, over a link of its own."""
        number = len(self._links)
        name = f"link{number}"
        outer = _End(self._servers, name, f"198.18.{number}.1", "02:00:00:00:00:01")
        inner = _End(self._inside, name, f"198.18.{number}.2", "02:00:00:00:00:02")
        there = ["peer", "name", name, "address", inner.hardware, "netns", inner.namespace.id]
        self._servers.run(
            "ip", "link", "add", name, "address", outer.hardware, "type", "veth", *there
        )
        outer.set_up(inner)
        inner.set_up(outer)
        listening = self._servers.do(lambda: socket.create_server((outer.host, port)))
        self._relay.pass_on(listening, socket.socket, port)
        self._links[port] = (outer, inner)

    def through(self, urls: str) -> str:
        """The same addresses, as they are reached from inside."""
        for port, (outer, _) in self._links.items():
            urls = urls.replace(f"127.0.0.1:{port}", f"{outer.host}:{port}")
        return urls

    def reached(self, url: str) -> str:
        """The address of what listens on 127.0.0.1 inside, as it is reached from here."""
        port = urlsplit(url).port
        assert port
        listening = socket.create_server(("127.0.0.1", 0))
        self._relay.pass_on(listening, lambda: self._inside.do(socket.socket), port)
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def cut(self, port: int) -> None:
        """From now on packets to and from the server are lost."""
        for end in self._links[port]:
            end.change("replace", "blackhole")

    def mend(self, port: int) -> None:
        for end in self._links[port]:
            end.change("delete")


@contextmanager
def separated(ports: Sequence[int]) -> Iterator[Network]:
    """A network in which a process sees the servers on these ports of 127.0.0.1, and nothing else.

    Raises:
        ServerError: `ip` refuses. Ask `why_not` before, and skip the test if there is a reason.
    """
    servers, inside, relay = _Namespace(), _Namespace(), _Relay()
    try:
        network = Network(servers, inside, relay)
        for port in ports:
            network.link(port)
        yield network
    finally:
        relay.close()
        inside.close()
        servers.close()
