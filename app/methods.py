"""Methods that an address takes, for whoever used another."""

from starlette.requests import Request
from starlette.routing import Match

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def allowed_methods(request: Request, named: str) -> str:
    """The methods that the request's path takes, as the header `Allow` has them.

    `named` are those of one route, which are all that the router names, or those of static files.
    """
    known = {method.strip() for method in named.split(",")}
    routes = request.app.routes
    for method in _METHODS:
        asked = {**request.scope, "method": method}
        if any(route.matches(asked)[0] is Match.FULL for route in routes):
            known.add(method)
    return ", ".join(method for method in _METHODS if method in known)
