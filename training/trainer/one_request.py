"""Whether processes that train together were started with the same spec and the same options."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import NamedTuple

from ...compiler.plan.plan import PlanError, TrainPlan
from ...compiler.plan.plan_differences import changes
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.checkpoint import mark_of
from ..request import Request
from ..runtime.process_group import Processes


class _Asked(NamedTuple):
    """What one process was started with."""

    plan: str
    network: str
    """A hash of it."""


def must_be_one_request(request: Request, processes: Processes) -> None:
    """Raises SpecError unless all processes train the same network in the same way: they may have
    been started as several runs."""
    if processes.alone:
        return
    own = _Asked(request.plan.to_json(), mark_of(request.network))
    everybody = processes.gathered((socket.gethostname(), own))
    host, first = everybody[0]
    for rank, (other_host, other) in enumerate(everybody):
        if other != first:
            message = (
                f"the {processes.world} processes were started with different specs or options"
            )
            who = f"process {rank} on {other_host}"
            notes: tuple[str, ...] = (_difference(first, other, who, f"process 0 on {host}"),)
            if first.network != other.network:
                notes += (
                    "it may be the number of classes of the data, if the spec says `classes`",
                )
            help = "start all of them with one command and one spec; for runs of their own, set"
            raise SpecError(
                [Diagnostic("no-launch", message, notes=notes, help=f"{help} WORLD_SIZE=1 in each")]
            )


def _difference(first: _Asked, other: _Asked, there: str, here: str) -> str:
    with suppress(PlanError, SpecError):
        before, now = TrainPlan.from_json(first.plan), TrainPlan.from_json(other.plan)
        for change in changes(before, now):
            return (
                f"{change.name} is {change.now or 'not given'} in {there}, and"
                f" {change.before or 'not given'} in {here}"
            )
    what = "the network" if first.network != other.network else "the plan"
    return f"{what} of {there} is not that of {here}"
