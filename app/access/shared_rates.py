"""Rates that several hosts count together, in the library's PostgreSQL database.

As in `app.access.rate_limits`, of each name one number is kept, here by the database's clock. Names
are hashed with a secret of the library: the table tells nobody who came.
"""

import logging
import math
import secrets
from hashlib import blake2b

import sqlalchemy as sa
from anyio import CapacityLimiter

from app.access.deadline import in_time
from app.access.rate_limits import Rate, Standing
from index.changes import set_state
from index.database_clock import seconds
from index.errors import LibraryError
from index.library import Library
from index.queries import state_of
from index.tables import rates

log = logging.getLogger("kildesvar")

_SALT = "rates_salt"
_NOTHING = 1e-4
"""Seconds, for what sums of fractions are off by, in so large a number as the time since 1970."""
_LONGEST = 24 * 3600.0
"""Seconds; what takes longer to be made up for was written while the clock was wrong."""
_THREADS = 8
"""That ask the database, so that who comes in waits for none that answers a question."""

# What is `excluded` is the moment at which a first time would be made up for: now and one interval.
# Further off than a whole window it is of another rate, or of before the clock was set. Lost in a
# crash a count is no harm, so nobody waits until it is on the disk.
_COME = sa.text("""
    WITH clock AS MATERIALIZED (
        SELECT extract(epoch FROM clock_timestamp())::float8 AS now,
               set_config('synchronous_commit', 'off', true)
    ), came AS (
        INSERT INTO rates AS known (name_hash, made_up_at)
        SELECT :name, clock.now + :interval FROM clock
        ON CONFLICT (name_hash) DO UPDATE SET made_up_at = CASE
            WHEN known.made_up_at > excluded.made_up_at - :interval
             AND known.made_up_at <= excluded.made_up_at - :interval + :window
            THEN known.made_up_at + :interval ELSE excluded.made_up_at END
        WHERE known.made_up_at <= excluded.made_up_at - 2 * :interval + :window
           OR known.made_up_at > excluded.made_up_at - :interval + :window
        RETURNING made_up_at
    )
    SELECT clock.now, came.made_up_at,
           (SELECT made_up_at FROM rates WHERE name_hash = :name) AS before
    FROM clock LEFT JOIN came ON true
""").bindparams(
    sa.bindparam("name", type_=sa.LargeBinary),
    sa.bindparam("interval", type_=sa.Double),
    sa.bindparam("window", type_=sa.Double),
)


class SharedRates:
    """Counts by name in the database of a library that several hosts share."""

    def __init__(self, library: Library) -> None:
        self._library = library
        with library.transaction() as connection:
            salt = state_of(connection, _SALT)
            if salt is None:
                salt = secrets.token_hex(16)
                set_state(connection, _SALT, salt)
        self._salt = bytes.fromhex(salt)
        self._threads: CapacityLimiter | None = None

    def close(self) -> None:
        """Nothing: the database is the library's."""

    async def counted(self, name: str, rate: Rate) -> Standing:
        """As `come`, which waits for the database, in a thread of its own, but not for long."""
        if self._threads is None:  # which belongs to the loop that is running now
            self._threads = CapacityLimiter(_THREADS)
        return await in_time(self.come, name, rate, limiter=self._threads)

    def come(self, name: str, rate: Rate) -> Standing:
        """Counts one time, if it is allowed. Raises LibraryError when the database cannot say."""
        asked = {
            "name": blake2b(name.encode(), digest_size=16, key=self._salt).digest(),
            "interval": rate.interval,
            "window": rate.window + _NOTHING,
        }
        try:
            with self._library.engine.connect() as connection:
                alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                now, made_up, before = alone.execute(_COME, asked).one()
        except sa.exc.DBAPIError as error:
            log.warning("requests cannot be counted: %s", error.orig)
            raise LibraryError(
                "it cannot be told how often you have come; try again in a while"
            ) from error
        is_allowed = made_up is not None
        # One who came in at the very same time may not be seen here yet.
        until = made_up if is_allowed else (before or now + rate.window)
        remaining = math.floor((rate.window - (until - now)) / rate.interval + _NOTHING)
        retry_after = 0.0 if is_allowed else until + rate.interval - now - rate.window
        return Standing(is_allowed, max(remaining, 0), max(retry_after, 0.0), until - now)

    def forget_made_up(self) -> int:
        """Deletes those who have made up for all that they did; how many they were."""
        with self._library.transaction(alone=False) as connection:
            now = seconds(connection)
            is_over = ~rates.c.made_up_at.between(now, now + _LONGEST)
            return connection.execute(sa.delete(rates).where(is_over)).rowcount
