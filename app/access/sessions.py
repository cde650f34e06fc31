"""Sessions: browsers that signed in with a key, each known by a cookie that says nothing."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.access.keys import Key, hash_of, key_from
from app.kept.housekeeping import delete_before
from app.moments import iso, now
from app.sight.audit import Action, Audit
from index.library import Library
from index.tables import keys, sessions

COOKIE = "kildesvar_session"


@dataclass(frozen=True, slots=True)
class Session:
    """Whose key a browser signed in with. It ends at `expires_at` (ISO 8601, UTC), if the key does
    not end before."""

    key_id: str
    expires_at: str

    @property
    def has_ended(self) -> bool:
        return self.expires_at <= now()


class Sessions:
    """The sessions of one library, which last for `hours`. Each change is on disk at once."""

    def __init__(self, library: Library, hours: int) -> None:
        self._library = library
        self._audit = Audit(library)
        self.lasts = timedelta(hours=hours)

    def begin(self, key: Key, former: str | None = None) -> str:
        """The secret of a new session, for the browser alone; it takes the place of the `former`
        one, of that hash. Raises LibraryError."""
        secret, begun = secrets.token_urlsafe(32), datetime.now(UTC)
        row = {
            "secret_hash": hash_of(secret),
            "key_id": key.id,
            "created_at": iso(begun),
            "expires_at": iso(begun + self.lasts),
        }
        with self._library.transaction(alone=False) as connection:
            if former is not None:
                self._end(connection, former)
            connection.execute(sa.insert(sessions), row)
            self._audit.note(Action.SIGNED_IN, key.id, caller=key.caller, connection=connection)
        return secret

    def find(self, secret_hash: str) -> Session | None:
        """Found by its hash: who measures how long that takes learns nothing of a secret."""
        query = sa.select(sessions.c.key_id, sessions.c.expires_at)
        with self._library.engine.connect() as connection:
            row = connection.execute(
                query.where(sessions.c.secret_hash == secret_hash)
            ).one_or_none()
        return Session(row.key_id, row.expires_at) if row else None

    def end(self, secret_hash: str) -> None:
        """Forgets a session; one that has been forgotten is no error. Raises LibraryError."""
        with self._library.transaction() as connection:
            self._end(connection, secret_hash)

    def forget_before(self, moment: str) -> int:
        """Deletes sessions that ended before `moment`; how many they were."""
        return delete_before(self._library, sessions.c.expires_at, moment)

    def _end(self, connection: sa.Connection, secret_hash: str) -> None:
        is_it = sessions.c.secret_hash == secret_hash
        row = connection.execute(sa.select(keys).join(sessions).where(is_it)).one_or_none()
        if row is not None:
            key = key_from(row)
            connection.execute(sa.delete(sessions).where(is_it))
            self._audit.note(Action.SIGNED_OUT, key.id, caller=key.caller, connection=connection)
