"""Sign-in for the pages: a key becomes a cookie, which lasts for some hours."""

from contextlib import suppress
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.access.authentication import session_secret
from app.access.errors import KeyRejectedError
from app.access.roles import OpenDep
from app.access.sessions import COOKIE
from app.assembly import Kildesvar
from app.dependencies import AuthenticatorDep, KildesvarDep, PlaceToWriteDep
from app.middleware.authentication import WRONG_KEY
from app.sight.audit import Action
from index.errors import LibraryError

# For the pages alone: programs send their key with each request.
router = APIRouter(include_in_schema=False, dependencies=[OpenDep])


class SignInRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: Annotated[SecretStr, Field(max_length=200)]


@router.post("/sign-in", status_code=204, dependencies=[PlaceToWriteDep])
async def sign_in(
    given: SignInRequest,
    request: Request,
    response: Response,
    authenticator: AuthenticatorDep,
    kildesvar: KildesvarDep,
) -> None:
    """Begins a session for a key, which only this browser knows, and no script in it."""
    try:
        key = await authenticator.key(given.key.get_secret_value().strip())
    except KeyRejectedError:
        setattr(request.state, WRONG_KEY, True)
        with suppress(LibraryError):  # it is refused all the same
            await run_sync(_note_failure, kildesvar, request.client.host if request.client else "")
        raise
    response.set_cookie(
        COOKIE,
        await authenticator.sign_in(key),
        max_age=int(authenticator.sessions.lasts.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


@router.post("/sign-out", status_code=204, dependencies=[PlaceToWriteDep])
async def sign_out(request: Request, response: Response, authenticator: AuthenticatorDep) -> None:
    """Ends the session, for whoever else may have the cookie too."""
    secret = session_secret(request.headers)
    if secret is not None:
        await authenticator.sign_out(secret)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def _note_failure(kildesvar: Kildesvar, address: str) -> None:
    kildesvar.audit.note(Action.SIGN_IN_FAILED, "", {"client": address})
