"""`kildesvar keys`: who may use the service over HTTP, and for what."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.common import (
    ConfigFile,
    DataDir,
    Json,
    JsonLines,
    opened_library,
    plain,
    print_json,
    print_line,
    say,
)
from app.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from app.access.keys import Key, Keys

keys = typer.Typer(
    help="Make, list and revoke the keys that the service asks for.", no_args_is_help=True
)


class RoleName(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Who uses it for what, for people to read.")],
    role: Annotated[
        RoleName,
        typer.Option(help="read asks and searches, write changes documents too, admin does all."),
    ],
    collection: Annotated[
        list[str] | None,
        typer.Option(help="A collection that it may use; may be given again. Without: all."),
    ] = None,
    expires: Annotated[
        int | None, typer.Option(metavar="DAYS", help="Days after which it expires; never without.")
    ] = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once. A running service takes it at once."""
    from app.access.callers import Role

    with _keys(data_dir, config) as kept:
        key, text = kept.create(name, Role[role.name], collection, expires)
    if as_json:
        print_json({**_out(key), "key": text})
    else:
        print(text)
        say("This is shown once, and is not kept here: put it where only its user can read it.")


@keys.command("list")
def list_keys(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: JsonLines = False,
) -> None:
    """List keys, from the oldest on; their secrets are not known here."""
    with _keys(data_dir, config, is_there=True) as kept:
        found = kept.all()
    for key in found:
        if as_json:
            print_line(_out(key))
        else:
            used = key.last_used_at[:16].replace("T", " ") if key.last_used_at else "never used"
            where = "all" if key.collections is None else plain(", ".join(key.collections))
            role = key.role.name.lower()
            print(f"{key.id}  {key.state:7}  {role:5}  {used:16}  {plain(key.name)}  ({where})")


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a key, as the list has it.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """End a key for good, within a second, and every sign-in with it."""
    with _keys(data_dir, config, is_there=True) as kept:
        key = kept.revoke(key_id)
    if as_json:
        print_json(_out(key))
    else:
        print(f"The key «{plain(key.name)}» ({key.id}) is revoked")


def _out(key: "Key") -> dict[str, Any]:
    """What may be said of a key."""
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role.name.lower(),
        "collections": key.collections,
        "state": key.state,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


@contextmanager
def _keys(
    data_dir: "Path | None", config: "Path | None", *, is_there: bool = False
) -> Iterator["Keys"]:
    """The keys of the library, which is made unless it `is_there`: a service that asks for keys
    needs its first before it has a document."""
    from app.access.keys import Keys

    settings = load_settings(data_dir=data_dir, config=config)
    with opened_library(settings, may_be_new=not is_there) as library:
        yield Keys(library)
