"""A process that serves nothing, and is supervised like one that does: it begins in a moment.

What it does is told by `llm_model`, or by a file in the data folder, where it writes what becomes
of it.
"""

import json
import os
import pickle
import signal
import sys
import time

from app.hosting.shared_folder import VARIABLE
from app.hosting.supervised import FAILED, READY, RETIRE, Orders


def main() -> None:
    with os.fdopen(0, "rb", buffering=0, closefd=False) as given:
        orders: Orders = pickle.load(given)
    settings = orders.settings
    with os.fdopen(orders.reports, "w", encoding="utf-8") as reports:
        if settings.llm_model == "lingers":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if settings.llm_model == "hangs":
            (settings.data_dir / "hangs").touch()
            while (settings.data_dir / "hangs").exists():
                time.sleep(0.02)
        if settings.llm_model in {"fails", "hangs"}:
            reports.write(json.dumps({"state": FAILED, "reason": "the model is gone"}) + "\n")
            sys.exit(2)
        if (settings.data_dir / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        reports.write(json.dumps({"state": READY}) + "\n")
        reports.flush()
        assert orders.shared.is_dir()
        assert VARIABLE not in os.environ
        life = settings.data_dir / str(os.getpid())
        life.write_text(f"{settings.candidates} {settings.threads} {settings.max_concurrency}")
        word = os.read(0, 1)
        life.rename(life.with_suffix(".retired" if word == RETIRE else ".orphaned"))
        if settings.llm_model == "lingers":
            signal.pause()


if __name__ == "__main__":
    main()
