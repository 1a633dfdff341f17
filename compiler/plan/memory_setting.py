"""What a spec says about the memory of training: batch size, precision, optimizer, EMA, …"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..language.overrides import SectionOverride
from ..network import Network
from .make import examine
from .optimizer import Optimizer
from .recompute import parts_of
from .train import Accumulate, Batch, Ema, Lookahead, Precision, Recompute
from .transfer import L2


def settings_in_train(
    network: Network, overrides: Sequence[SectionOverride] = ()
) -> dict[str, Any]:
    """The settings that the sections contain, under their names in `Setting`. Errors in them are
    reported elsewhere."""
    context = examine(network.program, network.sections, network, overrides).context
    batch, precision = context.find(Batch), context.find(Precision)
    optimizer, accumulate = context.find(Optimizer), context.find(Accumulate)
    settings: dict[str, Any] = {}
    if batch is not None and batch.written:
        settings["batch"] = batch.size
    if optimizer is not None and optimizer.written:
        settings["optimizer"] = optimizer.memory
    if precision is not None and precision.written and precision.mode != "auto":
        settings["precision"] = precision.mode
    if accumulate is not None:
        settings["accumulate"] = accumulate.batches
    settings["ema"] = context.find(Ema) is not None
    settings["lookahead"] = context.find(Lookahead) is not None
    settings["anchor"] = context.find(L2) is not None
    recompute = context.find(Recompute)
    if recompute is not None:
        settings["recompute"] = tuple(parts_of(network, recompute.parts).values())
    return settings
