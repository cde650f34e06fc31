"""Views of files: they do what every view has to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.assembly import Kildesvar
from app.settings import load_settings
from tests import view_contract


@pytest.fixture(scope="module")
def both(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kildesvar]:
    root = tmp_path_factory.mktemp("views")
    kildesvar = Kildesvar(load_settings(data_dir=root / "data"))
    view_contract.add_both(kildesvar, root)
    yield kildesvar
    kildesvar.close()


@pytest.mark.parametrize("check", view_contract.READING)
def test_it_does_what_every_view_does(check: Callable[[Kildesvar], None], both: Kildesvar) -> None:
    check(both)


def test_it_changes_as_every_view_does(model_folder: Path, tmp_path: Path) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    for check in view_contract.CHANGING:
        check(kildesvar, tmp_path / "docs")
    kildesvar.close()
