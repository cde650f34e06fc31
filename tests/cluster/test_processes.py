"""Servers end with whoever started them, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.processes import ServerError, ServerProcess, server_folder, wait_for
from tests.conftest import ROOT
from tests.running import wait_until

SERVER = """
import time
from threading import Thread
from tests.cluster.postgresql import running_postgresql
with running_postgresql() as server:
    thread = Thread(target=lambda: (server.kill(), server.start()))  # a thread that ends
    thread.start()
    thread.join()
    print(server.process.pids()[0], server.folder, flush=True)
    time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_killed_test_run_leaves_nothing_behind() -> None:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        pid, folder = run.stdout.readline().split()
        assert is_alive(int(pid)), "it outlives the thread that started it"
        run.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_alive(int(pid)))
    assert Path(folder).exists()
    with server_folder("next") as own:
        assert not Path(folder).exists(), "the next to start one tidies up"
        with server_folder("other"):
            assert own.exists()


def test_what_does_not_start_says_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = ServerProcess(["sh", "-c", "echo no such database; exit 3"], Path("/"), log, {})
    with pytest.raises(ServerError, match=r"ended.*\nno such database"):
        wait_for(lambda: False, [process], 10)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_servers_do_not_run_as_root(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = ServerProcess(["id", "-un"], Path("/"), log, {})
    wait_until(lambda: not process.is_running)
    assert process.last_lines() == "nobody"
