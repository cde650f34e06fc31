"""Into which collection a file goes: by its name, by its folder, by what else holds the same."""

from pathlib import Path

import pytest

from index.embedding import Encoder
from index.filing import Filing
from index.generations import Generations
from index.ingest import Ingester, IngestReport
from index.passages import PassageSettings
from tests.libraries import library_in


def test_a_new_file_goes_to_the_nearest_folder_whose_files_are_all_of_one() -> None:
    known = {"/d/a/1.md": "a", "/d/b/x/2.md": "b", "/d/b/y/3.md": "c", "/d/b/x/4.md": "b"}
    filing = Filing(known, {})
    assert filing.of_new("/d/a/ny/5.md") == "a"
    assert filing.of_new("/d/b/x/5.md") == "b"
    assert filing.of_new("/d/b/5.md") == "default", "of several"
    assert filing.of_new("/d/b/z/5.md") == "default"
    assert filing.of_new("/elsewhere/5.md") == "default"
    assert filing.of_new("/elsewhere/5.md", {"b"}) == "b"
    assert filing.of_new("/elsewhere/5.md", {"b", "c"}) == "default"
    assert filing.of_new("/d/a/5.md", {"b"}) == "a"
    assert filing.of_new("/d/a/5.md", set(), {"b"}) == "b", "it was moved here"


def test_a_folder_that_was_put_into_one_says_so_without_files_and_nothing_of_those_above() -> None:
    filing = Filing({"/d/styret/1.md": "styret"}, {"/d/styret": "styret", "/tom": "b"})
    assert filing.of_new("/d/styret/2026/2.md") == "styret"
    assert filing.of_new("/tom/x/2.md") == "b"
    assert filing.of_new("/d/2.md") == "default"


def test_to_name_a_folder_opens_none_below_that_was_put_into_another() -> None:
    folders = {"/d": "ansatte", "/d/styret": "styret"}
    known = {"/d/a.md": "ansatte", "/d/styret/b.md": "styret"}
    filing = Filing(known, folders, "alle", {"/d"})
    assert filing.of("/d/a.md") == "alle"
    assert filing.of("/d/styret/b.md") == "styret"
    assert filing.of_moved("/d/styret/2026/c.md") == "styret"
    assert Filing(known, folders, "alle", {"/d/styret"}).of("/d/styret/b.md") == "alle"
    assert Filing(known, folders, "alle", {"/d/styret/b.md"}).of("/d/styret/b.md") == "alle"


def test_uploads_say_nothing_of_the_folders_above_them() -> None:
    known = {"/d/data/uploads/1/a.md": "styret"}
    assert Filing(known, {}).of_new("/d/ny.md") == "styret"
    assert Filing(known, {}, uploads="/d/data/uploads").of_new("/d/ny.md") == "default"


class House:
    """A library, and a folder of documents."""

    def __init__(self, root: Path, encoder: Encoder) -> None:
        self.folder = root / "docs"
        self.library = library_in(root)
        self.generations = Generations(root / "generations")
        self.encoder = encoder

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def ingest(self, *names: str, collection: str | None = None, yes: bool = False) -> IngestReport:
        ingester = Ingester(self.library, self.generations, self.encoder, PassageSettings())
        paths = [self.folder / name for name in names]
        return ingester.ingest(paths, collection=collection, accept_removals=yes)

    def collections(self) -> dict[str, str]:
        """The collection of each file, by its path within the folder."""
        found = self.library.collection_of_each().items()
        return {str(Path(path).relative_to(self.folder)): name for path, name in found}


@pytest.fixture
def house(tmp_path: Path, encoder: Encoder) -> House:
    return House(tmp_path, encoder)


def test_a_closed_folder_stays_closed_when_the_one_above_is_ingested_again(house: House) -> None:
    house.write("a.md", "# A\n\nFor alle ansatte.\n")
    house.write("styret/b.md", "# B\n\nBare for styret.\n")
    for _ in range(2):
        house.ingest("", collection="ansatte")
        house.ingest("styret", collection="styret")
    house.ingest("", collection="ansatte")
    assert house.collections() == {"a.md": "ansatte", "styret/b.md": "styret"}


def test_a_closed_folder_leaks_no_new_file(house: House) -> None:
    house.write("åpent/a.md", "# A\n\nÅpent for alle.\n")
    house.write("styret/b.md", "# B\n\nBare for styret.\n")
    house.ingest("styret", collection="styret")
    house.ingest("")
    house.write("styret/2026/c.md", "# C\n\nOgså bare for styret.\n")
    house.write("styret/leses-ikke.md", "")
    report = house.ingest("")
    assert report.embedded == 1
    assert house.collections() == {
        "åpent/a.md": "default",
        "styret/b.md": "styret",
        "styret/2026/c.md": "styret",
        "styret/leses-ikke.md": "styret",
    }
    assert [*house.library.read_by(frozenset({"default"})).left_out()] == []
    for path in house.folder.glob("styret/**/*.md"):
        path.unlink()
    house.ingest("", yes=True)
    house.write("styret/d.md", "# D\n\nDen første etter at alt var borte.\n")
    house.ingest("")
    assert house.collections()["styret/d.md"] == "styret"


def test_a_new_file_that_is_named_alone_goes_where_those_around_it_are(house: House) -> None:
    house.write("styret/b.md", "# B\n\nBare for styret.\n")
    house.ingest("styret/b.md", collection="styret")
    house.write("styret/2026/c.md", "# C\n\nOgså bare for styret.\n")
    house.ingest("styret/2026/c.md")
    assert house.collections() == {"styret/b.md": "styret", "styret/2026/c.md": "styret"}


def test_a_copy_of_what_a_closed_file_held_before_it_changed_is_closed(house: House) -> None:
    old = house.write("styret/a.md", "# A\n\nBare for styret.\n").read_text("utf-8")
    house.write("styret/b.md", "# B\n\nEn annen sak.\n")
    house.ingest("styret", collection="styret")
    house.write("til/kopi.md", old)
    house.write("styret/a.md", "# A\n\nNå noe annet.\n")
    house.write("styret/b.md", "# B\n\nOgså noe annet.\n")
    house.ingest("")
    assert house.collections()["til/kopi.md"] == "styret"


def test_each_copy_of_a_closed_file_that_is_gone_is_closed(house: House) -> None:
    moved = house.write("styret/a.md", "# Et eget navn\n\nBare for styret.\n")
    house.write("styret/b.md", "# B\n\nEn annen sak.\n")
    house.write("felles/c.md", "# C\n\nFor noen flere.\n")
    house.ingest("styret", collection="styret")
    house.ingest("felles", collection="felles")
    for copy in ("felles/a.md", "til/a.md"):
        house.write(copy, moved.read_text("utf-8"))
    moved.unlink()
    house.ingest("", yes=True)
    found = house.collections()
    assert (found["felles/a.md"], found["til/a.md"]) == ("felles", "styret")


def test_what_a_person_deleted_stays_away_under_another_name_elsewhere(house: House) -> None:
    text = "# A\n\nDette er slettet.\n"
    house.write("en/a.md", text)
    house.ingest("en")
    [document] = house.library.documents(10)
    house.library.remove_document(document.id, "was deleted by a person")
    house.write("to/b.md", text)
    assert [s.reason for s in house.ingest("to/b.md").skipped] == ["was deleted by a person"]


def test_a_closed_file_that_is_read_again_through_a_link_stays_closed(
    house: House, tmp_path: Path
) -> None:
    house.write("a.md", "# A\n\nÅpent for alle.\n")
    closed = house.write("b.md", "# B\n\nBare for styret.\n")
    house.ingest("a.md")
    house.ingest("b.md", collection="styret")
    house.folder.rename(tmp_path / "flyttet")
    house.folder.symlink_to(tmp_path / "flyttet")
    closed.write_text("# B\n\nNå noe annet for styret.\n", "utf-8")
    Ingester(house.library, house.generations, house.encoder, PassageSettings()).reread([closed])
    assert house.collections() == {"a.md": "default", "b.md": "styret"}


def test_what_is_put_into_another_collection_moves_without_embedding(house: House) -> None:
    house.write("a.md", "# A\n\nTeksten som flyttes.\n")
    house.write("b.md", "# B\n\nTeksten som blir.\n")
    house.ingest("")
    before = {d.title: d for d in house.library.documents(10)}
    edition = house.library.edition().number
    ids = house.library.passage_ids(edition).tolist()
    held = house.generations.open()
    report = house.ingest("a.md", collection="styret")
    assert (report.changed, report.embedded, report.published) == (1, 0, True)
    after = {d.title: d for d in house.library.documents(10)}
    assert (after["A"].id, after["A"].collection) == (before["A"].id, "styret")
    assert after["B"] == before["B"]
    assert set(house.library.passage_ids(edition).tolist()) & set(ids) == {ids[1]}
    found = [i for i, _ in held.lexical.search({"flytt": 1.0}, 5)]
    assert found == [ids[0]]
    assert house.library.passages(found) == {}, "an older generation does not come upon it"
    generation = house.generations.open()
    assert not generation.view(frozenset({"default"})).lexical.has("flytt")
    assert generation.view(frozenset({"styret"})).lexical.has("flytt")
    again = house.ingest("")
    assert (again.unchanged, again.published) == (2, False), "without a name all stays"


def test_the_same_text_in_two_collections_is_two_documents(house: House) -> None:
    text = "# Felles\n\nDen samme teksten.\n"
    house.write("åpent/a.md", text)
    house.write("styret/b.md", text)
    house.ingest("åpent")
    report = house.ingest("styret", collection="styret")
    assert (report.added, report.embedded) == (1, 0), "vectors are shared"
    first, second = house.library.documents(10)
    assert first.content_hash == second.content_hash
    assert {first.collection, second.collection} == {"default", "styret"}
    for document in (first, second):
        assert len(house.library.files_of(document.id)) == 1
    house.write("åpent/c.md", text)
    house.ingest("åpent")
    assert house.library.count()[0] == 2
    house.ingest("åpent/c.md", collection="styret")
    files = {d.collection: house.library.files_of(d.id) for d in house.library.documents(10)}
    assert [Path(path).name for path in files["default"]] == ["a.md"]
    assert [Path(path).name for path in files["styret"]] == ["b.md", "c.md"]


def test_one_of_two_copies_that_moves_gets_a_document_of_its_own(house: House) -> None:
    text = "# Felles\n\nDen samme teksten.\n"
    house.write("a.md", text)
    house.write("b.md", text)
    house.ingest("")
    house.ingest("b.md", collection="styret")
    assert house.collections() == {"a.md": "default", "b.md": "styret"}
    one, other = house.library.documents(10)
    assert one.id != other.id
    assert (one.passages, other.passages) == (1, 1)
    assert house.library.document(other.id).text == house.library.document(one.id).text
    assert house.library.strays() == []


@pytest.mark.parametrize("title", ["# Tittel\n\n", ""])
def test_a_closed_folder_that_is_renamed_stays_closed(house: House, title: str) -> None:
    house.write("åpent/a.md", "# A\n\nÅpent.\n")
    house.ingest("")
    house.write("styret/b.md", f"{title}Bare for styret.\n")
    house.ingest("styret", collection="styret")
    (house.folder / "styret").rename(house.folder / "board")
    house.ingest("", yes=True)
    assert house.collections() == {"åpent/a.md": "default", "board/b.md": "styret"}


def test_a_file_that_is_moved_into_a_closed_folder_is_closed(house: House) -> None:
    house.write("åpent/a.md", "# A\n\nÅpent.\n")
    house.write("styret/b.md", "# B\n\nLukket.\n")
    house.ingest("åpent")
    house.ingest("styret", collection="styret")
    [before] = house.library.read_by(frozenset({"default"})).documents(10)
    (house.folder / "åpent" / "a.md").rename(house.folder / "styret" / "a.md")
    house.ingest("", yes=True)
    assert house.collections() == {"styret/a.md": "styret", "styret/b.md": "styret"}
    assert house.library.collection_of(before.id) == "styret", "it keeps its id"


def test_parts_that_did_not_change_are_shared(house: House) -> None:
    house.write("åpent/a.md", "# A\n\nÅpent.\n")
    house.write("styret/b.md", "# B\n\nLukket.\n")
    house.ingest("åpent")
    house.ingest("styret", collection="styret")
    before = house.generations.open()
    names = {c: before.view(frozenset({c})).name for c in ("default", "styret")}
    house.write("styret/c.md", "# C\n\nMer.\n")
    house.ingest("")
    after = house.generations.open()
    for name, is_shared in (("default", True), ("styret", False)):
        old, new = (g.folder / name / "base" / "rows.npy" for g in (before, after))
        assert old.samefile(new) is is_shared
        assert (after.view(frozenset({name})).name == names[name]) is is_shared
    assert before.lexical.has("lukk")
    assert not after.view(frozenset({"default"})).lexical.has("lukk")
