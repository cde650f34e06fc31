"""The parent of several processes that serve on one socket: starts them, starts one again that
dies, and exchanges them for others with settings read anew.

Each is `app.hosting.supervised`. All hold the same socket, so that what connects while one of
them ends is taken by another. They are exchanged one by one: there is never more than one more than
wanted.
"""

import contextlib
import json
import logging
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from enum import Enum, auto
from math import inf
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

from app.hosting.listening import address_of, listen
from app.hosting.supervised import FAILED, READY, RETIRE, Orders
from app.settings import Configuration, Settings, SettingsError
from app.sight.metrics.shared import folder_in_memory, process_ended
from index.errors import KildesvarError
from index.processors import available_processors

log = logging.getLogger("kildesvar")

_LOOKS_EVERY = 1.0
_SHORT_LIFE = 30.0
"""Seconds of a life after which the next is begun at once; shorter ones are put off."""
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 30.0
_STARTS_WITHIN = 900.0
"""Seconds that a process has to begin to serve, since nothing else is begun meanwhile: enough to
make the generation of a large library anew."""
_STOPS_WITHIN = 75.0
"""Seconds that a process has to end once it is to; then it is killed. Requests take 10 of them,
what is written at the end 50 at most."""
_ENDS_WITHIN = 5.0
"""Seconds between a process's last word and its end."""


class ServingFailedError(KildesvarError):
    """No process could begin to serve."""


class _State(Enum):
    STARTING = auto()
    SERVING = auto()
    LEAVING = auto()


class _Process:
    """One process that serves, as its parent sees it."""

    def __init__(
        self, module: str, configuration: Configuration, listening: socket.socket, shared: Path
    ) -> None:
        """Raises OSError when the machine has no room for one more."""
        self.configuration = configuration
        self.reason = ""
        """Why it could not serve."""
        self._become(_State.STARTING, _STARTS_WITHIN)
        self._shared = shared
        settings = configuration.settings
        self._finishes_within = finishing_time(settings)
        own_end, its_end = os.pipe()
        self.reports = os.fdopen(own_end, encoding="utf-8")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", module],
                stdin=subprocess.PIPE,
                pass_fds=(listening.fileno(), its_end),
                process_group=0,  # Ctrl-C is for the parent, which lets them end in order
            )
        except OSError:
            self.reports.close()
            raise
        finally:
            os.close(its_end)
        share = share_of(settings)
        orders = Orders(share, listening.fileno(), its_end, shared, self._finishes_within)
        self._tell(pickle.dumps(orders))

    @property
    def id(self) -> int:
        return self._process.pid

    def hear(self) -> bool:
        """Takes in what it reports; False at its last word."""
        line = self.reports.readline()
        if not line.endswith("\n"):
            return False
        said: dict[str, Any] = json.loads(line)
        if said["state"] == READY and self.state is _State.STARTING:
            self._become(_State.SERVING)
        elif said["state"] == FAILED:
            self.reason = said["reason"]
        return True

    def retire(self) -> None:
        """Lets it end when its requests have."""
        self._become(_State.LEAVING, self._finishes_within + _STOPS_WITHIN)
        self._tell(RETIRE)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self._become(_State.LEAVING, _STOPS_WITHIN)
        self._process.send_signal(number)

    def kill_if_overdue(self) -> None:
        """Ends what should have ended, or begun to serve, long ago."""
        if monotonic() <= self._ends_by:
            return
        if self.state is _State.STARTING:
            self.reason = f"it did not begin to serve within {_STARTS_WITHIN:g} s"
            log.error("worker %d does not begin to serve, and is killed", self.id)
        else:
            log.error("worker %d does not end, and is killed", self.id)
        self._process.kill()

    def end(self) -> str:
        """Waits for its end, after its last word, and gives the reason."""
        self.reports.close()
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            status = self._process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        process_ended(self.id, self._shared)
        return self.reason or _named(status)

    @property
    def age(self) -> float:
        """Seconds for which it has been what it is."""
        return monotonic() - self._since

    def _become(self, state: _State, ends_within: float = inf) -> None:
        self.state = state
        self._since = monotonic()
        self._ends_by = self._since + ends_within

    def _tell(self, message: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died, as will be seen
            self._process.stdin.write(message)
            self._process.stdin.flush()


def run_workers(
    configuration: Configuration,
    read_anew: Callable[[], Configuration] | None,
    announce: Callable[[str], None],
) -> None:
    """Serves with several processes until stopped. `announce` is given the address once, when the
    service can be reached.

    Raises AddressTakenError, and ServingFailedError when the first process cannot serve.
    """
    if os.name == "nt":
        raise ServingFailedError(
            "several processes cannot serve on one socket here; set KILDESVAR_WORKERS to 1"
        )
    host = configuration.settings.host
    with listen(host, configuration.settings.port) as listening:
        address = address_of(host, listening)
        Supervisor(configuration, read_anew, listening, lambda: announce(address)).run()


class Supervisor:
    """Keeps as many processes serving on `listening` as the settings want."""

    def __init__(
        self,
        configuration: Configuration,
        read_anew: Callable[[], Configuration] | None,
        listening: socket.socket,
        on_start: Callable[[], None],
        module: str = "app.hosting.supervised",
    ) -> None:
        """`on_start` is called once, when the first of them serves. `read_anew` gives the settings
        as they are now, or raises SettingsError; None where SIGHUP is to end the service, as a
        terminal that is closed means it. `module` is what each process runs."""
        self._module = module
        self._wanted = configuration
        self._proven: Configuration | None = None
        """What processes have begun to serve with."""
        self._read_anew = read_anew
        self._listening = listening
        self._on_start = on_start
        self._processes: list[_Process] = []
        self._signals: list[int] = []
        self._is_stopping = False
        self._failures = 0
        """Of processes that died young, one after the other."""
        self._not_before = 0.0

    def run(self) -> None:
        """Until SIGTERM or SIGINT; on SIGHUP, all processes are exchanged, if settings can be
        read anew.

        Raises ServingFailedError when the first process cannot serve.
        """
        with (
            tempfile.TemporaryDirectory(prefix="kildesvar-", dir=folder_in_memory()) as shared,
            selectors.DefaultSelector() as selector,
            self._hearing_signals(selector),
        ):
            try:
                while self._processes or not self._is_stopping:
                    self._take_step(selector, Path(shared))
                    self._wait(selector)
            finally:
                for process in self._processes:
                    process.stop()
                    process.end()

    def _take_step(self, selector: selectors.BaseSelector, shared: Path) -> None:
        """Does the one thing that brings what there is nearer to what is wanted."""
        for process in self._processes:
            process.kill_if_overdue()
        serving = self._in(_State.SERVING)
        current = [process for process in serving if process.configuration is self._wanted]
        wanted = self._wanted.settings.workers
        if self._is_stopping or self._in(_State.STARTING):
            return
        if len(serving) > wanted:
            former = [process for process in serving if process not in current]
            self._retire((former or serving)[0])
            return
        is_one_missing = len(serving) < wanted
        is_next_in_turn = len(current) < wanted and not self._in(_State.LEAVING)
        if (is_one_missing or is_next_in_turn) and monotonic() >= self._not_before:
            self._start(selector, shared)

    def _in(self, state: _State) -> list[_Process]:
        return [process for process in self._processes if process.state is state]

    def _start(self, selector: selectors.BaseSelector, shared: Path) -> None:
        try:
            process = _Process(self._module, self._wanted, self._listening, shared)
        except OSError as error:
            failure = f"a worker could not be started ({error})"
            if self._proven is None:
                raise ServingFailedError(failure) from error
            self._start_later(failure, died_young=True)
            return
        log.info("worker %d is started", process.id)
        self._processes.append(process)
        selector.register(process.reports, selectors.EVENT_READ, process)

    def _retire(self, process: _Process) -> None:
        log.info("worker %d ends when its requests have", process.id)
        process.retire()

    def _wait(self, selector: selectors.BaseSelector) -> None:
        for key, _ in selector.select(_LOOKS_EVERY):
            process: _Process | None = key.data
            if process is None:
                os.read(key.fd, 4096)  # a signal has come, which is kept
            elif process.hear():
                self._note(process)
            else:
                selector.unregister(process.reports)
                self._processes.remove(process)
                self._bury(process)
        while self._signals:
            self._obey(self._signals.pop(0))

    def _note(self, process: _Process) -> None:
        """Takes up that a process has become what it is now."""
        if process.state is not _State.SERVING:
            return
        log.info(
            "worker %d serves (%d do, %d are wanted)",
            process.id,
            len(self._in(_State.SERVING)),
            self._wanted.settings.workers,
        )
        if self._proven is None:
            self._on_start()
        self._proven = process.configuration

    def _bury(self, process: _Process) -> None:
        lived, state, reason = process.age, process.state, process.end()
        if state is _State.LEAVING:
            log.info("worker %d has ended", process.id)
            return
        if self._proven is None:
            raise ServingFailedError(reason)
        is_wanted = process.configuration is self._wanted
        if state is _State.STARTING and is_wanted and self._wanted is not self._proven:
            log.error("the new settings are given up, since no worker serves with them: %s", reason)
            self._wanted = self._proven
            return
        died_young = state is _State.STARTING or lived < _SHORT_LIFE
        self._start_later(f"worker {process.id} died ({reason})", died_young)

    def _start_later(self, failure: str, died_young: bool) -> None:
        """Puts the next start off, the longer the more have died young."""
        self._failures = self._failures + 1 if died_young else 0
        wait = min(_FIRST_WAIT * 2**self._failures / 2, _LONGEST_WAIT) if self._failures else 0.0
        self._not_before = monotonic() + wait
        log.error("%s; another is started%s", failure, f" in {wait:g} s" if wait else "")

    def _obey(self, number: int) -> None:
        if number == signal.SIGHUP and self._read_anew is not None:
            self._reload(self._read_anew)
            return
        is_urgent = self._is_stopping and number == signal.SIGINT  # Ctrl-C twice: at once
        for process in self._processes:
            process.stop(signal.SIGINT if is_urgent else signal.SIGTERM)
        if not self._is_stopping:
            log.info("stopping: requests have some seconds to end")
        self._is_stopping = True

    def _reload(self, read_anew: Callable[[], Configuration]) -> None:
        try:
            configuration = read_anew()
        except SettingsError as error:
            log.error("settings are not taken up, the former ones stay: %s", error)
            return
        former, settings = self._wanted.settings, configuration.settings
        if (former.host, former.port) != (settings.host, settings.port):
            log.warning("host and port stay as they are until the service is started again")
        log.info("settings are taken up, worker by worker: %s", configuration.summary)
        self._wanted = configuration
        self._not_before = 0.0

    @contextlib.contextmanager
    def _hearing_signals(self, selector: selectors.BaseSelector) -> Iterator[None]:
        """Within, signals end the wait, and are kept in order."""

        def keep(number: int, _: FrameType | None) -> None:
            self._signals.append(number)

        woken, waking = socket.socketpair()
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        with woken, waking:
            waking.setblocking(False)
            selector.register(woken, selectors.EVENT_READ, None)
            before = {number: signal.signal(number, keep) for number in numbers}
            woken_before = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
            try:
                yield
            finally:
                signal.set_wakeup_fd(woken_before)
                for number, handler in before.items():
                    signal.signal(number, handler)


def finishing_time(settings: Settings) -> float:
    """Seconds after which every answer that was begun has come to its end, and been sent."""
    return settings.answer_seconds + settings.llm_patience + settings.llm_seconds + 10.0


def share_of(settings: Settings) -> Settings:
    """What one of the workers may take of what the service as a whole may."""
    workers = settings.workers
    shared = {
        "threads": settings.threads or available_processors(),
        "max_concurrency": settings.places,
        "max_waiting": settings.max_waiting,
        "cached_answers_mb": settings.cached_answers_mb,
        "llm_concurrency": settings.llm_concurrency,
    }
    return settings.model_copy(
        update={name: -(-number // workers) for name, number in shared.items()}
    )


def _named(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"status {status}"
