"""What is written, other users of the machine cannot read."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.private_files import private_files
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("given", "mode"), [(0o022, 0o600), (0o002, 0o660), (0o077, 0o600), (0o007, 0o660), (0, 0o660)]
)
def test_others_read_nothing(tmp_path: Path, given: int, mode: int) -> None:
    before = os.umask(given)
    try:
        with private_files():
            (tmp_path / "a").touch()
        (tmp_path / "b").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o666 & ~given


def test_a_library_and_its_index_are_private(tmp_path: Path, model_folder: Path) -> None:
    (tmp_path / "a.txt").write_text("Rådet møttes fem ganger.", encoding="utf-8")
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "app.cli", "ingest", str(tmp_path / "a.txt")]
    subprocess.run([*command, "--data-dir", str(data_dir)], cwd=ROOT, check=True, umask=0o022)
    written = [data_dir, *data_dir.rglob("*")]
    assert len(written) > 5
    for path in written:
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
