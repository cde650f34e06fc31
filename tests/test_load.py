"""What watches a service under load."""

import os
import sys

import pytest

from scripts.load.memory import Memory


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_the_memory_of_a_short_run_is_known() -> None:
    with Memory(os.getpid()).watched() as memory:
        pass
    assert len(memory["memory_curve"]) == 2
    assert memory["memory_most_mb"] >= memory["memory_before_mb"] > 10
