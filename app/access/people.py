"""People: who signed in at a proxy of ours, by the headers that it sets."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_serializer,
    model_validator,
)
from starlette.datastructures import Headers

from app.access.callers import Caller, Role
from app.access.errors import NotAllowedError
from index.collection_names import collection_name
from index.errors import CollectionNameError

EVERYBODY = "*"
MAX_NAME = 75
"""Letters of a person's name: with what stands before it, it is kept in 80."""


def _collection(given: str) -> str:
    """A collection by its name. Raises ValueError with the remedy, as pydantic wants it."""
    try:
        return collection_name(given)
    except CollectionNameError as error:
        raise ValueError(str(error)) from error


class Grant(BaseModel):
    """What people of a group may do; without `collections` in all that there are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["read", "write", "admin"]
    collections: Annotated[
        tuple[Annotated[str, AfterValidator(_collection)], ...] | None, Field(min_length=1)
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _role_alone(cls, given: Any) -> Any:
        return {"role": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _admins_see_all(self) -> Self:
        if self.role == "admin" and self.collections is not None:
            raise ValueError("an admin sees all collections; leave `collections` out")
        return self

    @model_serializer
    def _as_written(self) -> str | dict[str, Any]:
        if self.collections is None:
            return self.role
        return {"role": self.role, "collections": list(self.collections)}


def groups_from(given: object) -> object:
    """Groups from JSON, such as `{"ansatte": "read"}`. Raises ValueError with the remedy."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError as error:
        raise ValueError(
            f'it is no JSON ({error}); write such as {{"ansatte": "read", "arkiv": {{"role": '
            '"write", "collections": ["arkiv"]}}'
        ) from error


class People:
    """Makes callers of people, whose groups have been granted something.

    The headers are only to be asked for where a trusted proxy has set them: the middleware
    `ProxyHeaders` removes them from what comes from elsewhere.
    """

    def __init__(self, user_header: str, groups_header: str, grants: Mapping[str, Grant]) -> None:
        self._user_header = user_header
        self._groups_header = groups_header
        self._grants = grants

    def person(self, headers: Headers) -> Caller | None:
        """Who the proxy says is asking; None if it names nobody. Raises NotAllowedError.

        Of a person's grants those with the highest role count. So nobody gets in one collection
        what a group of theirs may do in another.
        """
        name = _decoded(headers.get(self._user_header, "")).strip()
        if not name:
            return None
        if len(name) > MAX_NAME or not name.isprintable():
            raise NotAllowedError(
                f"the name that the proxy gives has more than {MAX_NAME} letters, or some that "
                "cannot be printed; let it send another in KILDESVAR_USER_HEADER"
            )
        listed = headers.getlist(self._groups_header)
        groups = {_decoded(group).strip() for value in listed for group in value.split(",")}
        granted = [
            grant for group, grant in self._grants.items() if group in groups or group == EVERYBODY
        ]
        if not granted:
            raise NotAllowedError(
                f"«{name}» is signed in, and none of their groups may use this service; ask "
                "whoever runs the service (KILDESVAR_GROUPS)"
            )
        role = max(Role[grant.role.upper()] for grant in granted)
        limits = [grant.collections for grant in granted if Role[grant.role.upper()] is role]
        return Caller(f"user:{name}", name, role, _all_of(limits))


def _all_of(limits: list[tuple[str, ...] | None]) -> frozenset[str] | None:
    """The collections of any; all that there are if one is not limited."""
    if any(limit is None for limit in limits):
        return None
    return frozenset(name for limit in limits if limit for name in limit)


def _decoded(value: str) -> str:
    """Headers come as Latin-1, in which proxies send UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
