"""A real OpenSearch with k-NN for tests and benchmarks: one node or several, as processes.

    python -m tests.cluster.opensearch [--nodes 3] [--heap 1g]

prints the addresses and stops on Ctrl-C. It needs Maven and a Java of version 21 or newer. The
nodes listen on loopback alone, without TLS or passwords (`secured.py` puts both before them), and
run as `nobody` if we are root. Vectors are Lucene's (`"engine": "lucene"`): the artifacts hold no
native library for the others.
"""

import argparse
import json
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.artifacts import opensearch_home
from tests.cluster.java import java
from tests.cluster.processes import (
    Restartable,
    ServerProcess,
    free_ports,
    give,
    server_folder,
    wait_for,
)

_SETTINGS: Mapping[str, object] = {
    # Disks of machines that run tests are often nearly full; `flooded` shows what is said then.
    "cluster.routing.allocation.disk.threshold_enabled": False,
    "cluster.info.update.interval": "10s",
}
_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p [%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
_JAVA_OPTIONS = (
    "-XX:+UseG1GC",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "--enable-native-access=ALL-UNNAMED",
    "--add-modules=jdk.incubator.vector",
)
_BRIEFLY = "-XX:TieredStopAtLevel=1"
"""Compiles quickly and not well, which halves what a start costs."""


@dataclass(slots=True)
class Node(Restartable):
    """One process of a cluster, with its data and ports, which it keeps when it is started anew."""

    name: str
    home: Path
    folder: Path
    port: int
    transport_port: int
    java_options: Sequence[str]
    process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self, settings: Mapping[str, object]) -> None:
        own = {
            "node.name": self.name,
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
            "network.host": "127.0.0.1",
            "http.port": self.port,
            "transport.port": self.transport_port,
        }
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in {**settings, **own}.items()]
        for name in ("config", "temporary"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "config/opensearch.yml").write_text("".join(lines), encoding="utf-8")
        (self.folder / "config/log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        give(self.folder)

    def start(self) -> None:
        """Starts it, and does not wait: `Cluster.wait` does."""
        [agent] = (self.home / "agent").glob("opensearch-agent-3*.jar")
        options = [
            *_JAVA_OPTIONS,
            *self.java_options,
            f"-javaagent:{agent}",
            f"-Djava.io.tmpdir={self.folder / 'temporary'}",
            f"-Dopensearch.path.home={self.home}",
            f"-Dopensearch.path.conf={self.folder / 'config'}",
            "-Dopensearch.distribution.type=tar",
        ]
        command = [
            str(java()),
            *options,
            "-cp",
            f"{self.home}/lib/*",
            "org.opensearch.bootstrap.OpenSearch",
        ]
        log = self.folder / "opensearch.log"
        self.process = ServerProcess(command, self.folder, log, {})


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes that have found each other."""

    nodes: Sequence[Node]

    @property
    def urls(self) -> str:
        """Addresses of all nodes, with commas between."""
        return ",".join(node.url for node in self.nodes)

    def call(self, method: str, path: str, body: object = None, seconds: float = 60) -> Any:
        """What the first node that is running answers, as JSON.

        Raises:
            httpx.HTTPStatusError: it refuses; the error holds its reason.
        """
        node = next(node for node in self.nodes if node.is_running)
        response = httpx.request(method, f"{node.url}{path}", json=body, timeout=seconds)
        if response.is_error:
            message = f"{response.status_code}: {response.text}"
            raise httpx.HTTPStatusError(message, request=response.request, response=response)
        return response.json()

    def cluster_manager(self) -> Node:
        """The node which decides where shards are."""
        state = self.call("GET", "/_cluster/state/cluster_manager_node,nodes")
        name = state["nodes"][state["cluster_manager_node"]]["name"]
        return next(node for node in self.nodes if node.name == name)

    def wait(self, status: str = "green", seconds: float = 180) -> None:
        """Waits until every node is there that was started, and the cluster is `status`.

        Raises:
            ServerError: a node ended, or it takes too long; with the end of its log.
        """
        running = [node for node in self.nodes if node.is_running]
        query = f"wait_for_status={status}&wait_for_nodes={len(running)}&timeout=1s"

        def is_ready() -> bool:
            try:
                health = self.call("GET", f"/_cluster/health?{query}", seconds=5)
            except (httpx.HTTPError, StopIteration):
                return False
            return not health["timed_out"]

        wait_for(is_ready, [node.process for node in running if node.process], seconds)

    @contextmanager
    def flooded(self) -> Iterator[None]:
        """The disks are past the flood stage: writes to any index are refused until the end."""
        disk = "cluster.routing.allocation.disk"
        marks = {f"{disk}.watermark.{stage}": "0.1%" for stage in ("low", "high", "flood_stage")}
        on = {f"{disk}.threshold_enabled": True, **marks}
        self.call("PUT", "/_cluster/settings", {"persistent": on})
        off = dict.fromkeys([*on, "cluster.blocks.create_index"])  # which the cluster sets itself
        try:
            yield
        finally:
            self.call("PUT", "/_cluster/settings", {"persistent": off})
            block = {"index.blocks.read_only_allow_delete": None}
            self.call("PUT", "/_all/_settings?expand_wildcards=all", block)


@contextmanager
def running_cluster(
    nodes: int = 1,
    heap: str = "512m",
    settings: Mapping[str, object] | None = None,
    port: int = 0,
    briefly: bool = False,
) -> Iterator[Cluster]:
    """An OpenSearch cluster on loopback, green; stopped and deleted afterwards.

    Args:
        nodes: How many.
        heap: Of each, as Java writes it; it takes about twice that.
        settings: Of `opensearch.yml`, above those that tests want.
        port: Where the first node listens, the next one above it, …; 0 takes free ones.
        briefly: Whether it is for few requests: it starts sooner, and is slower then.

    Raises:
        ServerError: what it needs is not here, or it does not become green.
    """
    kept = opensearch_home()
    with server_folder("opensearch") as folder:
        home = folder / "home"  # a copy: the user whom servers run as may not read our cache folder
        shutil.copytree(kept, home)
        ports = free_ports(2 * nodes)
        made = [
            Node(
                name=f"node-{number}",
                home=home,
                folder=folder / f"node-{number}",
                port=port + number if port else ports[number],
                transport_port=ports[nodes + number],
                java_options=[f"-Xms{heap}", f"-Xmx{heap}", *([_BRIEFLY] if briefly else [])],
            )
            for number in range(nodes)
        ]
        common: dict[str, object] = {
            "cluster.name": folder.name,  # none joins another one's by accident
            "discovery.seed_hosts": [f"127.0.0.1:{node.transport_port}" for node in made],
            "cluster.initial_cluster_manager_nodes": [node.name for node in made],
        }
        for node in made:
            node.configure({**_SETTINGS, **(settings or {}), **common})
        give(home)
        cluster = Cluster(made)
        try:
            for node in made:
                node.start()
            cluster.wait()
            yield cluster
        finally:
            for node in made:
                if node.process:  # all at once, then one after the other
                    node.process.send(signal.SIGCONT)
                    node.process.send(signal.SIGTERM)
            for node in made:
                node.stop()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--nodes", type=int, default=1)
    options.add_argument("--heap", default="512m", help="of each node, such as 1g")
    options.add_argument("--port", type=int, default=0, help="of the first; 0 takes free ones")
    chosen = options.parse_args()
    with running_cluster(chosen.nodes, chosen.heap, port=chosen.port) as cluster:
        print(cluster.urls, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
