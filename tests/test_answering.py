"""Evidence, quotes, citations and the honest no."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answering.abstention import (
    COEFFICIENTS,
    THRESHOLDS,
    Caution,
    Signals,
    probability,
    signals_of,
)
from app.answering.answerer import Answerer, AnsweringSettings
from app.answering.citations import Quote, cite
from app.answering.evidence import (
    Evidence,
    EvidenceSelector,
    Features,
    _spans,
    by_passage,
    reranked,
)
from app.answering.quoting import MAX_QUOTES, compose
from app.assembly import Kildesvar
from app.settings import Settings, load_settings
from index.documents import Document, assemble
from index.errors import LibraryError
from index.passages import Passage
from index.readers.markdown import read_markdown
from index.reading.reader import ShortAnswer
from index.records import StoredPassage
from index.retriever import Hit
from index.units import UnitKind, units_of
from tests.conftest import all_passages
from tests.made_files import Writer

NONE = Features(*([0.0] * len(Features._fields)))


def passage_of(markdown: str, lead_in: tuple[int, int] | None = None) -> StoredPassage:
    """The whole of a small document as one passage."""
    text, blocks = assemble(read_markdown(markdown)[1])
    document = Document("Tittel", text, blocks, "text/markdown", "nb")
    return StoredPassage(
        id=1,
        document_id="d",
        title="Tittel",
        source="/d.md",
        content_hash=document.content_hash,
        language="nb",
        media_type="text/plain",
        date=None,
        updated_at="2024-05-17T10:00:00+00:00",
        heading_path=(),
        page=None,
        start=0,
        end=len(text),
        text=text,
        lead_in=text[slice(*lead_in)] if lead_in else "",
        lead_start=lead_in[0] if lead_in else None,
        units=units_of(document, Passage(0, len(text), ())),
    )


def evidence(passage: StoredPassage, *scores: float) -> list[Evidence]:
    """The passage's units with these scores, best first."""
    hit = Hit(passage, 1.0, 0.9, 10.0)
    found = [Evidence(hit, u, NONE, s) for u, s in zip(passage.units, scores, strict=True)]
    return sorted(found, key=lambda item: -item.score)


LIST = """# Mål

Planen har tre mål:

1. Kortere ventetid
2. Flere fagfolk
3. Bedre samarbeid

Planen gjelder til 2027.
"""


def quoted(question: str, passage: StoredPassage, *scores: float) -> list[str]:
    return [quote.text for quote in compose(question, evidence(passage, *scores))]


def test_a_sentence_is_quoted_by_itself() -> None:
    passage = passage_of(LIST)
    assert quoted("Hvor lenge gjelder planen?", passage, 0, 0, 0, 0, 0, 9) == [
        "Planen gjelder til 2027."
    ]


def test_a_question_for_several_things_brings_the_list_and_its_lead_in() -> None:
    [quote] = quoted("Hvilke mål har planen?", passage_of(LIST), 0, 0, 0, 9, 0, 0)
    assert quote == (
        "Planen har tre mål:\n\n1. Kortere ventetid\n2. Flere fagfolk\n3. Bedre samarbeid"
    )


def test_a_question_for_one_thing_brings_the_item_alone() -> None:
    assert quoted("Hvor mange fagfolk?", passage_of(LIST), 0, 0, 0, 9, 0, 0) == ["2. Flere fagfolk"]


def test_a_list_that_began_before_is_quoted_from_its_lead_in_only_when_short() -> None:
    text, items = LIST, 3
    whole = passage_of(text)
    start = whole.units[2].start  # the first item; its lead-in lies in the passage before
    units = whole.units[2 : 2 + items]
    later = replace(
        whole, start=start, end=units[-1].end, text=whole.text[start : units[-1].end], units=units
    )
    near = replace(later, lead_start=whole.units[1].start)
    far = replace(later, lead_start=-5000)
    for best in range(items):
        scores = [9.0 if at == best else 0.0 for at in range(items)]
        [quote] = compose("Hvilke mål har planen?", evidence(near, *scores))
        assert (quote.start, quote.end) == (whole.units[1].start, units[-1].end)
        [quote] = compose("Hvilke mål har planen?", evidence(far, *scores))
        assert quote.start == start


def test_a_lead_in_brings_its_list() -> None:
    [quote] = quoted("Hva sier planen?", passage_of(LIST), 0, 9, 0, 0, 0, 0)
    assert quote.endswith("3. Bedre samarbeid")


def test_a_heading_brings_what_stands_under_it() -> None:
    passage = passage_of("# Frist\n\nFristen er 1. mai. Den er endelig.\n")
    assert quoted("Hva er fristen?", passage, 9, 0, 0) == ["Frist\n\nFristen er 1. mai."]


def test_further_quotes_only_when_they_are_close() -> None:
    passage = passage_of("En. To står her. Tre står her. Fire står her. Fem står her.")
    assert len(passage.units) == 5
    assert len(quoted("Hva?", passage, 9, 8.5, 8.4, 8.3, 0)) == MAX_QUOTES
    assert len(quoted("Hva?", passage, 9, 8.5, 1, 1, 1)) == 2
    assert len(quoted("Hva?", passage, 9, 1, 1, 1, 1)) == 1


def test_quotes_end_when_one_of_them_almost_surely_holds_the_answer() -> None:
    passage = passage_of("Det er en. To står her. Tre står her.")
    for share, expected in ((0.96, 1), (0.93, 2), (0.5, 2)):
        rest = 1 - share
        scores = [math.log(p) for p in (share, rest * 0.9, rest * 0.1)]
        assert len(quoted("Hva?", passage, *scores)) == expected


PARAGRAPH = "Tilbudet ble lagt ned i fjor. Det var for få søkere. Kommunen sparte to stillinger."
REASONS = f"{PARAGRAPH}\n\nEt nytt tilbud kommer.\n"


@pytest.mark.parametrize("best", range(3))
def test_a_question_for_reasons_brings_the_sentences_of_the_paragraph(best: int) -> None:
    passage = passage_of(REASONS)
    scores = [9.0 if at == best else 0.0 for at in range(4)]
    assert quoted("Hvorfor ble tilbudet lagt ned?", passage, *scores) == [PARAGRAPH]
    assert quoted("tilbudet lagt ned", passage, *scores) == [PARAGRAPH]
    [fact] = quoted("Hva ble lagt ned?", passage, *scores)
    assert fact in PARAGRAPH
    assert fact != PARAGRAPH


def test_of_a_long_paragraph_a_question_for_reasons_brings_what_is_near() -> None:
    sentences = [
        f"Setning nummer {number} er omtrent så lang som en pleier." for number in range(40)
    ]
    passage = passage_of(" ".join(sentences))
    scores = [9.0 if at == 20 else 0.0 for at in range(40)]
    [quote] = quoted("Hvorfor?", passage, *scores)
    assert sentences[20] in quote
    assert sentences[21] in quote
    assert 400 < len(quote) <= 600


def test_the_short_answer_stays_marked_among_its_neighbours() -> None:
    [quote] = compose("Hvorfor?", with_short_answer(passage_of(REASONS), 1, "for få søkere"))
    assert quote.text == PARAGRAPH
    assert quote.short_answer is not None
    assert quote.passage.text[slice(*quote.short_answer)] == "for få søkere"


def test_the_same_words_are_quoted_once() -> None:
    passage = passage_of("Det er sant her.\n\nDet er sant her.\n\nNoe annet.")
    assert quoted("Hva?", passage, 9, 9, 0) == ["Det er sant her."]


TABLE = """# Priser

Rom | Plasser

| Rom | Plasser |
|---|---|
| Naustet | 12 |
| Fjellstua | 40 |
"""


def test_a_row_of_a_table_comes_with_its_header() -> None:
    passage = passage_of(TABLE)
    rows = [unit for unit in passage.units if unit.kind is UnitKind.TABLE_ROW]
    assert len(rows) == 3
    scores = [9.0 if unit == rows[2] else 0.0 for unit in passage.units]
    assert quoted("Hvor mange plasser har Fjellstua?", passage, *scores) == [
        "Fjellstua | 40",
        "Rom | Plasser",
    ]


def test_a_part_of_a_table_comes_with_the_header_that_stands_before_it() -> None:
    whole = passage_of(TABLE)
    header, _, row = (unit for unit in whole.units if unit.kind is UnitKind.TABLE_ROW)
    later = replace(
        whole,
        start=row.start,
        end=row.end,
        text=whole.text[row.start : row.end],
        units=(row,),
        lead_in=whole.text[header.start : header.end],
        lead_start=header.start,
    )
    quotes = compose("Hvor mange plasser har Fjellstua?", evidence(later, 9.0))
    assert [(q.start, q.end) for q in quotes] == [
        (row.start, row.end),
        (header.start, header.end),
    ]
    assert [q.text for q in quotes] == ["Fjellstua | 40", "Rom | Plasser"]


def with_short_answer(passage: StoredPassage, unit: int, words: str) -> list[Evidence]:
    start = passage.text.index(words)
    answer = ShortAnswer(start, start + len(words), -0.1)
    found = evidence(passage, *[9.0 if at == unit else 0.0 for at in range(len(passage.units))])
    return [replace(found[0], short_answer=answer), *found[1:]]


def test_the_short_answer_is_a_span_within_its_quote() -> None:
    passage = passage_of(LIST)
    [quote] = compose("Hvor lenge?", with_short_answer(passage, 5, "2027"))
    assert quote.short_answer is not None
    start, end = quote.short_answer
    assert quote.start <= start < end <= quote.end
    assert passage.text[start:end] == "2027"


def test_a_whole_list_has_no_short_answer() -> None:
    [quote] = compose("Hvilke mål har planen?", with_short_answer(passage_of(LIST), 3, "Flere"))
    assert quote.short_answer is None


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=8))
def test_a_passage_counts_as_much_as_its_units_together(scores: list[float]) -> None:
    passage = passage_of(". ".join("Setning" for _ in scores) + ".")
    passage = replace(passage, units=(passage.units * len(scores))[: len(scores)])
    total = by_passage(evidence(passage, *scores))[passage.id]
    assert total == pytest.approx(math.log(sum(math.exp(score) for score in scores)))


def test_passages_are_ordered_by_what_was_read_and_then_as_they_were_found() -> None:
    hits = [Hit(replace(passage_of("Ord."), id=number), 0.9, 0.9, 1.0) for number in range(4)]
    read = [Evidence(hits[at], hits[at].passage.units[0], NONE, at) for at in (0, 1, 2)]
    assert [hit.passage.id for hit in reranked(hits, read)] == [2, 1, 0, 3]


def test_no_evidence_no_quote() -> None:
    assert compose("Hva?", []) == []


@given(st.permutations([9.0, 8.5, 8.0, 7.5, 7.0, 6.5]), st.sampled_from(["Hvilke?", "Hva?"]))
def test_quotes_never_overlap_and_lie_in_the_document(scores: list[float], question: str) -> None:
    passage = passage_of(LIST)
    quotes = compose(question, evidence(passage, *scores))
    assert 1 <= len(quotes) <= MAX_QUOTES
    spans = sorted((quote.start, quote.end) for quote in quotes)
    assert all(0 <= start < end <= passage.end for start, end in spans)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))


class TestCitations:
    """Against a library of its own, which may change under an answer."""

    @pytest.fixture
    def own(self, tmp_path: Path, model_folder: Path) -> Kildesvar:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "a.txt").write_text("Rådet har tolv medlemmer.\n", encoding="utf-8")
        own = Kildesvar(load_settings(data_dir=tmp_path / "data"))
        own.ingester().ingest([tmp_path / "d"])
        return own

    def quote(self, own: Kildesvar) -> Quote:
        [passage] = all_passages(own.library)
        return Quote(passage, passage.start, passage.end)

    def test_the_quote_is_the_librarys(self, own: Kildesvar) -> None:
        [citation] = cite([self.quote(own)], own.library)
        assert citation.quote == "Rådet har tolv medlemmer."
        assert citation.number == 1

    def test_a_citation_names_the_page_of_its_quote(self, own: Kildesvar, tmp_path: Path) -> None:
        writer = Writer().lines("Rådet har tolv medlemmer.").page().lines("Rådet møtes i mai.")
        (tmp_path / "e").mkdir()
        (tmp_path / "e" / "b.pdf").write_bytes(writer.bytes())
        own.ingester().ingest([tmp_path / "e"])
        [passage] = (p for p in all_passages(own.library) if p.page)
        quotes = [Quote(passage, unit.start, unit.end) for unit in passage.units]
        found = [(citation.quote, citation.page) for citation in cite(quotes, own.library)]
        assert found == [("Rådet har tolv medlemmer.", 1), ("Rådet møtes i mai.", 2)]

    def test_a_document_that_changed_is_not_quoted(self, own: Kildesvar, tmp_path: Path) -> None:
        quote = self.quote(own)
        (tmp_path / "d" / "a.txt").write_text("Nå er det tretten i rådet.\n", encoding="utf-8")
        own.ingester().ingest([tmp_path / "d"])
        assert cite([quote], own.library) == []

    def test_a_document_that_is_gone_is_not_quoted(self, own: Kildesvar) -> None:
        quote = self.quote(own)
        own.library.remove_sources(list(own.library.sources()))
        assert cite([quote], own.library) == []

    def test_numbers_have_no_gaps(self, own: Kildesvar) -> None:
        gone = Quote(self.quote(own).passage, 0, 5)
        object.__setattr__(gone, "passage", _elsewhere(gone.passage))
        citations = cite([gone, self.quote(own)], own.library)
        assert [citation.number for citation in citations] == [1]

    def test_what_was_deleted_answers_nothing(self, own: Kildesvar) -> None:
        held = own.generation()
        own.library.remove_sources(list(own.library.sources()))
        with pytest.raises(LibraryError, match="replaced a moment ago"):
            own.answerer.answer(held, "Hvor mange medlemmer har rådet?")
        own.ingester().publish()
        answer = own.answerer.answer(own.generation(), "Hvor mange medlemmer har rådet?")
        assert (answer.answered, answer.hits) == (False, [])


def _elsewhere(passage: StoredPassage) -> StoredPassage:
    return replace(passage, document_id="gone")


def test_rows_share_the_best_span_of_their_own_table() -> None:
    def spans(passage: StoredPassage, *scores: float) -> list[float]:
        return _spans(passage, [ShortAnswer(0, 1, score) for score in scores])

    rows = "| A | B |\n|---|---|\n| c | 1 |\n| d | 2 |\n"
    passage = passage_of(f"{rows}\nMellom tabellene.\n\n{rows}")
    assert spans(passage, -1, -9, -3, -5, -2, -8, -7) == [-1, -3, -3, -5, -2, -7, -7]
    later = replace(passage, lead_start=-20, lead_in="A | B")
    assert spans(later, -1, -9, -3, -5, -2, -8, -7) == [-1, -1, -1, -5, -2, -7, -7]


PLACES = {"Naustet": 12, "Fjellstua": 40, "Bryggen": 7, "Tunet": 23, "Lysgården": 31, "Solsida": 5}


def test_of_a_table_the_row_is_chosen_that_the_question_names(
    tmp_path: Path, model_folder: Path
) -> None:
    rows = "".join(f"| {name} | {places} |\n" for name, places in PLACES.items())
    text = f"# Plasser i husene\n\nTallene gjelder i fjor.\n\n| Hus | Plasser |\n|---|---|\n{rows}"
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "plasser.md").write_text(text, encoding="utf-8")
    own = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    own.ingester().ingest([tmp_path / "d"])
    for name, places in PLACES.items():
        answer = own.answerer.answer(own.generation(), f"Hvor mange plasser har {name}?")
        assert [c.quote for c in answer.citations[:2]] == [f"{name} | {places}", "Hus | Plasser"]
        assert answer.short_answer == str(places)
    own.close()


class TestAbstention:
    def test_nothing_found_is_no_answer(self) -> None:
        assert probability(signals_of([], [])) < 0.01

    def test_the_signals_are_those_of_the_best_and_of_the_second_passage(self) -> None:
        found = []
        for number, (relevance, score) in enumerate(((1.0, 5.0), (4.0, 3.0), (-2.0, 2.0))):
            hit = Hit(replace(passage_of("Ord."), id=number), 0.9, 0.8 + number / 100, 1.0)
            features = NONE._replace(relevance=relevance)
            found.append(Evidence(hit, hit.passage.units[0], features, score))
        signals = signals_of([item.hit for item in found], found)
        assert signals.relevance == 1.0
        assert signals.second == 1.0  # of 4, 1 and -2
        assert signals.lead == pytest.approx(2.0)
        assert signals.cosine == pytest.approx(0.82)
        alone = signals_of([found[0].hit], found[:1])
        assert (alone.lead, alone.second) == (10.0, -8.0)

    @given(st.builds(Signals, *[st.floats(0, 1)] * len(Signals._fields)))
    def test_it_is_a_probability(self, signals: Signals) -> None:
        assert 0 <= probability(signals) <= 1

    @given(
        st.builds(Signals, *[st.floats(0, 1)] * len(Signals._fields)),
        st.sampled_from(Signals._fields),
    )
    def test_more_of_any_signal_never_lowers_it(self, signals: Signals, name: str) -> None:
        assert getattr(COEFFICIENTS, name) >= 0
        more = signals._replace(**{name: 1.0})
        assert probability(more) >= probability(signals)

    def test_the_threshold_decides(self, examples_dir: Path, model_folder: Path) -> None:
        question = "Hvor mange medlemmer har bransjen?"
        kildesvar = Kildesvar(load_settings(data_dir=examples_dir))
        for threshold, answered in ((0.0, True), (1.0, False)):
            answerer = Answerer(
                kildesvar.library,
                kildesvar.retriever,
                kildesvar.reader,
                EvidenceSelector(
                    kildesvar.library, kildesvar.analyser, kildesvar.encoder.fingerprint
                ),
                AnsweringSettings(threshold),
            )
            assert answerer.answer(kildesvar.generation(), question).answered is answered
        kildesvar.close()

    def test_the_positions_go_from_strict_to_eager(self) -> None:
        assert THRESHOLDS["strict"] > THRESHOLDS["balanced"] > THRESHOLDS["eager"]
        assert set(THRESHOLDS) == set(get_args(Settings.model_fields["caution"].annotation))

    @pytest.mark.parametrize("caution", THRESHOLDS)
    def test_the_setting_chooses_the_position(
        self, examples_dir: Path, model_folder: Path, caution: Caution
    ) -> None:
        kildesvar = Kildesvar(load_settings(data_dir=examples_dir, caution=caution))
        generation = kildesvar.generation()
        for question in ("Hvor mange medlemmer har bransjen?", "Hva koster en kajakk i Bodø?"):
            answer = kildesvar.answerer.answer(generation, question)
            assert answer.answered is (answer.confidence >= THRESHOLDS[caution])
        kildesvar.close()


def test_units_of_the_examples_are_of_every_kind(kildesvar: Kildesvar) -> None:
    kinds = {unit.kind for passage in all_passages(kildesvar.library) for unit in passage.units}
    assert kinds == set(UnitKind)


def test_a_number_is_asked_for_and_found(kildesvar: Kildesvar) -> None:
    answer = kildesvar.answerer.answer(kildesvar.generation(), "Hvor mange medlemmer har bransjen?")
    assert "1369" in answer.citations[0].quote
