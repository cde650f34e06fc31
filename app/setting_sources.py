"""Where settings come from: the command line, the environment, files that hold a secret, and one
file of settings, in this order."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

PREFIX = "KILDESVAR_"
_OF_A_FILE = "_file"
_MOST_BYTES = 1024**2
"""Of a file of settings or of a secret; one that holds more is another file."""

Fields = Mapping[str, FieldInfo]


@dataclass(frozen=True, slots=True)
class Origin:
    """What gave a setting its value: `place` is the option, the variable or the file."""

    kind: Literal["default", "file", "environment", "command line"]
    place: str = ""


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Sources:
    """What was given: `values` are those that the environment does not hold as they are.

    `problems` are names that nobody knows and files that cannot be read, each with its remedy.
    """

    values: dict[str, object]
    origins: dict[str, Origin]
    problems: tuple[str, ...]

    def origin(self, field: str) -> Origin:
        return self.origins.get(field, DEFAULT)

    def named(self, field: str) -> str:
        """The setting by the name that whoever set it knows it by."""
        origin = self.origin(field)
        if origin.kind == "file":
            return f"{field} in {origin.place}"
        return origin.place or variable(field)


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def secrets_of(fields: Fields) -> list[str]:
    """The settings that are never shown, and may come from a file of their own."""
    return [
        name
        for name, field in fields.items()
        if field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    ]


def gather(fields: Fields, given: Mapping[str, object]) -> Sources:
    """All that is `given` on the command line (what is None there is not), in the environment and
    in the file that either names."""
    gathering = _Gathering(fields)
    gathering.add_file(given.get("config") or os.environ.get(variable("config")))
    gathering.add_environment()
    gathering.add_command_line(given)
    return Sources(gathering.values, gathering.origins, tuple(gathering.problems))


class _Gathering:
    """What comes later goes before what came earlier."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._secrets = secrets_of(fields)
        self._names = [*fields, *(name + _OF_A_FILE for name in self._secrets)]
        self.values: dict[str, object] = {}
        self.origins: dict[str, Origin] = {}
        self.problems: list[str] = []

    def add_file(self, named: object) -> None:
        if not named:
            return
        path = Path(str(named)).expanduser()
        content = self._table(path)
        origin = Origin("file", str(path))
        for name, value in content.items():
            if name == "config":
                self.problems.append(f"config in {path}: a file of settings names no other")
            elif name not in self._names:
                self.problems.append(f"unknown setting {name} in {path}{self._remedy(name)}")
            else:
                self._set(name, _as_in_the_environment(value), origin, "", content)

    def add_environment(self) -> None:
        given = {
            name.upper().removeprefix(PREFIX).lower(): name
            for name in os.environ
            if name.upper().startswith(PREFIX)
        }
        for name in sorted(given):
            if name not in self._names:
                remedy = self._remedy(name, PREFIX)
                self.problems.append(f"unknown setting {given[name]}{remedy}")
                continue
            origin = Origin("environment", given[name])
            self._set(name, os.environ[given[name]], origin, PREFIX, given)
            if name in self._fields:
                del self.values[name]  # pydantic-settings reads it, in whatever form it has there

    def add_command_line(self, given: Mapping[str, object]) -> None:
        for name, value in given.items():
            if value is not None:
                self.values[name] = value
                option = "--" + name.replace("_", "-")
                self.origins[name] = Origin("command line", option)

    def _set(
        self, name: str, value: object, origin: Origin, prefix: str, beside: Mapping[str, object]
    ) -> None:
        """Notes a value, or that of the secret whose file is named; `beside` are the names that
        stand in the same place."""
        if name in self._fields:
            self.values[name] = value
            self.origins[name] = origin
            return
        field = name.removesuffix(_OF_A_FILE)
        if field in beside:
            self.problems.append(
                f"{_spelt(field, prefix)} and {_spelt(name, prefix)} are both set; leave one out"
            )
            return
        secret = self._text(Path(str(value)).expanduser(), _spelt(name, prefix))
        if secret is not None:
            self.values[field] = secret
            self.origins[field] = origin

    def _table(self, path: Path) -> dict[str, object]:
        text = self._text(path, variable("config"))
        try:
            return tomllib.loads(text or "")
        except tomllib.TOMLDecodeError as error:
            self.problems.append(
                f"{path} is not TOML: {error}; write lines such as port = 8080, and texts in "
                "quotation marks"
            )
            return {}

    def _text(self, path: Path, named_by: str) -> str | None:
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise ValueError(f"it holds more than {_MOST_BYTES} bytes")
            return content.decode()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self.problems.append(
                f"{named_by}: {path} cannot be read ({reason}); name a text file that whoever "
                "runs Kildesvar may read"
            )
            return None

    def _remedy(self, name: str, prefix: str = "") -> str:
        listed = "docs/configuration.md lists what there is"
        near = get_close_matches(name, self._names, 1)
        return f" (is it {_spelt(near[0], prefix)}?); {listed}" if near else f"; {listed}"


def _spelt(name: str, prefix: str) -> str:
    return prefix + name.upper() if prefix else name


def _as_in_the_environment(value: object) -> object:
    """A list of texts with commas between them, and a table as JSON, as variables have them: so
    there is one form to check."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    if isinstance(value, dict):
        return json.dumps(value, default=str)
    return value
