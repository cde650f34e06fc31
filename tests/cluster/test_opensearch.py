"""The OpenSearch that tests start."""

import httpx
import pytest

from tests.cluster.opensearch import Cluster
from tests.running import wait_until

VECTOR = {
    "type": "knn_vector",
    "dimension": 2,
    "method": {"name": "hnsw", "engine": "lucene", "space_type": "innerproduct"},
}


def make_index(cluster: Cluster, name: str) -> None:
    """An index of one vector, in three shards with a copy each."""
    shards = {"index.knn": True, "number_of_shards": 3, "number_of_replicas": 1}
    mappings = {"properties": {"vector": VECTOR}}
    cluster.call("PUT", f"/{name}", {"settings": shards, "mappings": mappings})
    cluster.wait()
    cluster.call("PUT", f"/{name}/_doc/1?refresh=true", {"vector": [0.6, 0.8]})


def found(cluster: Cluster, name: str) -> list[str]:
    near = {"knn": {"vector": {"vector": [1.0, 0.0], "k": 1}}}
    hits = cluster.call("POST", f"/{name}/_search", {"query": near})["hits"]["hits"]
    return [hit["_id"] for hit in hits]


def test_a_killed_manager_is_replaced_and_comes_back(three_nodes: Cluster) -> None:
    make_index(three_nodes, "killed")
    manager = three_nodes.cluster_manager()
    manager.kill()
    assert not manager.is_running
    three_nodes.wait("yellow")
    assert three_nodes.cluster_manager() is not manager
    assert found(three_nodes, "killed") == ["1"]
    manager.start()
    three_nodes.wait()
    assert httpx.get(f"{manager.url}/_cat/nodes").text.count("\n") == 3
    three_nodes.call("DELETE", "/killed")


def test_a_paused_node_does_not_answer(three_nodes: Cluster) -> None:
    node = three_nodes.nodes[1]
    node.pause()
    try:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(node.url, timeout=1)
    finally:
        node.resume()
    assert httpx.get(node.url, timeout=30).json()["name"] == node.name
    three_nodes.wait()


def test_writes_are_refused_while_the_disks_are_flooded(one_node: Cluster) -> None:
    one_node.call("PUT", "/flooded", {"settings": {"number_of_replicas": 0}})

    def is_refused() -> bool:
        try:
            one_node.call("PUT", "/flooded/_doc/1", {})
        except httpx.HTTPStatusError as refused:
            assert "flood-stage" in str(refused)
            return True
        return False

    with one_node.flooded():
        wait_until(is_refused, seconds=60)
    wait_until(lambda: not is_refused(), seconds=60)
    one_node.call("DELETE", "/flooded")
