"""Views of a cluster: they do what every view has to, over three nodes, three shards and copies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.assembly import Kildesvar
from app.settings import load_settings
from index.engine import Contents, Recipe
from index.entries import entries_of
from index.generations import Generations
from index.passages import PassageSettings
from tests import view_contract
from tests.cluster.opensearch import Cluster


def opened(cluster: Cluster, data_dir: Path, name: str) -> Kildesvar:
    settings = load_settings(
        data_dir=data_dir,
        opensearch_url=cluster.urls,
        opensearch_index=name,
        opensearch_shards=3,
        opensearch_replicas=1,
    )
    return Kildesvar(settings)


@pytest.fixture(scope="module")
def both(
    three_nodes: Cluster, model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kildesvar]:
    root = tmp_path_factory.mktemp("views")
    kildesvar = opened(three_nodes, root / "data", "views")
    view_contract.add_both(kildesvar, root)
    yield kildesvar
    kildesvar.close()


@pytest.mark.parametrize("check", view_contract.READING)
def test_it_does_what_every_view_does(check: Callable[[Kildesvar], None], both: Kildesvar) -> None:
    check(both)


def test_it_changes_as_every_view_does(
    three_nodes: Cluster, model_folder: Path, tmp_path: Path
) -> None:
    kildesvar = opened(three_nodes, tmp_path / "data", "changing")
    for check in view_contract.CHANGING:
        check(kildesvar, tmp_path / "docs")
    kildesvar.close()


def test_scores_are_those_of_files(both: Kildesvar, tmp_path: Path) -> None:
    """Of the very same library, in one part of a generation as in three shards."""
    local = Generations(tmp_path, both.library)
    library, encoder = both.library, both.encoder
    version = library.version()
    contents = Contents(
        lambda: library.parts(version.edition),
        version,
        lambda ids: entries_of(library, ids, encoder.fingerprint),
    )
    local.publish(contents, Recipe.of(encoder.fingerprint, encoder.dimension, PassageSettings()))
    files = local.open().view(view_contract.READER)
    cluster = both.view(view_contract.READER)
    words = both.analyser.weights("Hvilke ferger går, og hvor mange medlemmer har bransjen?")
    found = cluster.lexical.search(words, 20)
    assert dict(found) == pytest.approx(dict(files.lexical.search(words, 20)), rel=1e-5)
    ids = [passage_id for passage_id, _ in found]
    assert cluster.lexical.shares(words) == pytest.approx(files.lexical.shares(words))
    covered = cluster.lexical.coverage(words, ids)
    assert covered == pytest.approx(files.lexical.coverage(words, ids), abs=1e-6)
    vector = both.encoder.embed_query("Hvor mange er medlemmer?")
    near = cluster.dense.search(vector, 20)
    assert [i for i, _ in near] == [i for i, _ in files.dense.search(vector, 20)]
    np.testing.assert_allclose(
        cluster.dense.similarities(vector, ids), files.dense.similarities(vector, ids), atol=1e-6
    )
    assert np.isnan(cluster.dense.similarities(vector, [10**9])[0])
