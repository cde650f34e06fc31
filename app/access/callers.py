"""Callers: who a request is from, and what they may do and read."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a caller may do; each role may do all that those before it may."""

    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request is from.

    `id` is what their conversations, answers and changes are kept under: one for each key and each
    person. `name` is for people to read. `collections` are those that they may read and, with
    the role, write; None stands for all that there are, and that will be.
    """

    id: str
    name: str
    role: Role
    collections: frozenset[str] | None = None

    def may_use(self, collection: str) -> bool:
        return self.collections is None or collection in self.collections


ANYONE = Caller("", "anyone", Role.ADMIN)
"""Whoever reaches the service, where no keys are asked for."""
COMMAND_LINE = Caller("", "command line", Role.ADMIN)
"""Who runs a command, and so reads the files themselves: the same as anyone, by another name."""
