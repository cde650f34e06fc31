"""One of several processes that serve: started, watched and retired by `app.hosting.supervisor`.

It is given its orders, pickled, on its standard input; what comes after them is the word to retire,
and the end of the input says that the supervisor is gone. It reports, in lines of JSON, that it
serves, or why it cannot.
"""

import asyncio
import json
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from app.hosting.shared_folder import VARIABLE
from app.settings import Settings
from app.sight.metrics.shared import count_together
from index.errors import KildesvarError

RETIRE = b"r"
READY = "ready"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Orders:
    """What to serve and where: `listening` and `reports` are file descriptors, `finishes_within`
    the seconds that requests have when the process retires."""

    settings: Settings
    listening: int
    reports: int
    shared: Path
    finishes_within: float


def main() -> None:
    """Serves by the orders on standard input, until told to end."""
    # Unbuffered: what comes after the orders is read elsewhere, and a thread that waits in a
    # buffered input cannot be ended with the process.
    with os.fdopen(0, "rb", buffering=0, closefd=False) as given:
        orders: Orders = pickle.load(given)
    for descriptor in (orders.listening, orders.reports):
        os.set_inheritable(descriptor, False)  # the processes that read documents need neither
    os.environ[VARIABLE] = str(orders.shared)
    count_together(orders.shared)
    with os.fdopen(orders.reports, "w", encoding="utf-8") as reports:

        def report(**said: Any) -> None:
            with suppress(BrokenPipeError):  # nobody is left to hear it
                reports.write(json.dumps(said) + "\n")
                reports.flush()

        try:
            _serve(orders, lambda: report(state=READY))
        except KildesvarError as error:
            report(state=FAILED, reason=str(error))
            sys.exit(2)
        except Exception as error:
            report(state=FAILED, reason=f"unforeseen error ({type(error).__name__}: {error})")
            raise


def _serve(orders: Orders, report_ready: Callable[[], None]) -> None:
    from app.commands.common import opened  # noqa: PLC0415 - its failure is told
    from app.hosting.server import make_ready, say_who_comes_in, server_of  # noqa: PLC0415
    from app.sight.logs import configure_logging  # noqa: PLC0415

    def on_start() -> None:
        loop = asyncio.get_running_loop()
        Thread(target=obey, args=(loop,), name="orders", daemon=True).start()
        report_ready()

    def obey(loop: asyncio.AbstractEventLoop) -> None:
        while os.read(0, 1) == RETIRE:
            loop.call_soon_threadsafe(server.retire, orders.finishes_within)
        os.kill(os.getpid(), signal.SIGTERM)  # the supervisor is gone

    configure_logging(orders.settings)
    with opened(orders.settings) as kildesvar:
        make_ready(kildesvar)
        say_who_comes_in(kildesvar)
        server = server_of(kildesvar, on_start)
        server.run(sockets=[socket.socket(fileno=orders.listening)])


if __name__ == "__main__":
    main()
