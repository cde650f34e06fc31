"""The record of what is searched in a cluster, which the library keeps with its own state."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import sqlalchemy as sa

from index.changes import set_state
from index.engine import Recipe
from index.opensearch.mapping import Origin
from index.outbox import SEARCHED
from index.queries import state_of
from index.records import Version

_COUNTED = "counted"
"""State: the last number that was given."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is searched, as the library notes it: the series `name` of the cluster `cluster`.

    It holds all changes up to the `revision`, and was changed `number` times by `at`. `marks` tell
    of each collection after which change it was as it is; `leaving` are indices without passages,
    since when. `previous` is the series before.
    """

    name: str
    cluster: str
    origin: Origin
    revision: int
    number: int
    at: float
    marks: Mapping[str, int] = field(default_factory=dict)
    leaving: Mapping[str, float] = field(default_factory=dict)
    previous: str | None = None

    @classmethod
    def read(cls, text: str) -> "Record":
        fields = json.loads(text)
        origin = fields.pop("origin")
        recipe = Recipe(**origin.pop("recipe"))
        return cls(**fields, origin=Origin(**origin, recipe=recipe))

    @property
    def generation(self) -> str:
        """The name under which it is told of."""
        return f"{self.origin.edition}.{self.origin.build}-{self.number}"

    @property
    def version(self) -> Version:
        return Version(self.origin.identity, self.revision, self.origin.edition)


def record_of(connection: sa.Connection) -> Record | None:
    """What is noted of what is searched, if it is of this library."""
    text = state_of(connection, SEARCHED)
    record = Record.read(text) if text else None
    if record is None or record.origin.identity != state_of(connection, "identity"):
        return None
    return record


def set_record(connection: sa.Connection, record: Record) -> None:
    set_state(connection, SEARCHED, json.dumps(asdict(record)))


def next_number(connection: sa.Connection) -> int:
    """A number that no series and no change had before."""
    number = int(state_of(connection, _COUNTED) or 0) + 1
    set_state(connection, _COUNTED, str(number))
    return number
