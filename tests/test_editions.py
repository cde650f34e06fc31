"""Editions of passages: numbered once and for all, and the one before kept to go back to."""

from pathlib import Path

import numpy as np
import pytest

from index.changes import set_state
from index.library import Library
from index.passages import Passage
from index.records import Edition, NewPassage, Vectors
from tests.libraries import library_in
from tests.test_library import FINGERPRINT
from tests.test_outbox import BODIES, PATHS, put

ONE, TWO = "the one recipe", "the other recipe"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return library_in(tmp_path)


def make(library: Library, recipe: str) -> Edition:
    """Cuts every document anew by the recipe, and has that be searched."""
    edition = library.begin_edition(recipe)
    for document_id in library.documents_without(edition.number):
        new = [NewPassage(Passage(0, 1, ()), (), recipe)]
        vectors = {recipe: Vectors(np.ones(2, np.float32), np.empty((0, 2), np.float32))}
        library.add_to_edition(edition, document_id, new, vectors, FINGERPRINT)
    library.switch_edition(edition)
    return edition


def test_no_number_is_used_twice(library: Library) -> None:
    first = library.begin_edition(ONE)
    assert library.begin_edition(ONE) == first, "it is taken up"
    second = library.begin_edition(TWO)
    assert second.number > first.number
    library.give_up_next_edition()
    assert library.coming_edition() is None
    assert library.begin_edition(ONE).number > second.number


def test_one_that_an_earlier_version_began_is_taken_up(library: Library) -> None:
    with library.transaction() as connection:
        set_state(connection, "next_recipe", ONE)
    assert library.begin_edition(ONE) == Edition(library.edition().number + 1, ONE)


def test_the_one_before_is_gone_back_to(library: Library) -> None:
    kept = put(library, PATHS[0], BODIES[0])
    gone = put(library, PATHS[1], BODIES[1])
    one, two = make(library, ONE), make(library, TWO)
    library.remove_sources([PATHS[1]])
    new = put(library, PATHS[2], BODIES[2])
    again = library.begin_edition(ONE)
    assert again == one
    assert library.documents_without(one.number) == [new], "all else is there"
    assert library.passages_of({gone}) == []
    assert make(library, ONE) == one
    assert library.edition() == one
    assert library.begin_edition(TWO) == two, "and back again"
    assert set(library.documents_without(two.number)) <= {kept, new}


def test_giving_up_the_way_back_leaves_what_is_kept(library: Library) -> None:
    document_id = put(library, PATHS[0], BODIES[0])
    one, _ = make(library, ONE), make(library, TWO)
    library.begin_edition(ONE)
    library.give_up_next_edition()
    assert library.passages_of({document_id}, one.number)
    assert library.begin_edition(ONE) == one


def test_one_whose_passages_are_gone_is_not_gone_back_to(library: Library) -> None:
    put(library, PATHS[0], BODIES[0])
    one, two = make(library, ONE), make(library, TWO)
    library.forget_unused({two.number}, {FINGERPRINT})
    assert library.begin_edition(ONE).number > two.number
    assert one.number < two.number
