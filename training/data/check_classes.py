"""The classes of the data against what the network ends in."""

from __future__ import annotations

from ...compiler.network import Network
from ...compiler.plan.check import wrong_classes
from ...compiler.plan.plan import TrainPlan
from ...dsl.diagnostics import Diagnostic
from .dataset import Dataset


def check_classes(network: Network, plan: TrainPlan, data: Dataset) -> Diagnostic | None:
    """What is wrong where the network decides among more or fewer classes than there are."""
    return wrong_classes(plan.train.data, network, len(data.classes), data.name, data.classes)
