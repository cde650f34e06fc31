"""Several workers on one queue in PostgreSQL: each job is one worker's, in order, and done once."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from index.errors import LeaseLostError, LibraryUnavailableError
from index.jobs import LEASE_SECONDS, Jobs, JobState, Lease
from index.library import Library
from index.tables import jobs as table
from tests.cluster.postgresql import PostgreSQL


@pytest.fixture
def library(database_url: str) -> Iterator[Library]:
    library = Library.open(database_url)
    yield library
    library.close()


def claimed(jobs: Jobs, worker: str = "en") -> Lease:
    lease = jobs.claim(worker)
    assert lease is not None
    return lease


def lapse(library: Library) -> None:
    """As if every worker had been silent for longer than a lease lasts."""
    with library.transaction() as connection:
        past = table.c.leased_until - LEASE_SECONDS - 1
        connection.execute(sa.update(table).values(leased_until=past))


def test_a_job_is_one_workers_until_its_lease_ends(library: Library) -> None:
    jobs = Jobs(library)
    job = jobs.add(Path("/opp/0/a.txt"))
    lost = claimed(jobs, "en")
    assert jobs.claim("en annen") is None, "it runs"
    lost.extend()
    lapse(library)
    taken = claimed(jobs, "en annen")
    assert (taken.job.id, taken.job.attempts) == (job.id, 2)
    with pytest.raises(LeaseLostError):
        lost.extend()
    with pytest.raises(LeaseLostError), library.guarded_by(lost.require).transaction():
        pass
    taken.give_back()
    again = claimed(jobs, "en tredje")
    assert (again.job.id, again.job.attempts) == (job.id, 2), "given back it is free at once"


def test_whoever_writes_for_a_job_keeps_it_until_that_is_written(library: Library) -> None:
    jobs = Jobs(library)
    jobs.add(Path("/opp/0/a.txt"))
    lease = claimed(jobs)
    lapse(library)
    with library.guarded_by(lease.require).transaction():
        assert jobs.claim("en annen") is None
    lease.finish(None)
    assert not jobs.are_waiting()


def test_what_came_from_one_host_is_in_order_with_what_came_from_another(
    library: Library, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Library.open(database_url)
    first = Jobs(library).add(Path("/opp/0/a.txt"), replaces="dokument")
    # A host whose clock is wrong.
    monkeypatch.setattr("index.database_clock.time", lambda: 0.0)
    second = Jobs(other).add(Path("/opp/1/a.txt"), replaces="dokument")
    monkeypatch.undo()
    other.close()
    assert first.created_at < second.created_at
    lease = claimed(Jobs(library))
    assert lease.job.id == first.id
    assert Jobs(library).claim("en annen") is None, "of the same document"
    lease.finish("dokument")
    assert claimed(Jobs(library)).job.id == second.id


def test_many_workers_do_every_job_once_and_in_order(database_url: str) -> None:
    began: dict[str, list[str]] = defaultdict(list)
    running: set[str] = set()
    done: list[str] = []
    together: list[int] = []
    watching = threading.Lock()
    library = Library.open(database_url)
    jobs = Jobs(library)
    came: dict[str, list[str]] = defaultdict(list)
    for number in range(60):
        document_id = f"d{number % 6}"
        job = jobs.add(Path(f"/opp/{number}/a.txt"), replaces=document_id)
        came[document_id].append(job.id)

    def work(name: str) -> None:
        own = Library.open(database_url)
        queue = Jobs(own)
        while queue.are_waiting():
            lease = queue.claim(name)
            if lease is None:
                time.sleep(0.005)
                continue
            document_id = str(lease.job.document_id)
            with watching:
                assert document_id not in running
                running.add(document_id)
                together.append(len(running))
                began[document_id].append(lease.job.id)
            time.sleep(0.005)
            with watching:
                running.discard(document_id)
                done.append(lease.job.id)
            lease.finish(document_id)
        own.close()

    with ThreadPoolExecutor(4) as workers:
        for ended in [workers.submit(work, f"arbeider {number}") for number in range(4)]:
            ended.result()
    library.close()
    assert began == came
    assert len(done) == len(set(done)) == 60
    assert max(together) > 1, "nothing else is kept apart"


def test_a_database_that_is_gone_is_said_and_the_job_goes_on(
    library: Library, postgresql: PostgreSQL
) -> None:
    jobs = Jobs(library)
    jobs.add(Path("/opp/0/a.txt"))
    lease = claimed(jobs)
    postgresql.stop()
    try:
        with pytest.raises(LibraryUnavailableError):
            lease.extend()
    finally:
        postgresql.start()
    lease.extend()
    lease.finish(None)
    assert jobs.newest(1)[0].state is JobState.DONE
