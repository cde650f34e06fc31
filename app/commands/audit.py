"""`kildesvar audit`: who changed what, and when."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.common import ConfigFile, DataDir, JsonLines, opened_library, plain, print_line
from app.settings import load_settings

if TYPE_CHECKING:
    from app.sight.audit import AuditEntry

_DAYS_AND_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def audit(
    since: Annotated[
        datetime | None,
        typer.Option(formats=_DAYS_AND_TIMES, help="Only changes from this day or time on, UTC."),
    ] = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: JsonLines = False,
) -> None:
    """List who changed what, from the newest to the oldest."""
    from app.moments import iso
    from app.sight.audit import Audit

    settings = load_settings(data_dir=data_dir, config=config)
    with opened_library(settings) as library:
        entries = Audit(library).entries(since=iso(since.replace(tzinfo=UTC)) if since else None)
    for entry in entries:
        if as_json:
            print_line(asdict(entry))
        else:
            _print(entry)


def _print(entry: "AuditEntry") -> None:
    moment = entry.at[:19].replace("T", " ")
    who = plain(f"{entry.name} ({entry.caller})" if entry.caller else entry.name)
    about = ", ".join(f"{name} {value}" for name, value in entry.details.items() if value)
    print(f"{moment}  {entry.action:22}  {plain(entry.subject):16}  {who}  {plain(about)}".rstrip())
