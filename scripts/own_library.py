"""A library of a script's own: what is made up or measured must not come into the one that is
served, which the environment may name."""

import os
from pathlib import Path

from app.settings import Settings, load_settings


def own_settings(data_dir: Path) -> Settings:
    """The settings of whoever runs this, but for the library, which is in the folder alone."""
    return load_settings(
        data_dir=data_dir, database_url="", opensearch_url=(), uploads_dir=data_dir / "uploads"
    )


def own_environment(data_dir: Path) -> dict[str, str]:
    """The same as an environment, for a process."""
    environment = dict(os.environ)
    environment.pop("KILDESVAR_DATABASE_URL_FILE", None)
    return environment | {
        "KILDESVAR_DATA_DIR": str(data_dir),
        "KILDESVAR_UPLOADS_DIR": str(data_dir / "uploads"),
        "KILDESVAR_DATABASE_URL": "",
        "KILDESVAR_OPENSEARCH_URL": "",
    }
