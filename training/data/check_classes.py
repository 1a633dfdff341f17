"""Checks that the network has one output for each class of the data, and knows these classes."""

from __future__ import annotations

from ...compiler.network import Network
from ...compiler.plan.check import wrong_classes
from ...compiler.plan.plan import TrainPlan
from ...dsl.diagnostics import Diagnostic, SpecError
from .dataset import Dataset
from .diagnostic import listed


def check_classes(network: Network, plan: TrainPlan, data: Dataset) -> Diagnostic | None:
    """The error if the network has more or fewer outputs than there are classes; else None."""
    return wrong_classes(plan.train.data, network, len(data.classes), data.name, data.classes)


def must_have_classes(
    network: Network, plan: TrainPlan, data: Dataset, known: tuple[str, ...] | None, name: str
) -> None:
    """Raises SpecError unless the data has the classes that the network was trained on (`known`;
    None if its weights do not record them), in the same order. `name` is the run or the weights."""
    wrong = check_classes(network, plan, data)
    if wrong is not None:
        raise SpecError([wrong])
    present = data.classes
    if known is None or known == present:
        return
    missing = [each for each in known if each not in present]
    new = [each for each in present if each not in known]
    notes = []
    if missing:
        notes.append(f"not in the data: {listed(missing)}")
    if new:
        notes.append(f"unknown to the network: {listed(new)}")
    message = f"the classes of the data differ from those that {name} was trained on"
    help = "name data with the same classes" if notes else "put them into the same order"
    place = plan.train.data.place("path")
    raise SpecError([Diagnostic("other-classes", message, place, notes=tuple(notes), help=help)])
