"""One writer at a time, between processes, and a lock that dies with its process."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from index.errors import LibraryBusyError
from index.lock import writing

HOLD = """
import sys
from pathlib import Path
from index.lock import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(data_dir: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_folder_is_made_and_the_lock_can_be_taken_again(tmp_path: Path) -> None:
    data_dir = tmp_path / "ny" / "mappe på Ås"
    for _ in range(2):
        with writing(data_dir):
            assert data_dir.is_dir()


def test_an_error_inside_comes_out_as_it_is_and_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), writing(tmp_path):
        raise ZeroDivisionError
    with writing(tmp_path):
        pass


def test_a_second_writer_is_told_to_wait(tmp_path: Path) -> None:
    with start_holder(tmp_path) as holder:
        with (
            pytest.raises(LibraryBusyError, match="wait until its ingest is done"),
            writing(tmp_path),
        ):
            pytest.fail("two writers at a time")
        with writing(tmp_path / "annet"):
            pass
        holder.communicate("", timeout=10)
    with writing(tmp_path):
        pass


def test_a_second_writer_in_the_same_process_is_told_so_too(tmp_path: Path) -> None:
    refused: list[bool] = []

    def attempt() -> None:
        try:
            with writing(tmp_path):
                refused.append(False)
        except LibraryBusyError:
            refused.append(True)

    with writing(tmp_path):
        attempt()
        thread = Thread(target=attempt)
        thread.start()
        thread.join()
    assert refused == [True, True]


def test_a_killed_writer_leaves_no_lock_behind(tmp_path: Path) -> None:
    with start_holder(tmp_path) as holder:
        holder.kill()
        assert holder.wait(timeout=10) != 0
    with writing(tmp_path):
        assert (tmp_path / "writer.lock").exists()
