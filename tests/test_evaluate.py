"""The evaluation measures what it says, on the example documents and on small cases."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evaluate import main
from scripts.evaluate_follow_ups import load_follow_ups
from scripts.evaluate_follow_ups import main as evaluate_follow_ups
from scripts.measures import contains, f1, overlaps
from scripts.questions import GoldQuestion, QuestionFileError, load_questions, places
from tests.conftest import EXAMPLES, ROOT

QUESTIONS = ROOT / "tests/questions/examples.jsonl"
FOLLOW_UPS = ROOT / "tests/questions/follow_ups.jsonl"


def gold(evidence: str | None = None, answer: str = "", start: int | None = None) -> GoldQuestion:
    starts = () if start is None else (start,)
    return GoldQuestion("q", "?", "nb", "fact", True, "d", (answer,), evidence, starts)


def test_evidence_is_found_whatever_the_white_space_and_markup() -> None:
    text = "Innledning.\n\nDet koster 1 369 kroner i året."
    [(start, end)] = places(gold("koster  **1 369**\nkroner"), "", text)
    assert text[start:end] == "koster 1 369 kroner"


def test_an_answer_is_found_at_its_own_place() -> None:
    raw = "Ja.\n\n\nHun sa ja. Han sa ja."
    text = "Ja.\n\nHun sa ja. Han sa ja."
    [(start, end)] = places(gold(answer="ja", start=raw.rindex("ja")), raw, text)
    assert (start, end) == (text.rindex("ja"), text.rindex("ja") + 2)


def test_evidence_in_several_places_counts_everywhere() -> None:
    assert len(places(gold("to mål"), "", "Vi har to mål. De har to mål.")) == 2
    assert places(gold("tre mål"), "", "Vi har to mål.") == []


@given(
    st.tuples(st.integers(0, 50), st.integers(1, 50)),
    st.tuples(st.integers(0, 50), st.integers(1, 50)),
)
def test_what_contains_also_overlaps(left: tuple[int, int], right: tuple[int, int]) -> None:
    outer, inner = (left[0], sum(left)), (right[0], sum(right))
    assert overlaps(outer, inner) == overlaps(inner, outer)
    if contains(outer, inner):
        assert overlaps(outer, inner)


@pytest.mark.parametrize(
    ("given_", "right", "score"),
    [("1369", "1369", 1.0), ("", "1369", 0.0), ("fire mål", "mål", 2 / 3), ("et mål", "mål", 1.0)],
)
def test_f1(given_: str, right: str, score: float) -> None:
    assert f1(given_, right) == pytest.approx(score)


def test_a_broken_question_file_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "Hva?"}\n{"spørsmål": "Hva?"}\n', encoding="utf-8")
    with pytest.raises(QuestionFileError, match="line 2"):
        load_questions(path)
    assert main([str(path), str(EXAMPLES)]) == 2


def test_the_examples_are_answered_well_enough(tmp_path: Path, model_folder: Path) -> None:
    out = tmp_path / "out.json"
    assert main([str(QUESTIONS), str(EXAMPLES), "--json", str(out)]) == 0
    measures = json.loads(out.read_text(encoding="utf-8"))
    assert measures["questions"] == 45
    assert measures["quote_exact"] == 1.0
    assert measures["evidence_at_5"] >= 0.95
    assert measures["cited_evidence"] >= 0.5
    assert measures["by"]["kind"]["off"]["false_answers"] == 0
    assert set(measures["by"]["language"]) == {"nb", "nn", "en"}


def test_a_document_file_is_evaluated_like_a_folder(tmp_path: Path, model_folder: Path) -> None:
    corpus = tmp_path / "documents.jsonl"
    text = "Rådet ble opprettet i 2015. Lederen heter Kari Nordmann."
    corpus.write_text(json.dumps({"document": "d1", "text": text}) + "\n", encoding="utf-8")
    questions = tmp_path / "questions.jsonl"
    answer = {"text": "2015", "start": text.index("2015")}
    entry = {"question": "Når ble rådet opprettet?", "document": "d1", "answers": [answer]}
    questions.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    out = tmp_path / "out.json"
    assert main([str(questions), str(corpus), "--json", str(out)]) == 0
    measures = json.loads(out.read_text(encoding="utf-8"))
    assert (measures["evidence_at_1"], measures["mrr"]) == (1.0, 1.0)
    out.unlink()
    assert main([str(questions), str(corpus), "--withhold", "--json", str(out)]) == 0
    withheld = json.loads(out.read_text(encoding="utf-8"))
    assert (withheld["answerable"], withheld["false_answers"]) == (0, 0.0)


def test_a_question_on_a_document_that_is_not_there_is_an_error(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = tmp_path / "questions.jsonl"
    entry = {"question": "Hva?", "document": "finnes-ikke.md", "answers": []}
    questions.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    assert main([str(questions), str(EXAMPLES)]) == 2
    assert "finnes-ikke.md" in capsys.readouterr().err


def test_follow_ups_are_completed_well_enough(tmp_path: Path, model_folder: Path) -> None:
    out = tmp_path / "out.json"
    assert evaluate_follow_ups([str(FOLLOW_UPS), str(EXAMPLES), "--json", str(out)]) == 0
    measures = json.loads(out.read_text(encoding="utf-8"))
    assert (measures["follow_ups"], measures["stand_alone"]) == (72, 28)
    assert measures["false_rewrites"] <= 0.04
    assert measures["missed"] <= 0.02
    assert measures["as_a_person"] >= 0.9
    answers = measures["answers"]["follow-ups"]
    assert answers["completed"]["evidence_at_1"] >= 0.93
    assert answers["completed"]["cited_evidence"] >= 0.88
    assert answers["as typed"]["cited_evidence"] < 0.7, "the questions lean on what was said"


def test_a_follow_up_without_the_turns_before_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('\n{"question": "Og i 2023?"}\n', encoding="utf-8")
    with pytest.raises(QuestionFileError, match="line 2"):
        load_follow_ups(path)
    assert evaluate_follow_ups([str(path), str(EXAMPLES)]) == 2
