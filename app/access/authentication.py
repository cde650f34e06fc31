"""Authentication: who a request is from, by the key or the session that it brings."""

import re
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

import sqlalchemy as sa
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from cachetools import TTLCache
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from app.access.callers import Caller
from app.access.deadline import in_time
from app.access.errors import KeyRejectedError
from app.access.keys import KeptKey, Key, Keys, hash_of, parsed, recognised
from app.access.people import People
from app.access.sessions import COOKIE, Session, Sessions
from app.access.uses import Uses
from index.errors import LibraryError

T = TypeVar("T")

FORGETS_AFTER = 1.0
"""Seconds after which what the library says of a key is asked again: a key that is revoked, in
whatever process, is refused by all others that much later."""
_REMEMBERED = 2048
_THREADS = 4
"""That ask the library, so that who is there is known while all others wait for an answer."""


class Authenticator:
    """Recognises callers of one library. To be used in the event loop, and in one alone."""

    def __init__(
        self,
        keys: Keys,
        sessions: Sessions,
        people: People | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.uses = Uses(keys)
        self.sessions = sessions
        self._keys = keys
        self._people = people
        # Only what there is, so that guesses push nothing out.
        self._kept_keys: TTLCache[str, KeptKey] = TTLCache(_REMEMBERED, FORGETS_AFTER, clock)
        self._kept_sessions: TTLCache[str, Session] = TTLCache(_REMEMBERED, FORGETS_AFTER, clock)
        self._threads = CapacityLimiter(_THREADS)

    async def caller(self, headers: Headers) -> Caller | None:
        """Who the request is from; None when it names nobody, or a session that has ended.

        A key goes before what a proxy says, and that before a session. Raises KeyRejectedError,
        NotAllowedError, or LibraryError when the library cannot be asked.
        """
        authorization = headers.get("authorization")
        person = None
        if self._people is not None and not is_key(authorization):
            person = self._people.person(headers)
        if person is not None:  # whatever a proxy sends as Authorization is for others
            return person
        if authorization is not None:
            key = await self.key(_key_text(authorization))
        else:
            signed_in = await self.signed_in(session_secret(headers))
            if signed_in is None:
                return None
            key = signed_in
        self.uses.note(key.id)
        return key.caller

    async def key(self, text: str) -> Key:
        """The key of that text. Raises KeyRejectedError, or LibraryError."""
        key_id, secret = parsed(text)
        return recognised(await self._kept_key(key_id), secret)

    async def sign_in(self, key: Key, former: str | None = None) -> str:
        """The secret of a new session, which ends the one of the `former` secret.

        Raises LibraryError.
        """
        former_hash = None if former is None else hash_of(former)
        secret = await run_sync(self.sessions.begin, key, former_hash, limiter=self._threads)
        self._forget(former_hash)
        return secret

    async def sign_out(self, secret: str) -> None:
        """Ends a session: here at once, in other processes within FORGETS_AFTER."""
        secret_hash = hash_of(secret)
        await run_sync(self.sessions.end, secret_hash, limiter=self._threads)
        self._forget(secret_hash)

    def _forget(self, secret_hash: str | None) -> None:
        if secret_hash is not None:
            self._kept_sessions.pop(secret_hash, None)

    async def signed_in(self, secret: str | None) -> Key | None:
        """The key that a session was begun with; None for one that there is not, or not any more.

        Raises LibraryError.
        """
        if secret is None:
            return None
        secret_hash = hash_of(secret)
        session = self._kept_sessions.get(secret_hash)
        if session is None:
            session = await self._asked(self.sessions.find, secret_hash)
            if session is None:
                return None
            self._kept_sessions[secret_hash] = session
        kept = await self._kept_key(session.key_id)
        if session.has_ended or kept is None or kept.key.state != "valid":
            return None
        return kept.key

    async def _kept_key(self, key_id: str) -> KeptKey | None:
        kept = self._kept_keys.get(key_id)
        if kept is None:
            kept = await self._asked(self._keys.find, key_id)
            if kept is not None:
                self._kept_keys[key_id] = kept
        return kept

    async def _asked(self, find: Callable[[str], T | None], name: str) -> T | None:
        try:
            return await in_time(find, name, limiter=self._threads)
        except sa.exc.DatabaseError as error:
            raise LibraryError(
                f"the library cannot be asked who is there: {error.orig}; try again in a while"
            ) from error


def session_secret(headers: Headers) -> str | None:
    """The secret that a browser has of its session."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)


def is_key(authorization: str | None) -> bool:
    """Whether the header Authorization has something that begins as a key of a service does."""
    return authorization is not None and re.match(r"bearer +kv_", authorization, re.I) is not None


def _key_text(authorization: str) -> str:
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise KeyRejectedError(
            "the header Authorization is not understood; send the key as "
            "`Authorization: Bearer KEY`"
        )
    return text.strip()
