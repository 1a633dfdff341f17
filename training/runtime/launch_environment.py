"""The environment variables that number the processes of distributed training, as torchrun sets
them: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...dsl.diagnostics import Diagnostic, SpecError

_NEEDED = ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


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
    """The numbers of this process; None if it was not started as one of several. Raises SpecError
    if only some of the variables are set: each process would train a run of its own."""
    if not environment.get("RANK") or not environment.get("WORLD_SIZE"):
        return None
    values = {"LOCAL_RANK": environment.get("SLURM_LOCALID"), **environment}
    missing = [name for name in _NEEDED if not values.get(name)]
    world = int(environment["WORLD_SIZE"])
    if missing and world == 1:
        return None
    if missing:
        message = f"RANK and WORLD_SIZE are set, but not {' and '.join(missing)}"
        help = "start the processes with torchrun, which sets all of them, or set them yourself"
        raise SpecError([Diagnostic("no-launch", message, help=help)])
    local = environment.get("LOCAL_WORLD_SIZE")
    return Place(
        rank=int(environment["RANK"]),
        world=world,
        local_rank=int(values["LOCAL_RANK"] or 0),
        local_world=int(local) if local else None,
    )
