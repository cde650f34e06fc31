"""The proxy with TLS and passwords."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.opensearch import Cluster
from tests.cluster.secured import Door, secured


@pytest.fixture(scope="module")
def door(one_node: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with secured(one_node.nodes[0].url, tmp_path_factory.mktemp("secured")) as door:
        yield door


@pytest.fixture
def client(door: Door) -> Iterator[httpx.Client]:
    trusting = ssl.create_default_context(cafile=door.authority)
    with httpx.Client(base_url=door.url, verify=trusting) as client:
        yield client


def test_the_password_and_the_key_open(client: httpx.Client, door: Door) -> None:
    assert client.get("/").status_code == 401
    assert client.get("/", auth=(door.user, "wrong")).status_code == 401
    assert client.get("/", headers={"Authorization": "ApiKey wrong"}).status_code == 401
    assert client.get("/", auth=(door.user, door.password)).json()["name"] == "node-0"
    key = {"Authorization": f"ApiKey {door.api_key}"}
    assert client.get("/", headers=key).json()["name"] == "node-0"


def test_requests_arrive_as_they_were_sent(client: httpx.Client, door: Door) -> None:
    client.auth = (door.user, door.password)
    lines = [{"create": {"_id": "å/1"}}, {"word": "blåbær"}]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    as_lines = {"Content-Type": "application/x-ndjson"}
    sent = client.post("/door/_bulk?refresh=true", content=body, headers=as_lines)
    assert not sent.json()["errors"]
    assert client.get("/door/_doc/%C3%A5%2F1").json()["_source"] == {"word": "blåbær"}
    assert client.head("/door").status_code == 200
    assert client.delete("/door").json()["acknowledged"]
    assert client.head("/door").status_code == 404


def test_only_its_own_authority_vouches_for_it(
    door: Door, one_node: Cluster, tmp_path: Path
) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(door.url)
    with (
        secured(one_node.nodes[0].url, tmp_path, names=["search.invalid"]) as other,
        pytest.raises(httpx.ConnectError, match="IP address mismatch"),
    ):
        httpx.get(other.url, verify=ssl.create_default_context(cafile=other.authority))
