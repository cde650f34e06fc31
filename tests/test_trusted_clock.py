"""A clock that is believed only as far as there is reason to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.kept.trusted_clock import ClockFile, ClockState, TrustedClock
from tests.libraries import library_in

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)


@dataclass
class Machine:
    """A clock that can be set, a steady one that cannot, and what was written to its disk."""

    file: Path
    time: datetime = BEGUN
    seconds: float = 1000.0

    def pass_(self, time: timedelta) -> None:
        self.time += time
        self.seconds += time.total_seconds()

    def set(self, by: timedelta) -> None:
        self.time += by

    def start(self) -> TrustedClock:
        return TrustedClock(ClockFile(self.file), lambda: self.time, lambda: self.seconds)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "clock")


def test_the_time_is_believed_at_the_first_start_and_as_it_passes(machine: Machine) -> None:
    clock = machine.start()
    for _ in range(3):
        assert clock.now() == machine.time
        machine.pass_(timedelta(hours=1))
    assert [path.name for path in machine.file.parent.iterdir()] == ["clock"]


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_a_jump_is_doubted_for_a_day(
    machine: Machine, jump: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    clock = machine.start()
    assert clock.now()
    machine.set(jump)
    for _ in range(24):
        assert clock.now() is None
        machine.pass_(timedelta(hours=1))
    assert clock.now() == machine.time
    [said] = caplog.messages
    assert "nothing is deleted" in said
    assert "2026-01-01" in said


def test_a_jump_that_is_set_right_is_forgotten(machine: Machine) -> None:
    clock = machine.start()
    assert clock.now()
    machine.set(YEAR)
    assert clock.now() is None
    machine.pass_(timedelta(hours=2))
    machine.set(-YEAR)
    assert clock.now() == machine.time


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_a_start_does_not_make_a_wrong_time_believed(machine: Machine, jump: timedelta) -> None:
    assert machine.start().now()
    machine.set(jump)
    for _ in range(3):
        assert machine.start().now() is None
    machine.set(-jump)
    assert machine.start().now() == machine.time


def test_a_service_that_was_off_for_some_days_believes_its_clock(machine: Machine) -> None:
    assert machine.start().now()
    machine.set(6 * DAY)  # nothing counted the seconds
    assert machine.start().now() == machine.time


def test_small_steps_are_no_jumps(machine: Machine) -> None:
    clock = machine.start()
    for step in (timedelta(minutes=50), timedelta(minutes=-50)):
        assert clock.now()
        machine.set(step)
    assert clock.now()


@pytest.mark.parametrize("text", ["", "i går", "2026-01-01"])
def test_a_file_that_holds_no_time_is_written_anew(machine: Machine, text: str) -> None:
    machine.file.write_text(text, encoding="utf-8")
    assert machine.start().now() == machine.time
    assert machine.start().now() == machine.time


def test_a_disk_that_takes_nothing_does_not_stop_the_clock(machine: Machine) -> None:
    machine.file = machine.file.parent / "none" / "clock"
    clock = machine.start()
    assert clock.now() == machine.time
    machine.set(YEAR)
    assert clock.now() is None


def test_a_host_that_is_new_believes_no_more_than_the_others(tmp_path: Path) -> None:
    library, other = library_in(tmp_path), library_in(tmp_path)
    assert TrustedClock(ClockState(library), lambda: BEGUN).now() == BEGUN
    assert TrustedClock(ClockState(other), lambda: BEGUN + YEAR).now() is None
    assert TrustedClock(ClockState(other), lambda: BEGUN + DAY).now() == BEGUN + DAY
    assert TrustedClock(ClockState(library), lambda: BEGUN + 8 * DAY).now() == BEGUN + 8 * DAY
    assert abs(ClockState(library).now() - datetime.now(UTC)) < timedelta(minutes=1)
