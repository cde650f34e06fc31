"""The files of docs/deploy: the same settings in all of them, and nothing that is not there."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from app.setting_sources import secrets_of
from app.settings import Settings, load_settings
from tests.conftest import ROOT, serving
from tests.running import QUESTION

DEPLOY = ROOT / "docs" / "deploy"
PREFIX = "KILDESVAR_"
PINNED = re.compile(r"[\w.-]+(/[\w.-]+)*:[\w.-]*\d[\w.-]*$")


def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return content


def manifests() -> dict[str, Any]:
    """The manifests by kind, of each of which there is one."""
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    return {document["kind"]: document for document in documents}


def pod() -> dict[str, Any]:
    content: dict[str, Any] = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    return content


def unit() -> dict[str, list[str]]:
    """The values of each name in the unit, in their order."""
    values: dict[str, list[str]] = {}
    for line in (DEPLOY / "kildesvar.service").read_text().splitlines():
        name, is_there, value = line.partition("=")
        if is_there and not line.startswith("#"):
            values.setdefault(name, []).append(value)
    return values


def environments() -> dict[str, dict[str, str]]:
    """What each way to run the service sets of ours."""
    [container] = pod()["containers"]
    return {
        "compose": compose()["services"]["kildesvar"]["environment"],
        "kubernetes": {entry["name"]: entry.get("value", "") for entry in container["env"]},
        "systemd": dict(value.split("=", 1) for value in unit()["Environment"]),
    }


def test_all_ways_set_the_same_settings_and_each_is_one_of_ours() -> None:
    given = environments()
    assert given["compose"].keys() == given["systemd"].keys()
    assert {name.removesuffix("_FILE") for name in given["compose"]} == given["kubernetes"].keys()
    files = [f"{name}_file" for name in secrets_of(Settings.model_fields)]
    known = {PREFIX + name.upper() for name in [*Settings.model_fields, *files]}
    assert {*given["compose"], *given["kubernetes"]} <= known
    image = re.findall(rf"({PREFIX}\w+)=", (ROOT / "Dockerfile").read_text())
    assert set(image) <= known


def test_what_they_set_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "llm_key"
    secret.write_text("")
    shared = DEPLOY / "kildesvar.toml"
    for environment in environments().values():
        with monkeypatch.context() as given:
            for name, value in environment.items():
                given.setenv(name, str(secret) if name.endswith("_FILE") else value)
            given.setenv("KILDESVAR_CONFIG", str(shared))
            assert load_settings().workers == 2
    # What is only an example has to be one that works.
    example = tmp_path / "kildesvar.toml"
    example.write_text(re.sub(r"^# (?=\w+ = )", "", shared.read_text(), flags=re.MULTILINE))
    assert load_settings(config=example).llm_model


def test_every_image_is_pinned() -> None:
    images = [service["image"] for service in compose()["services"].values()]
    images += [container["image"] for container in pod()["containers"]]
    images += re.findall(r"^ARG PYTHON_IMAGE=(.*)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert len(images) >= 6
    for image in images:
        assert PINNED.match(image), image
    froms = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert set(froms) == {"${PYTHON_IMAGE}", "base"}


def test_no_container_may_more_than_it_needs() -> None:
    for name, service in compose()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: TLS and access are for a proxy"
    [container] = pod()["containers"]
    assert pod()["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert unit()["ProtectSystem"] == ["strict"]
    assert unit()["NoNewPrivileges"] == ["yes"]


def test_files_that_are_mounted_are_there() -> None:
    content = compose()
    made_by_the_reader = {"./models", *(s["file"] for s in content["secrets"].values())}
    for name, service in content["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and source not in made_by_the_reader:
                assert (DEPLOY / source).exists(), (name, source)
            elif not source.startswith("./"):
                assert source in content["volumes"], (name, source)
        assert set(service.get("secrets", [])) <= set(content["secrets"]), name
        assert set(service["networks"]) <= set(content["networks"]), name


def test_the_pod_starts_without_a_secret_and_no_manifest_overwrites_one() -> None:
    assert "Secret" not in manifests()
    [container] = pod()["containers"]
    [taken] = [entry["valueFrom"] for entry in container["env"] if "valueFrom" in entry]
    assert taken["secretKeyRef"]["optional"] is True


def test_a_secret_can_be_read_by_its_container_alone() -> None:
    making = re.compile(r"sudo install -m 400 -o (\d+) -g (\d+) /dev/null secrets/(\w+)")
    users = {
        secret: service["user"]
        for service in compose()["services"].values()
        for secret in service.get("secrets", [])
    }
    written = making.findall((DEPLOY / "compose.yaml").read_text())
    assert {secret: f"{user}:{group}" for user, group, secret in written} == users
    guide = (ROOT / "docs" / "deployment.md").read_text()
    assert set(making.findall(guide)) <= set(written)
    assert making.search(guide)


def test_the_manifests_keep_to_the_schema_and_to_each_other() -> None:
    for kind, manifest in manifests().items():
        kubernetes_validate.validate(manifest, "1.30", strict=True)
        named = manifest["metadata"]["namespace" if kind != "Namespace" else "name"]
        assert named == "kildesvar"
    kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
    for file in [*kustomization["resources"], *kustomization["configMapGenerator"][0]["files"]]:
        assert (DEPLOY / file).is_file()
    labels = manifests()["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        manifests()["Service"]["spec"]["selector"],
        manifests()["StatefulSet"]["spec"]["selector"]["matchLabels"],
        manifests()["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    [container] = pod()["containers"]
    volumes = {volume["name"] for volume in pod()["volumes"]} | {
        claim["metadata"]["name"]
        for claim in manifests()["StatefulSet"]["spec"]["volumeClaimTemplates"]
    }
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_each_lets_the_service_end_in_its_own_time() -> None:
    """The parent kills a worker after 75 s; whoever stops the parent has to wait longer."""
    assert int(compose()["services"]["kildesvar"]["stop_grace_period"].rstrip("s")) > 90
    assert int(unit()["TimeoutStopSec"][0]) > 90
    sleep = pod()["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod()["terminationGracePeriodSeconds"] - sleep > 90


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


READ_ONLY = """
set -e
mount --make-rprivate /
for folder in /tmp "$1"; do mount --bind "$folder" "$folder"; done
while read -r _ place _; do
    case "$place" in
        /tmp|"$1"|/proc*|/sys*|/dev*) ;;
        *) mount -o remount,bind,ro "$place" ;;
    esac
done < /proc/mounts
shift
! touch /written 2>/dev/null
exec "$@"
"""


@pytest.fixture
def alone_writable(ingested: Path, tmp_path: Path) -> Iterator[list[str]]:
    """A command in front of another, under which nothing can be written but /tmp and the data."""
    before = ["unshare", "--mount", "bash", "-c", READ_ONLY, "read-only", str(tmp_path)]
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    shutil.copytree(ingested, tmp_path / "data")
    yield before


def test_it_runs_where_nothing_else_can_be_written(
    alone_writable: list[str], tmp_path: Path
) -> None:
    with serving(tmp_path / "data", alone_writable, workers="2") as (url, _):
        assert httpx.post(f"{url}/v1/ask", json={"question": QUESTION}).json()["answered"]
        sent = httpx.post(f"{url}/v1/documents", files={"file": ("a.md", b"Fjorden er dyp.\n")})
        assert sent.status_code == 202
