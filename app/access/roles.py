"""Roles of routes: each route says itself who may use it, and one that does not stops the start."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Scope

from app.access.callers import Caller, Role
from app.access.errors import NotAllowedError
from app.access.sessions import COOKIE

_BY_KEY = HTTPBearer(
    scheme_name="key",
    description="A key of `kildesvar keys create`, where the service asks for keys",
    auto_error=False,
)
_BY_SESSION = APIKeyCookie(
    name=COOKIE,
    scheme_name="session",
    description="What the pages have after sign-in",
    auto_error=False,
)


class Requires:
    """A dependency: the route is for callers with a role.

    The middleware `Authentication` refuses others before their request's body is read; this does
    so once more, whatever comes between.
    """

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(
        self,
        request: Request,
        _key: Annotated[object, Depends(_BY_KEY)],
        _session: Annotated[object, Depends(_BY_SESSION)],
    ) -> None:
        require_role(request.state.caller, self.role)


class Open:
    """A dependency: the route is for everybody, and nobody is asked for a key."""

    async def __call__(self) -> None:
        """There is nothing to ask."""


ReadDep = Depends(Requires(Role.READ))
WriteDep = Depends(Requires(Role.WRITE))
AdminDep = Depends(Requires(Role.ADMIN))
OpenDep = Depends(Open())

_OTHERS: dict[str, Role | None] = {
    "/openapi.json": None,
    "/static": None,
    "/embed": None,
    "/mcp": Role.READ,
}
"""Routes that are not FastAPI's, by path; None is for everybody."""


def require_role(caller: Caller, role: Role) -> None:
    """Raises NotAllowedError."""
    if caller.role < role:
        raise NotAllowedError(
            f"this needs a key with the role {role.name.lower()}, and that of «{caller.name}» has "
            f"{caller.role.name.lower()}; ask whoever runs the service for another"
        )


class RouteRoles:
    """Which role each of the `routes` needs. Raises ValueError for one that does not say."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        # Included routers are made flat; FastAPI goes through them in this order.
        originals = [context.original_route for context in iter_route_contexts(routes)]
        self.declared = [(route, _declared(route)) for route in originals]

    def needed(self, scope: Scope) -> Role | None:
        """The role that the request needs; None if it needs none, since anybody may ask for it or
        there is nothing at its address."""
        partly: list[Role | None] = []
        for route, role in self.declared:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return role
            if match is Match.PARTIAL:
                partly.append(role)
        return partly[0] if partly else None


def _declared(route: BaseRoute) -> Role | None:
    if isinstance(route, APIRoute):
        said = [depends.dependency for depends in route.dependencies]
        roles = [dependency.role for dependency in said if isinstance(dependency, Requires)]
        if roles:
            return max(roles)
        if any(isinstance(dependency, Open) for dependency in said):
            return None
    elif isinstance(route, Route | Mount) and route.path in _OTHERS:
        return _OTHERS[route.path]
    raise ValueError(f"{route} does not say who may use it; see app/access/roles.py")
