"""Keys of the service: made, shown once, recognised, and revoked.

    kv_1f0c9a7be2d84413_sP3…      id (16 hex digits), then 256 random bits in base64url

The id finds the key; of the secret the library keeps the SHA-256, which tells whether one is right
and not what it is. So many random bits need neither salt nor a slow hash.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.access.callers import Caller, Role
from app.access.errors import KeyNotFoundError, KeyRefusedError, KeyRejectedError
from app.moments import iso, now
from app.sight.audit import Action, Audit
from index.collection_names import collection_name
from index.library import Library
from index.tables import keys, sessions

MAX_NAME = 200
MAX_DAYS = 3650

_TEXT = re.compile(r"kv_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", re.ASCII)
_NOBODYS_HASH = hashlib.sha256(b"").hexdigest()
_REJECTED = (
    "the key is not one of this service's; check that all of it was copied, or ask whoever runs "
    "the service for another (`kildesvar keys create`)"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. `collections` None stands for all; times are ISO 8601, UTC."""

    id: str
    name: str
    role: Role
    collections: tuple[str, ...] | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None

    @property
    def caller(self) -> Caller:
        """Who a request with this key is from."""
        limits = None if self.collections is None else frozenset(self.collections)
        return Caller(f"key:{self.id}", self.name, self.role, limits)

    @property
    def state(self) -> str:
        """`valid`, `expired` or `revoked`, as of now."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now() else "valid"

    def require_valid(self) -> None:
        """Raises KeyRejectedError. To be told why is for those alone who know the secret."""
        if self.state == "revoked":
            raise KeyRejectedError(
                f"the key «{self.name}» has been revoked; ask whoever runs the service for another"
            )
        if self.state == "expired":
            raise KeyRejectedError(
                f"the key «{self.name}» expired at {self.expires_at}; ask whoever runs the service "
                "for another"
            )


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key as it is kept, with what tells whether a secret is right."""

    key: Key
    secret_hash: str


class Keys:
    """The keys of one library. Each change is on disk, and noted, when its method returns."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._audit = Audit(library)

    def create(
        self,
        name: str,
        role: Role,
        collections: Sequence[str] | None = None,
        expires_in_days: int | None = None,
    ) -> tuple[Key, str]:
        """A new key, and its text, which nobody can be told again.

        Raises KeyRefusedError, CollectionNameError, or LibraryError when it cannot be written.
        """
        created = datetime.now(UTC)
        expires = _later(created, expires_in_days)
        key = Key(
            id=secrets.token_hex(8),
            name=_name(name),
            role=role,
            collections=_limits(role, collections),
            created_at=iso(created),
            expires_at=expires,
            revoked_at=None,
            last_used_at=None,
        )
        secret = secrets.token_urlsafe(32)
        row = {column: getattr(key, column) for column in Key.__slots__}
        row |= {"role": role.name.lower(), "secret_hash": hash_of(secret)}
        with self._library.transaction() as connection:
            connection.execute(sa.insert(keys), row)
            details = {"name": key.name, "role": row["role"], "expires_at": expires}
            self._audit.note(Action.KEY_CREATED, key.id, details, connection=connection)
        return key, f"kv_{key.id}_{secret}"

    def all(self) -> list[Key]:
        """From the oldest to the newest, those that are revoked or expired as well."""
        query = sa.select(keys).order_by(keys.c.created_at, keys.c.id)
        with self._library.engine.connect() as connection:
            return [key_from(row) for row in connection.execute(query)]

    def are_any_valid(self) -> bool:
        return any(key.state == "valid" for key in self.all())

    def find(self, key_id: str) -> KeptKey | None:
        with self._library.engine.connect() as connection:
            row = connection.execute(sa.select(keys).where(keys.c.id == key_id)).one_or_none()
        return KeptKey(key_from(row), row.secret_hash) if row else None

    def revoke(self, key_id: str) -> Key:
        """Ends a key for good, and every sign-in with it; one that is revoked already stays so.

        Raises KeyNotFoundError, or LibraryError when it cannot be written.
        """
        is_it = keys.c.id == key_id
        with self._library.transaction() as connection:
            revoked = connection.execute(
                sa.update(keys).where(is_it, keys.c.revoked_at.is_(None)).values(revoked_at=now())
            )
            if revoked.rowcount:
                self._audit.note(Action.KEY_REVOKED, key_id, connection=connection)
            connection.execute(sa.delete(sessions).where(sessions.c.key_id == key_id))
            row = connection.execute(sa.select(keys).where(is_it)).one_or_none()
        if row is None:
            raise KeyNotFoundError(
                f"there is no key {key_id!r}; `kildesvar keys list` lists those that there are"
            )
        return key_from(row)

    def note_use(self, key_id: str, moment: str, unless_since: str, waits: float) -> None:
        """Notes that the key was used at a `moment`, unless it was noted since another.

        Raises LibraryError when it cannot be written within the seconds that it `waits`.
        """
        noted = sa.or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < unless_since)
        with self._library.transaction(waits, alone=False) as connection:
            connection.execute(
                sa.update(keys).where(keys.c.id == key_id, noted).values(last_used_at=moment)
            )


def parsed(text: str) -> tuple[str, str]:
    """The id and the secret of a key's text. Raises KeyRejectedError."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise KeyRejectedError(_REJECTED)
    return match[1], match[2]


def recognised(kept: KeptKey | None, secret: str) -> Key:
    """The key, if the `secret` is its own and it holds. Raises KeyRejectedError.

    Takes the same time for a wrong secret as for a key that there is not.
    """
    expected = _NOBODYS_HASH if kept is None else kept.secret_hash
    is_right = hmac.compare_digest(expected, hash_of(secret))
    if kept is None or not is_right:
        raise KeyRejectedError(_REJECTED)
    kept.key.require_valid()
    return kept.key


def hash_of(secret: str) -> str:
    """What is kept of a secret: SHA-256, hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _name(given: str) -> str:
    name = " ".join(given.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise KeyRefusedError(
            f"a key's name has between 1 and {MAX_NAME} printable characters, such as who uses it "
            "for what: «Intranett, søkeboks»"
        )
    return name


def _limits(role: Role, collections: Sequence[str] | None) -> tuple[str, ...] | None:
    if not collections:
        return None
    if role is Role.ADMIN:
        raise KeyRefusedError(
            "an admin sees what is asked and done in all collections; leave --collection out, or "
            "give the role write"
        )
    return tuple(dict.fromkeys(map(collection_name, collections)))


def _later(moment: datetime, days: int | None) -> str | None:
    if days is None:
        return None
    if not 1 <= days <= MAX_DAYS:
        raise KeyRefusedError(
            f"a key expires after 1 to {MAX_DAYS} days; without --expires it does not expire"
        )
    return iso(moment + timedelta(days=days))


def key_from(row: Any) -> Key:
    """The key in a row of the table of keys."""
    return Key(
        id=row.id,
        name=row.name,
        role=Role[row.role.upper()],
        collections=None if row.collections is None else tuple(row.collections),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
