"""A folder's way into the library, with the real model."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.documents import Document
from index.embedding import Encoder
from index.errors import GenerationMismatchError, InaccessibleFileError, IngestRefusedError
from index.generations import Generations
from index.ingest import Ingester, Progress
from index.library import Library
from index.lock import writing
from index.passages import PassageSettings
from index.readers.isolation import IsolatedReader
from index.records import Source
from tests.conftest import ROOT, all_passages
from tests.libraries import library_in
from tests.made_files import Writer
from tests.test_ocr import needs_tesseract


class Setup:
    """A folder of documents, and a library and generations of its own."""

    def __init__(self, root: Path, encoder: Encoder, model_folder: Path) -> None:
        self.model_folder = model_folder
        self.folder = root / "dokumenter"
        self.folder.mkdir()
        self.encoder = encoder
        self.library = library_in(root)
        self.generations = Generations(root / "generations")
        self.progress: list[Progress] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def ingester(self, max_tokens: int = 220, ocr: bool = False, renews: bool = True) -> Ingester:
        return Ingester(
            self.library,
            self.generations,
            self.encoder,
            PassageSettings(max_tokens),
            self.progress.append,
            ocr,
            renews,
        )


@pytest.fixture
def setup(tmp_path: Path, encoder: Encoder, model_folder: Path) -> Setup:
    made = Setup(tmp_path, encoder, model_folder)
    made.write("en.txt", "Rådet har tolv medlemmer. De møtes hver måned.\n")
    made.write("mappe/to.md", "# Budsjett\n\nDet er satt av fire millioner kroner.\n")
    return made


def test_a_folder_is_read_to_its_depths_and_published(setup: Setup) -> None:
    report = setup.ingester().ingest([setup.folder])
    assert (report.added, report.documents, report.passages, report.embedded) == (2, 2, 2, 2)
    assert report.published
    assert report.skipped == []
    assert setup.progress[-1].files_done == setup.progress[-1].files_total == 2
    assert len(setup.generations.open().dense) == 2


def test_an_unchanged_folder_embeds_and_publishes_nothing(setup: Setup) -> None:
    first = setup.ingester().ingest([setup.folder])
    second = setup.ingester().ingest([setup.folder])
    assert (second.unchanged, second.embedded, second.published) == (2, 0, False)
    assert second.generation == first.generation


def test_a_file_that_replaces_a_document_keeps_its_id(setup: Setup) -> None:
    old = setup.write("gammel.txt", "Rådet har tolv medlemmer.\n")
    setup.ingester().ingest([old])
    document_id = setup.library.document_of(str(old))
    new = setup.write("ny.md", "Rådet har femten medlemmer.\n")
    report = setup.ingester().ingest([new], replaces=document_id)
    assert report.skipped == []
    assert setup.library.document_of(str(new)) == document_id
    assert set(setup.library.sources()) == {str(new)}


def test_an_unreadable_file_leaves_the_document_that_it_was_to_replace(setup: Setup) -> None:
    old = setup.write("gammel.txt", "Rådet har tolv medlemmer.\n")
    setup.ingester().ingest([old])
    document_id = setup.library.document_of(str(old))
    assert document_id
    new = setup.write("ny.pdf", "dette er ingen PDF")
    report = setup.ingester().ingest([new], replaces=document_id)
    assert [skipped.path for skipped in report.skipped] == [str(new)]
    assert "tolv" in setup.library.document(document_id).text
    assert set(setup.library.sources()) == {str(old)}


def test_a_new_time_alone_is_no_change(setup: Setup) -> None:
    path = setup.folder / "en.txt"
    setup.ingester().ingest([setup.folder])
    path.touch()
    report = setup.ingester().ingest([setup.folder])
    assert (report.unchanged, report.changed, report.published) == (2, 0, False)
    assert setup.library.sources()[str(path)].modified_ns == path.stat().st_mtime_ns


def test_a_changed_file_replaces_its_document(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    setup.write("en.txt", "Rådet har nitten medlemmer nå.\n")
    report = setup.ingester().ingest([setup.folder])
    assert (report.changed, report.unchanged, report.embedded) == (1, 1, 1)
    texts = [setup.library.document(i).text for i in setup.library.document_ids()]
    assert not any("tolv" in text for text in texts)


def test_a_moved_chapter_is_not_embedded_again(setup: Setup) -> None:
    chapter = "# Kapittel\n\nDet samme kapitlet står her.\n"
    setup.write("rapport.md", f"{chapter}\n# Annet\n\nNoe helt annet.\n")
    setup.ingester().ingest([setup.folder])
    setup.write("rapport.md", f"{chapter}\n# Nytt\n\nNoe helt nytt.\n")
    assert setup.ingester().ingest([setup.folder]).embedded == 1


def test_of_a_library_only_what_matters_to_a_file_is_looked_up_for_it(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.write("tom.txt", "")
    setup.ingester().ingest([setup.folder])
    told: list[list[str]] = []
    for name in ("sources", "left_out", "collection_of_each"):
        ask = getattr(Library, name)

        def noting(library: Library, *places: Any, ask: Any = ask) -> Any:
            found = ask(library, *places)
            told.append([*found])
            return found

        monkeypatch.setattr(Library, name, noting)
    same = setup.write("annet/samme.txt", (setup.folder / "en.txt").read_text("utf-8"))
    report = setup.ingester().ingest([same], collection="default")
    assert not report.published, "it is known by what it holds"
    assert (report.added, report.embedded, report.documents) == (1, 0, 2)
    assert told == [[], [], []]
    setup.ingester().ingest([same], collection="default")
    assert sorted(told[3:]) == [[], [str(same)], [str(same)]]


def test_of_files_that_hold_the_same_the_later_ones_are_copies(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    begin = IsolatedReader.begin

    def noted(self: IsolatedReader, path: Path) -> None:
        read.append(path.name)
        begin(self, path)

    monkeypatch.setattr(IsolatedReader, "begin", noted)
    for number in range(4):
        setup.write(f"samme/{number}.txt", "Det samme står i alle fire.\n")
    report = setup.ingester().ingest([setup.folder / "samme"])
    assert (report.added, report.documents) == (4, 1)
    assert read == ["0.txt", "1.txt"], "the second is begun before the first is stored"


def test_a_folder_that_has_become_a_file_has_its_files_no_more(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    shutil.rmtree(setup.folder / "mappe")
    setup.write("mappe", "Dette er en fil nå.\n")
    report = setup.ingester().ingest([setup.folder / "mappe"], accept_removals=True)
    assert report.removed == 1


def test_a_vanished_file_is_removed(setup: Setup) -> None:
    gone = setup.write("gone.txt", "Dette blir borte.\n")
    setup.ingester().ingest([setup.folder])
    gone.unlink()
    report = setup.ingester().ingest([setup.folder])
    assert (report.removed, report.documents) == (1, 2)
    assert len(setup.generations.open().dense) == 2


def test_many_vanished_files_are_asked_about(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    (setup.folder / "en.txt").unlink()
    (setup.folder / "mappe/to.md").unlink()
    setup.write("ny.txt", "En ny fil.\n")
    with pytest.raises(IngestRefusedError, match=r"2 of the 2 files.*--yes"):
        setup.ingester().ingest([setup.folder])
    assert setup.library.count()[0] == 2
    assert setup.ingester().ingest([setup.folder], accept_removals=True).removed == 2


def test_a_moved_file_keeps_its_document_and_is_not_read(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.ingester().ingest([setup.folder])
    [before] = [d for d in setup.library.documents(9) if d.title == "Budsjett"]
    (setup.folder / "nytt sted").mkdir()
    (setup.folder / "mappe/to.md").rename(setup.folder / "nytt sted/tre.md")

    def refused(self: IsolatedReader, path: Path) -> None:
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(IsolatedReader, "begin", refused)
    report = setup.ingester().ingest([setup.folder])
    assert (report.moved, report.unchanged, report.added, report.removed) == (1, 1, 0, 0)
    assert not report.published
    assert setup.library.document(before.id).source.endswith("tre.md")


def test_a_folder_that_was_renamed_is_not_asked_about(setup: Setup) -> None:
    setup.write("mappe/tre.md", "# Møter\n\nRådet møtes hver måned.\n")
    setup.ingester().ingest([setup.folder])
    (setup.folder / "en.txt").write_text("# Nytt\n", encoding="utf-8")
    (setup.folder / "mappe").rename(setup.folder / "arkiv")
    report = setup.ingester().ingest([setup.folder])
    assert (report.moved, report.changed, report.removed) == (2, 1, 0)


def test_a_document_named_after_its_file_is_named_anew_when_that_moves(setup: Setup) -> None:
    path = setup.write("gammelt navn.csv", "by;folketall\nBergen;290000\n")
    setup.ingester().ingest([setup.folder])
    [before] = [d for d in setup.library.documents(9) if d.title == "gammelt navn"]
    path.rename(setup.folder / "nytt navn.csv")
    setup.ingester().ingest([setup.folder])
    assert setup.library.document(before.id).title == "nytt navn"


def test_the_same_file_under_two_names_is_read_once(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    shutil.copyfile(setup.folder / "mappe/to.md", setup.folder / "kopi.md")
    report = setup.ingester().ingest([setup.folder])
    assert (report.added, report.documents, report.published) == (1, 2, False)
    assert setup.ingester().ingest([setup.folder]).unchanged == 3


def test_a_file_that_becomes_a_copy_of_another_leaves_its_document(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    setup.write("mappe/tre.md", "# Møter\n\nRådet møtes hver måned.\n")
    setup.ingester().ingest([setup.folder])
    shutil.copyfile(setup.folder / "mappe/to.md", setup.folder / "mappe/tre.md")
    report = setup.ingester().ingest([setup.folder])
    assert (report.changed, report.documents, report.published) == (1, 2, True)


def test_what_cannot_be_read_is_not_tried_again_until_it_changes(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = setup.write("brutt.pdf", "%PDF-1.4 og ikke mer")
    first = setup.ingester().ingest([setup.folder])
    tried: list[Path] = []
    begin = IsolatedReader.begin

    def counted(self: IsolatedReader, path: Path) -> None:
        tried.append(path)
        begin(self, path)

    monkeypatch.setattr(IsolatedReader, "begin", counted)
    path.touch()
    second = setup.ingester().ingest([setup.folder])
    assert (second.skipped, tried) == (first.skipped, [])
    third = setup.ingester().ingest([setup.folder], retry=True)
    assert (third.skipped, tried) == (first.skipped, [path])
    path.write_text("%PDF-1.4 og mer, men ikke nok", encoding="utf-8")
    setup.ingester().ingest([setup.folder])
    assert len(tried) == 2
    path.unlink()
    setup.ingester().ingest([setup.folder])
    assert setup.library.left_out() == {}


def test_files_that_older_readers_read_are_read_again(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.readers.READERS_VERSION", 1)
    setup.ingester().ingest([setup.folder])
    monkeypatch.setattr("index.readers.READERS_VERSION", 2)
    report = setup.ingester().ingest([setup.folder])
    assert (report.changed, report.unchanged, report.embedded) == (2, 0, 0)
    assert setup.ingester().ingest([setup.folder]).unchanged == 2


@needs_tesseract
def test_pdfs_are_read_again_when_their_pictures_are_to_be_read(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    (setup.folder / "rapport.pdf").write_bytes(
        Writer().lines("Rådet har nitten medlemmer, og de møtes hver måned.").bytes()
    )
    setup.ingester().ingest([setup.folder])
    assert setup.ingester().ingest([setup.folder]).unchanged == 3
    report = setup.ingester(ocr=True).ingest([setup.folder])
    assert (report.changed, report.unchanged) == (1, 2)


def test_a_document_that_a_person_deleted_stays_away_until_its_file_changes(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    [document] = [d for d in setup.library.documents(9) if d.title == "Budsjett"]
    paths = setup.library.remove_document(document.id, "was deleted by a person")
    assert [Path(path).name for path in paths] == ["to.md"]
    report = setup.ingester().ingest([setup.folder])
    assert [s.reason for s in report.skipped] == ["was deleted by a person"]
    assert (report.documents, report.published) == (1, True)
    setup.write("mappe/to.md", "# Budsjett\n\nDet er satt av fem millioner kroner.\n")
    assert setup.ingester().ingest([setup.folder]).documents == 2


@pytest.mark.parametrize("harm", ["changed", "emptied"])
def test_a_copy_of_what_a_file_held_before_keeps_its_document(setup: Setup, harm: str) -> None:
    """Both are met in one run, in which the first one's document changes."""
    first = setup.write("a.md", "# Plan\n\nRådet skal ha nitten medlemmer.\n")
    setup.ingester().ingest([setup.folder])
    shutil.copyfile(first, setup.folder / "b.md")
    new = "" if harm == "emptied" else "# Plan\n\n" + "Noe ganske annet står her nå. " * 400
    first.write_text(new, encoding="utf-8")
    setup.ingester().ingest([setup.folder])
    texts = {
        Path(document.source).name: setup.library.document(document.id).text
        for document in setup.library.documents(9)
    }
    assert "nitten medlemmer" in texts["b.md"]
    assert ("a.md" in texts) is (harm == "changed")
    assert "nitten" not in texts.get("a.md", "")


def test_a_deleted_document_stays_away_under_other_names_and_readers(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.ingester().ingest([setup.folder])
    [document] = [d for d in setup.library.documents(9) if d.title == "Budsjett"]
    setup.library.remove_document(document.id, "was deleted by a person")
    monkeypatch.setattr("index.readers.READERS_VERSION", 99)
    assert setup.ingester().ingest([setup.folder]).documents == 1
    (setup.folder / "mappe/to.md").rename(setup.folder / "mappe/tre.md")
    for _ in range(2):
        report = setup.ingester().ingest([setup.folder])
        assert [(Path(s.path).name, s.reason) for s in report.skipped] == [
            ("tre.md", "was deleted by a person")
        ]
    assert setup.ingester().ingest([setup.folder], retry=True).documents == 2


def test_a_pipe_is_refused_and_not_waited_for(setup: Setup) -> None:
    os.mkfifo(setup.folder / "rør.txt")
    report = setup.ingester().ingest([setup.folder])
    reasons = [skipped.reason for skipped in report.skipped]
    assert reasons == ["it is a pipe, a socket or a device, not a file"]


def test_a_service_with_old_settings_leaves_a_renewal_alone(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.ingester().ingest([setup.folder])
    service = setup.ingester(renews=False)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Library, "switch_edition", killed)
        with pytest.raises(KeyboardInterrupt):
            setup.ingester(max_tokens=60).ingest([setup.folder])
    service.publish()
    coming = setup.library.edition().number + 1
    assert setup.library.documents_without(coming) == [], "what was begun is still there"
    setup.ingester(max_tokens=60).ingest([setup.folder])
    with pytest.raises(GenerationMismatchError, match="max_tokens 60 -> 220"):
        service.publish()
    assert setup.library.edition().number == coming


ON_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from index.embedding import open_encoder
from index.errors import LibraryError
from index.generations import Generations
from index.ingest import Ingester
from index.library import Library
from index.passages import PassageSettings
root, model = map(Path, sys.argv[1:])
library, generations = Library.open(root / "library.sqlite3"), Generations(root / "generations")
ingester = Ingester(library, generations, open_encoder(model), PassageSettings())
publish = Generations.publish
def on_full_disk(*given):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
    return publish(*given)
Generations.publish = on_full_disk
try:
    ingester.ingest([root / "dokumenter"])
except LibraryError as error:
    print(error)
"""
"""Ingests where the kernel itself refuses files beyond a size, as it refuses any on a full disk."""


@pytest.mark.sqlite
def test_a_full_disk_is_told_and_the_next_run_publishes(setup: Setup) -> None:
    setup.write("lang.txt", " ".join(f"Setning nummer {n} står her." for n in range(400)))
    setup.library.close()
    given = [str(setup.folder.parent), str(setup.model_folder)]
    command = [sys.executable, "-c", ON_FULL_DISK, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "the new generation could not be written" in done.stdout, done.stderr
    assert "make room" in done.stdout
    assert setup.generations.manifest() is None, "nothing was published"
    report = setup.ingester().ingest([setup.folder])
    assert (report.unchanged, report.published, report.embedded) == (3, True, 0)
    assert setup.generations.manifest() is not None


def test_nothing_is_left_on_disk_of_what_was_deleted(setup: Setup) -> None:
    path = setup.write("hemmelig.txt", "Kvernbekken er et hemmelig sted for alle.\n")
    setup.ingester().ingest([setup.folder])
    data = setup.folder.parent
    assert b"vernbekken" in everything(data)
    path.unlink()
    setup.ingester().ingest([setup.folder])
    assert b"vernbekken" not in everything(data)


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("emptied", [True, False])
def test_a_folder_that_was_emptied_or_removed_can_be_forgotten(setup: Setup, emptied: bool) -> None:
    setup.ingester().ingest([setup.folder])
    shutil.rmtree(setup.folder)
    if emptied:
        setup.folder.mkdir()
    with pytest.raises(IngestRefusedError, match="--yes"):
        setup.ingester().ingest([setup.folder])
    report = setup.ingester().ingest([setup.folder], accept_removals=True)
    assert (report.removed, report.documents) == (2, 0)
    assert setup.library.is_empty()


def test_a_removed_file_can_be_forgotten_by_name(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    path = setup.folder / "en.txt"
    path.unlink()
    assert setup.ingester().ingest([path], accept_removals=True).removed == 1
    assert setup.library.count()[0] == 1


def test_a_file_that_lost_its_text_answers_no_more(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    setup.write("en.txt", "")
    report = setup.ingester().ingest([setup.folder])
    assert "removed" in report.skipped[0].reason
    assert (report.removed, report.documents) == (1, 1)


def test_a_file_that_cannot_be_opened_now_still_answers(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.ingester().ingest([setup.folder])

    def refused(_: Path) -> None:
        raise InaccessibleFileError("cannot open the file: Permission denied")

    monkeypatch.setattr("index.ingest.require_readable", refused)
    report = setup.ingester().ingest([setup.folder])
    assert {s.reason.partition("; ")[2] for s in report.skipped} == {
        "its earlier version still answers"
    }
    assert report.documents == 2


def test_a_folder_that_cannot_be_listed_loses_nothing(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.ingester().ingest([setup.folder])
    real = os.scandir

    def guarded(path: str) -> object:
        if str(path).endswith("mappe"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    report = setup.ingester().ingest([setup.folder])
    assert "cannot list" in report.skipped[0].reason
    assert (report.removed, report.documents) == (0, 2)


def test_links_are_named_and_lead_nowhere(setup: Setup, tmp_path: Path) -> None:
    """Whoever may write to the folder must not have read what only the service may."""
    (tmp_path / "annet").mkdir()
    secret = tmp_path / "annet" / "hemmelig.txt"
    secret.write_text("Koden til hvelvet er fire siffer.\n", encoding="utf-8")
    (setup.folder / "lenke").symlink_to(tmp_path / "annet", target_is_directory=True)
    (setup.folder / "brutt.txt").symlink_to(tmp_path / "finnes-ikke.txt")
    (setup.folder / "lenke.txt").symlink_to(secret)
    report = setup.ingester().ingest([setup.folder])
    assert {Path(s.path).name for s in report.skipped} == {"lenke", "brutt.txt", "lenke.txt"}
    assert report.documents == 2
    named = setup.ingester().ingest([setup.folder / "lenke.txt"])
    assert named.documents == 3, "a link that a person names is meant"


def test_a_file_name_in_another_encoding_costs_one_line(setup: Setup) -> None:
    name = os.fsencode(setup.folder) + b"/\xe5rsmelding.txt"
    with open(name, "wb") as file:  # noqa: PTH123 - a name that is no text
        file.write(b"Noe tekst.")
    report = setup.ingester().ingest([setup.folder])
    assert "not UTF-8" in report.skipped[0].reason
    assert json.dumps(report.skipped[0].path)
    assert report.documents == 2
    named = setup.ingester().ingest([Path(os.fsdecode(name))])
    assert "not UTF-8" in named.skipped[0].reason
    folder = os.fsencode(setup.folder) + b"/\xe5r"
    os.mkdir(folder)  # noqa: PTH102
    (Path(os.fsdecode(folder)) / "fil.txt").write_text("Noe mer.", "utf-8")
    within = setup.ingester().ingest([Path(os.fsdecode(folder))], collection="styret")
    assert "not UTF-8" in within.skipped[0].reason


def test_an_unforeseen_error_costs_one_line(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = IsolatedReader.finish

    def broken(self: IsolatedReader) -> Document:
        document = finish(self)
        if "Rådet" in document.text:
            raise RuntimeError("the parser is broken")
        return document

    monkeypatch.setattr(IsolatedReader, "finish", broken)
    report = setup.ingester().ingest([setup.folder])
    assert "the parser is broken" in report.skipped[0].reason
    assert report.documents == 1


def test_each_file_is_read_while_the_one_before_is_embedded(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.write("mappe/tre.md", "# Møter\n\nRådet møtes hver måned.\n")
    done: list[str] = []
    begin, put = IsolatedReader.begin, Library.put

    def begun(self: IsolatedReader, path: Path) -> None:
        done.append(f"read {path.name}")
        begin(self, path)

    def stored(
        self: Library, document: Document, source: Source, *given: Any, **named: Any
    ) -> None:
        done.append(f"store {Path(source.path).name}")
        put(self, document, source, *given, **named)

    monkeypatch.setattr(IsolatedReader, "begin", begun)
    monkeypatch.setattr(Library, "put", stored)
    setup.ingester().ingest([setup.folder])
    assert done == [
        *("read en.txt", "read to.md", "store en.txt"),
        *("read tre.md", "store to.md", "store tre.md"),
    ]


def test_a_stop_while_the_next_file_is_read_leaves_that_for_the_next_run(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    ingester = setup.ingester()
    with monkeypatch.context() as patch:
        patch.setattr(Library, "put", stopped)
        with pytest.raises(KeyboardInterrupt):
            ingester.ingest([setup.folder])
    assert setup.library.left_out() == {}
    report = ingester.ingest([setup.folder])
    assert (report.added, report.skipped) == (2, [])


def test_the_context_is_shortened_to_what_the_model_takes(setup: Setup) -> None:
    heading = "Et svært langt overskriftsledd " * 60
    setup.write("lang.md", f"# {heading}\n\n## Mål\n\nPlanen skal gi bedre tjenester.\n")
    assert setup.ingester().ingest([setup.folder]).documents == 3


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(setup: Setup) -> None:
    setup.write("tom.txt", "  \n")
    setup.write("bilde.png", "ikke tekst")
    (setup.folder / "binær.txt").write_bytes(b"\x00\x01\x02")
    report = setup.ingester().ingest([setup.folder])
    reasons = {Path(s.path).name: s.reason for s in report.skipped}
    assert set(reasons) == {"tom.txt", "bilde.png", "binær.txt"}
    assert "empty" in reasons["tom.txt"]
    assert ".png" in reasons["bilde.png"]
    assert "binary" in reasons["binær.txt"]
    assert report.documents == 2


def test_hidden_files_are_left_alone(setup: Setup) -> None:
    setup.write(".hemmelig.txt", "Ikke les dette.\n")
    setup.write(".git/config.txt", "Eller dette.\n")
    report = setup.ingester().ingest([setup.folder])
    assert (report.documents, report.skipped) == (2, [])


@pytest.mark.parametrize("name", ["finnes-ikke", "tom"])
def test_nothing_to_ingest_is_refused(setup: Setup, tmp_path: Path, name: str) -> None:
    (tmp_path / "tom").mkdir()
    with pytest.raises(IngestRefusedError, match="nothing was changed"):
        setup.ingester().ingest([tmp_path / name])


def test_new_passage_settings_cut_everything_anew(setup: Setup) -> None:
    setup.write("lang.txt", " ".join(f"Setning nummer {n} står her." for n in range(60)))
    before = setup.ingester().ingest([setup.folder])
    after = setup.ingester(max_tokens=60).ingest([setup.folder])
    assert after.passages > before.passages
    assert after.published
    manifest = setup.generations.manifest()
    assert manifest is not None
    assert manifest.recipe.max_tokens == 60


def test_the_old_generation_answers_until_the_new_one_is_made(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.ingester().ingest([setup.folder])
    before = [passage.id for passage in all_passages(setup.library)]

    def killed(*_: object) -> None:
        assert len(setup.library.passages(before)) == len(before)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Library, "switch_edition", killed)
        with pytest.raises(KeyboardInterrupt):
            setup.ingester(max_tokens=60).ingest([setup.folder])
    back = setup.ingester().ingest([setup.folder])
    assert (back.embedded, back.published) == (0, True)
    assert [passage.id for passage in all_passages(setup.library)] == before


def test_whoever_has_the_old_generation_open_goes_on_with_it(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    before = [passage.id for passage in all_passages(setup.library)]
    held = setup.generations.open()
    setup.ingester(max_tokens=60).ingest([setup.folder])
    assert len(setup.library.passages(before)) == len(before)
    assert setup.library.count()[1] == len(all_passages(setup.library))
    del held
    setup.write("ny.txt", "En ny fil.\n")
    setup.ingester(max_tokens=60).ingest([setup.folder])
    assert setup.library.passages(before) == {}, "nobody has it any more"


def test_a_renewal_that_was_stopped_goes_on_where_it_was(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.ingester().ingest([setup.folder])
    real = Library.add_to_edition
    done: list[object] = []

    def killed(self: Library, *given: Any) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(given)
        real(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Library, "add_to_edition", killed)
        with pytest.raises(KeyboardInterrupt):
            setup.ingester(max_tokens=60).ingest([setup.folder])
    begun = setup.library.edition().number + 1
    assert len(setup.library.documents_without(begun)) == 1
    report = setup.ingester(max_tokens=60).ingest([setup.folder])
    assert (setup.library.edition().number, report.published) == (begun, True)
    assert setup.library.documents_without(begun) == []


def test_settings_set_back_after_a_killed_renewal_are_those_of_the_passages(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.write("lang.txt", " ".join(f"Setning nummer {n} står her." for n in range(60)))
    before = setup.ingester().ingest([setup.folder])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Generations, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            setup.ingester(max_tokens=60).ingest([setup.folder])
    back = setup.ingester().ingest([setup.folder])
    assert back.passages == before.passages


def test_a_run_that_was_killed_goes_on_where_it_was(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Generations, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            setup.ingester().ingest([setup.folder])
    assert setup.generations.manifest() is None
    report = setup.ingester().ingest([setup.folder])
    assert (report.unchanged, report.embedded, report.published) == (2, 0, True)


@pytest.mark.parametrize("damage", ["default/base/rows.npy", "manifest.json"])
def test_a_damaged_generation_is_made_anew_by_the_next_ingest(setup: Setup, damage: str) -> None:
    name = setup.ingester().ingest([setup.folder]).generation
    path = setup.folder.parent / "generations" / name / damage
    path.write_bytes(path.read_bytes()[:-7])
    report = setup.ingester().ingest([setup.folder])
    assert (report.embedded, report.published) == (0, True)
    assert len(setup.generations.open().dense) == 2


def test_stored_vectors_are_those_of_the_text(setup: Setup) -> None:
    setup.ingester().ingest([setup.folder])
    for passage in all_passages(setup.library):
        vectors = setup.library.unit_vectors([passage.id], setup.encoder.fingerprint)[passage.id]
        texts = [
            passage.text[u.start - passage.start : u.end - passage.start] for u in passage.units
        ]
        expected = setup.encoder.embed_documents(texts)
        np.testing.assert_allclose(vectors, expected, atol=1e-3)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    from index.errors import LibraryBusyError

    with (
        writing(tmp_path),
        pytest.raises(LibraryBusyError, match="another process"),
        writing(tmp_path),
    ):
        pass
