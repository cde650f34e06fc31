"""The direction of dependencies: scripts -> app -> index, and nothing the other way."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "torch",
    "transformers",
    "sentence_transformers",
    "onnx",
    "openai",
    "mcp",
    "opentelemetry.sdk",
    "opensearchpy",
}


def imports(path: Path) -> set[str]:
    """Top-level names of all modules that the file imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("index", {"app", "scripts", "tests", "fastapi", "os.environ"}),
        ("app", {"scripts", "tests"}),
    ],
)
def test_arrows_point_down(package: str, forbidden: set[str]) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert not imports(path) & forbidden, path


def test_the_index_never_reads_the_environment() -> None:
    for path in (ROOT / "index").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "os.environ" not in text, path
        assert "getenv" not in text, path


@pytest.mark.parametrize(
    "module", ["app.hosting.server", "app.cli", "app.assembly", "index.reading.reader"]
)
def test_serving_imports_nothing_that_only_some_need(module: str) -> None:
    code = f"import sys, {module}; print(sorted(set(sys.modules) & {HEAVY!r}))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_no_parser_of_foreign_formats_runs_beside_the_index() -> None:
    parsers = {"pdf_oxide", "pypdfium2", "mammoth", "pptx", "openpyxl", "lxml", "selectolax"}
    code = f"import sys, index.ingest, app.cli; print(sorted(set(sys.modules) & {parsers!r}))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_the_client_imports_nothing_of_the_service() -> None:
    heavy = {"faiss", "fastapi", "numpy", "onnxruntime", "sqlalchemy", "starlette", "tantivy"}
    code = f"import sys, app.client; print(sorted(set(sys.modules) & {heavy!r}))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_routes_and_tools_have_no_way_to_documents_but_the_caller_s() -> None:
    """A route that took all of the library would show it to who may read only some."""
    everything = re.compile(r"kildesvar\.(library\b(?!\.read_by)|generation\b)")
    for package in ("app/routes", "app/mcp", "app/openai_api"):
        for path in (ROOT / package).rglob("*.py"):
            found = everything.findall(path.read_text(encoding="utf-8"))
            assert not found, path
