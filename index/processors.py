"""The processors of this machine, as far as they are ours."""

import os


def available_processors() -> int:
    """Processors that this process may use, which in a container are fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
