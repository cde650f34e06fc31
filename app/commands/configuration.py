"""`kildesvar config`: every setting, where it comes from, and whether it can be kept here."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from app.commands.common import ConfigFile, DataDir, Json, print_json
from app.setting_sources import variable
from app.settings import Configuration, Settings, SettingsError, configuration

if TYPE_CHECKING:
    from app.setting_checks import Finding

_WRONG = 2


def config(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Ask the servers that are set, too: language model, database, cluster."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Print every setting with its value and where it comes from, and check them.

    Exit status 2 when something is wrong; all of it is named at once, with its remedy.
    """
    from app import setting_checks

    try:
        read = configuration(data_dir=data_dir, config=config)
    except SettingsError as error:
        _print_problems(error.problems, as_json)
        raise typer.Exit(_WRONG) from error
    findings = list(setting_checks.check(read.settings, check))
    if as_json:
        print_json(_as_json(read, findings))
    else:
        _print(read, findings)
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(_WRONG)


def _print_problems(problems: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json({"problems": list(problems)})
    else:
        for problem in problems:
            print(f"wrong: {problem}")


def _print(read: Configuration, findings: "list[Finding]") -> None:
    names = [variable(field) for field in Settings.model_fields]
    width = max(map(len, names))
    for field, name in zip(Settings.model_fields, names, strict=True):
        origin = read.origin(field)
        place = f" {origin.place}" if origin.place not in {"", name} else ""
        print(f"{name:{width}}  {read.shown(field)}  ({origin.kind}{place})")
    print()
    for doubt in read.settings.doubts:
        print(f"note: {doubt}")
    for finding in findings:
        print(f"{'fine' if finding.is_fine else 'wrong'}: {finding.name}: {finding.says}")


def _as_json(read: Configuration, findings: "list[Finding]") -> dict[str, Any]:
    content = read.settings.model_dump(mode="json")
    return {
        "settings": {
            variable(field): {
                "value": read.shown(field)
                if isinstance(getattr(read.settings, field), SecretStr)
                else content[field],
                "from": read.origin(field).kind,
                "place": read.origin(field).place or None,
            }
            for field in Settings.model_fields
        },
        "checks": [
            {"name": finding.name, "fine": finding.is_fine, "says": finding.says}
            for finding in findings
        ],
        "notes": list(read.settings.doubts),
        "problems": [
            f"{finding.name}: {finding.says}" for finding in findings if not finding.is_fine
        ],
    }
