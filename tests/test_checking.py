"""The check finds the harm that is done here, and nothing where none was done."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from index.checking import problems_in
from index.errors import LibraryError
from index.generations import Generations
from index.library import Library


@pytest.fixture
def data_dir(examples_dir: Path, tmp_path: Path) -> Path:
    """A library of the examples that may be harmed."""
    shutil.copytree(examples_dir, tmp_path / "data")
    return tmp_path / "data"


def problems(data_dir: Path) -> list[str]:
    library = Library.open(data_dir / "library.sqlite3")
    found = list(problems_in(library, Generations(data_dir / "generations")))
    library.close()
    return found


def test_a_whole_library_has_no_problems(data_dir: Path) -> None:
    assert problems(data_dir) == []


def test_an_empty_library_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE documents SET text = text || '.'", "is not what it was"),
        ("UPDATE documents SET blocks = '[[\"paragraph\",0,99999999,0,null]]'", "outside its text"),
        ('UPDATE passages SET "end" = "start"', "spans that lie outside"),
        ("DELETE FROM passages WHERE id % 2", "lacks or has beyond"),
        ("DELETE FROM passages", "has no passage"),
        ("DELETE FROM vectors", "have no vector"),
        ("UPDATE vectors SET vector = zeroblob(length(vector))", "other vectors"),
        ("UPDATE passages SET document_id = 'nobody' WHERE id = 1", "belongs to no documents"),
        ("INSERT INTO feedback VALUES ('ingen', 'up', NULL, '2026')", "belongs to no answers"),
    ],
)
def test_harm_to_the_library_is_found(data_dir: Path, statement: str, found: str) -> None:
    with sqlite3.connect(data_dir / "library.sqlite3") as connection:
        connection.execute(statement)
    connection.close()
    assert any(found in problem for problem in problems(data_dir))


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_damaged_page_of_the_database_is_found(data_dir: Path, tenth: int) -> None:
    path = data_dir / "library.sqlite3"
    with closing(sqlite3.connect(path)) as library:
        library.execute("VACUUM")  # harm to a page that nothing is in harms nobody
    raw = bytearray(path.read_bytes())
    start = len(raw) * tenth // 10 // 4096 * 4096
    raw[start : start + 4096] = np.random.default_rng(1).bytes(4096)
    path.write_bytes(raw)
    try:
        found = problems(data_dir)
    except LibraryError as error:  # it may be a page that is read to open it
        found = [str(error)]
    assert found


def test_a_damaged_generation_is_found(data_dir: Path) -> None:
    [path] = (data_dir / "generations").glob("0*/default/base/rows.npy")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    [problem] = problems(data_dir)
    assert "damaged" in problem
