"""Checks that the network has one output for each class of the data."""

from __future__ import annotations

from ...compiler.network import Network
from ...compiler.plan.check import wrong_classes
from ...compiler.plan.plan import TrainPlan
from ...dsl.diagnostics import Diagnostic
from .dataset import Dataset


def check_classes(network: Network, plan: TrainPlan, data: Dataset) -> Diagnostic | None:
    """The error if the network has more or fewer outputs than there are classes; else None."""
    return wrong_classes(plan.train.data, network, len(data.classes), data.name, data.classes)
