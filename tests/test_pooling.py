"""Several parts that are searched as one count as one part with all of it would."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.local import LocalView
from index.parts import Entry, Part, build
from index.records import Ids, Scope
from index.suggestions import Asked, Held, Kind, beginning_key

WORDS = ["blåbær", "blåtur", "rehabilitering", "øving", "samhandling", "samhandlinga", "møte"]
BODY = st.lists(st.sampled_from(WORDS), min_size=2, max_size=2).map(" ".join)
"""All of one length: the mean length is what parts do not share."""
VECTOR = np.array([0.6, 0.8, 0.0, 0.0], np.float32)


def entry(passage_id: int, body: str, title: str | None) -> Entry:
    angle = passage_id / 10
    vector = np.array([np.cos(angle), np.sin(angle), 0, 0], np.float32)
    return Entry(passage_id, f"d{passage_id % 3}", body, vector, body, title, (f"Om {body}",))


def part(folder: Path, entries: Sequence[Entry]) -> Part:
    by_id = {entry.passage_id: entry for entry in entries}

    def fetch(ids: Ids) -> Iterator[list[Entry]]:
        yield from ([by_id[passage_id]] for passage_id in ids.tolist())

    build(folder, np.array(sorted(by_id), np.int64), fetch)
    return Part(folder)


def view(parts: Sequence[Part]) -> LocalView:
    return LocalView("view", None, 0, parts)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(BODY, st.integers(0, 2)), min_size=3, max_size=12))
def test_pooled_parts_count_as_one_part_with_all_of_it(made: list[tuple[str, int]]) -> None:
    entries = [
        (entry(number, body, body.title() if number % 2 else None), collection)
        for number, (body, collection) in enumerate(made, 1)
    ]
    with TemporaryDirectory() as folder:
        whole = view([part(Path(folder, "whole"), [entry for entry, _ in entries])])
        pooled = view(
            [
                part(Path(folder, f"part{at}"), [entry for entry, of in entries if of == at])
                for at in range(3)
            ]
        )
        require_same_words(whole, pooled)
        require_same_suggestions(whole, pooled)
        ids = [entry.passage_id for entry, _ in entries]
        nearest = dict(whole.dense.search(VECTOR, 5))
        assert dict(pooled.dense.search(VECTOR, 5)) == pytest.approx(nearest)
        assert pooled.dense.similarities(VECTOR, ids) == pytest.approx(
            whole.dense.similarities(VECTOR, ids)
        )
        assert (len(pooled.dense), len(pooled.lexical)) == (len(ids), len(ids))


def require_same_words(whole: LocalView, pooled: LocalView) -> None:
    terms = dict.fromkeys(["blåbær", "rehabilitering", "møt", "mangler"], 1.0) | {"øving": 2.0}
    for word in terms:
        assert pooled.lexical.rarity(word) == whole.lexical.rarity(word)
        assert pooled.lexical.has(word) == whole.lexical.has(word)
    assert pooled.lexical.shares(terms) == whole.lexical.shares(terms)
    for scope in (None, Scope(frozenset({"d0"})), Scope(frozenset({"d0"}), others=True)):
        found = dict(pooled.lexical.search(terms, 20, scope))
        assert found == pytest.approx(dict(whole.lexical.search(terms, 20, scope)), rel=1e-5)
        scores = [score for _, score in pooled.lexical.search(terms, 20, scope)]
        assert scores == sorted(scores, reverse=True)
    ids = list(range(1, 6))
    covered = whole.lexical.coverage(terms, ids)
    assert pooled.lexical.coverage(terms, ids) == pytest.approx(covered)
    for form in [*WORDS, "mangler"]:
        assert pooled.vocabulary.count(form) == whole.vocabulary.count(form)
    for distance in (1, 2):
        near = [sorted(v.vocabulary.near("samhandlinge", distance)) for v in (whole, pooled)]
        assert near[0] == near[1]
    starting = [v.vocabulary.starting_near("blåp", 1, 10) for v in (whole, pooled)]
    assert sorted(starting[0]) == sorted(starting[1])


def require_same_suggestions(whole: LocalView, pooled: LocalView) -> None:
    for kind in Kind:
        for scope in (None, Scope(frozenset({"d1"}))):
            found = []
            for index in (whole.suggestions, pooled.suggestions):
                among = index.within(scope)
                found.append(
                    [
                        *index.texts([Asked(kind, "bl", among, 10)]),
                        index.with_word(kind, "møte", among, 10),
                        index.with_word(kind, "møte", None, 10),
                        *index.texts([Asked(kind, beginning_key("om"), among, 10)]),
                    ]
                )
                for text in ("blåbær", "Om møte møte"):
                    [holders] = index.holders([Held(kind, text, among)], 20)
                    found[-1].append([("", i) for i in sorted(holders)])
            assert found[0] == found[1]


def test_one_part_is_handed_out_as_it_is(tmp_path: Path) -> None:
    one = part(tmp_path / "one", [entry(1, "blåbær møte", None)])
    of_one = view([one])
    assert of_one.dense is one.dense
    assert of_one.lexical is one.lexical
    assert of_one.vocabulary is one.vocabulary
    assert of_one.suggestions is one.suggestions


def test_a_view_of_nothing_has_nothing() -> None:
    nothing = view([])
    assert nothing.dense.search(VECTOR, 5) == []
    assert nothing.lexical.search({"møt": 1.0}, 5) == []
    assert nothing.lexical.shares({"møt": 1.0}) == {"møt": 1.0}
    assert nothing.vocabulary.count("møte") == 0
    assert nothing.vocabulary.near("møte", 1) == []
    among = nothing.suggestions.within(None)
    assert nothing.suggestions.texts([Asked(Kind.TERM, "m", among, 5)]) == [[]]
    with pytest.raises(KeyError):
        nothing.dense.similarities(VECTOR, [1])
