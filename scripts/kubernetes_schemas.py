"""Writes Kubernetes' own schemas so that kubeconform reads them without a network.

    python -m scripts.kubernetes_schemas FOLDER MANIFESTS

They come with the package `kubernetes-validate`, for the version of Kubernetes that
tests/test_deploy.py goes by. Each file is given the definitions that it refers to.
"""

import json
import re
import sys
from pathlib import Path

import kubernetes_validate
import yaml

VERSION = "1.30"


def main(folder: Path, manifests: list[Path]) -> None:
    package = Path(kubernetes_validate.__file__).parent
    [schemas] = package.glob(f"kubernetes-json-schema/v{VERSION}.*-local-strict")
    definitions = json.loads((schemas / "_definitions.json").read_text("utf-8"))
    for name in {name_of(each) for path in manifests for each in yaml.safe_load_all(path.open())}:
        if (schemas / name).exists():  # those of custom resources do not
            whole = {**json.loads((schemas / name).read_text("utf-8")), **definitions}
            at_hand = re.sub(r'"[\w/]*_definitions.json#', '"#', json.dumps(whole))
            (folder / name).write_text(at_hand, "utf-8")


def name_of(manifest: dict[str, str]) -> str:
    """The file that kubeconform looks for: service-v1.json, networkpolicy-networking-v1.json."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    return (
        "-".join(filter(None, [manifest["kind"].lower(), group.split(".")[0], version])) + ".json"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
