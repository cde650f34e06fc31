"""Why a request or a key is refused. No message tells a guesser which keys there are."""

from index.errors import KildesvarError


class NotSignedInError(KildesvarError):
    """The request names nobody, and the service asks who is there."""


class KeyRejectedError(NotSignedInError):
    """The request has a key that does not hold: unknown, wrong, expired or revoked."""


class NotAllowedError(KildesvarError):
    """The caller is known, and may not do this."""


class KeyNotFoundError(KildesvarError):
    """No key has that id."""


class KeyRefusedError(KildesvarError):
    """A key is to be made that cannot be."""
