"""Processors that this process has."""

import os


def available_processors() -> int:
    """Those that it may use, which in a container are fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
