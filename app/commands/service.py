"""`kildesvar prepare`, `kildesvar serve` and `kildesvar mcp`."""

from contextlib import suppress
from typing import Annotated

import typer

from app.commands.common import (
    DataDir,
    Json,
    configure_logging,
    opened,
    prepared,
    print_json,
    require_library,
    say,
)
from app.settings import load_settings


def prepare(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Make the models ready to run; done once, and quick when it is done already.

    Models are shared by all libraries: they lie in KILDESVAR_MODELS_DIR, whatever --data-dir says.
    """
    settings = load_settings(data_dir=data_dir)
    folder = prepared(settings)
    if as_json:
        print_json({"folder": str(folder)})
    else:
        print(f"The models are ready in {settings.models_dir}")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Answer over HTTP, with the pages at the printed address, until stopped."""
    from app.serving import run_service

    settings = load_settings(host=host, port=port, data_dir=data_dir)
    prepared(settings)
    configure_logging(settings)
    # Ctrl-C is how a service is meant to end, so it is no failure.
    with opened(settings) as kildesvar, suppress(KeyboardInterrupt):
        run_service(kildesvar, _announce_as_json if as_json else _announce)


def mcp(data_dir: DataDir = None) -> None:
    """Be a tool server (MCP) on standard input and output, for the program that starts this."""
    import signal
    import threading

    from anyio import run

    from app.asking import Asking
    from app.gate import Gate
    from app.mcp.server import serve_stdio
    from app.mcp.tools import Tools
    from app.ongoing import Patience

    settings = load_settings(data_dir=data_dir)
    require_library(settings)
    configure_logging(settings)
    # Else Ctrl-C would wait for the next line of the input.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with opened(settings) as kildesvar:
        asking = Asking(kildesvar.answerer, None, threading.Event(), Patience.of(settings))
        gate = Gate(settings.places, settings.max_waiting, settings.max_wait_seconds)
        run(serve_stdio, Tools(kildesvar, asking, gate))


def _announce(address: str) -> None:
    say(f"Kildesvar answers at {address}  (stop with Ctrl-C)")


def _announce_as_json(address: str) -> None:
    print_json({"address": address})
