"""Made documents of every format, ingested twice with the real model."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.assembly import Kildesvar
from app.settings import load_settings
from index.checking import problems_in
from index.ingest import IngestReport
from index.readers import EXTENSIONS
from index.retriever import Hit
from scripts.made_texts import MadeDocument, made_documents
from scripts.make_documents import FOOTER, NAVIGATION, main, write_documents
from tests.conftest import all_passages

FILES = 64
PAGED = frozenset({".pdf", ".pptx", ".odp"})
ALIKE = frozenset({".htm", ".xhtml", ".markdown", ".text", ".tsv", ".doc"})
"""Read as others of the formats are."""


@dataclass
class Trial:
    """The documents by their files, what two ingests did, and the Kildesvar that holds them."""

    written: dict[Path, MadeDocument]
    first: IngestReport
    second: IngestReport
    kildesvar: Kildesvar

    def best(self, query: str) -> Hit:
        return self.kildesvar.retriever.search(self.kildesvar.generation(), query, 1).hits[0]


@pytest.fixture(scope="module")
def trial(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("made")
    written = write_documents(folder, made_documents(FILES, pages=3, sentences=2))
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path_factory.mktemp("data")))
    first, second = (kildesvar.ingester().ingest([folder]) for _ in range(2))
    yield Trial(written, first, second, kildesvar)
    kildesvar.close()


def test_every_format_is_among_them(trial: Trial) -> None:
    assert {path.suffix for path in trial.written} == EXTENSIONS - ALIKE


def test_every_file_is_a_document_and_none_is_left_out(trial: Trial) -> None:
    report = trial.first
    assert (report.skipped, report.noted) == ([], [])
    assert report.added == report.documents == FILES
    assert report.embedded == report.passages
    assert 0 < report.model_seconds < report.seconds
    sources = trial.kildesvar.library.sources()
    assert set(map(Path, sources)) == set(trial.written)


def test_a_second_run_embeds_and_publishes_nothing(trial: Trial) -> None:
    report = trial.second
    assert (report.unchanged, report.embedded, report.published) == (FILES, 0, False)
    assert report.model_seconds == 0


def test_nothing_is_wrong_with_what_is_stored(trial: Trial) -> None:
    assert list(problems_in(trial.kildesvar.library, trial.kildesvar.engine)) == []


def test_every_own_fact_is_found_first_where_it_stands(trial: Trial) -> None:
    for path, made in trial.written.items():
        passage = trial.best(made.fact).passage
        assert made.fact in passage.text, path.name
        assert passage.page == (made.fact_page if path.suffix in PAGED else None), path.name


def test_own_facts_are_found_by_their_questions(trial: Trial) -> None:
    missed = [
        made.question
        for made in trial.written.values()
        if made.fact not in trial.best(made.question).passage.text
    ]
    assert len(missed) <= FILES / 10, missed  # 1 of 64 when it was written


def test_each_is_in_the_language_that_it_was_written_in(trial: Trial) -> None:
    library = trial.kildesvar.library
    languages = {document.source: document.language for document in library.documents(FILES)}
    assert languages == {str(path): made.language for path, made in trial.written.items()}


def test_what_frames_a_page_is_no_passage(trial: Trial) -> None:
    for passage in all_passages(trial.kildesvar.library):
        for words in (FOOTER, *NAVIGATION):
            assert words not in passage.text, passage.source


def test_the_same_seed_makes_the_same_documents() -> None:
    assert made_documents(9) == made_documents(9)
    assert made_documents(9) != made_documents(9, seed=2)


def test_the_command_names_each_file_with_its_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--files", "3", "--pages", "1"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert {tmp_path / name for name, *_ in lines} == set(tmp_path.rglob("*.*"))
    assert all(question.endswith("?") for _, question, _ in lines)
