"""Requests that are made up from the OpenAPI: a few of each operation, the same ones every time.

`make fuzz` sends more than 10,000.
"""

import shutil
from pathlib import Path

from app.access.callers import Role
from app.access.keys import Keys
from scripts.fuzz_api import fuzz
from tests.running import running


def test_every_operation_answers_as_it_is_described(ingested: Path, tmp_path: Path) -> None:
    data_dir = shutil.copytree(ingested, tmp_path / "data")
    unlimited = {"requests_per_minute": 0, "wrong_keys_per_minute": 0}
    with running(data_dir, require_keys=True, **unlimited) as service:
        _, key = Keys(service.kildesvar.library).create("fuzz", Role.ADMIN)
        described = service.client.get("/openapi.json").json()["paths"]
        found = fuzz(
            str(service.client.base_url),
            seed=1,
            key=key,
            generation={"max-examples": 5, "database": "none", "no-shrink": True},
            phases={"coverage": {"enabled": False}, "stateful": {"enabled": False}},
        )
    assert not found.failures, "\n\n".join(found.failures.values())
    assert found.errors == []
    operations = {f"{method.upper()} {path}" for path, of in described.items() for method in of}
    assert found.cases.keys() == operations
    assert found.cases.total() > 3 * len(operations)
