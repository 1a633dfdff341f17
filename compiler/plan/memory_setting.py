"""Batch size, precision and optimizer of a spec's `train` section, for the memory of a report."""

from __future__ import annotations

from typing import Any

from ..network import Network
from .make import examine
from .optimizer import Optimizer
from .train import Batch, Precision


def settings_in_train(network: Network) -> dict[str, Any]:
    """The settings that `train` contains, under their names in `Setting`. Errors in it are reported
    elsewhere."""
    context = examine(network.program, network.sections, network).context
    batch, precision = context.find(Batch), context.find(Precision)
    optimizer = context.find(Optimizer)
    settings: dict[str, Any] = {}
    if batch is not None and batch.written:
        settings["batch"] = batch.size
    if optimizer is not None and optimizer.written:
        settings["optimizer"] = optimizer.memory
    if precision is not None and precision.written and precision.mode != "auto":
        settings["precision"] = precision.mode
    return settings
