"""Processes of servers: as another user than root, and gone when whoever started them is."""

import contextlib
import fcntl
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import ClassVar

_PREFIX = "cluster-"
_PORTS = range(20_000, 32_000)
"""Below those from which the kernel takes ports for outgoing connections: the port of a server that
was killed stays free until it comes back."""


class ServerError(Exception):
    """A server cannot be had here, or did not start; says what to do, or what its log says."""


@cache
def server_user() -> pwd.struct_passwd | None:
    """Whom servers run as: `nobody` if we are root, whom they refuse to run as; None: as we are."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def give(path: Path) -> None:
    """Makes a file, or a folder with all that is in it, the user's whom servers run as."""
    if user := server_user():
        for each in (path, *path.rglob("*")):
            os.chown(each, user.pw_uid, user.pw_gid, follow_symlinks=False)


@contextlib.contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """A folder of a server's own, below the system's one for temporary files: the user whom servers
    run as cannot always enter the checkout or our home. It is deleted afterwards, and those that
    killed processes left are deleted now."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{name}-"))
    with (folder / "locking").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "locking").rename(folder / "lock")
        give(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _sweep() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/lock"):
        with contextlib.suppress(OSError), lock.open() as file:  # in use, another's, or just gone
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent)


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens. They are drawn at random, so that two who ask at the same
    time hardly get the same."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            return found
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found.append(port)
    raise ServerError(f"no {count} free ports from {_PORTS.start} to {_PORTS.stop}")


def as_server(command: Sequence[str]) -> list[str]:
    """The command, run as the user whom servers run as."""
    if user := server_user():
        who = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return ["setpriv", *who, "--no-new-privs", *command]
    return list(command)


class ServerProcess:
    """A process with a log, which dies with this one however that ends.

    The kernel kills it when the *thread* that started it ends, so that all are started by one
    thread, which lives as long as we do.
    """

    _starter = ThreadPoolExecutor(1, thread_name_prefix="servers")

    def __init__(
        self, command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = self._starter.submit(
                subprocess.Popen,
                as_server(["setpriv", "--pdeathsig=KILL", *command]),  # last: a new user clears it
                cwd=folder,
                env={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, who stop it in order
            ).result()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def pids(self) -> list[int]:
        """The process and its children, such as PostgreSQL's backends."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [pid, *map(int, children.read_text().split())]

    def send(self, number: int) -> None:
        """Sends it to the process alone."""
        if self.is_running:
            self._process.send_signal(number)

    def send_to_all(self, number: int) -> None:
        """Sends it to the process and its children."""
        if self.is_running:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL, as a machine that fails: nothing is finished or told."""
        self.send_to_all(signal.SIGKILL)
        self._process.wait()

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> None:
        """In order, or with SIGKILL if it takes longer than `seconds`."""
        self.send_to_all(signal.SIGCONT)
        self.send(number)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_lines(self, count: int = 30) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-count:])


class Restartable:
    """A server that keeps its data and ports when its `process` ends, and is started on them anew.

    An administrator stops it by the signal `stops_by`.
    """

    __slots__ = ()
    process: ServerProcess | None
    stops_by: ClassVar[signal.Signals] = signal.SIGTERM

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.is_running

    def stop(self) -> None:
        """In order, as an administrator stops it."""
        if self.process:
            self.process.stop(self.stops_by)

    def kill(self) -> None:
        """SIGKILL, as a machine that fails: what was committed is recovered at the next start."""
        if self.process:
            self.process.kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay, and new ones are taken, but nothing is answered."""
        if self.process:
            self.process.send_to_all(signal.SIGSTOP)

    def resume(self) -> None:
        if self.process:
            self.process.send_to_all(signal.SIGCONT)


def wait_for(ready: Callable[[], bool], processes: Sequence[ServerProcess], seconds: float) -> None:
    """Waits until the server is ready.

    Raises:
        ServerError: a process ended before, or it takes too long; with the end of its log.
    """
    until = time.monotonic() + seconds
    while not ready():
        ended = [process for process in processes if not process.is_running]
        if ended or time.monotonic() > until:
            what = "ended" if ended else f"is not ready after {seconds:.0f} seconds"
            process = (ended or processes)[0]
            raise ServerError(f"the server {what}; {process.log} ends:\n{process.last_lines()}")
        time.sleep(0.1)
