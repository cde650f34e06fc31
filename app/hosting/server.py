"""Runs the HTTP service under uvicorn."""

import asyncio
import logging
import socket
from collections.abc import Callable
from time import monotonic
from types import FrameType

import uvicorn
from starlette.datastructures import State

from app.access.keys import Keys
from app.addresses import is_this_machine
from app.assembly import Kildesvar
from app.hosting.listening import address_of, listen
from app.hosting.service import create_service
from app.hosting.slow_clients import TimedProtocol
from index.errors import KildesvarError, LibraryBusyError

log = logging.getLogger("kildesvar")

_FINISHES_WITHIN = 5.0
"""Seconds that requests have to end by themselves, once the service is told to."""
_CUT_WITHIN = 5.0
"""Seconds that they have then, once they know that they are to end."""


class Server(uvicorn.Server):
    """Lets requests end before it ends itself, and has answers cut off that would take too long.

    Those who follow a job are told at once; else it would wait for them.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: State,
        on_start: Callable[[], None] = lambda: None,
        finishes_within: float = _FINISHES_WITHIN,
    ) -> None:
        """`state` is the service's; `finishes_within` are the seconds that an answer has to end."""
        config.timeout_graceful_shutdown = round(finishes_within + _CUT_WITHIN)
        super().__init__(config)
        self._state = state
        self._on_start = on_start
        self._finishes_within = finishes_within
        self._retires_until = 0.0
        self._is_hurried = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._is_hurried = True  # also one that retires
        self._state.leaving.set()
        super().handle_exit(sig, frame)

    def retire(self, finishes_within: float) -> None:
        """Ends as a signal would, while another process takes what comes: requests have so many
        seconds first, unless a signal comes, and nobody who keeps a connection is to find it
        closed under a request. For the loop's thread."""
        self._retires_until = monotonic() + finishes_within
        self._state.leaving.set()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._let_connections_go()
        cutting = asyncio.get_running_loop().call_later(
            self._finishes_within, self._state.cutting.set
        )
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()

    async def _let_connections_go(self) -> None:
        """Takes no new connection. While it retires, waits until those that there are have been
        told with an answer that they end with it (`LastAnswers`), or have long been idle."""
        for server in self.servers:
            server.close()
        while self._may_wait() and self.server_state.connections:
            await asyncio.sleep(0.05)

    def _may_wait(self) -> bool:
        return not self._is_hurried and monotonic() < self._retires_until


def run_service(kildesvar: Kildesvar, announce: Callable[[str], None]) -> None:
    """Serves until stopped. `announce` is given the address once the service can be reached.

    Raises AddressTakenError when the port is in use or the address is not this machine's.
    """
    settings = kildesvar.settings
    make_ready(kildesvar)
    say_who_comes_in(kildesvar)
    listening = listen(settings.host, settings.port)
    server = server_of(kildesvar)
    announce(address_of(settings.host, listening))
    server.run(sockets=[listening])


def server_of(kildesvar: Kildesvar, on_start: Callable[[], None] = lambda: None) -> Server:
    """What serves `kildesvar`, on sockets that it is given. `on_start` is called when it does."""
    service = create_service(kildesvar)
    config = uvicorn.Config(
        service,
        http=TimedProtocol,
        log_config=None,
        log_level=kildesvar.settings.log_level,
        access_log=False,  # it would tell what was asked; app.middleware.accounting does not
        server_header=False,
        proxy_headers=False,  # of which proxies to believe what is for app/middleware to say
    )
    return Server(config, service.state, on_start)


def make_ready(kildesvar: Kildesvar) -> None:
    """Opens the generation before the first question; without one the service still starts."""
    try:
        # What follows may have much to do, which the worker does while questions are answered.
        if not kildesvar.engine.follows:
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


def say_who_comes_in(kildesvar: Kildesvar) -> None:
    """Warns of a service that is open to others, or closed to everybody, or may be meant to be
    another."""
    settings = kildesvar.settings
    for doubt in settings.doubts:
        log.warning("%s", doubt)
    if settings.requires_keys:
        if not Keys(kildesvar.library).are_any_valid():
            log.warning(
                "a key is asked for, and none is valid: make the first with `kildesvar keys create "
                "NAME --role admin`, while the service runs or before (in a container: `docker "
                "exec NAME-OF-CONTAINER kildesvar keys create NAME --role admin`)"
            )
    elif not is_this_machine(settings.host):
        log.warning(
            "KILDESVAR_REQUIRE_KEYS=false: whoever reaches %s reads, changes and deletes all that "
            "there is, without a key",
            settings.host,
        )
