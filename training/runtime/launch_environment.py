"""The environment variables that number the processes of distributed training. Needs no torch.

torchrun sets RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT. SLURM has
variables of its own for the tasks that `srun` starts (slurm.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...dsl.diagnostics import Diagnostic, SpecError
from .slurm import slurm_hosts, slurm_variables

_NEEDED = ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """The numbers of a process, and where all of them meet."""

    rank: int
    world: int
    """The world size: the number of processes on all machines together."""
    local_rank: int
    """The number of this process among those on its machine."""
    local_world: int | None
    """The number of processes on this machine; None if the launcher does not say it."""
    address: str
    """A name or an address of the machine of the first process."""
    port: int
    hosts: tuple[str, ...] = ()
    """The names of all machines, where the launcher says them."""


def place_of(environment: Mapping[str, str]) -> Place | None:
    """The numbers of this process; None if it was not started as one of several. Raises SpecError
    if only some of the variables are set: each process would train a run of its own."""
    values = {**slurm_variables(environment), **{k: v for k, v in environment.items() if v}}
    if "RANK" not in values or "WORLD_SIZE" not in values:
        return None
    missing = [name for name in _NEEDED if name not in values]
    world = _number(values, "WORLD_SIZE")
    if missing and world == 1:
        return None
    if missing:
        raise _wrong(f"RANK and WORLD_SIZE are set, but not {' and '.join(missing)}")
    rank, local_rank = _number(values, "RANK"), _number(values, "LOCAL_RANK")
    known = "LOCAL_WORLD_SIZE" in values
    local_world = _number(values, "LOCAL_WORLD_SIZE") if known else None
    if rank >= world:
        raise _wrong(f"RANK is {rank} and WORLD_SIZE is {world}: ranks count from 0")
    if local_world is not None and local_rank >= local_world:
        sizes = f"LOCAL_RANK is {local_rank} and LOCAL_WORLD_SIZE is {local_world}"
        raise _wrong(f"{sizes}: ranks count from 0")
    return Place(
        rank=rank,
        world=world,
        local_rank=local_rank,
        local_world=local_world,
        address=values["MASTER_ADDR"],
        port=_number(values, "MASTER_PORT"),
        hosts=slurm_hosts(environment),
    )


def rank_of(environment: Mapping[str, str]) -> str:
    """The rank of this process as it is printed, also if other variables are wrong."""
    return {**slurm_variables(environment), **environment}.get("RANK") or "0"


def _number(values: Mapping[str, str], name: str) -> int:
    if not re.fullmatch(r"\d{1,9}", values[name]):
        raise _wrong(f"{name} is `{values[name]}`, which is not a number")
    return int(values[name])


def _wrong(message: str) -> SpecError:
    help = (
        "start the processes with torchrun or srun, or set these variables yourself; to train in"
        " this process alone, set WORLD_SIZE=1"
    )
    return SpecError([Diagnostic("no-launch", message, help=help)])
