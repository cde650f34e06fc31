"""Figures of several processes, as one: each writes its own to files that whoever is asked adds up.

prometheus_client decides when it is first imported whether it does so, by an environment variable.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_IN_MEMORY = Path("/dev/shm")
"""Better than a disk: when one is full, a process that counts in a file of it is ended (SIGBUS)."""


def folder_in_memory() -> str | None:
    """Where the folder that processes count in is best made; None for the usual place."""
    is_usable = _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK)
    return str(_IN_MEMORY) if is_usable else None


def count_together(folder: Path) -> None:
    """From now on this process counts in `folder`, with all others that do.

    To be called before anything imports prometheus_client.
    """
    os.environ[_VARIABLE] = str(folder)


def counts_with_others() -> bool:
    """Whether what this process counts is shown with what others count."""
    return _VARIABLE in os.environ


def process_ended(process_id: int, folder: Path) -> None:
    """What a process that ended had in hand counts no longer; what it had counted does."""
    for path in folder.glob(f"gauge_live*_{process_id}.db"):
        path.unlink(missing_ok=True)


def counting_processes() -> list[int]:
    """Ids of the processes that live and count together; this one, where it counts alone."""
    folder = os.environ.get(_VARIABLE)
    if not folder:
        return [os.getpid()]
    return sorted(int(path.stem.rpartition("_")[2]) for path in Path(folder).glob("gauge_live*.db"))


def collector_of_all_processes() -> "Collector | None":
    """Adds their figures up; None for a process that counts alone."""
    if not counts_with_others():
        return None
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - see above
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
