"""Runs the HTTP service under uvicorn."""

import logging
import socket
from collections.abc import Callable
from threading import Event
from types import FrameType

import uvicorn

from app.assembly import Kildesvar
from app.service import create_service
from index.errors import KildesvarError, LibraryBusyError

log = logging.getLogger("kildesvar")


class AddressTakenError(KildesvarError):
    """The service cannot listen where it was told to."""


class Server(uvicorn.Server):
    """Tells those who follow a job or an answer that it ends; else it would wait for them."""

    def __init__(self, config: uvicorn.Config, leaving: Event) -> None:
        super().__init__(config)
        self._leaving = leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._leaving.set()
        super().handle_exit(sig, frame)


def run_service(kildesvar: Kildesvar, announce: Callable[[str], None]) -> None:
    """Serves until stopped. `announce` is given the address once the service can be reached.

    Raises AddressTakenError when the port is in use or the address is not this machine's.
    """
    settings = kildesvar.settings
    make_ready(kildesvar)
    listening = listen(settings.host, settings.port)
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    service = create_service(kildesvar)
    config = uvicorn.Config(
        service,
        log_config=None,
        log_level=settings.log_level,
        access_log=False,  # it would tell what was asked; app.middleware.accounting does not
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    announce(f"http://{host}:{port}/")
    Server(config, service.state.leaving).run(sockets=[listening])


def make_ready(kildesvar: Kildesvar) -> None:
    """Opens the generation before the first question; without one the service still starts."""
    try:
        kildesvar.publish_if_stale()
    except LibraryBusyError:
        log.info("another process is writing to the library; its generation is taken up when done")
    except KildesvarError as error:  # what is published may answer all the same
        log.warning("cannot publish: %s", error)
    try:
        generation = kildesvar.generation()
        kildesvar.encoder.embed_query("Er du klar?")
        log.info("generation %s: %d passages", generation.name, generation.manifest.passages)
    except KildesvarError as error:
        log.warning("not ready: %s", error)


def listen(host: str, port: int) -> socket.socket:
    """A socket on which the service can be reached. Raises AddressTakenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where TCP is named; with it, an answer's body waits
    # 40 ms for the other side to acknowledge the headers.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise AddressTakenError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --host or --port"
        ) from error
    return listening
