"""The servers that cluster tests share; each is started by the first test that asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.opensearch import Cluster, running_cluster
from tests.cluster.postgresql import PostgreSQL, running_postgresql

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("cluster")


@pytest.fixture(scope="session")
def one_node() -> Iterator[Cluster]:
    """An OpenSearch of one node; tests give their indices names of their own."""
    with running_cluster(briefly=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def three_nodes() -> Iterator[Cluster]:
    """An OpenSearch of three nodes; who stops one starts it again, and waits for green."""
    with running_cluster(nodes=3, briefly=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL; who stops it starts it again."""
    with running_postgresql() as server:
        yield server


@pytest.fixture
def database_url(postgresql: PostgreSQL) -> Iterator[str]:
    """URL of an empty database of the test's own."""
    url = postgresql.new_database()
    yield url
    postgresql.drop(url)
