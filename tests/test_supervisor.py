"""The parent of several processes that serve: with light ones, and with the real service."""

import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.asking.ongoing import Patience
from app.hosting import supervisor as supervisor_module
from app.hosting.supervisor import ServingFailedError, Supervisor, finishing_time, share_of
from app.settings import Configuration, load_settings
from tests.running import wait_until

FAST = {"_LOOKS_EVERY": 0.05, "_FIRST_WAIT": 0.1, "_STOPS_WITHIN": 3.0}


@dataclass
class Trial:
    """A supervisor of light processes, in a thread of the test, which gives it signals by hand."""

    folder: Path
    settings: dict[str, object]
    reached: list[str] = field(default_factory=list)
    error: Exception | None = None

    def configuration(self) -> Configuration:
        return Configuration(load_settings(data_dir=self.folder, **self.settings), {})

    def begin(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._supervisor = Supervisor(
            self.configuration(),
            self.configuration,
            self._listening,
            lambda: self.reached.append("reached"),
            "tests.light_worker",
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._supervisor.run()
        except ServingFailedError as error:
            self.error = error

    def reload(self, **settings: object) -> None:
        self.settings |= settings
        self._supervisor._signals.append(signal.SIGHUP)

    def end(self) -> None:
        self._supervisor._signals.append(signal.SIGTERM)
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._listening.close()
        assert self.living() == {}

    def living(self) -> dict[int, str]:
        """What each process that lives was told: candidates, threads, concurrency."""
        told = {}
        for path in self.folder.iterdir():
            if path.name.isdigit() and is_alive(int(path.name)):
                with suppress(FileNotFoundError):  # it retires at this moment
                    told[int(path.name)] = path.read_text()
        return told

    def all_serve(self, told: str, number: int = 2) -> bool:
        return list(self.living().values()) == [told] * number

    def retired(self) -> int:
        return len(list(self.folder.glob("*.retired")))


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def _no_signals(*_: object) -> Iterator[None]:
    """In a thread, Python hears none."""
    yield


@pytest.fixture
def trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Trial]]:
    for name, value in FAST.items():
        monkeypatch.setattr(supervisor_module, name, value)
    monkeypatch.setattr(Supervisor, "_hearing_signals", _no_signals)
    begun: list[Trial] = []

    def begin(**settings: object) -> Trial:
        given = {"workers": 2, "threads": 3, "max_concurrency": 8, "candidates": 50} | settings
        begun.append(Trial(tmp_path, given))
        begun[0].begin()
        return begun[0]

    yield begin
    begun[0].end()


def test_each_is_told_its_share_and_the_address_is_announced_once(
    trying: Callable[..., Trial],
) -> None:
    trial = trying()
    wait_until(lambda: trial.all_serve("50 2 4"))
    assert trial.reached == ["reached"]


def test_one_that_dies_is_started_again(
    trying: Callable[..., Trial], caplog: pytest.LogCaptureFixture
) -> None:
    trial = trying()
    wait_until(lambda: trial.all_serve("50 2 4"))
    killed, kept = trial.living()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in trial.living() and trial.all_serve("50 2 4"))
    assert kept in trial.living()
    assert f"worker {killed} died (killed by SIGKILL); another is started in 0.1 s" in caplog.text


def test_one_that_dies_at_each_start_is_tried_ever_less_often(
    trying: Callable[..., Trial], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trial = trying()
    wait_until(lambda: trial.all_serve("50 2 4"))
    killed, kept = trial.living()
    (tmp_path / "die").touch()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: "another is started in 0.8 s" in caplog.text, 20)
    waits = [r.message.rpartition(" in ")[2] for r in caplog.records if " died " in r.message]
    assert waits[:4] == ["0.1 s", "0.2 s", "0.4 s", "0.8 s"]
    assert list(trial.living()) == [kept]
    (tmp_path / "die").unlink()
    wait_until(lambda: trial.all_serve("50 2 4"))


def test_a_machine_that_is_full_is_asked_again_ever_less_often(
    trying: Callable[..., Trial], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = trying()
    wait_until(lambda: trial.all_serve("50 2 4"))
    killed, kept = trial.living()
    with monkeypatch.context() as full:
        full.setattr("app.hosting.supervisor.subprocess.Popen", _cannot_fork)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: "another is started in 0.2 s" in caplog.text)
        held = len(list(Path("/proc/self/fd").iterdir()))
        wait_until(lambda: "another is started in 0.8 s" in caplog.text)
        wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= held)
        assert list(trial.living()) == [kept]
    wait_until(lambda: trial.all_serve("50 2 4"))
    assert trial.reached == ["reached"]


def _cannot_fork(*_: object, **__: object) -> None:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def test_a_service_that_cannot_begin_says_why(trying: Callable[..., Trial]) -> None:
    trial = trying(llm_model="fails")
    wait_until(lambda: trial.error is not None)
    assert str(trial.error) == "the model is gone"
    assert trial.reached == []


def test_all_are_exchanged_one_by_one_for_others_with_new_settings(
    trying: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = trying(workers=3)
    wait_until(lambda: trial.all_serve("50 1 3", 3))
    former, most = set(trial.living()), 0

    def is_done() -> bool:
        nonlocal most
        most = max(most, len(trial.living()))
        return trial.all_serve("60 1 3", 3)

    trial.reload(candidates=60)
    wait_until(is_done, 20)
    assert not former & set(trial.living())
    assert trial.retired() == 3
    assert most <= 4
    trial.reload(workers=1)
    wait_until(lambda: trial.all_serve("60 3 8", 1))
    trial.reload(workers=2)
    wait_until(lambda: trial.all_serve("60 2 4", 2))
    assert trial.reached == ["reached"]


def test_settings_that_are_wrong_or_serve_nobody_are_not_taken_up(
    trying: Callable[..., Trial], caplog: pytest.LogCaptureFixture
) -> None:
    trial = trying()
    wait_until(lambda: trial.all_serve("50 2 4"))
    former = set(trial.living())
    trial.reload(candidates=0)
    wait_until(lambda: "settings are not taken up, the former ones stay: " in caplog.text)
    trial.reload(candidates=60, llm_model="fails")
    wait_until(lambda: "no worker serves with them: the model is gone" in caplog.text)
    assert set(trial.living()) == former
    assert trial.retired() == 0
    os.kill(former.pop(), signal.SIGKILL)
    wait_until(lambda: trial.all_serve("50 2 4"))
    assert former < set(trial.living())


def test_newer_settings_are_taken_up_although_those_before_serve_nobody(
    trying: Callable[..., Trial], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kildesvar")
    trial = trying()
    wait_until(lambda: trial.all_serve("50 2 4"))
    trial.reload(candidates=60, llm_model="hangs")
    wait_until((tmp_path / "hangs").exists)
    trial.reload(candidates=70, llm_model="")
    wait_until(lambda: caplog.text.count("settings are taken up, ") == 2)
    (tmp_path / "hangs").unlink()
    wait_until(lambda: trial.all_serve("70 2 4"))
    assert "died (the model is gone)" in caplog.text


def test_a_terminal_that_is_closed_ends_all_in_order(
    trying: Callable[..., Trial], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = trying(llm_model="lingers")
    wait_until(lambda: trial.all_serve("50 2 4"))
    monkeypatch.setattr(supervisor_module, "_STOPS_WITHIN", 0.5)
    trial._supervisor._read_anew = None
    trial._supervisor._signals += [signal.SIGHUP, signal.SIGHUP]  # from the shell and the kernel
    trial._thread.join(20)
    assert not trial._thread.is_alive()
    assert trial.living() == {}
    assert "does not end, and is killed" in caplog.text, "SIGTERM came to it, and no SIGHUP"


def test_one_that_never_begins_to_serve_is_killed(
    trying: Callable[..., Trial], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = trying()
    wait_until(lambda: trial.all_serve("50 2 4"))
    former = set(trial.living())
    monkeypatch.setattr(supervisor_module, "_STARTS_WITHIN", 0.5)
    trial.reload(candidates=60, llm_model="hangs")
    given_up = "no worker serves with them: it did not begin to serve within 0.5 s"
    wait_until(lambda: given_up in caplog.text)
    assert set(trial.living()) == former


def test_one_that_does_not_end_is_killed(
    trying: Callable[..., Trial], caplog: pytest.LogCaptureFixture
) -> None:
    trial = trying(llm_model="lingers", workers=2)
    wait_until(lambda: trial.all_serve("50 2 4"))
    trial.end()
    assert "does not end, and is killed" in caplog.text


def test_one_that_retires_has_the_time_of_the_longest_answer() -> None:
    settings = load_settings(
        answer_seconds=100, llm_patience=40, llm_seconds=300, llm_url="http://m/v1", llm_model="m"
    )
    longest = Patience.of(settings)
    assert finishing_time(settings) > longest.seconds + sum(longest.more.values())


def test_what_the_service_may_take_is_divided() -> None:
    settings = load_settings(workers=3, threads=4, max_concurrency=2, llm_concurrency=9)
    share = share_of(settings)
    assert (share.threads, share.max_concurrency, share.llm_concurrency) == (2, 1, 3)
    assert share_of(load_settings(workers=2)).threads >= 1
