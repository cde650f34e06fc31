"""What every view has to do, whatever it searches: files of a generation, or a cluster."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.assembly import Kildesvar
from app.hosting.service import create_service
from index.entries import entries_of
from index.lexical import Scored
from index.records import Filters
from index.suggestions import Held, Kind
from index.views import View
from tests.conftest import LOCAL

OPEN, CLOSED = "åpent", "styret"
READER = frozenset({OPEN})
PAGE = """<html lang="nb"><head><title>{title}</title>
<meta property="article:published_time" content="{day}T08:00:00Z"></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>"""
OPEN_FILES = {
    "sjø/ferger.md": "# Elektriske ferger i fjordene\n\n## Når fergene kommer\n\n"
    "Fergene skal settes i drift 1. mars 2025. De går mellom Moss og Horten. Les hvordan "
    "du bestiller.\n",
    "sjø/røret.html": PAGE.format(
        title="Røret under havet", day="2019-03-01", text="Røret er av stål og ligger i bøkeskogen."
    ),
    "sjø/roret.html": PAGE.format(
        title="Roret på båten", day="2021-06-30", text="Roret er av tre og henger bak båten."
    ),
    "land/medlemmer.md": "# Medlemmer i bransjen\n\n## Tall for medlemmer\n\n"
    "Bransjen har 1369 medlemmer per april 2024. Samhandling er målet for alle.\n",
    "land/skule.txt": "Skulen ved fjorden tek imot elevane. Rektor heiter Aud, og ho les bøker om "
    "fuglane. Elevane vandrar til fjells kvar haust.\n",
    "land/library.txt": "The library of the town opens at nine. Readers may borrow ten books, and "
    "must return all of them within a month.\n",
}
CLOSED_FILES = {
    # As near to the questions as can be, with words spelt nearly like theirs.
    "hemmelig.md": "# Medlemmer i bransjen, hemmelig\n\n## Tall for medlemmer\n\n"
    "Bransjen har 4711 medlemmer i det skjulte registeret. Samhandlinga er slutt.\n",
    "oppkjøp.md": "# Oppkjøpet av rederiet\n\n## Når rederiet kjøpes\n\n"
    "Rederiet kjøpes 3. mai 2026. Fergane vert selde, og fergenes medlemer mister rabatten.\n",
}


def add(kildesvar: Kildesvar, folder: Path, files: dict[str, str], collection: str) -> None:
    """Ingests the files into a collection."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    with kildesvar.writing():
        kildesvar.ingester().ingest([folder], collection=collection)


def add_both(kildesvar: Kildesvar, root: Path) -> None:
    """All documents, each in its collection."""
    add(kildesvar, root / "open", OPEN_FILES, OPEN)
    add(kildesvar, root / "closed", CLOSED_FILES, CLOSED)


def names(kildesvar: Kildesvar, found: Sequence[Scored]) -> list[str]:
    """The files of the passages that were found, in their order."""
    passages = kildesvar.library.passages([passage_id for passage_id, _ in found])
    return [Path(passages[passage_id].source).name for passage_id, _ in found]


def key(kildesvar: Kildesvar, word: str) -> str:
    """The word as it is matched."""
    return kildesvar.analyser.words(word)[0]


def by_words(kildesvar: Kildesvar, view: View, query: str, within: Any = None) -> list[Scored]:
    return view.lexical.search(kildesvar.analyser.weights(query), 20, within)


def by_meaning(kildesvar: Kildesvar, view: View, query: str, within: Any = None) -> list[Scored]:
    return view.dense.search(kildesvar.encoder.embed_query(query), 20, within)


def suggested(
    kildesvar: Kildesvar, view: View, typed: str, filters: Filters | None = None
) -> list[tuple[str, str]]:
    found = kildesvar.suggester.suggest(view, typed, 10, filters)
    return [(suggestion.kind.value, suggestion.text) for suggestion in found]


def check_words_are_found_in_all_their_forms(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(None)
    for query, file in (
        ("ferge", "ferger.md"),
        ("bransje", "medlemmer.md"),
        ("stål", "røret.html"),
    ):
        assert file in names(kildesvar, by_words(kildesvar, view, query)), query
    assert by_words(kildesvar, view, "romskip") == []
    assert view.lexical.search({}, 20) == []
    assert view.lexical.search(kildesvar.analyser.weights("ferge"), 0) == []


def check_scores_are_those_of_bm25(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(READER)
    ids = np.array(sorted(i for i, _ in by_meaning(kildesvar, view, "alt")), np.int64)
    lengths = {
        entry.passage_id: len(kildesvar.analyser.words(entry.text))
        for some in entries_of(kildesvar.library, ids, kildesvar.encoder.fingerprint)
        for entry in some
    }
    count = len(view.dense)
    assert count == len(lengths)
    word = key(kildesvar, "rektor")
    [(found, score)] = view.lexical.search({word: 2.0}, 5)
    rarity = view.lexical.rarity(word)
    assert rarity == pytest.approx(np.log(1 + (count - 1 + 0.5) / 1.5))
    mean = sum(lengths.values()) / count
    norm = 1.2 * (0.25 + 0.75 * lengths[found] / mean)
    assert score == pytest.approx(2.0 * rarity * 2.2 / (1 + norm), rel=0.01)
    assert dict(view.lexical.search({word: 4.0}, 5)) == pytest.approx({found: 2 * score})


def check_words_are_weighed_by_how_rare_they_are(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(READER)
    ferry, member, spaceship = (key(kildesvar, w) for w in ("ferge", "medlem", "romskip"))
    words = {member: 1.0, ferry: 1.0, spaceship: 1.0}
    shares = view.lexical.shares(words)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[spaceship] > shares[ferry] > 0
    ids = [passage_id for passage_id, _ in by_meaning(kildesvar, view, "ferger")]
    coverage = view.lexical.coverage(words, ids)
    having = dict(by_words(kildesvar, view, "ferge")).keys()
    assert having
    for passage_id in ids:
        covered = coverage.get(passage_id, 0.0)
        wanted = shares[ferry] if passage_id in having else 0.0
        if passage_id not in dict(by_words(kildesvar, view, "medlem")):
            assert covered == pytest.approx(wanted), passage_id
    assert view.lexical.has(ferry)
    assert not view.lexical.has(spaceship)
    assert view.lexical.coverage({}, ids) == dict.fromkeys(ids, 0.0)
    assert view.lexical.coverage(words, []) == {}


def check_meaning_is_found_without_a_word_in_common(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(READER)
    found = by_meaning(kildesvar, view, "How many books can be taken home?")
    assert names(kildesvar, found)[0] == "library.txt"
    assert len(found) == len(view.dense), "as many as there are"
    vector = kildesvar.encoder.embed_query("How many books can be taken home?")
    ids = [passage_id for passage_id, _ in found]
    assert view.dense.similarities(vector, ids) == pytest.approx([s for _, s in found], abs=1e-5)
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
    assert view.dense.search(vector, 0) == []
    assert view.dense.search(vector, 3) == found[:3]


def check_each_filter_leaves_what_it_should(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(None)
    everything = Filters()
    folder = Path(kildesvar.library.documents(limit=1)[0].source).parents[1]
    [ferry] = [d for d in kildesvar.library.documents(limit=50) if d.source.endswith("ferger.md")]
    every = [
        replace(everything, document=(ferry.id,)),
        replace(everything, language=("nn",)),
        replace(everything, language=("nn", "en")),
        replace(everything, media_type=("text/html",)),
        replace(everything, collection=(CLOSED,)),
        replace(everything, collection=("tomt",)),
        replace(everything, folder=(ferry.source.rpartition("/")[0],)),
        replace(everything, folder=(ferry.source.rpartition("/")[0] + "/", "/nowhere")),
        replace(everything, folder=(ferry.source.rpartition("/")[0][:-1],)),
        replace(everything, folder=(str(folder),)),
        replace(everything, folder=("/",)),
        replace(everything, dated_to="2019-03-01"),
        replace(everything, dated_from="2019-03-02", dated_to="2021-06-30"),
        replace(everything, dated_from="2022-01-01", language=("nb",)),
        replace(everything, language=("fr",)),
    ]
    for filters in every:
        documents = kildesvar.library.matching(filters)
        within = view.within(filters)
        assert within.documents == len(documents), filters
        all_ids = [passage_id for passage_id, _ in by_meaning(kildesvar, view, "alt")]
        of = kildesvar.library.documents_of(all_ids)
        wanted = {i for i in all_ids if of[i] in documents}
        assert within.holding(all_ids) == wanted, filters
        found = by_meaning(kildesvar, view, "alt", within)
        assert {passage_id for passage_id, _ in found} == wanted, filters
        words = "ferge medlem rør ror skule library elev rederi"
        expected = [hit for hit in by_words(kildesvar, view, words) if hit[0] in wanted]
        found = by_words(kildesvar, view, words, within)
        assert [i for i, _ in found] == [i for i, _ in expected], filters
        assert dict(found) == pytest.approx(dict(expected)), "a filter changes no score"


def check_a_letter_is_no_other(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(None)
    assert names(kildesvar, by_words(kildesvar, view, "røret")) == ["røret.html"]
    assert names(kildesvar, by_words(kildesvar, view, "roret")) == ["roret.html"]
    assert ("title", "Røret under havet") in suggested(kildesvar, view, "rør")
    assert [text for _, text in suggested(kildesvar, view, "rør") if "oret" in text] == []
    assert [text for _, text in suggested(kildesvar, view, "ror") if "øret" in text] == []
    assert [text for _, text in suggested(kildesvar, view, "bøkeskog") if "øke" not in text] == []


def check_spelling_is_mended(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(READER)
    for asked, corrected in (
        ("bransjn", "bransjen"),
        ("samhnadling", "samhandling"),
        ("Horten", "Horten"),
        ("fregene", "fergene"),
    ):
        found = kildesvar.retriever.search(view, asked, 3)
        assert found.wording.corrected == corrected
    assert view.vocabulary.count("medlemmer") > 0
    assert view.vocabulary.count("medlemer") == 0
    assert view.vocabulary.counts(["fergene", "nei"]).keys() == {"fergene", "nei"}
    near = dict(view.vocabulary.near("medlemer", 1))
    assert "medlemmer" in near
    assert near["medlemmer"] > 0
    assert "fergene" not in near
    assert "fergene" in dict(view.vocabulary.near("fregen", 2))
    assert "fergene" not in dict(view.vocabulary.near("fregen", 1))


def check_nynorsk_finds_bokmal(kildesvar: Kildesvar) -> None:
    found = kildesvar.retriever.search(kildesvar.view(READER), "Korleis bestille ferge?", 3)
    assert found.wording.searched == "Hvordan bestille ferge?"
    assert Path(found.hits[0].passage.source).name == "ferger.md"


def check_beginnings_are_found_though_nearly_typed(kildesvar: Kildesvar) -> None:
    vocabulary = kildesvar.view(READER).vocabulary
    assert vocabulary.starting_near("samhn", 1, 10) == ["samhandling"]
    assert vocabulary.starting_near("medle", 1, 10)[0] == "medlemmer"
    assert "medlemmer" in vocabulary.starting_near("medlmmer", 2, 10, named=True)
    assert vocabulary.starting_near("rektr", 1, 10, named=True) == [], "it is in no name"
    assert vocabulary.starting_near("rektr", 1, 10) == ["rektor"]
    assert vocabulary.starting_near("elektrskeferge", 2, 10) == []
    assert vocabulary.starting_near("m.*(", 1, 10) == [], "it is no pattern"
    assert len(vocabulary.starting_near("medle", 2, 3)) <= 3


def check_titles_headings_and_words_are_suggested(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(READER)
    assert suggested(kildesvar, view, "fer")[:2] == [
        ("title", "Elektriske ferger i fjordene"),
        ("heading", "Når fergene kommer"),
    ]
    assert ("term", "Rektor") in suggested(kildesvar, view, "rekt")
    assert ("term", "Rektor heiter") in suggested(kildesvar, view, "Rektor heit")
    assert suggested(kildesvar, view, "Moss heit") == [], "no passage has both"
    assert suggested(kildesvar, view, "elketriske")[0] == ("title", "Elektriske ferger i fjordene")
    assert suggested(kildesvar, view, "e")[0][0] == "title"
    assert suggested(kildesvar, view, "(.*") == []
    english = Filters(language=("en",))
    assert suggested(kildesvar, view, "fer", english) == []
    assert ("title", "library") in suggested(kildesvar, view, "libr", english)
    among = view.suggestions.within(None)
    [found] = view.suggestions.holders([Held(Kind.TERM, "Rektor", among)], 5)
    assert names(kildesvar, [(passage_id, 0.0) for passage_id in found]) == ["skule.txt"]


def check_pages_facets_and_highlights_are_those_of_all_candidates(kildesvar: Kildesvar) -> None:
    client = TestClient(create_service(kildesvar), base_url=LOCAL)
    everything = searched(client, limit=50)
    total = everything["total"]
    assert total == len(everything["hits"]) > 6
    places = Counter(
        (hit["document_id"], hit["start"])
        for at in range(0, total, 3)
        for hit in searched(client, limit=3, offset=at)["hits"]
    )
    assert set(places.values()) == {1}
    assert sum(places.values()) == total
    for field in ("collection", "language", "media_type", "document"):
        values = everything["facets"][field]
        assert sum(value["count"] for value in values) == total, field
        for value in values:
            narrowed = searched(client, **{field: value["value"]})
            assert narrowed["total"] == value["count"], (field, value)
    [first] = searched(client, q="fergene Moss", limit=1)["hits"]
    marked = {first["text"][start:end] for start, end in first["highlights"]}
    assert {"Fergene", "Moss"} <= marked


def searched(client: TestClient, q: str = "fergene medlemmer", **more: Any) -> dict[str, Any]:
    response = client.get("/v1/search", params={"q": q, **more})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def check_nothing_is_found_where_nothing_may_be_read(kildesvar: Kildesvar) -> None:
    view = kildesvar.view(frozenset())
    assert by_words(kildesvar, view, "fergene") == []
    assert by_meaning(kildesvar, view, "fergene") == []
    assert (len(view.dense), view.documents) == (0, 0)
    assert view.lexical.shares({"ferg": 1.0}) == {"ferg": 1.0}
    assert view.vocabulary.count("fergene") == 0
    assert view.vocabulary.near("fergen", 1) == []
    assert view.vocabulary.starting_near("ferg", 1, 5) == []
    assert suggested(kildesvar, view, "fer") == []
    assert (
        kildesvar.retriever.search(view, "fergene", 5, filters=Filters(language=("nb",))).total == 0
    )


def check_nothing_tells_of_what_may_not_be_read(kildesvar: Kildesvar, root: Path) -> None:
    add(kildesvar, root / "open", OPEN_FILES, OPEN)
    before = told(kildesvar)
    add(kildesvar, root / "closed", CLOSED_FILES, CLOSED)
    assert told(kildesvar) == before
    whole = kildesvar.view(None)
    assert whole.documents > kildesvar.view(READER).documents
    assert whole.vocabulary.count("fergane") == 1, "or else there was nothing to tell"


def told(kildesvar: Kildesvar) -> str:
    """All that a reader of the open collection can learn."""
    view = kildesvar.view(READER)
    said: list[Any] = [view.name, view.documents, len(view.dense)]
    for query in ("fergane", "medlemer i bransjen", "samhandlinga", "rederiet kjøpes", "hemmelig"):
        found = kildesvar.retriever.search(view, query, 20)
        said += [found.wording, found.total, found.documents]
        said += [(h.passage.id, round(h.score, 5), round(h.bm25, 4)) for h in found.hits]
        said.append(
            {w: round(s, 6) for w, s in view.lexical.shares({query: 1.0, "ferg": 1.0}).items()}
        )
        said += [view.vocabulary.count(query), sorted(view.vocabulary.near(query, 2))]
    for typed in ("h", "medl", "fergan", "opp", "samhandlinga", "rederiet kj", "medlemmmer i"):
        said.append(suggested(kildesvar, view, typed))
    return json.dumps(said, ensure_ascii=False, default=str)


def check_what_is_deleted_is_gone(kildesvar: Kildesvar, root: Path) -> None:
    add(kildesvar, root / "gone", {"a.md": GOES, "b.txt": STAYS}, "flyktig")
    readers = frozenset({"flyktig"})
    held = kildesvar.view(readers)
    assert (
        kildesvar.retriever.search(held, "Hvalrossen", 5).hits[0].passage.title
        == "Hvalrosser i isen"
    )
    assert suggested(kildesvar, held, "hvalr")[0] == ("title", "Hvalrosser i isen")
    [gone] = [
        d for d in kildesvar.library.read_by(readers).documents(limit=5) if "a.md" in d.source
    ]
    kildesvar.library.remove_sources([gone.source])
    # The index does not know yet, and says so of passages that nobody has any more.
    for view in (held, kildesvar.view(readers)):
        stale = kildesvar.retriever.search(view, "Hvalrossen ligger på isen", 5)
        assert [Path(hit.passage.source).name for hit in stale.hits] == ["b.txt"]
        assert stale.hits[0].score > 0
        assert suggested(kildesvar, view, "hvalr") == []
    with kildesvar.writing():
        kildesvar.ingester().publish()
    after = kildesvar.view(readers)
    assert after.name != held.name
    assert names(kildesvar, by_words(kildesvar, after, "hvalrossen isen")) == ["b.txt"]
    assert len(after.dense) == 1
    assert not after.lexical.has(key(kildesvar, "hvalross"))
    assert after.vocabulary.count("hvalrosser") == 0
    assert not after.vocabulary.still_stands("hvalrosser")
    assert suggested(kildesvar, after, "hvalr") == []
    assert [text for _, text in suggested(kildesvar, after, "isbj")] == ["Isbjørnen"]


GOES = "# Hvalrosser i isen\n\n## Hvor hvalrosser ligger\n\nHvalrossen ligger på isen og hviler.\n"
STAYS = "Isbjørnen går over isen og leter etter sel.\n"

READING = [
    check_words_are_found_in_all_their_forms,
    check_scores_are_those_of_bm25,
    check_words_are_weighed_by_how_rare_they_are,
    check_meaning_is_found_without_a_word_in_common,
    check_each_filter_leaves_what_it_should,
    check_a_letter_is_no_other,
    check_spelling_is_mended,
    check_nynorsk_finds_bokmal,
    check_beginnings_are_found_though_nearly_typed,
    check_titles_headings_and_words_are_suggested,
    check_pages_facets_and_highlights_are_those_of_all_candidates,
    check_nothing_is_found_where_nothing_may_be_read,
]
"""Checks of a Kildesvar with what `add_both` adds, which they leave as it is."""

CHANGING = [check_nothing_tells_of_what_may_not_be_read, check_what_is_deleted_is_gone]
"""Checks of an empty one, in this order, with a folder for files."""
