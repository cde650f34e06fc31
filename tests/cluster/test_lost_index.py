"""An index that is lost under a running Kildesvar."""

import shutil
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from app import work
from app.assembly import Kildesvar
from app.settings import load_settings
from app.work import Worker
from index.errors import KildesvarError
from index.opensearch.lexical import ClusterLexical
from tests.cluster.opensearch import Cluster as Server
from tests.running import wait_until


def test_an_index_that_somebody_deletes_is_filled_again_by_itself(
    tmp_path: Path, examples_dir: Path, one_node: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_RETRIES_EVERY", 0.5)
    name = f"t{uuid.uuid4().hex[:12]}"
    settings = load_settings(
        data_dir=Path(shutil.copytree(examples_dir, tmp_path / "data")),
        opensearch_url=one_node.urls,
        opensearch_index=name,
        opensearch_replicas=0,
    )
    with closing(Kildesvar(settings)) as kildesvar:
        worker = Worker(kildesvar)
        worker.start()

        def passages() -> int:
            """How many are searched; 0 when none can be."""
            try:
                lexical = kildesvar.generation().lexical
                assert isinstance(lexical, ClusterLexical)
                return len(lexical)
            except KildesvarError:
                return 0

        try:
            wait_until(lambda: passages() > 0, seconds=60)
            before, generation = passages(), kildesvar.engine.current_name()
            [lost] = one_node.call("GET", f"/_alias/{name}")
            one_node.call("DELETE", f"/{lost}")
            assert kildesvar.is_current(), "by what the library knows"
            wait_until(lambda: kildesvar.engine.current_name() != generation, seconds=60)
            assert passages() == before
        finally:
            worker.stop()
    one_node.call("DELETE", f"/{name}-*")
