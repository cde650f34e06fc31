"""Start-up: what a process that died left behind is put right, without a repair by hand."""

import json
import shutil
from pathlib import Path

import pytest

from app.assembly import Kildesvar
from app.hosting.server import make_ready
from app.settings import load_settings
from index.errors import GenerationMismatchError, LibraryBusyError, NothingPublishedError
from index.generations import Generation, Generations
from index.library import Library
from index.lock import writing


@pytest.fixture
def data_dir(tmp_path: Path, examples_dir: Path) -> Path:
    """A copy of the example library, to be mistreated."""
    return Path(shutil.copytree(examples_dir, tmp_path / "data"))


def start(data_dir: Path, **settings: object) -> Kildesvar:
    return Kildesvar(load_settings(data_dir=data_dir, **settings))


def test_a_sound_library_is_left_alone(data_dir: Path) -> None:
    kildesvar = start(data_dir)
    name = kildesvar.engine.current_name()
    kildesvar.publish_if_stale()
    assert kildesvar.engine.current_name() == name


def test_what_was_stored_but_not_published_is_published(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "ny.txt"
    new.write_text("Kapteinen heter Sabeltann.\n", encoding="utf-8")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Generations, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            start(data_dir).ingester().ingest([new])
    kildesvar = start(data_dir)
    kildesvar.publish_if_stale()
    answer = kildesvar.answerer.answer(kildesvar.generation(), "Hva heter kapteinen?")
    assert "Sabeltann" in answer.hits[0].passage.text


def vectors_of(kildesvar: Kildesvar) -> int:
    """How many vectors are searched."""
    generation = kildesvar.generation()
    assert isinstance(generation, Generation)
    return len(generation.dense)


def test_a_damaged_generation_is_made_anew(data_dir: Path) -> None:
    kildesvar = start(data_dir)
    name = kildesvar.generation().name
    (data_dir / "generations" / name / "default" / "base" / "rows.npy").write_bytes(b"")
    again = start(data_dir)
    again.publish_if_stale()
    assert vectors_of(again) == kildesvar.library.count()[1]


def test_generations_lost_altogether_are_made_anew(data_dir: Path) -> None:
    shutil.rmtree(data_dir / "generations")
    kildesvar = start(data_dir)
    with pytest.raises(NothingPublishedError):
        kildesvar.generation()
    kildesvar.publish_if_stale()
    assert vectors_of(kildesvar) == kildesvar.library.count()[1]


def test_words_analysed_by_an_earlier_version_are_analysed_anew(data_dir: Path) -> None:
    kildesvar = start(data_dir)
    name = kildesvar.generation().name
    manifest = data_dir / "generations" / name / "manifest.json"
    fields = json.loads(manifest.read_text(encoding="utf-8"))
    fields["recipe"]["analyser_version"] -= 1
    manifest.write_text(json.dumps(fields), encoding="utf-8")
    again = start(data_dir)
    with pytest.raises(GenerationMismatchError, match="analyser_version"):
        again.generation()
    again.publish_if_stale()
    assert again.generation().name > name


def test_other_settings_are_named_and_mended_by_ingest(
    data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kildesvar = start(data_dir, passage_tokens=64)
    kildesvar.publish_if_stale()
    assert kildesvar.generation().manifest.recipe.max_tokens == 220, "as good as any to search"
    assert "max_tokens 220 -> 64" in caplog.text
    extra = tmp_path / "ny.txt"
    extra.write_text("Noe nytt.\n", encoding="utf-8")
    with pytest.raises(GenerationMismatchError, match="max_tokens 220 -> 64"):
        kildesvar.ingester().ingest([extra])  # a service must not begin what takes hours
    kildesvar.ingester(renews=True).ingest([extra])
    assert kildesvar.generation().manifest.recipe.max_tokens == 64


def test_a_newest_generation_that_is_damaged_is_left_for_the_one_that_is_open(
    data_dir: Path, tmp_path: Path
) -> None:
    kildesvar = start(data_dir)
    held = kildesvar.generation()
    extra = tmp_path / "ny.txt"
    extra.write_text("Noe nytt.\n", encoding="utf-8")
    name = start(data_dir).ingester().ingest([extra]).generation
    (data_dir / "generations" / name / "default" / "base" / "rows.npy").write_bytes(b"")
    assert kildesvar.generation() is held
    assert kildesvar.generation() is held
    kildesvar.publish_if_stale()
    assert kildesvar.generation().name > name


def test_a_renewal_killed_before_its_last_step_keeps_no_service_from_starting(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Library, "switch_edition", killed)
        with pytest.raises(KeyboardInterrupt):
            start(data_dir, passage_tokens=64).ingester(renews=True).publish()
    for tokens in (64, 220):
        kildesvar = start(data_dir, passage_tokens=tokens)
        make_ready(kildesvar)
        answer = kildesvar.answerer.answer(
            kildesvar.generation(), "Hvor mange medlemmer har bransjen?"
        )
        assert answer.answered


def test_another_writer_is_not_disturbed(data_dir: Path) -> None:
    shutil.rmtree(data_dir / "generations")
    with writing(data_dir), pytest.raises(LibraryBusyError):
        start(data_dir).publish_if_stale()
