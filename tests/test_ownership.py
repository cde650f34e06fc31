"""Conversations, answers and jobs are their owner's: nobody else sees, counts or changes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from anyio.from_thread import start_blocking_portal
from fastapi import Request
from fastapi.testclient import TestClient

from app.access.callers import Caller, Role
from app.access.keys import Keys
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.routes.jobs import follow_job
from app.settings import load_settings
from index.tables import jobs
from tests.conftest import LOCAL

TEXT = "Utvalget la fram planen i 2024. Det var åtte møter.\n"
QUESTION = "Når la utvalget fram planen?"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Kildesvar]:
    folder = tmp_path_factory.mktemp("ownership")
    kildesvar = Kildesvar(load_settings(data_dir=folder / "data", require_keys=True))
    (folder / "utvalget.txt").write_text(TEXT, encoding="utf-8")
    kildesvar.ingester().ingest([folder / "utvalget.txt"])
    yield kildesvar
    kildesvar.close()


class Person:
    """Who has a key, and asks the service with it."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    def send(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        response = self._client.request(method, path, headers=self._headers, **options)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def ask(self, conversation_id: str | None = None) -> Any:
        body = {"question": QUESTION, "conversation_id": conversation_id}
        return self.send("POST", "/v1/ask", json=body)

    def conversations(self) -> tuple[list[str], int]:
        listed = self.send("GET", "/v1/conversations")
        return [item["id"] for item in listed["conversations"]], listed["total"]


@pytest.fixture(scope="module")
def client(own: Kildesvar) -> TestClient:
    return TestClient(create_service(own), base_url=LOCAL)


@pytest.fixture
def people(own: Kildesvar, client: TestClient) -> tuple[Person, Person, Person]:
    """Two who read, or write, and one who runs it all."""
    roles = {"kari": Role.WRITE, "ola": Role.WRITE, "anne": Role.ADMIN}
    kari, ola, anne = (
        Person(client, Keys(own.library).create(name, role)[1]) for name, role in roles.items()
    )
    return kari, ola, anne


def test_the_same_name_is_two_conversations(people: tuple[Person, Person, Person]) -> None:
    kari, ola, anne = people
    assert kari.ask("samtale")["conversation_id"] == "samtale"
    kari.ask("samtale")
    assert ola.conversations() == anne.conversations() == ([], 0)
    for change in (("GET", ""), ("GET", "/export"), ("DELETE", "")):
        anne.send(change[0], f"/v1/conversations/samtale{change[1]}", 404)
    anne.send("PATCH", "/v1/conversations/samtale", 404, json={"title": "Mitt"})
    assert ola.ask("samtale")["conversation_id"] == "samtale"
    ola.send("PATCH", "/v1/conversations/samtale", json={"title": "Olas"})
    read = kari.send("GET", "/v1/conversations/samtale")
    assert (read["title"], len(read["turns"])) == (QUESTION, 2)
    ola.send("DELETE", "/v1/conversations/samtale", 204)
    assert kari.conversations() == (["samtale"], 1)
    assert kari.send("GET", "/v1/conversations/samtale/export?format=json")["turns"]


def test_an_answer_is_judged_by_who_asked(people: tuple[Person, Person, Person]) -> None:
    kari, ola, anne = people
    answer_id = kari.ask()["answer_id"]
    verdict = {"answer_id": answer_id, "verdict": "up"}
    told = [other.send("POST", "/v1/feedback", 404, json=verdict) for other in (ola, anne)]
    verdict["answer_id"] = "f" * 16
    unknown = ola.send("POST", "/v1/feedback", 404, json=verdict)
    assert told[0]["detail"].replace(answer_id, "f" * 16) == unknown["detail"]
    kari.send("POST", "/v1/feedback", 204, json={"answer_id": answer_id, "verdict": "down"})
    [given] = anne.send("GET", "/v1/feedback")["feedback"]
    assert (given["answer_id"], given["verdict"]) == (answer_id, "down")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/ask"])
def test_an_answer_has_its_owner_however_it_is_asked(
    people: tuple[Person, Person, Person], path: str
) -> None:
    kari, ola, _ = people
    if path == "/v1/ask":
        answer = kari.ask()
    else:
        said = [{"role": "user", "content": QUESTION}]
        chat = kari.send("POST", path, json={"model": "kildesvar", "messages": said})
        answer = chat["kildesvar"]
    verdict = {"answer_id": answer["answer_id"], "verdict": "up"}
    ola.send("POST", "/v1/feedback", 404, json=verdict)
    kari.send("POST", "/v1/feedback", 204, json=verdict)


def test_a_job_is_seen_by_its_owner_and_by_an_admin(
    people: tuple[Person, Person, Person],
) -> None:
    kari, ola, anne = people
    file = {"file": ("notat.txt", TEXT.encode())}
    job_id = kari.send("POST", "/v1/documents", 202, files=file)["job_id"]
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/events"):
        ola.send("GET", path, 404)
    assert ola.send("GET", "/v1/jobs")["total"] == 0
    for person in (kari, anne):
        assert person.send("GET", f"/v1/jobs/{job_id}")["file"] == "notat.txt"
        listed = person.send("GET", "/v1/jobs")
        assert (listed["total"], listed["jobs"][0]["id"]) == (1, job_id)
    [document] = kari.send("GET", "/v1/documents")["documents"]
    again = ola.send("POST", f"/v1/documents/{document['id']}/reindex", 202)["job_id"]
    kari.send("GET", f"/v1/jobs/{again}", 404)
    ola.send("GET", f"/v1/jobs/{again}")


@pytest.mark.parametrize("change", [{"collection": "styret"}, {"owner": "key:another"}])
def test_a_job_is_followed_as_long_as_it_may_be_seen(
    own: Kildesvar, client: TestClient, change: dict[str, str]
) -> None:
    caller = Caller("key:kari", "kari", Role.WRITE, frozenset({"default"}))
    job = own.jobs.add(Path("/d/notat.txt"), owner=caller.id)
    request = Request({"type": "http", "app": client.app})

    async def followed() -> list[str]:
        events = follow_job(job, own, caller.id, caller, request)
        states: list[str] = [(await anext(events)).state]
        with own.library.transaction() as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id == job.id).values(**change))
        lease = own.jobs.claim("arbeider")
        assert lease is not None
        lease.finish(None)
        return states + [event.state async for event in events]

    with start_blocking_portal() as portal:
        assert portal.call(followed) == ["queued"]


def test_how_questions_were_answered_is_for_admins(people: tuple[Person, Person, Person]) -> None:
    kari, _, anne = people
    assert kari.send("GET", "/v1/statistics")["answers"] is None
    assert kari.send("GET", "/v1/statistics")["library"]["documents"] == 1
    assert anne.send("GET", "/v1/statistics")["answers"]["kept_days"] == 90
