"""Jobs on a real SQLite file."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from index.errors import DocumentNotFoundError, JobNotFoundError, LeaseLostError
from index.jobs import KEPT_DAYS, KEPT_JOBS, JobKind, Jobs, JobState, Lease
from index.library import Library
from index.tables import jobs as table
from tests.libraries import library_in


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return library_in(tmp_path)


@pytest.fixture
def jobs(library: Library) -> Jobs:
    return Jobs(library)


def set_all(library: Library, **values: object) -> None:
    with library.transaction() as connection:
        connection.execute(sa.update(table).values(**values))


def lapse(library: Library) -> None:
    """As if no worker had been heard of for long."""
    set_all(library, leased_until=time.time() - 1)


def claimed(jobs: Jobs, worker: str = "arbeider") -> Lease:
    lease = jobs.claim(worker)
    assert lease is not None
    return lease


def test_a_job_goes_through_its_states(jobs: Jobs) -> None:
    job = jobs.add(Path("/opp/0/årsmelding.txt"))
    assert jobs.job(job.id) == job
    assert (job.state, job.done, job.total, job.file) == ("queued", 0, 1, "årsmelding.txt")
    assert job.document_id is job.error is job.replaces is None
    lease = claimed(jobs)
    assert jobs.job(job.id) == lease.job
    assert lease.job.state is JobState.RUNNING
    lease.advance(0, 3)
    assert (jobs.job(job.id).done, jobs.job(job.id).total) == (0, 3)
    lease.finish("dokument")
    done = jobs.job(job.id)
    assert (done.state, done.done, done.total, done.document_id) == ("done", 3, 3, "dokument")
    assert done.is_finished
    assert done.created_at == job.created_at
    assert done.updated_at > job.updated_at


def test_what_was_queued_is_there_after_the_library_was_opened_anew(
    jobs: Jobs, library: Library, tmp_path: Path
) -> None:
    job = jobs.add(Path("/opp/0/a.txt"), replaces="dokument")
    library.close()
    again = Jobs(library_in(tmp_path))
    assert again.newest(10) == [job]
    assert claimed(again).job.id == job.id
    assert job.replaces == "dokument"


@pytest.mark.sqlite
def test_in_a_file_a_job_that_runs_is_of_who_died(jobs: Jobs) -> None:
    """For whoever works holds the writer's lock, and it is free."""
    job = jobs.add(Path("/opp/0/a.txt"))
    claimed(jobs)
    assert claimed(jobs).job.id == job.id


def test_the_oldest_that_is_not_finished_is_next(jobs: Jobs, library: Library) -> None:
    first, second, third = [jobs.add(Path(f"/opp/{n}/a.txt")) for n in range(3)]
    claimed(jobs).fail("kan ikke leses")
    assert claimed(jobs).job.id == second.id
    lapse(library)
    again = claimed(jobs)
    assert again.job.id == second.id, "it was running when the process died"
    again.give_back()
    again = claimed(jobs)
    assert (again.job.id, again.job.attempts) == (second.id, 2)
    again.finish(None)
    claimed(jobs).finish(None)
    assert jobs.claim("arbeider") is None
    assert not jobs.are_waiting()
    assert [job.id for job in jobs.newest(2)] == [third.id, second.id]
    assert [job.id for job in jobs.newest(2, offset=2)] == [first.id]
    assert jobs.job(first.id).error == "kan ikke leses"
    assert sorted(jobs.finished_paths()) == [f"/opp/{n}/a.txt" for n in range(3)]


def test_what_is_put_off_keeps_nobody_waiting_but_its_own_kin(jobs: Jobs, library: Library) -> None:
    first = jobs.add(Path("/opp/0/a.txt"), replaces="dokument")
    kin = [jobs.add(Path("/opp/1/b.txt"), replaces="dokument"), jobs.add(Path("/opp/0/a.txt"))]
    other = jobs.add(Path("/opp/2/c.txt"))
    claimed(jobs).put_off("disken er full", 30)
    waiting = jobs.job(first.id)
    assert (waiting.state, waiting.error, waiting.attempts) == ("queued", "disken er full", 0)
    lease = claimed(jobs)
    assert lease.job.id == other.id
    lease.finish(None)
    assert jobs.claim("arbeider") is None, "one document's jobs come in their order"
    lapse(library)
    again = claimed(jobs)
    assert (again.job.id, again.job.error) == (first.id, None)
    again.fail("kan ikke leses")
    assert [_ended(claimed(jobs)) for _ in kin] == [job.id for job in kin]
    assert jobs.claim("arbeider") is None


def test_one_that_was_put_off_comes_behind_those_that_came_before_it_may_be_tried_again(
    jobs: Jobs,
) -> None:
    first, second = (jobs.add(Path(f"/opp/{n}/a.txt")) for n in range(2))
    claimed(jobs).put_off("disken er full")
    third = jobs.add(Path("/opp/3/a.txt"))
    assert [_ended(claimed(jobs)) for _ in range(3)] == [second.id, first.id, third.id]


def _ended(lease: Lease) -> str:
    lease.finish(None)
    return lease.job.id


def test_a_clock_that_was_wrong_puts_nothing_off_for_long(jobs: Jobs, library: Library) -> None:
    job = jobs.add(Path("/opp/0/a.txt"))
    set_all(library, leased_until=time.time() + 365 * 24 * 3600)
    assert claimed(jobs).job.id == job.id


def test_jobs_that_a_worker_can_do_nothing_about_are_left_to_others(jobs: Jobs) -> None:
    first, second = (jobs.add(Path(f"/opp/{n}/a.txt")) for n in range(2))
    lease = jobs.claim("arbeider", {first.id})
    assert lease is not None
    assert lease.job.id == second.id


def test_who_has_lost_a_job_changes_nothing_of_it(jobs: Jobs, library: Library) -> None:
    job = jobs.add(Path("/opp/0/a.txt"))
    lost = claimed(jobs, "en")
    lapse(library)
    held = claimed(jobs, "en annen")
    before = jobs.job(job.id)
    ends = [lambda: lost.advance(0, 9), lambda: lost.fail("x"), lambda: lost.put_off("x")]
    for end in [*ends, lambda: lost.finish("x"), lost.give_back, lost.extend]:
        with pytest.raises(LeaseLostError, match="another process"):
            end()
    with pytest.raises(LeaseLostError), library.guarded_by(lost.require).transaction() as writing:
        writing.execute(sa.update(table).values(error="x"))
    assert jobs.job(job.id) == before
    held.finish("dokument")
    with pytest.raises(LeaseLostError):
        held.finish("et annet")
    assert jobs.job(job.id).document_id == "dokument"


def test_what_was_deleted_meanwhile_does_not_come_back(jobs: Jobs, library: Library) -> None:
    jobs.add(Path("/opp/0/a.txt"))
    lease = claimed(jobs)
    with library.guarded_by(lease.require).transaction():
        pass
    lease.finish(None)
    jobs.add(Path("/opp/0/a.txt"), replaces="slettet")
    with pytest.raises(DocumentNotFoundError, match="deleted meanwhile"):
        library.guarded_by(claimed(jobs).require).put_folder("/opp", "styret")
    assert library.folders() == {}


def test_a_document_to_be_read_again_is_no_file_that_was_sent(jobs: Jobs) -> None:
    job = jobs.read_again(Path("/d/a.txt"), "dokument")
    assert (job.kind, job.document_id, job.replaces) == (JobKind.REREAD, "dokument", None)
    claimed(jobs).finish("dokument")
    assert jobs.finished_paths() == [], "it is not ours to delete"


def test_a_file_that_another_job_waits_for_is_not_done_with(jobs: Jobs) -> None:
    jobs.add(Path("/opp/0/a.txt"))
    claimed(jobs).finish("dokument")
    assert jobs.finished_paths() == ["/opp/0/a.txt"]
    jobs.read_again(Path("/opp/0/a.txt"), "dokument")
    assert jobs.finished_paths() == []


def test_an_unknown_job_says_what_to_do(jobs: Jobs) -> None:
    with pytest.raises(JobNotFoundError, match="GET /v1/jobs"):
        jobs.job("finnes-ikke")


def test_finished_jobs_are_forgotten_after_days(jobs: Jobs, library: Library) -> None:
    jobs.add(Path("/opp/0/a.txt"))
    waiting = jobs.add(Path("/opp/1/a.txt"))
    claimed(jobs).finish(None)
    long_ago = datetime.now(UTC) - timedelta(days=KEPT_DAYS, minutes=1)
    set_all(library, updated_at=long_ago.isoformat(timespec="microseconds"))
    new = jobs.add(Path("/opp/2/a.txt"))
    assert {job.id for job in jobs.newest(10)} == {waiting.id, new.id}


def test_of_the_finished_only_the_newest_are_kept(jobs: Jobs, library: Library) -> None:
    template = jobs.add(Path("/opp/0/a.txt"))
    with library.transaction() as connection:
        row = connection.execute(sa.select(table)).mappings().one()
        moment = datetime.now(UTC) - timedelta(hours=1)
        rows = [
            {**row, "id": f"{n:04}", "state": "done", "created_at": _later(moment, n)}
            for n in range(KEPT_JOBS + 5)
        ]
        connection.execute(sa.insert(table), rows)
    jobs.add(Path("/opp/1/a.txt"))
    assert jobs.count() == KEPT_JOBS + 2
    assert jobs.job(template.id).state is JobState.QUEUED
    assert jobs.job("0005")
    with pytest.raises(JobNotFoundError):
        jobs.job("0004")


def _later(moment: datetime, seconds: int) -> str:
    return (moment + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
