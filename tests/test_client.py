"""The Python client: both classes, against the real service and what may be in its place."""

import inspect
import json
import socket
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args
from uuid import uuid4

import httpx2
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from app.client import (
    AsyncKildesvar,
    Kildesvar,
    KildesvarError,
    ProblemError,
    TimedOutError,
    UnexpectedAnswerError,
    UnreachableError,
    calls,
    messages_of,
)
from app.client.calls import Stream, Submission
from app.schemas import (
    MAX_MESSAGE,
    AskRequest,
    AskResponse,
    Citation,
    FeedbackRequest,
    FilterFields,
    StageOut,
    TextOut,
)

QUESTION = "Hvor mange medlemmer har bransjen?"
FERRIES = "Kommisjonen for fjordferger ledes av Solveig Myklebust.\n"
NEWER = "Kommisjonen for fjordferger ledes av Torbjørn Haugland.\n"

ELSEWHERE = {
    ("post", "/v1/chat/completions"),
    ("get", "/v1/models"),
    ("get", "/v1/models/model"),
    ("get", "/metrics"),
}
"""Routes that have no method: they are for clients of OpenAI's protocol, and for Prometheus."""

METHODS = {
    name for name in vars(Kildesvar) if not name.startswith("_") and name not in {"close", "aclose"}
}

PROBLEM = {
    "type": "about:blank",
    "title": "Too Many Requests",
    "status": 429,
    "detail": "the service is answering as many as it can; try again in a second",
    "instance": "/v1/ask",
}

Connect = Callable[..., Kildesvar]


class Blocking:
    """An AsyncKildesvar, used as if it were a Kildesvar: so each test is of both."""

    def __init__(self, client: AsyncKildesvar, portal: BlockingPortal) -> None:
        self._client = client
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, "aclose" if name == "close" else name)
        if name in {"stream", "follow"}:
            return lambda *args, **kwargs: self._events(method(*args, **kwargs))
        return lambda *args, **kwargs: self._portal.call(partial(method, *args, **kwargs))

    def _events(self, events: Any) -> Generator[Any, None, None]:
        async def next_event() -> Any:
            return await anext(events, None)

        try:
            while (event := self._portal.call(next_event)) is not None:
                yield event
        finally:
            self._portal.call(events.aclose)


@pytest.fixture(params=[Kildesvar, AsyncKildesvar])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes a client of either class."""
    clients: list[Kildesvar] = []
    # In a thread of its own, since in this one the browser's loop may run.
    with start_blocking_portal() as portal:

        def connected(*args: Any, **options: Any) -> Kildesvar:
            client = request.param(*args, **options)
            if isinstance(client, AsyncKildesvar):
                client = cast("Kildesvar", Blocking(client, portal))
            clients.append(client)
            return cast("Kildesvar", client)

        yield connected
        for client in clients:
            client.close()


@pytest.fixture
def reading(connect: Connect, service_url: str) -> Kildesvar:
    """A client of the service over the examples, which is only read."""
    return connect(service_url)


@pytest.fixture
def writing(connect: Connect, writable_url: str) -> Kildesvar:
    return connect(writable_url)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that clients make, which take no time."""
    made: list[float] = []

    async def asleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr("app.client.synchronous.time.sleep", made.append)
    monkeypatch.setattr("app.client.asynchronous.sleep", asleep)
    return made


class Answers:
    """What is in the service's place: gives these responses in turn, and keeps the requests."""

    def __init__(self, *responses: httpx2.Response) -> None:
        self._responses = list(responses)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self._responses.pop(0)


def answered(connect: Connect, *responses: httpx2.Response, **options: Any) -> Kildesvar:
    return connect(transport=httpx2.MockTransport(Answers(*responses)), **options)


def busy(retry_after: str | None = "1", status: int = 429) -> httpx2.Response:
    headers = {"Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return httpx2.Response(status, headers=headers, json={**PROBLEM, "status": status})


def health() -> httpx2.Response:
    return httpx2.Response(200, json={"status": "ok"})


class Pieces(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that comes in pieces; `closed` once whoever reads it has done so."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def events(*said: tuple[str, Any]) -> httpx2.Response:
    lines = [f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in said]
    headers = {"Content-Type": "text/event-stream; charset=utf-8"}
    return httpx2.Response(200, headers=headers, stream=Pieces([b": \n\n", *lines]))


# The contract


def built(name: str) -> Any:
    """The call of a method whose arguments are each the parameter's own name."""
    build = getattr(calls, name)
    parameters = inspect.signature(build).parameters.values()
    needed = {p.name: p.name for p in parameters if p.default is inspect.Parameter.empty}
    return build(**needed)


def route(name: str) -> tuple[str, str]:
    call = built(name)
    request = (call.call if isinstance(call, Submission) else call).request
    return request.method.lower(), request.path


@pytest.fixture(scope="module")
def described(service_url: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The operations of the service's OpenAPI, by method and path, an id in it without braces."""
    paths = httpx2.get(f"{service_url}/openapi.json", trust_env=False).json()["paths"]
    return {
        (method, path.replace("{", "").replace("}", "")): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_every_route_has_a_method(described: dict[tuple[str, str], Any]) -> None:
    assert {route(name) for name in METHODS} == described.keys() - ELSEWHERE


def test_a_method_takes_what_its_route_takes(described: dict[tuple[str, str], Any]) -> None:
    filters = {field.alias or name for name, field in FilterFields.model_fields.items()}
    for name in METHODS:
        given = dict(inspect.signature(getattr(calls, name)).parameters)
        taken = {p["name"]: p for p in described[route(name)].get("parameters", [])}
        if "filters" in given and "query" in {p["in"] for p in taken.values()}:
            assert filters <= taken.keys()
            taken = {name: p for name, p in taken.items() if name not in filters}
            del given["filters"]
        if described[route(name)].get("requestBody"):
            continue  # of which the next two tests are
        given.pop("wait", None)
        assert given.keys() == taken.keys(), name
        for parameter in taken.values():
            default = given[parameter["name"]].default
            if not parameter.get("required"):
                assert default == parameter["schema"].get("default"), (name, parameter)


def test_what_is_asked_is_what_a_question_may_have() -> None:
    for build in (calls.ask, calls.stream):
        given = inspect.signature(build).parameters
        assert given.keys() | {"stream"} == AskRequest.model_fields.keys()
        assert given["limit"].default == AskRequest.model_fields["limit"].default
    given = inspect.signature(calls.give_feedback).parameters
    assert given.keys() == FeedbackRequest.model_fields.keys()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_both_classes_have_each_method_as_if_it_were_written_out(name: str) -> None:
    build = getattr(calls, name)
    for kind in (Kildesvar, AsyncKildesvar):
        method = getattr(kind, name)
        told = inspect.signature(method)
        assert list(told.parameters) == ["self", *inspect.signature(build).parameters]
        assert (method.__name__, method.__doc__) == (name, build.__doc__)
        assert method.__doc__
        call = built(name)
        if not isinstance(call, Stream | Submission):
            assert told.return_annotation == get_args(inspect.signature(build).return_annotation)[0]


# Against the service


def test_an_answer_and_a_follow_up(reading: Kildesvar) -> None:
    answer = reading.ask(QUESTION, limit=2)
    assert answer.short_answer == "1369"
    assert len(answer.passages) == 2
    citation = answer.citations[0]
    document = reading.document(citation.document_id)
    assert document.text[citation.start : citation.end] == citation.quote
    follow_up = reading.ask("Og hvor mange årsverk?", messages=messages_of(QUESTION, answer))
    assert follow_up.question == "Hvor mange årsverk har bransjen?"
    assert follow_up.short_answer == "15.515"


def test_the_turns_before_are_as_the_service_takes_them(reading: Kildesvar) -> None:
    answer = reading.ask(QUESTION)
    asked, told = messages_of(QUESTION, answer)
    assert (asked.role, asked.content) == ("user", QUESTION)
    assert (told.role, told.content) == ("assistant", f"1369\n\n{answer.answer}")
    refused = answer.model_copy(update={"answered": False, "answer": "n" * (MAX_MESSAGE + 1)})
    assert messages_of(QUESTION, refused)[1].content == "n" * MAX_MESSAGE


def test_an_answer_comes_in_typed_events(reading: Kildesvar) -> None:
    *told, answer = reading.stream("Hvilke mål har rådet?", limit=1)
    assert isinstance(answer, AskResponse)
    assert [event.name for event in told if isinstance(event, StageOut)] == [
        "retrieve",
        "read",
        "compose",
    ]
    assert "".join(event.text for event in told if isinstance(event, TextOut)) == answer.answer
    assert [event for event in told if isinstance(event, Citation)] == answer.citations
    assert len(answer.passages) == 1


def test_filters_limit_questions_and_searches(reading: Kildesvar) -> None:
    nynorsk = FilterFields(language=["nn"])
    assert not reading.ask(QUESTION, filters=nynorsk).answered
    recent = FilterFields(from_=date(2024, 1, 1), to=date(2024, 12, 31), language=["nb", "nn"])
    hits = reading.search("helsenæringa", filters=recent, limit=100).hits
    assert hits
    assert all(hit.date and hit.date.startswith("2024") for hit in hits)
    assert reading.search("helsenæringa", filters=nynorsk, limit=1).hits[0].language == "nn"
    assert reading.suggest("helsen", filters=FilterFields(language=["en"])).suggestions == []
    assert reading.suggest("helsen", filters=nynorsk, limit=1).suggestions


def test_a_search_marks_its_words_and_pages(reading: Kildesvar) -> None:
    found = reading.search("samhandling", limit=3)
    marked = [hit.text[start:end] for hit in found.hits for start, end in hit.highlights]
    assert marked
    assert all("samhandling" in word.lower() for word in marked)
    assert reading.search("samhandling", limit=2, offset=1).hits == found.hits[1:3]
    newest = [hit.date for hit in reading.search("samhandling", sort="date", limit=100).hits]
    assert newest == sorted(newest, key=str, reverse=True)


def test_the_library_can_be_looked_through(reading: Kildesvar) -> None:
    listed = reading.documents(sort="passages", descending=True, limit=2)
    assert (listed.total, len(listed.documents)) == (5, 2)
    assert listed.documents[0].passages >= listed.documents[1].passages
    [letter] = reading.documents(q="innspel").documents
    original = reading.original(letter.id)
    assert original == Path(letter.source).read_bytes()
    assert reading.left_out().files == []
    assert reading.audit(limit=1, since=datetime.now(UTC)).entries == []
    changes = [entry.action for entry in reading.audit(limit=500).entries]
    assert changes.count("document.added") == 5  # the examples
    assert reading.statistics(days=1).library.documents == 5
    assert reading.examples(language="nn", limit=1).generation
    assert reading.healthy().status == "ok"
    assert reading.ready().status == "ready"


def test_answers_are_judged(reading: Kildesvar) -> None:
    answer = reading.ask(QUESTION)
    assert answer.answer_id
    reading.give_feedback(answer.answer_id, "up", "Helt rett – æøå")
    judged = reading.feedback(limit=1).feedback[0]
    assert (judged.answer_id, judged.reason) == (answer.answer_id, "Helt rett – æøå")
    with pytest.raises(ProblemError) as error:
        reading.give_feedback("finnes-ikke", "down")
    assert error.value.status == 404


def test_a_conversation_is_kept_and_gone_on_with(reading: Kildesvar) -> None:
    name = uuid4().hex
    assert reading.ask(QUESTION, conversation_id=name).conversation_id == name
    followed = reading.ask("Og hvor mange årsverk?", conversation_id=name)
    assert "15.515" in followed.answer
    assert name in [c.id for c in reading.conversations(limit=500).conversations]
    assert reading.rename_conversation(name, "Tall på bransjen").title == "Tall på bransjen"
    kept = reading.conversation(name)
    assert (kept.title, kept.turns[0].question) == ("Tall på bransjen", QUESTION)
    assert b"15.515" in reading.export_conversation(name)
    assert json.loads(reading.export_conversation(name, format="json"))["id"] == name
    reading.delete_conversation(name)
    with pytest.raises(ProblemError) as error:
        reading.conversation(name)
    assert error.value.status == 404


def test_a_file_is_sent_followed_replaced_read_again_and_deleted(
    writing: Kildesvar, tmp_path: Path
) -> None:
    path = tmp_path / "Årsbrev – «Ås».txt"
    path.write_text(FERRIES, encoding="utf-8")
    job = writing.upload(path, wait=True)
    assert (job.state, job.file) == ("done", path.name)
    assert job.document_id
    assert writing.original(job.document_id) == FERRIES.encode()
    assert writing.ask("Hvem leder kommisjonen for fjordferger?").short_answer

    begun = writing.replace(job.document_id, NEWER.encode(), name="brev.txt")
    assert begun.state in {"queued", "running", "done"}
    *_, replaced = writing.follow(begun.id)
    assert replaced == writing.job(begun.id) == writing.jobs(limit=1).jobs[0]
    assert (replaced.state, replaced.document_id) == ("done", job.document_id)
    assert "Haugland" in writing.document(job.document_id).text
    assert writing.reindex(job.document_id, wait=True).state == "done"

    writing.delete(job.document_id)
    with pytest.raises(ProblemError, match="there is no document"):
        writing.document(job.document_id)


def test_a_file_that_cannot_be_read_fails_with_the_reason(writing: Kildesvar) -> None:
    job = writing.upload(b"dette er ingen PDF", name="rapport.pdf", wait=True)
    assert job.state == "failed"
    assert "named as a PDF" in (job.error or "")


@pytest.mark.parametrize(
    ("size", "name", "status"), [(1_500_000, "stor.txt", 413), (900_000, "program.exe", 415)]
)
def test_a_refused_file_is_told_of_before_all_of_it_was_taken(
    writing: Kildesvar, tmp_path: Path, size: int, name: str, status: int
) -> None:
    path = tmp_path / name
    path.write_bytes(b"x" * size)
    for file in (path, str(path), path.read_bytes()):
        with pytest.raises(ProblemError) as error:
            writing.upload(file, name=name)
        assert error.value.status == status


def test_what_is_no_file_is_told_of_at_once(connect: Connect, tmp_path: Path) -> None:
    client = connect()
    with pytest.raises(FileNotFoundError):
        client.upload(tmp_path / "finnes-ikke.txt")
    with pytest.raises(ValueError, match="name="):
        client.upload(b"uten navn")


def test_an_error_in_following_says_that_the_file_was_taken_in(connect: Connect) -> None:
    taken = httpx2.Response(202, json={"job_id": "b7"})
    client = answered(connect, taken, busy())
    with pytest.raises(ProblemError) as error:
        client.upload(b"x", name="a.txt", wait=True)
    assert "b7" in error.value.__notes__[0]


# What is refused, and what is in the service's place


def test_a_problem_has_its_status_its_remedy_and_when_to_return(connect: Connect) -> None:
    with pytest.raises(ProblemError, match="try again in a second") as error:
        answered(connect, busy()).ask(QUESTION)
    assert (error.value.status, error.value.retry_after) == (429, 1.0)
    assert error.value.problem.instance == "/v1/ask"
    assert isinstance(error.value, KildesvarError)


def test_the_services_own_word_on_bad_arguments(reading: Kildesvar) -> None:
    with pytest.raises(ProblemError, match="limit: Input should be less than") as error:
        reading.ask(QUESTION, limit=21)
    assert (error.value.status, error.value.retry_after) == (422, None)
    with pytest.raises(ProblemError, match="question"):
        next(reading.stream(""))


@pytest.mark.parametrize("hostile", ["../jobs", "a/b", "a?b#c", "Ås %2e", "x/original"])
def test_an_id_is_one_part_of_the_path(connect: Connect, service_url: str, hostile: str) -> None:
    client = connect(service_url)
    with pytest.raises(ProblemError) as error:
        client.document(hostile)
    assert error.value.status == 404
    for nothing in ("", ".", ".."):
        with pytest.raises(ValueError, match="no id"):
            client.delete(nothing)


def page(status: int, headers: dict[str, str] | None = None) -> httpx2.Response:
    html = "<html><style>b{}</style><title>Velkommen</title><b>502 Bad Gateway</b></html>"
    return httpx2.Response(
        status, headers={"Content-Type": "text/html", **(headers or {})}, text=html
    )


@pytest.mark.parametrize("status", [200, 401, 502])
def test_a_page_of_a_proxy_is_told_apart(connect: Connect, status: int) -> None:
    asked: list[Callable[[Kildesvar], object]] = [
        lambda client: client.ask(QUESTION),
        lambda client: client.original("a"),
        lambda client: client.delete("a"),
        lambda client: list(client.stream(QUESTION)),
    ]
    for ask in asked:
        with pytest.raises(UnexpectedAnswerError, match="proxy") as error:
            ask(answered(connect, page(status)))
        assert error.value.status == status
        assert "<" not in str(error.value)
    with pytest.raises(UnexpectedAnswerError, match="«Velkommen 502 Bad Gateway»"):
        answered(connect, page(status)).ask(QUESTION)


def test_another_address_is_named(connect: Connect) -> None:
    moved = httpx2.Response(308, headers={"Location": "https://kilder.example/v1/ask"})
    with pytest.raises(UnexpectedAnswerError, match=r"308 .*https://kilder\.example/v1/ask"):
        answered(connect, moved).ask(QUESTION)


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (lambda: httpx2.Response(200, json={"hei": 1}), "status: Field required"),
        (lambda: httpx2.Response(200, text="hei"), "Invalid JSON"),
        (lambda: httpx2.Response(404, json={"detail": "Not Found"}), "Not Found"),
        (lambda: httpx2.Response(500, content=b"\x00\xff"), "no type"),
    ],
)
def test_what_does_not_fit_is_told(
    connect: Connect, response: Callable[[], httpx2.Response], says: str
) -> None:
    with pytest.raises(UnexpectedAnswerError, match=says):
        answered(connect, response()).healthy()


def test_a_newer_service_may_say_more(connect: Connect, reading: Kildesvar) -> None:
    answer = reading.ask(QUESTION).model_dump(mode="json")
    newer = {**answer, "mood": "glad", "citations": [{**answer["citations"][0], "colour": 1}]}
    asked = answered(connect, httpx2.Response(200, json=newer)).ask(QUESTION)
    assert asked.short_answer == "1369"
    stage, mood = ("stage", {"name": "ponder"}), ("mood", {"name": "glad"})
    said = events(stage, mood, ("token", {"text": "1369", "bold": True}), ("stage", {"title": "x"}))
    stream = answered(connect, said).stream(QUESTION)
    assert next(stream) == TextOut(text="1369")
    with pytest.raises(UnexpectedAnswerError, match="name: Field required"):
        next(stream)


def test_an_error_in_a_stream_is_raised(connect: Connect) -> None:
    said = events(("stage", {"name": "retrieve"}), ("error", PROBLEM))
    stream = answered(connect, said).stream(QUESTION)
    assert next(stream) == StageOut(name="retrieve")
    with pytest.raises(ProblemError, match="try again"):
        next(stream)


def test_a_stream_that_ends_without_an_answer_is_told(connect: Connect) -> None:
    stream = answered(connect, events(("stage", {"name": "read"}))).stream(QUESTION)
    assert next(stream) == StageOut(name="read")
    with pytest.raises(UnreachableError, match="ended before"):
        next(stream)


def test_to_close_a_stream_ends_the_request(connect: Connect) -> None:
    response = events(*[("stage", {"name": "read"})] * 1000)
    body = response.stream
    assert isinstance(body, Pieces)
    stream = answered(connect, response).stream(QUESTION)
    assert next(stream) == StageOut(name="read")
    assert not body.closed
    stream.close()
    assert body.closed


def test_nobody_there(connect: Connect) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError, match="kildesvar serve"):
            connect(address).healthy()
        with pytest.raises(UnreachableError, match="kildesvar serve"):
            next(connect(address).stream(QUESTION))


def test_a_service_that_says_nothing(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)
        with pytest.raises(TimedOutError, match="longer `timeout`"):
            client.healthy()


def test_a_service_that_breaks_off(connect: Connect) -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.RemoteProtocolError("Server disconnected", request=request)

    with pytest.raises(UnreachableError, match="broke off"):
        connect(transport=httpx2.MockTransport(broken)).healthy()


# The address, the key, and asking again


def test_the_key_travels_as_a_bearer(connect: Connect) -> None:
    answers = Answers(health(), health())
    transport = httpx2.MockTransport(answers)
    connect("https://intranet.example/kilder", key="kv_abc", transport=transport).healthy()
    connect(transport=transport).healthy()
    with_key, without = answers.requests
    assert str(with_key.url) == "https://intranet.example/kilder/healthz"
    assert with_key.headers["authorization"] == "Bearer kv_abc"
    assert with_key.headers["user-agent"].startswith("kildesvar-python/")
    assert str(without.url) == "http://127.0.0.1:8080/healthz"
    assert "authorization" not in without.headers


@pytest.mark.parametrize("key", ["", "kv abc", "kv_abc\n", "nøkkel"])
def test_what_is_no_key_is_not_sent(connect: Connect, key: str) -> None:
    with pytest.raises(ValueError, match="the key"):
        connect(key=key)


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:8080", "ftp://x", "http://", "http://127.0.0.1:tolv", "/v1"]
)
def test_what_is_no_address_is_told(connect: Connect, address: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        connect(address)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    connect: Connect, service_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert connect(service_url).healthy()
    with pytest.raises(UnreachableError):
        connect("http://kilder.invalid").healthy()


def in_an_hour() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=1))


def ago() -> str:
    return format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)


def test_nothing_is_sent_twice_unless_told(connect: Connect, pauses: list[float]) -> None:
    with pytest.raises(ProblemError):
        answered(connect, busy()).healthy()
    assert pauses == []


def test_what_is_refused_is_asked_again_when_the_service_says(
    connect: Connect, pauses: list[float]
) -> None:
    client = answered(connect, busy("1"), busy("5", 503), busy(ago()), health(), retries=3)
    assert client.healthy().status == "ok"
    first, second, third = pauses
    assert 1 <= first <= 1.25
    assert 5 <= second <= 6.25
    assert third == 0


def test_a_question_is_asked_again_in_a_stream_too(connect: Connect, pauses: list[float]) -> None:
    client = answered(connect, busy(), events(("stage", {"name": "read"})), retries=1)
    assert next(client.stream(QUESTION)) == StageOut(name="read")
    with pytest.raises(ProblemError):
        answered(connect, busy(), busy(), retries=1).ask(QUESTION)
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("retry_after", "status"),
    [(None, 429), ("snart", 503), ("61", 429), ("in an hour", 503), ("1", 500), ("1", 404)],
)
def test_what_does_not_say_when_to_return_soon_is_not_asked_again(
    connect: Connect, pauses: list[float], retry_after: str | None, status: int
) -> None:
    with pytest.raises(ProblemError):
        when = in_an_hour() if retry_after == "in an hour" else retry_after
        answered(connect, busy(when, status), retries=9).healthy()
    assert pauses == []


def test_what_changes_something_is_never_sent_twice(connect: Connect, pauses: list[float]) -> None:
    changes: list[Callable[[Kildesvar], object]] = [
        lambda client: client.upload(b"x", name="a.txt"),
        lambda client: client.replace("a", b"x", name="a.txt"),
        lambda client: client.reindex("a"),
        lambda client: client.delete("a"),
        lambda client: client.give_feedback("a", "up"),
        lambda client: client.rename_conversation("a", "b"),
        lambda client: client.delete_conversation("a"),
    ]
    for change in changes:
        with pytest.raises(ProblemError):
            change(answered(connect, busy(), retries=9))
    assert pauses == []
