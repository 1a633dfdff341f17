"""`conformance(kind)`: everything that a class of a plug-in says of itself, held against torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..compiler.ops.base import Op
from ..compiler.plan.loss import Loss
from ..compiler.plan.optimizer import Optimizer
from ..compiler.plan.own_augmentation import Augmentation
from ..compiler.plan.own_metric import Metric
from ..compiler.plan.schedule import Schedule
from ..compiler.shapes import Shape
from .augmentation_checks import check_augmentation
from .checked import Checked
from .drawn_layers import check_layer
from .loss_checks import check_loss
from .metric_checks import check_metric
from .optimizer_checks import check_optimizer, check_schedule

MOST_SHOWN = 5
"""So many of the failures are told; the others are mostly the same ones."""


class NotConforming(AssertionError):
    """A class does not do what it says. Its text has a sentence for each failure."""


class Conformance(NamedTuple):
    """What was tried."""

    name: str
    tried: int
    """So many arguments and inputs, or questions, were tried."""
    refused: int = 0
    """So many the class refused itself, with an error of its own."""

    def __str__(self) -> str:
        refused = f", {self.refused} refused by it" if self.refused else ""
        return f"{self.name} conforms: {self.tried} cases{refused}"


def conformance(
    kind: type,
    *,
    inputs: Sequence[Shape] | Sequence[Sequence[Shape]] = (),
    cases: int = 24,
    seed: int = 0,
    uncounted: bool = False,
) -> Conformance:
    """Tries a class of a plug-in; raises NotConforming.

    Of a layer, `cases` are drawn: arguments that its signature allows, and inputs, or, where those
    have to fit one another, the `inputs` that are given: shapes without the batch, `[(8, 6, 6)]`,
    or several for each layer that reads several maps. Compared are the output's shape, names and
    shapes of weights, multiply-adds (torch's FLOP counter; `uncounted` leaves that out, for
    products that it does not count), the receptive field (by gradient), the memory that the
    backward pass keeps, and the emitted text, which is compiled from a spec and run.

    A loss has to be a finite mean over images with a gradient; a metric must not depend on the
    order of images or on how they are divided into batches and processes; an augmentation must keep
    shapes, and depend on the numbers that it is given alone. An optimizer has to make a small loss
    smaller, by the learning rate that is set, and to go on from its saved state; the factors of a
    schedule have to be at least 0, and always the same.
    """
    if issubclass(kind, Op):
        checked = check_layer(kind, inputs, cases, seed, uncounted=uncounted)
    elif issubclass(kind, Loss):
        checked = check_loss(kind, seed)
    elif issubclass(kind, Metric):
        checked = check_metric(kind, seed)
    elif issubclass(kind, Augmentation):
        checked = check_augmentation(kind, seed)
    elif issubclass(kind, Optimizer):
        checked = check_optimizer(kind, seed)
    elif issubclass(kind, Schedule):
        checked = check_schedule(kind)
    else:
        raise TypeError(
            f"{kind.__name__} is not a layer, a loss, a metric, an augmentation, an optimizer or a"
            " schedule"
        )
    if checked.failures:
        raise NotConforming(_told(kind.__name__, checked))
    return Conformance(kind.__name__, checked.tried, checked.refused)


def _told(name: str, checked: Checked) -> str:
    failures = list(dict.fromkeys(checked.failures))
    lines = [f"{name} does not do what it says:", *(f"- {each}" for each in failures[:MOST_SHOWN])]
    if len(failures) > MOST_SHOWN:
        lines.append(f"- and {len(failures) - MOST_SHOWN} more")
    if checked.hint:
        lines.append(checked.hint)
    return "\n".join(lines)
