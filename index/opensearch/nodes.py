"""The nodes of a cluster: which of them answer, and a connection to one of those."""

import logging
import math
import socket
import ssl
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, cast
from urllib.parse import urlsplit

from opensearchpy.connection import Urllib3HttpConnection
from opensearchpy.exceptions import ConnectionError as NodeLostError
from opensearchpy.exceptions import ConnectionTimeout as NodeSilentError
from opensearchpy.exceptions import TransportError
from urllib3 import Timeout
from urllib3.connection import HTTPConnection

log = logging.getLogger("kildesvar")

CONNECTS_WITHIN = 0.5
"""Seconds that a connection may take to be made."""
_ANSWERS_WITHIN = 1.0
"""Seconds within which a node must say anything at all to be asked again."""
_LOOKS_EVERY = 1.0
"""Seconds between two looks at the nodes, while some of them are lost."""
_LATELY = 5.0
"""Seconds for which what a node said is taken for a sign that it lives."""
_MOST_AT_ONCE = 8
_MUCH = 64 * 1024
"""Bytes that a machine takes for a node that does not come to read them."""
_TAKES_MUCH_WITHIN = 15.0


class _Connection(Urllib3HttpConnection):
    """Connections to one node, given up when what is sent there is not received for a while."""

    def __init__(self, lost_after: float, **options: Any) -> None:
        self._socket_options = _socket_options(lost_after)
        super().__init__(**options)

    def _create_urllib3_pool(self) -> None:
        super()._create_urllib3_pool()
        self.pool.conn_kw["socket_options"] = self._socket_options

    def drop_idle(self) -> None:
        """Closes the connections that nobody uses now; what is asked next gets a new one."""
        pool = self.pool
        self._create_urllib3_pool()
        if pool is not None:
            pool.close()


class NodeConnection(_Connection):
    """Connections to one node, which are given up soon when what is sent there is not received.

    A slow node is not given up, since its machine receives what is sent to it; of much at once it
    does so only as fast as the node takes it, so that is sent by connections of their own.
    """

    def __init__(self, lost_after: float, **options: Any) -> None:
        super().__init__(lost_after, **options)
        self._for_much = _Connection(max(lost_after, _TAKES_MUCH_WITHIN), **options)

    def perform_request(  # noqa: PLR0913, PLR0917 - as opensearch-py has it
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
        ignore: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        ask = super().perform_request
        if body is not None and len(body) > _MUCH:
            ask = self._for_much.perform_request
        return ask(method, url, params, body, timeout, ignore, headers)

    def drop_idle(self) -> None:
        super().drop_idle()
        self._for_much.drop_idle()

    def close(self) -> None:
        super().close()
        self._for_much.close()

    def answers(self) -> bool | None:
        """Whether the node says anything, if only that it will not; None when it is silent."""
        within = cast(float, Timeout(connect=CONNECTS_WITHIN, read=_ANSWERS_WITHIN))
        try:
            self.perform_request("HEAD", "/", timeout=within)
        except NodeSilentError:
            return None
        except NodeLostError:
            return False
        except TransportError:
            pass
        return True


def _socket_options(lost_after: float) -> list[tuple[int, int, int]]:
    options = [
        *HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    # What is sent must be received; where nothing is sent, the system asks each second.
    for name, value in (
        ("TCP_USER_TIMEOUT", int(lost_after * 1000)),
        ("TCP_KEEPIDLE", 1),
        ("TCP_KEEPINTVL", 1),
        ("TCP_KEEPCNT", 2),
    ):
        if hasattr(socket, name):  # not every system has them
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


def speaks_tls(url: str) -> bool:
    """Whether what listens at an http:// address wants TLS: to others it says nothing at all."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        return False
    place = (parts.hostname or "", parts.port or 80)
    try:
        with socket.create_connection(place, CONNECTS_WITHIN) as plain:
            anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
            with anyone.wrap_socket(plain):
                return True
    except OSError:
        return False


class Nodes:
    """Nodes of one cluster by turns, but for those that are lost. Safe to share between threads.

    While some are lost a thread looks at all of them each second, so that nobody who asks waits for
    one that does not answer, and that it is asked again when it is back.
    """

    def __init__(self, connections: Sequence[NodeConnection]) -> None:
        self.connections = list(connections)
        self._turns = count()
        self._changed = threading.Condition()
        self._lost: set[NodeConnection] = set()
        self._answered: dict[NodeConnection, float] = {}
        """When each answered the thread last."""
        self._wanted = self._looked = -math.inf
        """After which moment a look was asked for, and when the last whole one began."""
        self._watcher: threading.Thread | None = None
        self._is_watched = False
        self._is_closing = False

    def next(self) -> NodeConnection | None:
        """One whose turn it is; None when all are lost, by a look of a moment ago."""
        with self._changed:
            living = [node for node in self.connections if node not in self._lost]
            if not living:
                self._watch()
                return None
        return living[next(self._turns) % len(living)]

    def lose(self, node: NodeConnection) -> None:
        """Passes the node over until it answers again."""
        with self._changed:
            self._note_lost(node)
            self._watch()

    def look(self, within: float) -> NodeConnection | None:
        """One that answers now, as soon as it does; None when none does so `within` seconds."""
        began = time.monotonic()
        with self._changed:
            self._wanted = began
            self._watch()
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._is_closing or self._looked >= began or self._answering(began),
                within,
            )
            return next(iter(self._answering(began)), None)

    def are_any_living(self) -> bool:
        """Whether one is not lost and said something of late; where that is not known, all are
        looked at, for a second at most."""
        since = time.monotonic() - _LATELY
        with self._changed:
            if any(node not in self._lost for node in self._answering(since)):
                return True
        return self.look(_ANSWERS_WITHIN) is not None

    def close(self) -> None:
        """Ends all connections, and the thread that looks at the nodes."""
        with self._changed:
            self._is_closing = True
            watcher = self._watcher
            self._changed.notify_all()
        if watcher is not None:
            watcher.join()
        for node in self.connections:
            node.close()

    def _answering(self, since: float) -> list[NodeConnection]:
        return [node for node, at in self._answered.items() if at >= since]

    def _watch(self) -> None:
        """Has the thread run; the lock must be held. A process that was forked has none."""
        if self._is_closing or (self._is_watched and self._watcher and self._watcher.is_alive()):
            return
        self._is_watched = True
        self._watcher = threading.Thread(target=self._look_at_all, name="nodes", daemon=True)
        self._watcher.start()

    def _look_at_all(self) -> None:
        with ThreadPoolExecutor(min(len(self.connections), _MOST_AT_ONCE), "node") as threads:
            while True:
                began = time.monotonic()
                list(threads.map(self._look_at, self.connections))
                with self._changed:
                    self._looked = began
                    self._changed.notify_all()
                    if self._lost:
                        self._changed.wait_for(
                            lambda: self._is_closing or self._wanted > self._looked,
                            _LOOKS_EVERY,
                        )
                    if self._is_closing or not (self._lost or self._wanted > began):
                        self._is_watched = False
                        return

    def _look_at(self, node: NodeConnection) -> None:
        answers = node.answers()
        with self._changed:
            if answers:
                self._answered[node] = time.monotonic()
                if node in self._lost:
                    self._lost.remove(node)
                    log.info("the search cluster's node %s answers again", node.host)
            elif answers is False:  # one that is silent may be slow
                self._note_lost(node)
            self._changed.notify_all()

    def _note_lost(self, node: NodeConnection) -> None:
        if node not in self._lost:
            self._lost.add(node)
            log.warning("the search cluster's node %s does not answer", node.host)
        node.drop_idle()
