"""The folder that the processes of one service share, for what they count together.

Whoever starts several makes it, and it goes with them. A service of one process has none.
"""

import os
from pathlib import Path

VARIABLE = "_KILDESVAR_SHARED_DIR"
"""Of the environment, set for each process that serves; no setting."""


def shared_folder() -> Path | None:
    """The folder; None where this process serves alone, and can count in its memory."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else None
