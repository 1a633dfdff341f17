"""The environment variables that number the processes of distributed training, as torchrun sets
them: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """The numbers of a process."""

    rank: int
    world: int
    """The world size: the number of processes on all machines together."""
    local_rank: int
    """The number of this process among those on its machine."""
    local_world: int | None
    """The number of processes on this machine; None if the launcher does not say it."""


def place_of(environment: Mapping[str, str]) -> Place | None:
    """The numbers of this process; None if it was not started as one of several."""
    if not all(name in environment for name in _NEEDED):
        return None
    local = environment.get("LOCAL_WORLD_SIZE")
    return Place(
        rank=int(environment["RANK"]),
        world=int(environment["WORLD_SIZE"]),
        local_rank=int(environment["LOCAL_RANK"]),
        local_world=int(local) if local else None,
    )
