"""`kildesvar prepare`, `serve`, `work` and `mcp`."""

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer

from app.commands.common import (
    ConfigFile,
    DataDir,
    Json,
    opened,
    prepared,
    print_json,
    require_library,
    say,
)
from app.settings import Configuration, Settings, configuration, load_settings
from app.sight.logs import configure_logging

log = logging.getLogger("kildesvar")


def prepare(data_dir: DataDir = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Make the models ready to run; done once, and quick when it is done already.

    Models are shared by all libraries: they lie in KILDESVAR_MODELS_DIR, whatever --data-dir says.
    """
    settings = load_settings(data_dir=data_dir, config=config)
    folder = prepared(settings)
    if as_json:
        print_json({"folder": str(folder)})
    else:
        print(f"The models are ready in {settings.models_dir}")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Answer over HTTP, with the pages at the printed address, until stopped."""

    def read_anew() -> Configuration:
        return configuration(host=host, port=port, data_dir=data_dir, config=config)

    read = read_anew()
    settings = read.settings
    prepared(settings)
    configure_logging(settings)
    log.info("settings: %s", read.summary or "none, all as they are by default")
    announce = _announce_as_json if as_json else _announce
    is_at_terminal = os.isatty(0)  # whose SIGHUP says that it is closed
    # Ctrl-C is how a service is meant to end, so it is no failure.
    with suppress(KeyboardInterrupt):
        if settings.workers == 1:
            if not is_at_terminal:
                hear_hangups()
            _serve_alone(settings, announce)
        else:
            from app.hosting.supervisor import run_workers

            run_workers(read, None if is_at_terminal else read_anew, announce)


def _serve_alone(settings: Settings, announce: Callable[[str], None]) -> None:
    from app.hosting.server import run_service

    with opened(settings) as kildesvar:
        run_service(kildesvar, announce)


def work(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Read what is sent to the services of this library, and answer nobody, until stopped."""
    import threading

    from app.sight.metrics.events import Metrics
    from app.sight.witness import Witness, traces_to
    from app.work import Worker

    settings = load_settings(data_dir=data_dir, config=config)
    prepared(settings)
    configure_logging(settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # To be told to stop is how it is meant to end, so it is no failure.
    with suppress(KeyboardInterrupt), opened(settings) as kildesvar:
        witness = Witness(Metrics(), traces_to(settings.traces_url))
        worker = Worker(kildesvar, witness.worked)
        worker.start()
        say("Kildesvar reads what is sent  (stop with Ctrl-C)")
        try:
            threading.Event().wait()
        finally:
            worker.stop()
            witness.stop()


def mcp(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Be a tool server (MCP) on standard input and output, for the program that starts this."""
    import threading

    from anyio import run

    from app.asking.asking import Asking
    from app.asking.gate import Gate
    from app.asking.ongoing import Patience
    from app.mcp.server import serve_stdio
    from app.mcp.tools import Tools

    settings = load_settings(data_dir=data_dir, config=config)
    require_library(settings)
    configure_logging(settings)
    # Else Ctrl-C would wait for the next line of the input.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with opened(settings) as kildesvar:
        asking = Asking(kildesvar.answerer, None, threading.Event(), patience=Patience.of(settings))
        gate = Gate(settings.places, settings.max_waiting, settings.max_wait_seconds)
        run(serve_stdio, Tools(kildesvar, asking, gate))


def hear_hangups() -> None:
    """Lets SIGHUP, which reads settings anew where there are several workers, end nothing."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _say_what_reloads)


def _say_what_reloads(_: int, __: object) -> None:
    log.warning(
        "settings are not read anew, since that takes a second process to answer meanwhile; set "
        "KILDESVAR_WORKERS to 2 or more, or start the service again"
    )


def _announce(address: str) -> None:
    say(f"Kildesvar answers at {address}  (stop with Ctrl-C)")


def _announce_as_json(address: str) -> None:
    print_json({"address": address})
