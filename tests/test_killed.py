"""Work that SIGKILL ends loses nothing; scripts/trial_kills.py does the same 200 times."""

import re
import subprocess
import sys

from tests.conftest import ROOT


def test_nothing_is_lost_when_work_is_killed() -> None:
    command = [sys.executable, "-m", "scripts.trial_kills", "--trials", "10", "--seed", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = re.findall(r"^\| (\w+) \| \d+ \| \d+ \|$", done.stdout, re.M)
    assert len(kinds) >= 2, "several kinds of work were tried"
