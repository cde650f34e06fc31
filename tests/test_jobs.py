"""Jobs on a real SQLite file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from index.errors import JobNotFoundError
from index.jobs import KEPT_DAYS, KEPT_JOBS, JobKind, Jobs, JobState
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


def test_a_job_goes_through_its_states(jobs: Jobs) -> None:
    job = jobs.add(Path("/opp/0/årsmelding.txt"))
    assert jobs.job(job.id) == job
    assert (job.state, job.done, job.total, job.file) == ("queued", 0, 1, "årsmelding.txt")
    assert job.document_id is job.error is job.replaces is None
    jobs.start(job.id)
    assert jobs.job(job.id).state is JobState.RUNNING
    jobs.advance(job.id, 0, 3)
    assert (jobs.job(job.id).done, jobs.job(job.id).total) == (0, 3)
    jobs.finish(job.id, "dokument")
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
    assert again.next() == job
    assert job.replaces == "dokument"


def test_the_oldest_that_is_not_finished_is_next(jobs: Jobs) -> None:
    first, second, third = [jobs.add(Path(f"/opp/{n}/a.txt")) for n in range(3)]
    jobs.start(second.id)
    jobs.fail(first.id, "kan ikke leses")
    found = jobs.next()
    assert found is not None
    assert found.id == second.id, "it was running when the process died"
    jobs.put_off(second.id, "disken er full")
    again = jobs.next()
    assert again is not None
    assert (again.id, again.state, again.error) == (second.id, "queued", "disken er full")
    jobs.finish(second.id, None)
    jobs.finish(third.id, None)
    assert jobs.next() is None
    assert [job.id for job in jobs.newest(2)] == [third.id, second.id]
    assert [job.id for job in jobs.newest(2, offset=2)] == [first.id]
    assert jobs.job(first.id).error == "kan ikke leses"
    assert sorted(jobs.finished_paths()) == [f"/opp/{n}/a.txt" for n in range(3)]


def test_a_document_to_be_read_again_is_no_file_that_was_sent(jobs: Jobs) -> None:
    job = jobs.read_again(Path("/d/a.txt"), "dokument")
    found = jobs.next()
    assert found == job
    assert (job.kind, job.document_id, job.replaces) == (JobKind.REREAD, "dokument", None)
    jobs.finish(job.id, "dokument")
    assert jobs.finished_paths() == [], "it is not ours to delete"


def test_an_unknown_job_says_what_to_do(jobs: Jobs) -> None:
    with pytest.raises(JobNotFoundError, match="GET /v1/jobs"):
        jobs.job("finnes-ikke")


def test_finished_jobs_are_forgotten_after_days(jobs: Jobs, library: Library) -> None:
    old, waiting = jobs.add(Path("/opp/0/a.txt")), jobs.add(Path("/opp/1/a.txt"))
    jobs.finish(old.id, None)
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
