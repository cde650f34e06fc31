"""Sign-in for the pages: a key becomes a cookie, which lasts for some hours."""

from contextlib import contextmanager, suppress
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.access.authentication import session_secret
from app.access.errors import KeyRejectedError
from app.access.roles import OpenDep
from app.access.sessions import COOKIE
from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.dependencies import AuthenticatorDep, WritingDep
from app.middleware.authentication import WRONG_KEY
from app.middleware.rate_limit import GUESS, Guess
from app.sight.audit import Action
from index.errors import LibraryError

# For the pages alone: programs send their key with each request.
router = APIRouter(include_in_schema=False, dependencies=[OpenDep])

_entered = contextmanager(Gate.enter)


class SignInRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: Annotated[SecretStr, Field(max_length=200)]


@router.post("/sign-in", status_code=204)
async def sign_in(
    given: SignInRequest,
    request: Request,
    response: Response,
    authenticator: AuthenticatorDep,
    writing: WritingDep,
) -> None:
    """Begins a session for a key, which only this browser knows, and no script in it.

    It takes the place of the one that the browser had.
    """
    try:
        key = await authenticator.key(given.key.get_secret_value().strip())
    except KeyRejectedError:
        setattr(request.state, WRONG_KEY, True)
        if await _may_be_noted(request):
            with _entered(request.app.state.noting), suppress(LibraryError):  # it is refused anyway
                await run_sync(_note_failure, request)
        raise
    with _entered(writing):
        secret = await authenticator.sign_in(key, session_secret(request.headers))
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(authenticator.sessions.lasts.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


@router.post("/sign-out", status_code=204)
async def sign_out(
    request: Request, response: Response, authenticator: AuthenticatorDep, writing: WritingDep
) -> None:
    """Ends the session, for whoever else may have the cookie too."""
    secret = session_secret(request.headers)
    # Of a cookie that somebody made up there is nothing to write.
    if secret is not None and await authenticator.signed_in(secret) is not None:
        with _entered(writing):
            await authenticator.sign_out(secret)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


async def _may_be_noted(request: Request) -> bool:
    """Whether the address may still guess: of what is answered 429 nothing is kept, or anybody
    could fill the disk."""
    guess: Guess | None = getattr(request.state, GUESS, None)
    return guess is None or (await guess.standing()).is_allowed


def _note_failure(request: Request) -> None:
    kildesvar: Kildesvar = request.app.state.kildesvar
    address = request.client.host if request.client else ""
    kildesvar.audit.note(Action.SIGN_IN_FAILED, "", {"client": address})
