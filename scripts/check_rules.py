"""Has Prometheus' own parser read the alerts, and every expression of the dashboard.

Needs Go, and the Go module proxy the first time (a minute): `python -m scripts.check_rules`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOARD = ROOT / "docs/deploy/grafana/dashboards/kildesvar.json"
ALERTS = ROOT / "docs/deploy/prometheus/alerts.yml"

_MODULE = "module rules\n\ngo 1.23\n\nrequire github.com/prometheus/prometheus v0.301.0\n"


def expressions() -> list[str]:
    """Those of the dashboard, with a time for what Grafana fills in."""
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    asked = [target for panel in board["panels"] for target in panel.get("targets", [])]
    asked += board["annotations"]["list"]
    return [item["expr"].replace("$__rate_interval", "5m") for item in asked]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "go.mod").write_text(_MODULE, encoding="utf-8")
        shutil.copy(Path(__file__).with_suffix(".go"), folder)
        done = subprocess.run(
            ["go", "run", ".", str(ALERTS)],
            cwd=folder,
            env={**os.environ, "GOFLAGS": "-mod=mod"},
            input="\n".join(expressions()),
            text=True,
            check=False,
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
