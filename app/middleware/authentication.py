"""Who may come in: asked before anything of a request is read but its headers."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.authentication import Authenticator, is_key
from app.access.callers import ANYONE, Caller
from app.access.errors import KeyRejectedError, NotSignedInError
from app.access.roles import RouteRoles, require_role
from app.problems import problem_response
from index.errors import KildesvarError

WRONG_KEY = "wrong_key"
"""Set in a request's state when its key was rejected, for whoever slows guessing down."""


class Authentication:
    """Finds out who a request is from, and refuses those who may not do what it is for.

    The caller goes on in the request's state, as `caller`. A route for everybody has none. Where
    keys are not required, who sends none is ANYONE; a key that is sent has to be right. What else
    is sent there, as programs do that cannot do without a key, is passed over.
    """

    def __init__(
        self, app: ASGIApp, authenticator: Authenticator, roles: RouteRoles, *, is_required: bool
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._roles = roles
        self._is_required = is_required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        needed = self._roles.needed(scope) if scope["type"] == "http" else None
        if needed is None:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        try:
            state["caller"] = caller = await self._caller(Headers(scope=scope))
            require_role(caller, needed)
        except KildesvarError as error:
            state[WRONG_KEY] = isinstance(error, KeyRejectedError)
            await problem_response(error, scope["path"])(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _caller(self, headers: Headers) -> Caller:
        try:
            caller = await self._authenticator.caller(headers)
        except KeyRejectedError:
            if self._is_required or is_key(headers.get("authorization")):
                raise
            return ANYONE
        if caller is not None:
            return caller
        if not self._is_required:
            return ANYONE
        raise NotSignedInError(
            "this service asks for a key: send it as `Authorization: Bearer KEY`, or sign in with "
            "it at /sign-in; whoever runs the service makes one with `kildesvar keys create`"
        )
