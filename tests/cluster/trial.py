"""Faults under load: what of asks and documents is lost when a part of the whole fails.

    python -m tests.cluster.trial [--rounds 1] [--seconds 8] [--only NAME]

Two services and two workers share an OpenSearch of three nodes and a PostgreSQL; one of the
services, where that can be, by a network of its own. Some ask without pause, another sends
documents, and meanwhile one fault after the other happens and is mended. Asks must be answered with
the right fact, as if nothing were; where the database is gone, with 503 within two seconds and with
Retry-After. Every document that was acknowledged must be found afterwards through both services,
once. Prints a Markdown table; exit status 1 when anything was lost.

Model, files, servers and processes are the real ones.
"""

import argparse
import itertools
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psycopg

from app.access.callers import Role
from app.access.keys import Keys
from index.library import Library
from scripts.made_texts import MadeDocument, made_documents
from tests.cluster.network import Network, separated, why_not
from tests.cluster.opensearch import Cluster, Node, running_cluster
from tests.cluster.postgresql import PostgreSQL, running_postgresql
from tests.conftest import ROOT, serving
from tests.running import wait_until

ASKERS = 2
_ASKS_EVERY = 0.4
_SENDS_EVERY = 1.5
_PATIENCE = 20.0
"""Seconds after which an ask is given up."""
_FACTS = 6
_READ_WITHIN = 300.0
_FOUND_WITHIN = 15.0
_KEY: dict[str, str] = {}
"""The header with the key of the trial that is on: who comes in is asked of the database."""
SAID_WITHIN = 2.0
"""Seconds within which whoever asks is told that a part is gone."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One that was asked at `began` (of `time.monotonic`). `failure` is empty when it was answered
    as it should be; one that `was_told` came with 503 and Retry-After."""

    service: str
    began: float
    seconds: float
    failure: str
    was_told: bool = False


@dataclass(slots=True)
class Tally:
    """What came of the asks and documents during one fault."""

    asks: list[Ask] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    """The job of each document that was acknowledged, by a word that it alone has."""
    refused: Counter[str] = field(default_factory=Counter)
    """Why documents were not acknowledged; the next one is tried instead."""
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    happened: float = 0.0
    """When the fault happened, and all was in its place again (of `time.monotonic`)."""
    mended: float = 0.0

    def is_answered_again(self, services: int) -> bool:
        """Whether each of the services was asked since all was mended, and answered."""
        since = [ask for ask in self.asks if not ask.failure and ask.began > self.mended]
        return len({ask.service for ask in since}) == services

    @property
    def failed(self) -> list[Ask]:
        """Those that were neither answered, nor told in time that a part is gone."""
        return [ask for ask in self.asks if ask.failure and not self.was_told(ask)]

    @property
    def told(self) -> list[Ask]:
        """Those that were told in time that a part is gone."""
        return [ask for ask in self.asks if self.was_told(ask)]

    def was_told(self, ask: Ask) -> bool:
        return ask.was_told and self.waited(ask) <= SAID_WITHIN

    def waited(self, ask: Ask) -> float:
        """Seconds of an ask since the fault, if it was on its way then."""
        return ask.began + ask.seconds - max(ask.began, self.happened)

    def row(self, name: str) -> str:
        answered = [ask.seconds for ask in self.asks if not ask.failure]
        told = max(map(self.waited, self.told), default=0.0)
        recovered = max((ask.began for ask in self.asks if ask.failure), default=self.mended)
        cells = [
            name,
            len(self.asks),
            len(self.failed),
            f"{len(self.told)} ({told:.1f} s)" if self.told else 0,
            f"{median(answered):.2f} / {max(answered):.2f}" if answered else "",
            f"{max(0.0, recovered - self.mended):.1f}",
            len(self.sent),
            self.refused.total(),
            len(self.lost),
            len(self.doubled),
        ]
        return f"| {' | '.join(map(str, cells))} |"


_HEAD = (
    "| fault | asks | failed | told 503 (slowest) | seconds of an answer: median / longest | "
    "told after the end, s | documents | refused | lost | doubled |\n" + "|---" * 10 + "|"
)


@dataclass(slots=True)
class Trial:
    """The services and workers over both servers, and what can happen to them."""

    cluster: Cluster
    postgresql: PostgreSQL
    database_url: str
    index: str
    services: Sequence[str]
    network: Network | None
    start_worker: Callable[[], None]
    workers: "list[subprocess.Popen[bytes]]"
    facts: list[MadeDocument]
    seconds: float = 8.0
    """How long a fault lasts, and the load before it and after."""

    def under(self, fault: "Fault") -> Tally:
        """What came of all that was asked and sent, from before the fault until after it."""
        tally, ended = Tally(), threading.Event()
        asking = [
            threading.Thread(target=self._ask_on, args=(tally, ended, at)) for at in range(ASKERS)
        ]
        sending = [
            threading.Thread(target=self._send_on, args=(tally, ended, service))
            for service in self.services
        ]
        for thread in (*asking, *sending):
            thread.start()
        try:
            time.sleep(self.seconds / 2)
            tally.happened = time.monotonic()
            fault.happen(self, tally)
            tally.mended = time.monotonic()
            time.sleep(self.seconds)
            wait_until(lambda: tally.is_answered_again(len(self.services)), _READ_WITHIN)
        finally:
            ended.set()
            for thread in (*asking, *sending):
                thread.join()
        self._look_for_all(tally)
        return tally

    def send(self, service: str, name: str, text: str) -> str:
        """Sends a document, and gives its job. Raises httpx.HTTPError."""
        file = {"file": (f"{name}.md", text.encode())}
        response = httpx.post(
            f"{service}/v1/documents", files=file, headers=_KEY, timeout=_PATIENCE
        )
        response.raise_for_status()
        job: str = response.json()["job_id"]
        return job

    def wait_for_job(self, job: str) -> str:
        """Waits until a job is finished; gives why it failed, if it did."""
        until = time.monotonic() + _READ_WITHIN
        while time.monotonic() < until:
            for service in self.services:
                state = _got(f"{service}/v1/jobs/{job}")
                if state and state["state"] in {"done", "failed"}:
                    return state["error"] or ""
            time.sleep(0.3)
        return f"job {job} is not done after {_READ_WITHIN:.0f} s"

    def answers_right(self, service: str, fact: MadeDocument) -> Ask:
        began = time.monotonic()
        failure, was_told = "", False
        try:
            body = {"question": fact.question}
            response = httpx.post(f"{service}/v1/ask", json=body, headers=_KEY, timeout=_PATIENCE)
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {error}"
        else:
            was_told = response.status_code == 503 and "retry-after" in response.headers
            if response.is_error:
                failure = f"{response.status_code}: {response.text[:300]}"
            elif fact.fact not in response.json()["answer"]:
                failure = f"another answer to «{fact.question}»: {response.json()['answer'][:200]}"
        return Ask(service, began, time.monotonic() - began, failure, was_told)

    def _ask_on(self, tally: Tally, ended: threading.Event, first: int) -> None:
        for at in itertools.count(first):
            if ended.wait(_ASKS_EVERY):
                return
            service = self.services[at % len(self.services)]
            tally.asks.append(self.answers_right(service, self.facts[at % len(self.facts)]))

    def _send_on(self, tally: Tally, ended: threading.Event, service: str) -> None:
        """Sends one document after the other, each until it is acknowledged, and waits until it is
        read, as a client does that is told to try again."""
        while not ended.wait(_SENDS_EVERY):
            word = _new_word()
            try:
                job = tally.sent[word] = self.send(service, word, _text(word))
            except httpx.HTTPStatusError as error:
                tally.refused[str(error.response.status_code)] += 1
                continue
            except httpx.HTTPError as error:
                tally.refused[type(error).__name__] += 1
                continue
            while not ended.wait(_ASKS_EVERY):
                state = _got(f"{service}/v1/jobs/{job}")
                if state and state["state"] in {"done", "failed"}:
                    break

    def _look_for_all(self, tally: Tally) -> None:
        """Looks for every document that was acknowledged, through each of the services."""
        for word, job in tally.sent.items():
            if error := self.wait_for_job(job):
                tally.lost.append(f"{word}: {error}")
                continue
            for service in self.services:
                hits = self._found(service, word)
                if not hits:
                    tally.lost.append(f"{word} is not found through {service}")
                places = [(hit["document_id"], hit["start"]) for hit in hits]
                if len({document for document, _ in places}) > 1 or len(set(places)) < len(places):
                    tally.doubled.append(f"{word} is found at {places} through {service}")
        counts = self._passages()
        if counts[0] != counts[1]:
            (tally.lost if counts[0] > counts[1] else tally.doubled).append(
                f"the library has {counts[0]} passages, the index {counts[1]}"
            )

    def _found(self, service: str, word: str) -> list[Any]:
        """Passages with the word; what another has indexed just now may take a moment."""
        until = time.monotonic() + _FOUND_WITHIN
        while True:
            found = _got(f"{service}/v1/search?q={word}&limit=20") or {"hits": []}
            hits = [hit for hit in found["hits"] if word in hit["text"]]
            if hits or time.monotonic() > until:
                return hits
            time.sleep(0.3)

    def _passages(self) -> tuple[int, int]:
        """How many passages the library has, and how many the index."""
        statistics = _got(f"{self.services[0]}/v1/statistics")
        assert statistics
        self.cluster.call("POST", f"/{self.index}/_refresh")
        count = self.cluster.call("GET", f"/{self.index}/_count")["count"]
        return statistics["library"]["passages"], count


def _new_word() -> str:
    """One that stands nowhere else, of letters alone."""
    return "q" + "".join(secrets.choice("bdfghjklmnprstvy") for _ in range(12))


def _text(word: str, paragraphs: int = 3) -> str:
    told = [
        f"Avsnitt {at} handler om {word}, som ble tatt i bruk høsten {2000 + at % 25}, og om hva "
        "kommunen lærte av det: at det hjelper å begynne i det små, og å spørre dem det gjelder."
        for at in range(paragraphs)
    ]
    return f"# Notat om {word}\n\n" + "\n\n".join(told) + "\n"


def _got(url: str) -> Any:
    """What a service answers; None when it does not."""
    try:
        response = httpx.get(url, headers=_KEY, timeout=_PATIENCE)
    except httpx.HTTPError:
        return None
    return None if response.is_error else response.json()


# The faults


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens, until it is mended. While a part `is_gone`, asks may be told so."""

    name: str
    happen: Callable[[Trial, Tally], None]
    is_gone: bool = False
    cuts: bool = False


def _node_killed(trial: Trial, node: Node) -> None:
    node.kill()
    time.sleep(trial.seconds)
    node.start()
    trial.cluster.wait()


def kill_a_node(trial: Trial, _: Tally) -> None:
    manager = trial.cluster.cluster_manager()
    _node_killed(trial, next(node for node in trial.cluster.nodes if node is not manager))


def kill_the_manager(trial: Trial, _: Tally) -> None:
    _node_killed(trial, trial.cluster.cluster_manager())


def kill_a_worker(trial: Trial, tally: Tally) -> None:
    """In the middle of a long document, which another takes over when the lease has ended."""
    word = _new_word()
    job = trial.send(trial.services[0], word, _text(word, 200))
    tally.sent[word] = job
    pid = 0

    def is_at_it() -> bool:
        nonlocal pid
        with psycopg.connect(trial.database_url) as connection:
            query = "SELECT worker FROM jobs WHERE id = %s AND state = 'running'"
            row = connection.execute(query, [job]).fetchone()
        pid = int(row[0].split("-")[-2]) if row else 0
        return pid != 0

    wait_until(is_at_it, 60)
    time.sleep(1.0)  # a long document takes several
    assert not (_got(f"{trial.services[0]}/v1/jobs/{job}") or {}).get("document_id"), "too late"
    os.kill(pid, signal.SIGKILL)
    next(worker for worker in trial.workers if worker.pid == pid).wait()
    trial.start_worker()
    trial.wait_for_job(job)


def stop_the_database(trial: Trial, _: Tally) -> None:
    trial.postgresql.stop()
    time.sleep(trial.seconds)
    trial.postgresql.start()


def kill_the_database(trial: Trial, _: Tally) -> None:
    trial.postgresql.kill()
    time.sleep(trial.seconds)
    trial.postgresql.start()


def freeze_the_database(trial: Trial, _: Tally) -> None:
    """SIGSTOP: it takes connections, and answers nothing."""
    trial.postgresql.pause()
    time.sleep(trial.seconds)
    trial.postgresql.resume()


def kill_all_nodes(trial: Trial, _: Tally) -> None:
    for node in trial.cluster.nodes:
        node.kill()
    time.sleep(trial.seconds)
    for node in trial.cluster.nodes:
        node.start()
    trial.cluster.wait()


def freeze_a_node(trial: Trial, _: Tally) -> None:
    """SIGSTOP: the others lose it after a while, whoever asks it at once."""
    manager = trial.cluster.cluster_manager()
    node = next(node for node in trial.cluster.nodes if node is not manager)
    node.pause()
    time.sleep(trial.seconds)
    node.resume()
    trial.cluster.wait()


def cut_off_a_node(trial: Trial, _: Tally) -> None:
    """From one service, while the other and the nodes themselves see it."""
    assert trial.network
    port = trial.cluster.nodes[0].port
    trial.network.cut(port)
    time.sleep(trial.seconds)
    trial.network.mend(port)


def cut_off_the_database(trial: Trial, _: Tally) -> None:
    assert trial.network
    trial.network.cut(trial.postgresql.port)
    time.sleep(trial.seconds)
    trial.network.mend(trial.postgresql.port)


FAULTS = (
    Fault("a node is killed", kill_a_node),
    Fault("the cluster manager is killed", kill_the_manager),
    Fault("a worker is killed in the middle of a job", kill_a_worker),
    Fault("the database is stopped", stop_the_database, is_gone=True),
    Fault("the network to a node is cut", cut_off_a_node, cuts=True),
)
"""Those that the tests try."""
MORE_FAULTS = (
    Fault("a node is frozen", freeze_a_node),
    Fault("all nodes are killed", kill_all_nodes, is_gone=True),
    Fault("the database is killed", kill_the_database, is_gone=True),
    Fault("the database is frozen", freeze_the_database, is_gone=True),
    Fault("the network to the database is cut", cut_off_the_database, is_gone=True, cuts=True),
)


# What they happen to


@contextmanager
def trial_of(cluster: Cluster, postgresql: PostgreSQL, folder: Path) -> Iterator[Trial]:
    """Two services and two workers over the servers, with some facts to ask for."""
    database_url = postgresql.new_database()
    with closing(Library.open(database_url)) as library:
        _KEY["Authorization"] = f"Bearer {Keys(library).create('trial', Role.ADMIN)[1]}"
    index = f"trial_{secrets.token_hex(4)}"
    settings = {
        "database_url": database_url,
        "opensearch_url": cluster.urls,
        "opensearch_index": index,
        "opensearch_shards": "3",
        "opensearch_replicas": "1",
        "uploads_dir": str(folder / "uploads"),
        "works_on_uploads": "false",
        "threads": "1",  # four processes share the cores with the servers
        "require_keys": "true",
        "requests_per_minute": "100000",  # none too many, but each is counted
        "request_burst": "10000",
        "cached_answers_mb": "0",  # an answer that was remembered would tell nothing of the servers
    }
    workers: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        network: Network | None = None
        before: Sequence[str] = ()
        through = dict(settings)
        if not why_not():
            ports = [*(node.port for node in cluster.nodes), postgresql.port]
            network = stack.enter_context(separated(ports))
            before = network.before
            through |= {n: network.through(settings[n]) for n in ("database_url", "opensearch_url")}

        def start_worker() -> None:
            name = f"worker-{len(workers)}"
            workers.append(stack.enter_context(_working(folder / name, settings)))

        first, _ = stack.enter_context(serving(folder / "first", before, **through))
        second, _ = stack.enter_context(serving(folder / "second", **settings))
        start_worker()
        start_worker()
        services = [network.reached(first) if network else first, second]
        trial = Trial(
            cluster, postgresql, database_url, index, services, network, start_worker, workers, []
        )
        _learn_facts(trial)
        yield trial
    cluster.call("DELETE", f"/{index}-*")


def _learn_facts(trial: Trial) -> None:
    """Sends documents with a fact each, and keeps the facts that are told when they are asked for:
    what is not told then is the reader's fault."""
    made = made_documents(_FACTS + 4, pages=1, sentences=8)
    jobs = []
    for document in made:
        paragraphs = [p for section in document.sections for p in section.paragraphs]
        text = f"# {document.title}\n\n" + "\n\n".join(paragraphs) + "\n"
        jobs.append(trial.send(trial.services[0], document.name.rpartition("/")[2], text))
    for job in jobs:
        if error := trial.wait_for_job(job):
            raise AssertionError(error)
    for fact in made:
        if not any(trial.answers_right(service, fact).failure for service in trial.services):
            trial.facts.append(fact)
    assert len(trial.facts) >= _FACTS, f"only {len(trial.facts)} of {len(made)} facts are told"


@contextmanager
def _working(data_dir: Path, settings: "dict[str, str]") -> "Iterator[subprocess.Popen[bytes]]":
    """A `kildesvar work`."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("KILDESVAR_")}
    environment |= {f"KILDESVAR_{name.upper()}": value for name, value in settings.items()}
    del environment["KILDESVAR_WORKS_ON_UPLOADS"]
    data_dir.mkdir()
    with (data_dir / "worker.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "work", "--data-dir", str(data_dir)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=40)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="trial", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=8.0, help="that a fault lasts")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    given = parser.parse_args(arguments)
    faults = [fault for fault in (*FAULTS, *MORE_FAULTS) if given.only in fault.name]
    is_lost = False
    with (
        tempfile.TemporaryDirectory() as folder,
        running_cluster(nodes=3) as cluster,
        running_postgresql() as postgresql,
        trial_of(cluster, postgresql, Path(folder)) as trial,
    ):
        trial.seconds = given.seconds
        print(_HEAD)
        for fault in faults * given.rounds:
            if fault.cuts and trial.network is None:
                print(f"{fault.name}: not tried, {why_not()}", file=sys.stderr)
                continue
            tally = trial.under(fault)
            print(tally.row(fault.name), flush=True)
            problems = problems_of(tally, fault)
            is_lost = is_lost or bool(problems)
            for problem in problems:
                print(f"{fault.name}: {problem}", file=sys.stderr)
    return 1 if is_lost else 0


def problems_of(tally: Tally, fault: Fault) -> list[str]:
    """What should not have been."""
    problems = [f"{ask.failure} after {tally.waited(ask):.1f} s" for ask in tally.failed]
    if not fault.is_gone:
        problems += [f"told {ask.failure}, though nothing is gone" for ask in tally.told]
    problems += [f"lost: {lost}" for lost in tally.lost]
    problems += [f"doubled: {doubled}" for doubled in tally.doubled]
    if not tally.sent:
        problems.append("no document was acknowledged")
    return problems


if __name__ == "__main__":
    sys.exit(main())
