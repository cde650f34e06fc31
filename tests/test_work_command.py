"""`kildesvar work`: a process that reads what others were sent, and nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from tests.conftest import LOCAL, ROOT
from tests.test_work import TEXT, asked, finished, upload


@contextmanager
def working(data_dir: Path, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The process of a real `kildesvar work` over `data_dir`; its log is `work.log` there."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("KILDESVAR_")}
    environment |= {f"KILDESVAR_{name.upper()}": value for name, value in settings.items()}
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "work.log").open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "work", "--data-dir", str(data_dir)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_service_may_leave_its_files_to_another_process(
    tmp_path: Path, model_folder: Path
) -> None:
    data_dir = tmp_path / "data"
    own = Kildesvar(load_settings(data_dir=data_dir, works_on_uploads=False))
    with TestClient(create_service(own), base_url=LOCAL) as client:
        job_id = upload(client, TEXT)
        with working(data_dir) as process:
            assert finished(client, job_id)["state"] == "done"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        assert "Solveig Myklebust" in asked(client)["answer"]
        waiting = upload(client, TEXT, "kopi.txt")
        assert client.get(f"/v1/jobs/{waiting}").json()["state"] == "queued"
    log = (data_dir / "work.log").read_text("utf-8")
    assert f"job {job_id} is done" in log
    assert "Traceback" not in log
