"""The clock of the database: of all clocks the one that every host shares."""

from datetime import UTC, datetime
from time import time

import sqlalchemy as sa


def seconds(connection: sa.Connection) -> float:
    """Seconds since 1970."""
    if _is_here(connection):
        return time()
    now = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
    return connection.scalar(sa.select(now)) or 0.0


def as_text(instant: float) -> str:
    """The instant in ISO 8601, UTC, with microseconds always, for these sort as text."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds")


def _is_here(connection: sa.Connection) -> bool:
    """A file has no clock but that of its machine."""
    return connection.dialect.name == "sqlite"
