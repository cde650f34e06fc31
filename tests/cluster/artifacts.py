"""OpenSearch as its build publishes it: jars of the Maven repository, put together as a home.

The parts are those of the `tar` distribution that searching needs. They are resolved once and kept
in the user's cache folder, or in the one that _KILDESVAR_TEST_CACHE_DIR names in the environment.
"""

import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape

from filelock import FileLock
from platformdirs import user_cache_path

from tests.cluster.processes import ServerError

VERSION = "3.6.0"
_LAYOUT = 1
"""To be raised when a home is put together otherwise, so that kept ones are made anew."""

_LIB = (
    f"org.opensearch:opensearch:{VERSION}",
    f"org.opensearch:opensearch-plugin-classloader:{VERSION}",
    "org.apache.logging.log4j:log4j-core:2.25.3",  # as new as the log4j-api of OpenSearch
)
_AGENT = (
    f"org.opensearch:opensearch-agent:{VERSION}",
    f"org.opensearch:opensearch-agent-bootstrap:{VERSION}",
    "net.bytebuddy:byte-buddy:1.17.7",
)
_KNN = f"org.opensearch.plugin:opensearch-knn:{VERSION}.0"

_MAY_CONNECT = (
    'grant {\n  permission java.net.SocketPermission "*", "accept,connect,resolve";\n};\n'
)
"""Without it nodes start, and never find each other."""


@dataclass(frozen=True, slots=True)
class _Module:
    """A part of OpenSearch that it loads by itself, with its own classes."""

    name: str
    artifact: str
    class_name: str
    extends: str = ""
    connects: bool = False


_MODULES = (
    _Module(
        "transport-netty4",
        "transport-netty4-client",
        "org.opensearch.transport.Netty4ModulePlugin",
        connects=True,
    ),
    _Module(
        "analysis-common",
        "analysis-common",
        "org.opensearch.analysis.common.CommonAnalysisModulePlugin",
        extends="lang-painless",
    ),
    _Module("lang-painless", "lang-painless", "org.opensearch.painless.PainlessModulePlugin"),
    _Module(
        "transport-grpc",
        "transport-grpc",
        "org.opensearch.transport.grpc.GrpcPlugin",
        connects=True,
    ),
)


def opensearch_home() -> Path:
    """Folder of an OpenSearch with k-NN; the first time it is resolved, which takes a minute.

    Raises:
        ServerError: no Maven here, or it does not get the artifacts.
    """
    cache = os.environ.get("_KILDESVAR_TEST_CACHE_DIR")
    folder = Path(cache) if cache else user_cache_path("kildesvar-cluster")
    home = folder / f"opensearch-{VERSION}-{_LAYOUT}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):  # two test sessions may come at the same time
        if not home.exists():
            with TemporaryDirectory(dir=folder) as made:
                _put_together(_resolved(Path(made)), Path(made) / "home")
                (Path(made) / "home").rename(home)
    return home


def _resolved(folder: Path) -> Path:
    """Has Maven copy all jars, those of each part into `PART/jars`."""
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerError("`mvn` is not on the PATH: install Debian's `maven`")
    parts = {"lib": _LIB, "agent": _AGENT, "knn": (f"{_KNN}:zip",)}
    for module in _MODULES:
        parts[module.name] = (f"org.opensearch.plugin:{module.artifact}:{VERSION}",)
    modules = "".join(f"<module>{part}</module>" for part in parts)
    _write_pom(folder / "pom.xml", "parts", f"<modules>{modules}</modules>")
    for part, artifacts in parts.items():
        dependencies = "".join(map(_dependency, artifacts))
        content = f"<dependencies>{dependencies}</dependencies>"
        _write_pom(folder / part / "pom.xml", part, content)
    copy = ["dependency:copy-dependencies", "-DoutputDirectory=${project.basedir}/jars"]
    done = subprocess.run(
        [maven, "--batch-mode", "--quiet", *copy, "-DincludeScope=runtime"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"Maven did not resolve OpenSearch {VERSION}:\n{done.stdout[-3000:]}")
    return folder


def _write_pom(path: Path, name: str, content: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>cluster</groupId><artifactId>{name}</artifactId><version>1</version>"
        f"<packaging>pom</packaging>{content}</project>",
        encoding="utf-8",
    )


def _dependency(artifact: str) -> str:
    group, name, version, *kind = map(escape, artifact.split(":"))
    all_others = "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>"
    alone = f"<exclusions>{all_others}</exclusions>"
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version>"
        + (f"<type>{kind[0]}</type>{alone}" if kind else "")
        + "</dependency>"
    )


def _put_together(parts: Path, home: Path) -> None:
    for name in ("bin", "extensions"):  # OpenSearch looks into them
        (home / name).mkdir(parents=True)
    lib = _move_jars(parts / "lib", home / "lib")
    _move_jars(parts / "agent", home / "agent")
    for module in _MODULES:
        folder = home / "modules" / module.name
        _move_jars(parts / module.name, folder, without=lib)
        _describe(module, folder)
    [plugin] = (parts / "knn" / "jars").glob("*.zip")
    with zipfile.ZipFile(plugin) as archive:
        archive.extractall(home / "plugins" / "opensearch-knn")


def _move_jars(part: Path, folder: Path, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """Moves the part's jars, and gives their names. Those for QUIC are large, and nobody's here."""
    folder.mkdir(parents=True)
    jars = [jar for jar in (part / "jars").glob("*.jar") if jar.name not in without]
    for jar in jars:
        if not jar.name.startswith("netty-codec-native-quic"):
            jar.rename(folder / jar.name)
    return frozenset(jar.name for jar in jars)


def _describe(module: _Module, folder: Path) -> None:
    described = {
        "description": module.name,
        "version": VERSION,
        "name": module.name,
        "classname": module.class_name,
        "java.version": "21",
        "opensearch.version": VERSION,
        "extended.plugins": module.extends,
        "has.native.controller": "false",
    }
    lines = [f"{name}={value}" for name, value in described.items()]
    (folder / "plugin-descriptor.properties").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if module.connects:
        (folder / "plugin-security.policy").write_text(_MAY_CONNECT, encoding="utf-8")
