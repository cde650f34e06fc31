"""The client of a cluster against real servers, while they refuse, are lost, or are cut off."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from app.setting_checks import check
from app.settings import load_settings
from index.errors import IndexConfigurationError, IndexUnavailableError
from index.opensearch.client import Address, Search
from index.opensearch.client import Cluster as Client
from tests.cluster.network import separated, why_not
from tests.cluster.opensearch import Cluster
from tests.cluster.secured import Door, secured

ALL = {"size": 10, "query": {"match_all": {}}}


@contextmanager
def client_of(address: Address) -> Iterator[Client]:
    client = Client(address)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(scope="module")
def door(one_node: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with secured(one_node.nodes[0].url, tmp_path_factory.mktemp("secured")) as door:
        yield door


def refusal(address: Address) -> str:
    """Why the cluster at that address cannot be used, in words that tell nothing secret."""
    with client_of(address) as client, pytest.raises(IndexConfigurationError) as raised:
        client.about()
    said = str(raised.value)
    assert not any(secret and secret in said for secret in (address.password, address.key))
    return said


def test_a_password_or_a_key_is_sent_by_tls_to_whom_the_authority_vouches_for(door: Door) -> None:
    trusting = Address((door.url,), ca=door.authority)
    by_password = replace(trusting, user=door.user, password=door.password)
    for address in (by_password, replace(trusting, key=door.api_key)):
        with client_of(address) as client:
            assert client.about().version.startswith("3.")
    for wrong in (trusting, replace(by_password, password="geheim"), replace(trusting, key="gal")):
        assert "KILDESVAR_OPENSEARCH_PASSWORD" in refusal(wrong)
    assert "KILDESVAR_OPENSEARCH_CA" in refusal(replace(by_password, ca=None))


def test_an_address_with_the_wrong_scheme_is_named(door: Door, one_node: Cluster) -> None:
    assert "write https://" in refusal(Address((door.url.replace("https", "http"),)))
    assert "write http://" in refusal(Address((one_node.urls.replace("http", "https"),)))


def test_a_cluster_that_answers_can_be_reached_and_is_seldom_asked(
    one_node: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_of(Address((one_node.urls,))) as client:
        client.require_reachable()
        [node] = client.client.transport.connection_pool.connections
        answers = Mock(return_value=False)
        monkeypatch.setattr(node, "answers", answers)
        client.require_reachable()
        assert not answers.called, "it said something a moment ago"


def test_the_settings_are_tried(door: Door, one_node: Cluster, tmp_path: Path) -> None:
    def says(**settings: Any) -> tuple[bool, str]:
        findings = check(load_settings(data_dir=tmp_path, **settings), asks_server=True)
        return next((f.is_fine, f.says) for f in findings if f.name == "search cluster")

    is_fine, said = says(opensearch_url=one_node.urls)
    assert is_fine
    assert "1 node at http" in said
    is_fine, said = says(opensearch_url=door.url, opensearch_key="geheim")
    assert not is_fine
    assert "KILDESVAR_OPENSEARCH_CA" in said
    ca = str(door.authority)
    is_fine, said = says(opensearch_url=door.url, opensearch_key="geheim", opensearch_ca=ca)
    assert not is_fine
    assert "KILDESVAR_OPENSEARCH_KEY" in said
    assert "geheim" not in said


Answers = Callable[[str, int], tuple[int, Any]]


@contextmanager
def answering(answers: Answers) -> Iterator[tuple[str, Counter[str]]]:
    """A server that says what `answers` gives for a path that is asked for the n-th time."""
    asked: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            path = self.path.partition("?")[0]
            asked[path] += 1
            status, answer = answers(path, asked[path])
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_HEAD = do_GET  # noqa: N815 - as the server looks for them

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_is_no_opensearch_or_an_old_one_or_without_vectors_is_named() -> None:
    def version(number: str, **more: str) -> Answers:
        return lambda path, _: (200, {"version": {"number": number, **more}} if path == "/" else [])

    for answers, remedy in (
        (version("8.1.0"), "must be OpenSearch 2"),
        (version("1.3.0", distribution="opensearch"), "must be OpenSearch 2"),
        (version("3.6.0", distribution="opensearch"), "opensearch-knn"),
        (lambda _path, _time: (200, {"hello": "world"}), "is no OpenSearch"),
        (lambda _path, _time: (404, {"detail": "Not Found"}), "is no OpenSearch"),
    ):
        with answering(answers) as (url, _):
            assert remedy in refusal(Address((url,)))


def test_a_cluster_that_has_too_much_to_do_is_asked_again_for_a_while() -> None:
    found = {"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": []}}
    busy = {"error": {"type": "rejected_execution_exception"}, "status": 429}

    def twice(_: str, times: int) -> tuple[int, Any]:
        # First all of it is refused, then one search of it.
        return (429, busy) if times == 1 else (200, {"responses": [busy if times == 2 else found]})

    with answering(twice) as (url, asked), client_of(Address((url,))) as client:
        assert client.search(Search(["a"], ALL)) == found
        assert asked["/_msearch"] == 3
    with (
        answering(lambda _path, _time: (429, busy)) as (url, asked),
        client_of(Address((url,), seconds=1)) as client,
    ):
        with pytest.raises(IndexUnavailableError, match="too much to do"):
            client.search(Search(["a"], ALL))
        assert asked["/_msearch"] > 2


def always(answer: Any) -> Answers:
    return lambda _path, _time: (200, answer)


def test_less_than_all_is_never_taken_for_all() -> None:
    found = {"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": []}}
    failure = [{"reason": {"type": "circuit_breaking_exception"}}]
    for partly in (
        {**found, "timed_out": True},
        {**found, "_shards": {"failed": 1, "failures": failure}},
    ):
        with (
            answering(always({"responses": [found, partly]})) as (url, _),
            client_of(Address((url,))) as client,
            pytest.raises(IndexUnavailableError),
        ):
            client.search_all([Search(["a"], ALL), Search(["b"], ALL)])


def test_a_part_that_is_gone_is_said_and_not_left_out(one_node: Cluster) -> None:
    one_node.call("PUT", "/here", {"settings": {"number_of_replicas": 0}})
    one_node.call("PUT", "/here/_doc/1?refresh=true", {"word": "a"})
    nowhere = {"index.routing.allocation.require.box": "nowhere"}
    gone = {"settings": {"number_of_replicas": 0, **nowhere}}
    one_node.call("PUT", "/gone?wait_for_active_shards=0&timeout=1s", gone)
    try:
        with client_of(Address((one_node.urls,))) as client:
            assert client.search(Search(["here"], ALL))["hits"]["total"]["value"] == 1
            assert client.about().status == "red"
            for indices in (["here", "gone"], ["gone"], ["here", "never"]):
                with pytest.raises(IndexUnavailableError):
                    client.search(Search(indices, ALL))
    finally:
        one_node.call("DELETE", "/here,gone")


def test_vectors_of_another_model_and_full_disks_are_named(one_node: Cluster) -> None:
    vector = {
        "type": "knn_vector",
        "dimension": 3,
        "method": {"name": "hnsw", "engine": "lucene", "space_type": "innerproduct"},
    }
    settings = {"index.knn": True, "number_of_replicas": 0}
    mapping = {"properties": {"vector": vector}}
    one_node.call("PUT", "/other", {"settings": settings, "mappings": mapping})
    one_node.call("PUT", "/other/_doc/1?refresh=true", {"vector": [1, 0, 0]})
    near = {"query": {"knn": {"vector": {"vector": [1.0, 0.0, 0.0, 0.0], "k": 1}}}}
    try:
        with client_of(Address((one_node.urls,))) as client:
            with pytest.raises(IndexConfigurationError, match="another model"):
                client.search(Search(["other"], near))
            with pytest.raises(IndexConfigurationError, match="another model"):
                client.client.index(index="other", body={"vector": [1, 0]})
            with one_node.flooded():
                until = time.monotonic() + 60
                with pytest.raises(IndexUnavailableError, match="make room"):
                    while time.monotonic() < until:
                        client.client.index(index="other", body={"vector": [1, 0, 0]})
                        time.sleep(0.2)
                assert client.search(Search(["other"], ALL))["hits"]["hits"], "it is still read"
    finally:
        one_node.call("DELETE", "/other")


ASKING = """
import json, sys, time
from index.errors import IndexUnavailableError
from index.opensearch.client import Address, Cluster, Search

cluster = Cluster(Address(tuple(sys.argv[1].split(","))))
while True:
    try:
        cluster.search(Search(["asked"], {"size": 1}))
        said = ""
    except IndexUnavailableError as error:
        said = str(error)
    print(json.dumps(said), flush=True)
    time.sleep(0.02)
"""


class Asking:
    """A process that asks all the time; what it was answered since it was last looked at."""

    def __init__(self, before: list[str], urls: str) -> None:
        command = [*before, sys.executable, "-c", ASKING, urls]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._answers: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._answers.append(json.loads(line))

    def answers(self, seconds: float) -> list[str]:
        self._answers.clear()
        time.sleep(seconds)
        return self._answers[:]

    def wait(self, is_answered: bool, least: int = 1) -> list[str]:
        """Waits until all are answered so, and at least so many a second."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            answers = self.answers(1)
            if len(answers) >= least and all(bool(said) != is_answered for said in answers):
                return answers
        raise AssertionError(self.answers(0.5))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()


@pytest.fixture
def asked(three_nodes: Cluster) -> Iterator[Cluster]:
    settings = {"number_of_shards": 3, "number_of_replicas": 1}
    three_nodes.call("PUT", "/asked", {"settings": settings})
    three_nodes.wait()
    yield three_nodes
    three_nodes.call("DELETE", "/asked")


def test_a_node_that_is_killed_is_missed_by_nobody(asked: Cluster) -> None:
    asking = Asking([], asked.urls)
    try:
        asking.wait(is_answered=True)
        node = asked.nodes[1]
        node.kill()
        answers = asking.answers(8)
        node.start()
        asked.wait()
        answers += asking.answers(2)
    finally:
        asking.close()
    assert answers
    assert [said for said in answers if said] == []


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_node_that_is_cut_off_is_missed_by_nobody_and_all_of_them_by_a_clear_word(
    asked: Cluster,
) -> None:
    ports = [node.port for node in asked.nodes]
    with separated(ports) as network:
        asking = Asking(network.before, network.through(asked.urls))
        try:
            asking.wait(is_answered=True)
            network.cut(ports[0])
            answers = asking.answers(8)
            assert answers
            assert [said for said in answers if said] == []
            for port in ports[1:]:
                network.cut(port)
            # Nobody waits for what is known to be gone, though a search may take ten seconds.
            answers = asking.wait(is_answered=False, least=5)
            assert all("KILDESVAR_OPENSEARCH_URL" in said for said in answers)
            for port in ports:
                network.mend(port)
            asking.wait(is_answered=True)
        finally:
            asking.close()
