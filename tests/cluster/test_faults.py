"""A part of the whole fails, under load: no ask fails, nothing is lost, nothing is doubled.

`python -m tests.cluster.trial` tries more faults, and for longer.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.network import why_not
from tests.cluster.opensearch import Cluster
from tests.cluster.postgresql import PostgreSQL
from tests.cluster.trial import FAULTS, Fault, Trial, problems_of, trial_of


@pytest.fixture(scope="module")
def trial(
    model_folder: Path,
    three_nodes: Cluster,
    postgresql: PostgreSQL,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Trial]:
    with trial_of(three_nodes, postgresql, tmp_path_factory.mktemp("trial")) as trial:
        trial.seconds = 4.0
        yield trial


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_nothing_is_lost_when(fault: Fault, trial: Trial) -> None:
    if fault.cuts and trial.network is None:
        pytest.skip(why_not())
    assert not problems_of(trial.under(fault), fault)
