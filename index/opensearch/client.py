"""The cluster: what is asked of it, by way of whichever node answers.

What fails for the moment is tried again, on another node where one is lost. So whatever is written
must be such that it may be written twice.
"""

import logging
import random
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NodeLostError
from opensearchpy.exceptions import ConnectionTimeout, SerializationError, TransportError
from opensearchpy.transport import Transport
from urllib3 import Timeout

from index.errors import IndexConfigurationError, IndexUnavailableError
from index.opensearch.failures import (
    BUSY,
    NO_VECTORS,
    RETRIED,
    SEARCHED_AGAIN,
    kind_of,
    meaning_of,
    of_answer,
    too_slow,
    unreachable,
)
from index.opensearch.nodes import CONNECTS_WITHIN, NodeConnection, Nodes, speaks_tls

_OLDEST = (2, 0)
_MOST_LOST = 4
"""Nodes that one request may lose on its way."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_UNAVAILABLE_FOR = 1.5
"""Seconds after which a cluster that says it cannot answer is believed."""
_LOOKS, _LOOKS_LATE = 1.0, 0.5
"""Seconds for which another node is looked for, when one is lost."""
_LEAST_LEFT = 0.05
"""Seconds that are always waited for an answer."""
_CONNECTIONS = 32
"""Connections to each node that are kept."""
_MISSING, _HEAD = 404, "HEAD"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a cluster is, who asks, and how many seconds it has.

    A node that receives nothing of what is sent to it is given up after `lost_after` seconds.
    """

    urls: tuple[str, ...]
    user: str = ""
    password: str = ""
    key: str = ""
    ca: Path | None = None
    seconds: float = 10.0
    lost_after: float = 0.7

    def __str__(self) -> str:
        return ", ".join(self.urls)

    def __repr__(self) -> str:
        return f"Address({self})"  # without password and key


@dataclass(frozen=True, slots=True)
class Search:
    """A search of some indices: its body, as OpenSearch takes it."""

    indices: Sequence[str]
    body: Mapping[str, Any]
    counts_everywhere: bool = False
    """Whether words are weighed by how rare they are in all shards, not in each one."""


@dataclass(frozen=True, slots=True)
class About:
    """What a cluster says of itself."""

    version: str
    nodes: int
    status: str
    """Green when every copy of all is there, yellow when something of all, red otherwise."""


class Cluster:
    """A cluster of OpenSearch. Safe to share between threads.

    Everything raises IndexUnavailableError when the cluster cannot answer now, and
    IndexConfigurationError when it never will so; `client` the errors of opensearch-py beside for
    what only who asks can judge, which are a RequestError, NotFoundError and ConflictError.
    """

    def __init__(self, address: Address) -> None:
        # Its log has words of the documents when it is to tell most, and nothing that is not here.
        logging.getLogger("opensearch").setLevel(logging.ERROR)
        self.address = address
        headers = {"authorization": f"ApiKey {address.key}"} if address.key else {}
        self.client = OpenSearch(
            hosts=[_host(url) for url in address.urls],
            transport_class=_Transport,
            http_auth=(address.user, address.password) if address.user else None,
            headers=headers,
            ssl_context=_ssl_context(address),
            pool_maxsize=_CONNECTIONS,
            lost_after=address.lost_after,
            timeout=address.seconds,
            address=address,
        )

    def search(self, search: Search) -> dict[str, Any]:
        """What one search finds in all of its indices: a failure in any is one of the whole."""
        [found] = self.search_all([search])
        return found

    def search_all(self, searches: Sequence[Search]) -> list[dict[str, Any]]:
        """The same of several, on one way to the cluster."""
        deadline = time.monotonic() + self.address.seconds
        pauses = _Pauses(deadline)
        # Names of indices stand in the body: in an address, some hundred would be too many.
        lines = [line for search in searches for line in self._lines(search)]
        while True:
            seconds = max(_LEAST_LEFT, deadline - time.monotonic())
            try:
                answer = self.client.msearch(body=lines, params={"request_timeout": seconds})
            except TransportError as error:
                raise IndexConfigurationError(
                    f"the search cluster refuses what is asked of it ({error.error}); see that it "
                    "is OpenSearch 2 or newer"
                ) from error
            failed = next(filter(None, map(_failure, answer["responses"])), None)
            if failed is None:
                return cast(list[dict[str, Any]], answer["responses"])
            status, error_said = failed
            if status not in SEARCHED_AGAIN or not pauses.pause(status):
                raise of_answer(status, error_said) or IndexConfigurationError(
                    f"the search cluster refuses a search ({kind_of(error_said)}); see that it is "
                    "OpenSearch 2 or newer"
                )

    def require_reachable(self) -> None:
        """Raises IndexUnavailableError, within a second, while none of its nodes says anything."""
        nodes: Nodes = self.client.transport.connection_pool
        if not nodes.are_any_living():
            raise unreachable(str(self.address), None)

    def about(self) -> About:
        """Looks at the cluster, and whether passages can be searched there.

        Raises IndexConfigurationError when it is too old, has no plugin for vectors or is none of
        OpenSearch.
        """
        try:
            said = self._info()
            version = said["version"]
            numbers = tuple(map(int, version["number"].split(".")[:2]))
        except (KeyError, TypeError, ValueError, SerializationError, TransportError) as error:
            raise IndexConfigurationError(
                f"what answers at {self.address} is no OpenSearch; mend KILDESVAR_OPENSEARCH_URL"
            ) from error
        if version.get("distribution") != "opensearch" or numbers < _OLDEST:
            name = version.get("distribution", "Elasticsearch, or something like it,")
            raise IndexConfigurationError(
                f"{self.address} is {name} {version['number']}; it must be OpenSearch 2 or newer"
            )
        plugins = self.client.cat.plugins(params={"format": "json"})
        if not any(plugin["component"] == "opensearch-knn" for plugin in plugins):
            raise IndexConfigurationError(NO_VECTORS)
        health = self.client.cluster.health()
        return About(version["number"], health["number_of_nodes"], health["status"])

    def _info(self) -> Any:
        try:
            return self.client.info()
        except IndexUnavailableError as error:
            for url in self.address.urls:
                if speaks_tls(url):
                    raise IndexConfigurationError(
                        f"{url} wants TLS; write https:// in KILDESVAR_OPENSEARCH_URL"
                    ) from error
            raise

    def close(self) -> None:
        """Ends all connections and threads."""
        self.client.close()

    def _lines(self, search: Search) -> tuple[dict[str, Any], dict[str, Any]]:
        head: dict[str, Any] = {
            "index": list(search.indices),
            "allow_partial_search_results": False,
            "search_type": (
                "dfs_query_then_fetch" if search.counts_everywhere else "query_then_fetch"
            ),
        }
        return head, {**search.body, "timeout": f"{int(self.address.seconds * 1000)}ms"}


class _Transport(Transport):
    """opensearch-py's, but for which node is asked, how often, and what is raised in the end."""

    def __init__(self, hosts: Any, address: Address, **options: Any) -> None:
        self._address = address
        super().__init__(hosts, **options)

    def set_connections(self, hosts: Any) -> None:
        options = {**self.kwargs, "pool_maxsize": self.pool_maxsize}
        self.connection_pool = Nodes([NodeConnection(**{**options, **host}) for host in hosts])

    def perform_request(  # noqa: PLR0913, PLR0917 - as opensearch-py has it
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        timeout: float | None = None,
        ignore: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        method, params, body, ignore, timeout = self._resolve_request_args(
            method, params, body, ignore, timeout
        )
        seconds = timeout or self._address.seconds
        pauses = _Pauses(time.monotonic() + seconds)
        nodes: Nodes = self.connection_pool
        node, lost = nodes.next(), 0
        while True:
            if node is None:
                raise unreachable(str(self._address), None)
            left = max(_LEAST_LEFT, pauses.deadline - time.monotonic())
            # opensearch-py hands it to urllib3, which takes more than it says.
            within = cast(float, Timeout(connect=min(CONNECTS_WITHIN, left), read=left))
            try:
                _, answered, data = node.perform_request(
                    method,
                    url,
                    params,
                    body,
                    within,
                    ignore,
                    headers,
                )
            except NodeLostError as error:
                # What is not received is a timeout as well, but sooner.
                if isinstance(error, ConnectionTimeout) and pauses.is_over:
                    raise too_slow(round(seconds, 1)) from error
                nodes.lose(node)
                lost += 1
                # Who has waited long already is to know soon.
                looks = _LOOKS if pauses.seconds < _LOOKS else _LOOKS_LATE
                node = nodes.look(looks) if lost < _MOST_LOST else None
                if node is None:
                    raise unreachable(str(self._address), error) from error
            except TransportError as error:
                if method == _HEAD and error.status_code == _MISSING:
                    return False
                meaning = meaning_of(error)
                if error.status_code not in RETRIED or not pauses.pause(error.status_code):
                    raise meaning or error from error
                node = nodes.next()
            else:
                return self._read(method, answered, data)

    def _read(self, method: str, headers: Any, data: Any) -> Any:
        if method == _HEAD:
            return True
        kind = {name.lower(): value for name, value in headers.items()}.get("content-type")
        return self.deserializer.loads(data, kind) if data else data


class _Pauses:
    """Pauses before one asks again, each longer than the one before."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._began = time.monotonic()
        self._next = _FIRST_PAUSE

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline - _LEAST_LEFT

    def pause(self, status: Any) -> bool:
        """Waits; False, at once, when it has been tried for long enough."""
        end = self.deadline if status == BUSY else self._began + _UNAVAILABLE_FOR
        # Not all are to come back at once.
        pause = self._next * random.uniform(0.5, 1.0)
        if time.monotonic() + pause >= min(end, self.deadline):
            return False
        time.sleep(pause)
        self._next = min(2 * self._next, _LONGEST_PAUSE)
        return True


def _failure(response: Mapping[str, Any]) -> tuple[int, Any] | None:
    """The status and error of one search of several, or of a part of it; None for none."""
    if "error" in response:
        return int(response.get("status", 500)), response["error"]
    if response.get("timed_out"):
        return 504, "the search took too long"
    if response["_shards"]["failed"]:
        return 503, {"type": "shards_missing", "failed_shards": response["_shards"]["failures"]}
    return None


def _host(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise IndexConfigurationError(f"«{url}» has no such port; mend the address") from error
    return {
        "host": parts.hostname,
        "port": port or _PORTS[parts.scheme],
        "use_ssl": parts.scheme == "https",
    }


def _ssl_context(address: Address) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=address.ca)
    except (OSError, ssl.SSLError) as error:
        raise IndexConfigurationError(
            f"{address.ca} cannot be read as certificates in PEM ({error}); mend the file or "
            "KILDESVAR_OPENSEARCH_CA"
        ) from error
