"""Where passages are searched, by the settings."""

from typing import TYPE_CHECKING

from app.settings import Settings
from index.engine import IndexEngine
from index.generations import Generations
from index.library import Library

if TYPE_CHECKING:
    from index.opensearch.client import Cluster
    from index.opensearch.engine import OpenSearchEngine
    from index.opensearch.mapping import Layout

# What is of the cluster is imported where it is needed: only those who have one need its client.


def engine_of(settings: Settings, library: Library) -> IndexEngine:
    """The cluster that the settings name, which is not asked before it is needed; else files."""
    if not settings.opensearch_url:
        return Generations(settings.generations_dir, library)
    return cluster_engine_of(settings, library)


def cluster_engine_of(settings: Settings, library: Library) -> "OpenSearchEngine":
    """The cluster that the settings name, which must name one."""
    from index.opensearch.engine import OpenSearchEngine  # noqa: PLC0415

    return OpenSearchEngine(library, cluster_of(settings), _layout(settings))


def last_id_of(settings: Settings) -> int:
    """The highest id of a passage that is searched or was, though the library be lost; else 0.

    Raises IndexUnavailableError.
    """
    if not settings.opensearch_url:
        return Generations(settings.generations_dir).last_id()
    from index.opensearch.engine import last_id  # noqa: PLC0415

    cluster = cluster_of(settings)
    try:
        return last_id(cluster, _layout(settings))
    finally:
        cluster.close()


def cluster_of(settings: Settings) -> "Cluster":
    """The cluster that the settings name. Whoever has it made closes it."""
    from index.opensearch.client import Address, Cluster  # noqa: PLC0415

    return Cluster(
        Address(
            settings.opensearch_url,
            settings.opensearch_user,
            settings.opensearch_password.get_secret_value(),
            settings.opensearch_key.get_secret_value(),
            settings.opensearch_ca,
            settings.opensearch_seconds,
        )
    )


def _layout(settings: Settings) -> "Layout":
    from index.opensearch.mapping import Layout  # noqa: PLC0415

    return Layout(
        settings.opensearch_index, settings.opensearch_shards, settings.opensearch_replicas
    )
