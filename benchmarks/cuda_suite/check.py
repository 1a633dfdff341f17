"""What a check of the suite is: a name, and a function that returns figures or raises."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

Facts = Mapping[str, object]
"""What a check has found, by the title of its column."""

LIMITS = {
    "smoke": 180,
    "same": 240,
    "syncs": 70,
    "oom": 80,
    "resume": 90,
    "processes": 90,
    "memory": 220,
    "speed": 290,
    "records": 230,
}
"""The commands in their order, with the seconds that each may take: less than half an hour, with
five minutes to spare for starting. Within ten minutes each: smoke to oom, resume to memory, speed
and records."""


@dataclass(frozen=True)
class Setting:
    """What the checks of a command are told."""

    device: str
    folder: Path
    """A folder for what they write, which is removed afterwards."""
    small: bool = False
    """Sizes that a CPU can do in seconds: whether the check itself works."""
    only: str = ""
    """Only checks with this text in their name."""
    data: str | None = None
    """For `records`: CIFAR-10, as `cnn train --data` takes it."""
    reference: str | None = None
    """For `records`: a Python program of somebody else, to be timed beside ours."""
    deadline: float = float("inf")
    """The time (`time.time()`) at which the command will be killed."""

    @property
    def left(self) -> float:
        """The seconds that are left for this command."""
        return self.deadline - time.time()

    def patience(self, seconds: float) -> float:
        """How long to wait for what takes less than this on a machine with a GPU: on a CPU, which
        may be busy, for longer; never for longer than the command has."""
        return max(1.0, min(seconds * (10 if self.small else 1), self.left))

    def new_folder(self, name: str) -> Path:
        """The path of a folder that does not exist yet, inside one that does."""
        number = 0
        while (path := self.folder / f"{name}-{number}").exists():
            number += 1
        path.mkdir(parents=True)
        return path / "run"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Setting:
        return Setting(**{**data, "folder": Path(data["folder"])})


class Check(NamedTuple):
    table: str
    """The title of the table that its figures are a row of."""
    name: str
    run: Callable[[], Facts]
    """Returns the figures; raises Failed or Skipped, or any other exception."""


class Skipped(Exception):
    """The check cannot be made here; the text is the reason."""


class Failed(Exception):
    """What was checked does not hold; what was found is kept."""

    def __init__(self, message: str, facts: Facts | None = None) -> None:
        super().__init__(message)
        self.facts = facts or {}


def require(holds: bool, message: str, facts: Facts | None = None) -> None:
    if not holds:
        raise Failed(message, facts)


def checks_of(command: str, setting: Setting) -> Iterator[Check]:
    """The checks of a command, by its name; or those of a module."""
    module = import_module(f".{command}" if command in LIMITS else command, __package__)
    found: Iterator[Check] = module.checks(setting)
    return (check for check in found if setting.only in f"{check.table} {check.name}")
