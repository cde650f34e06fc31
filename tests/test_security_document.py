"""docs/security.md names the test of each thing that it claims."""

import ast
import re

from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/\w+\.py)::(\w+)`", DOCUMENT)


def test_every_test_that_is_named_is_there() -> None:
    assert len(NAMED) > 40
    for path, name in NAMED:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{path}::{name}"


def test_every_risk_of_both_lists_is_gone_through() -> None:
    rows = re.findall(r"^\| (API\d+|LLM\d+) [^|]+\| [^|]+\| `tests/", DOCUMENT, re.MULTILINE)
    assert rows == [*(f"API{n}" for n in range(1, 11)), *(f"LLM{n:02}" for n in range(1, 11))]
