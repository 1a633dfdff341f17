"""Decides whether a network is compiled (`compile auto`): if the run is long enough to pay for it.

Compiling takes a minute or so before the first step, and again for validation. `auto` compiles only
on GPUs, where launching many small operations costs the most. The figures below are estimates: no
GPU was there to measure them (benchmarks/RESULTS.md).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

import torch

from ...compiler.analysis.cost import Totals
from ...compiler.plan.plan import Train

SPEED = 10**13
"""Multiply-adds a second of a GPU, with which the length of a run is estimated."""
FASTER = 0.15
"""The share of the time of a step that compiling is expected to save."""
SECONDS, SECONDS_OF_LAYER = 20.0, 0.1
"""The time to compile a network: a fixed part, and a part for each operation."""
WORTH_IT = 3.0
"""How many times the time to compile has to be saved."""

_OLDEST = 7
"""The compute capability from which on Triton compiles for a GPU."""


class CompileChoice(NamedTuple):
    on: bool
    lines: tuple[str, ...] = ()
    """The choice and its reason, in words; none if nothing was to be chosen."""


def choose_compile(
    train: Train, device: torch.device, totals: Totals, *, images: float, world: int = 1
) -> CompileChoice:
    """Decides whether to compile a network with these totals. `images` is the number of images that
    go through it on this device in the whole run, `world` the number of processes."""
    directive = train.compile
    if isinstance(directive.on, bool):
        mode = "" if directive.mode == "default" else f", mode {directive.mode}"
        return CompileChoice(directive.on, (f"compile on{mode}",) if directive.on else ())
    if device.type != "cuda":
        return CompileChoice(False)
    why_not = _obstacle(train, device, world)
    compiling = SECONDS + SECONDS_OF_LAYER * totals.layers
    computed = 3 * totals.macs * images  # the backward pass costs about twice the forward pass
    saved = FASTER * computed / SPEED
    about = f"compiling takes about {compiling:.0f} s and would save about {_time(saved)}"
    if why_not:
        return CompileChoice(False, (f"compile off: {why_not}",))
    if saved < WORTH_IT * compiling:
        return CompileChoice(False, (f"compile off: the run is too short ({about})",))
    return CompileChoice(True, (f"compile on: the run is long enough ({about})",))


def _obstacle(train: Train, device: torch.device, world: int) -> str:
    """Why a network is not compiled unless the spec asks for it; empty if nothing speaks against
    it."""
    if train.deterministic.on:
        return "deterministic runs are compiled only if the spec says `compile on`"
    if train.recompute:
        return "with `recompute`, networks are compiled only if the spec says `compile on`"
    if world > 1:
        return "several processes compile only if the spec says `compile on`"
    if find_spec("triton") is None:
        return "Triton is not installed, which torch.compile needs on a GPU"
    if torch.cuda.get_device_capability(device)[0] < _OLDEST:
        return "Triton does not support this GPU"
    return ""


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
