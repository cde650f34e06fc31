"""What the service says of itself when it starts."""

from pathlib import Path
from typing import cast

import pytest

from app.access.callers import Role
from app.access.keys import Keys
from app.assembly import Kildesvar
from app.hosting.server import say_who_comes_in
from app.settings import load_settings
from index.library import Library


class Anywhere:
    """As much of a Kildesvar as says who comes in, where others reach it."""

    def __init__(self, library: Library, **settings: object) -> None:
        self.library = library
        self.settings = load_settings(host="0.0.0.0", **settings)


def test_who_comes_in_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = Library.open(tmp_path / "library.sqlite3")

    def said(**settings: object) -> str:
        caplog.clear()
        say_who_comes_in(cast("Kildesvar", Anywhere(library, **settings)))
        return caplog.text

    assert "kildesvar keys create NAME --role admin" in said()
    assert "whoever reaches 0.0.0.0 reads, changes and deletes" in said(require_keys=False)
    Keys(library).create("Administrator", Role.ADMIN)
    assert said() == ""
    library.close()
