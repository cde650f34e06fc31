"""Several who change one library in PostgreSQL, and one index that follows them."""

import threading
import uuid
from collections.abc import Iterator

import pytest

from index.engine import Contents, Recipe
from index.library import Library
from index.opensearch import engine as engine_module
from index.opensearch.client import Address, Cluster
from index.opensearch.engine import OpenSearchEngine
from index.opensearch.mapping import Layout
from index.outbox import Outbox
from tests.cluster.opensearch import Cluster as Server
from tests.test_library import FINGERPRINT
from tests.test_outbox import BODIES, put

RECIPE = Recipe(FINGERPRINT, 2, 220)
_EACH = 12


@pytest.fixture
def layout(one_node: Server) -> Iterator[Layout]:
    layout = Layout(f"t{uuid.uuid4().hex[:12]}", 1, 0)
    yield layout
    one_node.call("DELETE", f"/{layout.name}-*")


def test_one_follows_at_a_time_and_the_next_takes_over(database_url: str) -> None:
    libraries = [Library.open(database_url) for _ in range(2)]
    one, other = map(Outbox, libraries)
    with one.following() as is_alone, other.following() as is_also_alone:
        assert is_alone is not None
        assert is_also_alone is None
    with other.following() as is_alone:
        assert is_alone is not None
    for library in libraries:
        library.close()


def test_what_several_change_at_once_is_all_in_the_index(
    database_url: str, one_node: Server, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_PATIENCE", 300.0)
    Library.open(database_url).close()  # its tables are made by one alone
    failed: list[BaseException] = []

    def change(number: int) -> None:
        library = Library.open(database_url)
        engine = OpenSearchEngine(library, Cluster(Address((one_node.urls,))), layout)
        try:
            for turn in range(_EACH):
                path = f"/d/{number}/{turn % 3}.txt"
                body = f"{BODIES[turn % 3]} Sak {number}-{turn}."
                with library.writing(exclusive=False):
                    if turn % 4 == 3:
                        library.remove_sources([path])
                    else:
                        put(library, path, body, ("default", "styret")[turn % 2])
                    engine.publish(Contents(dict, library.version(), lambda _: iter(())), RECIPE)
        except BaseException as error:
            failed.append(error)
        finally:
            engine.close()
            library.close()

    threads = [threading.Thread(target=change, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    library = Library.open(database_url)
    engine = OpenSearchEngine(library, Cluster(Address((one_node.urls,))), layout)
    assert engine.is_current(library.version(), RECIPE), "each has waited until it is"
    assert list(engine.check(mends=False)) == []
    assert sum(index.passages for index in engine.status().indices) == library.count()[1] > 0
    engine.close()
    library.close()
