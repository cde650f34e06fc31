"""A Java that is new enough for OpenSearch."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.cluster.processes import ServerError, as_server

OLDEST = 21


@cache
def java() -> Path:
    """A `java` of version 21 or newer that the user may run whom servers run as: of JAVA_HOME, on
    the PATH, or in one of the usual folders, there the newest.

    Raises:
        ServerError: there is none.
    """
    found: list[str] = []
    for program in _candidates():
        version = _version(program)
        if version >= OLDEST:
            return program
        found.append(f"{program} ({version or 'does not run'})")
    raise ServerError(
        f"OpenSearch needs Java {OLDEST} or newer: install a JDK, and set JAVA_HOME if it is in an "
        f"unusual folder. Found: {', '.join(found) or 'none'}"
    )


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin/java")
    if on_path := shutil.which("java"):
        yield Path(on_path)
    usual = ["/usr/lib/jvm/*", "/usr/java/*", "/opt/java/*", "/opt/jdk*"]
    programs = [p for each in usual for p in Path("/").glob(f"{each[1:]}/bin/java")]
    yield from sorted(programs, key=_version, reverse=True)


@cache
def _version(program: Path) -> int:
    """The major version; 0 if it does not run."""
    try:
        command = as_server([str(program), "-version"])
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    except OSError:
        return 0
    stated = re.search(r'version "(\d+)', done.stderr)
    return int(stated[1]) if stated and not done.returncode else 0


if __name__ == "__main__":
    try:
        print(f"Java for OpenSearch: {java()}")
    except ServerError as error:
        sys.exit(str(error))
