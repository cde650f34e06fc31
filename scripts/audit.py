"""Looks through the installed packages: known vulnerabilities, licences, and a list of them.

    python -m scripts.audit [--sbom build/sbom.json]

Vulnerabilities come from the package index's own service, by pip-audit; where that cannot be
reached, nothing is known of them, and it says so. The list (CycloneDX) is of what is served. The
exit status is 1 for a vulnerability or a licence that is not accepted, and where pip-audit fails.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from scripts.licences import PROJECT, Package, packages, refused

_ACCEPTED: dict[str, str] = {}
"""Vulnerabilities that do not concern us, by their id, and why."""
_COMMAND = [sys.executable, "-m", "pip_audit"]
_PROBED = "fastapi"
"""A package that every index has: the service that knows nothing of it cannot be reached."""
_PROBE_SECONDS = 20
_SECONDS = 300


class AuditFailedError(Exception):
    """pip-audit came to no end; says what it said of that."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What a vulnerability service says: of how many packages it knows, and what is wrong."""

    known: int
    vulnerabilities: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="audit", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sbom", type=Path, help="Where the list of what is served is written")
    asked = parser.parse_args(arguments)
    installed = packages()
    try:
        found = vulnerabilities(installed)
    except AuditFailedError as error:
        found = [f"vulnerabilities: NOT CHECKED, for pip-audit failed: {error}"]
    wrong = refused(installed)
    served = [package for package in installed if package.is_served]
    print(
        f"licences: {len(installed)} packages, {len(served)} of them served, {len(wrong)} refused"
    )
    for line in [*found, *wrong]:
        print(f"  {line}")
    if asked.sbom:
        asked.sbom.parent.mkdir(parents=True, exist_ok=True)
        asked.sbom.write_text(sbom(served), encoding="utf-8")
        print(f"SBOM: {len(served)} components in {asked.sbom}")
    return 1 if found or wrong else 0


def vulnerabilities(installed: Sequence[Package]) -> list[str]:
    """What is known against the packages; says how much could be learnt.

    Raises AuditFailedError.
    """
    if not _can_be_reached(installed):
        print("vulnerabilities: NOT CHECKED, no vulnerability service can be reached from here")
        return []
    found = _asked(installed, _SECONDS)
    print(f"vulnerabilities: {found.known} of {len(installed)} packages checked")
    return list(found.vulnerabilities)


def _can_be_reached(installed: Sequence[Package]) -> bool:
    """Tried with one package: with no network, each of some hundred would be waited for."""
    probe = [package for package in installed if package.name == _PROBED]
    try:
        return _asked(probe, _PROBE_SECONDS).known > 0
    except AuditFailedError:
        return False


def _asked(installed: Sequence[Package], seconds: int) -> Audited:
    """What pip-audit learns of the packages. Raises AuditFailedError."""
    with tempfile.TemporaryDirectory() as folder:
        pinned, report = Path(folder) / "pinned.txt", Path(folder) / "report.json"
        lines = [f"{package.name}=={package.version}\n" for package in installed]
        pinned.write_text("".join(lines), encoding="utf-8")
        command = [*_COMMAND, "-r", str(pinned), "-o", str(report)]
        options = "--no-deps --disable-pip --progress-spinner off --timeout 5 -f json -s pypi"
        try:
            ended = subprocess.run(
                [*command, *options.split()],
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AuditFailedError(f"it took longer than {seconds} s") from error
        try:
            return audited(json.loads(report.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise AuditFailedError(ended.stderr.strip() or f"status {ended.returncode}") from error


def audited(report: dict[str, Any]) -> Audited:
    """What a report of pip-audit says. A package that it skipped is not known to be sound."""
    known = [package for package in report["dependencies"] if "vulns" in package]
    return Audited(
        len(known),
        tuple(
            f"{package['name']} {package['version']}: {found['id']}, mended in "
            f"{', '.join(found['fix_versions']) or 'no version yet'}"
            for package in known
            for found in package["vulns"]
            if found["id"] not in _ACCEPTED
        ),
    )


def sbom(served: Sequence[Package]) -> str:
    """CycloneDX 1.6, as JSON: what is installed where the service runs, and what needs what."""
    licences = LicenseFactory()
    own = Component(name=PROJECT, version=version(PROJECT), type=ComponentType.APPLICATION)
    bom = Bom()
    bom.metadata.component = own
    components = {
        package.name: Component(
            name=package.name,
            version=package.version,
            type=ComponentType.LIBRARY,
            bom_ref=f"{package.name}@{package.version}",
            purl=PackageURL("pypi", name=package.name, version=package.version),
            licenses=[licences.make_from_string(package.licence)] if package.licence else [],
        )
        for package in served
    }
    for component in components.values():
        bom.components.add(component)
    bom.register_dependency(own, components.values())
    for package in served:
        needed = [components[name] for name in package.needs if name in components]
        bom.register_dependency(components[package.name], needed)
    made = JsonV1Dot6(bom).output_as_string(indent=2)
    if (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(made)) is not None:
        raise ValueError(f"the list is no CycloneDX: {wrong}")
    return made + "\n"


if __name__ == "__main__":
    sys.exit(main())
