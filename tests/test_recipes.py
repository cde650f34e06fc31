"""The recipes of docs/recipes: each is run as it stands, and prints what is said below it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from playwright._impl._driver import compute_driver_executable

from app.asking.gate import Gate, Place, TooBusyError
from app.client import Kildesvar
from tests.running import running

RECIPES = Path(__file__).resolve().parents[1] / "docs" / "recipes"
DOCUMENTED = "http://127.0.0.1:8080"
"""The address that the recipes ask; a test puts that of its own service in its place."""

BUSY = re.compile("busy")
"""In the headings of recipes for a service that refuses whoever comes first."""


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    language: str
    code: str
    output: str


def recipes() -> Iterator[Recipe]:
    """Every code block with the block of its output, which must come next."""
    for path in sorted(RECIPES.glob("*.md")):
        heading, code = "", None
        tokens = MarkdownIt().parse(path.read_text(encoding="utf-8"))
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            if token.type == "heading_open" and following:
                heading = following.content
            if token.type != "fence":
                continue
            if code is None:
                code = token
            else:
                assert token.info in {"text", "html"}, f"{heading}: no output of its {code.info}"
                yield Recipe(f"{path.stem}: {heading}", code.info, code.content, token.content)
                code = None
        assert code is None, f"{path}: no output of the last recipe"


ALL = list(recipes())


def program(language: str) -> str:
    if language == "python":
        return sys.executable
    found = shutil.which({"sh": "bash", "js": "node"}[language])
    return found or str(compute_driver_executable()[0])  # Playwright brings a node of its own


def run(recipe: Recipe, address: str, folder: Path) -> str:
    """What the recipe prints."""
    assert DOCUMENTED in recipe.code
    suffix = {"sh": "sh", "js": "mjs", "python": "py"}[recipe.language]
    path = folder / f"recipe.{suffix}"
    path.write_text(recipe.code.replace(DOCUMENTED, address), encoding="utf-8")
    # A developer's own settings and proxies must not decide a test.
    left = re.compile("KILDESVAR_.*|.*_proxy", re.IGNORECASE)
    environment = {name: value for name, value in os.environ.items() if not left.fullmatch(name)}
    done = subprocess.run(
        [program(recipe.language), str(path)],
        cwd=folder,
        env=environment | {"PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace(address, DOCUMENTED)


def expected(output: str) -> str:
    """The pattern of an output: `…` is any letters, and alone on a line any lines."""
    lines = [
        ".*" if line == "…" else r"[^\n]*".join(map(re.escape, line.split("…")))
        for line in tidied(output)
    ]
    return "\n".join(lines)


def tidied(output: str) -> list[str]:
    return [line.rstrip() for line in output.strip().splitlines()]


def prints_what_it_says(recipe: Recipe, address: str, folder: Path) -> None:
    printed = "\n".join(tidied(run(recipe, address, folder)))
    assert re.fullmatch(expected(recipe.output), printed, re.DOTALL), printed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a recipe runs, with the folder that it sends."""
    notes = tmp_path / "notater"
    notes.mkdir()
    text = "Kommisjonen for fjordferger ledes av Solveig Myklebust.\n"
    (notes / "fjordferger.txt").write_text(text, encoding="utf-8")
    (notes / "rapport.pdf").write_text("dette er ingen PDF", encoding="utf-8")
    (notes / "program.exe").write_bytes(b"MZ")
    return tmp_path


@pytest.fixture
def address(writable_url: str) -> Iterator[str]:
    """Of a service from which everything that a recipe sends is taken away again."""
    yield writable_url
    with Kildesvar(writable_url) as kildesvar:
        for document in kildesvar.documents(limit=500).documents:
            if document.uploaded:
                kildesvar.delete(document.id)


class Crowded(Gate):
    """Refuses whoever comes first."""

    refuses = True

    async def place(self) -> Place:
        if self.refuses:
            self.refuses = False
            raise TooBusyError
        return await super().place()


def name_of(recipe: Recipe) -> str:
    return recipe.name


@pytest.mark.parametrize("recipe", [r for r in ALL if not BUSY.search(r.name)], ids=name_of)
def test_a_recipe_prints_what_it_says(recipe: Recipe, address: str, folder: Path) -> None:
    prints_what_it_says(recipe, address, folder)


def test_recipes_wait_for_a_busy_service(examples_dir: Path, folder: Path) -> None:
    crowded = [recipe for recipe in ALL if BUSY.search(recipe.name)]
    assert {recipe.language for recipe in crowded} == {"sh", "python", "js"}
    with running(examples_dir) as service:
        app: Any = service.server.config.app
        for recipe in crowded:
            gate = app.state.gate = Crowded(places=16)
            prints_what_it_says(recipe, str(service.client.base_url), folder)
            assert not gate.refuses, recipe.name


@pytest.mark.parametrize(
    ("output", "printed", "fits"),
    [
        ("a\nb", "a\nb", True),
        ("a … c", "a b c", True),
        ("a … c", "a b\n c", False),
        ("a\n…", "a\nb\nc", True),
        ("a\n…\nd", "a\nb\nc\nd", True),
        ("a.c", "abc", False),
        ("a", "a\nb", False),
    ],
)
def test_an_output_is_compared_letter_for_letter(output: str, printed: str, fits: bool) -> None:
    assert bool(re.fullmatch(expected(output), printed, re.DOTALL)) == fits
