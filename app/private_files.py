"""Files that other users of the machine cannot read: what people asked, and what documents say."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def private_files() -> Iterator[None]:
    """Within, what this process writes is closed to others.

    And to the group, unless the group was to write as well: then it is one that works together.
    """
    given = os.umask(stat.S_IRWXO)
    closed = stat.S_IRWXO if not given & stat.S_IWGRP else stat.S_IRWXO | stat.S_IRWXG
    os.umask(given | closed)
    try:
        yield
    finally:
        os.umask(given)
