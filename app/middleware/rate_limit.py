"""Limits of how often: of requests, for each caller or address, and of wrong keys."""

import math
from ipaddress import ip_address

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.rate_limits import Counting, Rate, Standing
from app.middleware.authentication import WRONG_KEY
from app.problems import problem, problem_response
from app.sight.acting import note_problem
from index.errors import KildesvarError

_COUNTED = ("/v1/", "/mcp")
"""How the paths begin whose requests are counted: pages and their files cost next to nothing."""
_SIGNING = {"/sign-in", "/sign-out"}
"""Paths of which what is sent is counted, for it may have to be written."""
GUESS = "guess"
"""A request's Guess in its state, for who has to know whether a wrong key is one too many."""
_IPV6_HOME = 64
"""Bits of an IPv6 address that a single line has to itself; the others are its own to choose."""


class RateLimit:
    """Refuses requests of a caller who has sent too many, or of an address where nobody is known.

    Every answer that is counted says how its caller stands, as the IETF's draft of RateLimit header
    fields has it. It has to stand inside whatever finds out who calls.
    """

    def __init__(self, app: ASGIApp, rates: Counting, rate: Rate) -> None:
        self._app = app
        self._rates = rates
        self._rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_counted(scope):
            await self._app(scope, receive, send)
            return
        try:
            standing = await self._rates.counted(_name_of(scope), self._rate)
        except KildesvarError as error:  # who cannot be counted is not let in
            await problem_response(error, scope["path"])(scope, receive, send)
            return

        async def send_with_standing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_headers(standing, self._rate)]
            await send(message)

        if standing.is_allowed:
            await self._app(scope, receive, send_with_standing)
            return
        detail = (
            f"you sent more than {self._rate.burst} requests at once, or {self._rate.per_minute:g} "
            "a minute; wait as long as Retry-After says (KILDESVAR_REQUESTS_PER_MINUTE)"
        )
        note_problem("TooManyRequests")
        response = problem(429, detail, scope["path"], _retry_after(standing))
        await response(scope, receive, send_with_standing)


class Guess:
    """That a request's key was wrong: counted once, when somebody first asks how that stands."""

    def __init__(self, address: str, rates: Counting, rate: Rate) -> None:
        self._address = address
        self._rates = rates
        self._rate = rate
        self._standing: Standing | None = None

    async def standing(self) -> Standing:
        """Raises LibraryError when it cannot be counted."""
        if self._standing is None:
            name = f"wrong keys {self._address}"
            self._standing = await self._rates.counted(name, self._rate)
        return self._standing


class GuessLimit:
    """Tells an address from which too many wrong keys have come to wait, in the place of 401.

    A right key is always taken: colleagues behind one address are not locked out by a program there
    that has an old one, and 256 random bits are not guessed. Whoever looks at keys, inside of this,
    says in the request's state that one was wrong.
    """

    def __init__(self, app: ASGIApp, rates: Counting, rate: Rate) -> None:
        self._app = app
        self._rates = rates
        self._rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state[GUESS] = guess = Guess(_address(scope), self._rates, self._rate)
        is_told_to_wait = False

        async def send_unless_guessed(message: Message) -> None:
            nonlocal is_told_to_wait
            is_start = message["type"] == "http.response.start"
            if is_start and state.get(WRONG_KEY):
                refusal = await self._refusal(scope, guess)
                if refusal is not None:
                    is_told_to_wait = True
                    await refusal(scope, receive, send)
            if not is_told_to_wait:
                await send(message)

        await self._app(scope, receive, send_unless_guessed)

    async def _refusal(self, scope: Scope, guess: Guess) -> ASGIApp | None:
        """What is said in the place of 401; a guess that cannot be counted is told nothing."""
        try:
            standing = await guess.standing()
        except KildesvarError as error:
            return problem_response(error, scope["path"])
        return None if standing.is_allowed else self._too_many(scope, standing)

    def _too_many(self, scope: Scope, standing: Standing) -> ASGIApp:
        detail = (
            "the key is wrong, and too many wrong ones have come from this address; wait as long "
            "as Retry-After says, then send the right one (KILDESVAR_WRONG_KEYS_PER_MINUTE)"
        )
        note_problem("TooManyWrongKeys")
        return problem(429, detail, scope["path"], _retry_after(standing))


def _is_counted(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    path: str = scope["path"]
    return path.startswith(_COUNTED) or (path in _SIGNING and scope["method"] == "POST")


def _name_of(scope: Scope) -> str:
    caller = scope.get("state", {}).get("caller")
    return f"caller {caller.id}" if caller is not None and caller.id else f"at {_address(scope)}"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    host = (client[0] if client else None) or ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{int(address) >> (128 - _IPV6_HOME):x}"


def _headers(standing: Standing, rate: Rate) -> list[tuple[bytes, bytes]]:
    window, reset = math.ceil(rate.window), math.ceil(standing.reset)
    return [
        (b"ratelimit-policy", f'"caller";q={rate.burst};w={window}'.encode()),
        (b"ratelimit", f'"caller";r={standing.remaining};t={reset}'.encode()),
    ]


def _retry_after(standing: Standing) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(standing.retry_after)))}
