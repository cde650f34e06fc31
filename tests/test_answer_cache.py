"""What is remembered is what would be answered anew, whatever happens to the library."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from app.access.callers import Role
from app.access.keys import Keys
from app.answering.answerer import Answer
from app.answering.conversation import Turn
from app.asking.answer_cache import AnswerCache, Asked
from app.asking.asking import Asking, answer_of
from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from index.embedding.remembering import RememberingEncoder
from index.records import Filters
from tests.conftest import LOCAL
from tests.running import QUESTION, run, running

LEADERS = ("Kari Nordmann", "Ola Nordmann", "Åse Nordmann")
QUESTIONS = ("Hva heter lederen av rådet?", "Hva heter lederen av styret?", "Hva koster brød?")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(QUESTIONS), st.sampled_from([(), ("nb",)])),
        st.tuples(st.just("write"), st.sampled_from(["råd", "styre"]), st.sampled_from(LEADERS)),
        st.tuples(st.just("move"), st.sampled_from(["råd", "styre"]), st.none()),
        st.tuples(st.just("delete"), st.sampled_from(["råd", "styre"]), st.none()),
    ),
    min_size=4,
    max_size=12,
)


def told(answer: Answer) -> dict[str, Any]:
    """What a reader is told, but for how long it took."""
    return {
        "answer": (answer.answered, answer.answer, answer.short_answer, answer.confidence),
        "citations": answer.citations,
        "passages": [(hit.passage, hit.score) for hit in answer.hits],
        "generation": answer.generation,
        "documents": answer.documents,
    }


@pytest.fixture(scope="module")
def library(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kildesvar]:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path_factory.mktemp("cached") / "data"))
    yield kildesvar
    kildesvar.close()


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
@example([("ask", QUESTIONS[0], ()), ("move", "råd", None), ("ask", QUESTIONS[0], ())])
def test_with_and_without_it_the_answers_are_the_same(
    library: Kildesvar, tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("dokumenter")
    write(library, folder, "råd", LEADERS[0])
    cache = AnswerCache(10**7, library.library.told)
    asking = Asking(library.answerer, None, threading.Event(), cache=cache)
    gate = Gate(1)
    for step, what, how in steps:
        if step == "ask":
            filters = Filters(language=how)
            generation = library.generation()
            asked = Asked(what, filters=filters)
            answers = [run(ask(asking, gate, library, asked)) for _ in range(2)]
            anew = library.answerer.answer(generation, what, 5, filters)
            assert [told(answer) for answer in answers] == [told(anew)] * 2
            assert answers[1].is_cached
        elif step == "write":
            write(library, folder, what, how)
        elif step == "move":
            move(library, folder, what)
        else:
            delete(library, what)
    for document in library.library.documents(10):
        library.library.remove_document(document.id, "the next example begins anew")
    library.ingester().publish()


async def ask(asking: Asking, gate: Gate, library: Kildesvar, asked: Asked) -> Answer:
    return await answer_of(await asking.ask(gate, library.generation(), asked))


def write(library: Kildesvar, folder: Path, name: str, leader: str) -> None:
    text = f"Lederen av {name}et heter {leader}.\n"
    (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    library.ingester().ingest([folder])


def move(library: Kildesvar, folder: Path, name: str) -> None:
    if (path := folder / f"{name}.txt").exists():
        path.rename(folder / f"{name} flyttet.txt")
        library.ingester().ingest([folder])


def delete(library: Kildesvar, name: str) -> None:
    for document in library.library.documents(10):
        if Path(document.source).stem == name:
            library.library.remove_document(document.id, "by a test")  # published later, or never


def test_what_was_deleted_is_in_no_answer_after_it(model_folder: Path, tmp_path: Path) -> None:
    """Invariant 2, with the caches of answers and of queries."""
    folder = tmp_path / "dokumenter"
    folder.mkdir()
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    write(kildesvar, folder, "råd", LEADERS[0])
    write(kildesvar, folder, "styre", LEADERS[1])
    with TestClient(create_service(kildesvar), base_url=LOCAL) as client:

        def asked() -> dict[str, Any]:
            body: dict[str, Any] = client.post("/v1/ask", json={"question": QUESTIONS[0]}).json()
            return body

        first, second = asked(), asked()
        assert (first["cached"], second["cached"]) == (False, True)
        assert first["short_answer"] == second["short_answer"] == LEADERS[0]
        assert first["answer_id"] != second["answer_id"], "each is noted"
        assert second["timings"].keys() == first["timings"].keys()
        deleted = first["citations"][0]["document_id"]
        assert client.delete(f"/v1/documents/{deleted}").status_code == 204
        for answer in (asked(), asked()):
            assert LEADERS[0] not in json.dumps(answer)


def test_other_filters_limits_histories_and_collections_are_other_questions(
    kildesvar: Kildesvar,
) -> None:
    cache = AnswerCache(10**7, kildesvar.library.told)
    generation = kildesvar.generation()
    asked = [
        Asked(QUESTION),
        Asked(QUESTION, limit=6),
        Asked(QUESTION, filters=Filters(language=("nb",))),
        Asked(QUESTION, history=(Turn("user", "Hvem er med?"),)),
        Asked(QUESTION, collections=frozenset()),
        Asked(QUESTION, collections=frozenset({"styret"})),
        Asked(f"{QUESTION} "),
    ]
    keys = {cache.key(generation, one) for one in asked}
    assert len(keys) == len(asked)


def test_who_may_read_other_documents_gets_another_answer(
    model_folder: Path, tmp_path: Path
) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    keys = []
    for collection, leader in zip(("åpent", "styret"), LEADERS, strict=False):
        folder = tmp_path / collection
        folder.mkdir()
        (folder / "råd.txt").write_text(f"Lederen av rådet heter {leader}.\n", encoding="utf-8")
        kildesvar.ingester().ingest([folder], collection=collection)
        keys.append(Keys(kildesvar.library).create(leader, Role.READ, [collection])[1])
    with TestClient(create_service(kildesvar), base_url=LOCAL) as client:
        answers = [
            client.post(
                "/v1/ask",
                json={"question": QUESTIONS[0]},
                headers={"Authorization": f"Bearer {key}"},
            ).json()
            for key in keys * 2
        ]
    assert [answer["short_answer"] for answer in answers] == [*LEADERS[:2], *LEADERS[:2]]
    assert [answer["cached"] for answer in answers] == [False, False, True, True]


def test_it_is_no_larger_than_it_may_be(kildesvar: Kildesvar) -> None:
    events = list(kildesvar.answerer.events(kildesvar.generation(), QUESTION))
    cache = AnswerCache(100_000, kildesvar.library.told)
    keys = [cache.key(kildesvar.generation(), Asked(f"{QUESTION} {n}")) for n in range(40)]
    for key in keys:
        cache.keep(key, events)
    kept = [key for key in keys if cache.get(key) is not None]
    assert 0 < len(kept) < 40
    assert kept == keys[-len(kept) :], "the newest"


def test_a_remembered_answer_is_streamed_as_the_first_was(examples_dir: Path) -> None:
    with running(examples_dir, cached_answers_mb=1) as service:
        body = {"question": QUESTION, "stream": True}
        first, second = (service.client.post("/v1/ask", json=body).text for _ in range(2))
        *events, answer = first.strip().split("\n\n")
        *again, repeated = second.strip().split("\n\n")
        assert events == again
        assert '"cached":false' in answer
        assert '"cached":true' in repeated
        chat = {"model": "kildesvar", "messages": [{"role": "user", "content": QUESTION}]}
        completion = service.client.post("/v1/chat/completions", json=chat).json()
        assert completion["kildesvar"]["cached"]


def test_only_what_is_searched_for_is_kept_as_a_query(kildesvar: Kildesvar) -> None:
    cache = kildesvar.query_cache
    assert cache is not None
    before = cache.misses()
    kildesvar.encoder.embed_query("En setning som en språkmodell har skrevet.")
    assert cache.misses() == before
    kildesvar.retriever.search(kildesvar.generation(), "noe som ingen har søkt etter", 1)
    assert cache.misses() == before + 1


def test_the_vector_of_a_query_is_kept_and_cannot_be_written_to(kildesvar: Kildesvar) -> None:
    encoder = RememberingEncoder(kildesvar.encoder, 2)
    first = encoder.embed_query("a")
    assert encoder.embed_query("a") is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1
    for text in ("b", "c"):
        encoder.embed_query(text)
    assert len(encoder._vectors) == 2
    assert encoder._vectors.get((encoder.fingerprint, "a")) is None
