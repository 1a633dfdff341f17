"""What a plug-in is written with: the bases of layers, losses, metrics, augmentations, optimizers
and schedules, and the kinds of their arguments.

    from dotcnn.plugins import Layer, Loss, Metric, Augmentation, count, number

A plug-in is a Python file, given with `--plugin mine.py`, or an installed package with an entry
point of the group `dotcnn.plugins`. A spec that has words of it says `use "mine"`. Importing this
imports no torch: a class imports it in the methods that compute (`Loss.function`, `Metric.count`,
`Augmentation.change`, `Optimizer.make_optimizer`), and `torch_class` is for modules.
`dotcnn.testing.conformance` tries a class of yours against torch. docs/guide/plugins.md walks
through an example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .compiler.extend.torch_class import torch_class
from .compiler.language.kinds import (
    choice,
    count,
    counts,
    custom,
    flag,
    label,
    natural,
    natural_pair,
    number,
    pair,
    ranged,
    real_number,
    share,
    switch,
    whole,
    words,
)
from .compiler.language.signature import ArgumentError
from .compiler.ops.base import (
    ANY_AXES,
    EVERYTHING,
    POINT,
    Kept,
    NoMultiplyAdds,
    Pointwise,
    SameShape,
    TorchText,
    Weight,
    Window,
    call_text,
    constructor,
    helper,
)
from .compiler.ops.base import Op as Layer
from .compiler.ops.conv.sliding import DILATION, PAD, SAME, STRIDE, Sliding
from .compiler.plan.loss import Loss
from .compiler.plan.optimizer import Optimizer, decay, learning_rate
from .compiler.plan.own_augmentation import Augmentation
from .compiler.plan.own_metric import Metric
from .compiler.plan.schedule import Schedule
from .compiler.shapes import PerAxis, Shape, ShapeError, plain, size, text

if TYPE_CHECKING:
    from .training.trainer.callbacks import Callback

__all__ = [
    "ANY_AXES",
    "DILATION",
    "EVERYTHING",
    "PAD",
    "POINT",
    "SAME",
    "STRIDE",
    "ArgumentError",
    "Augmentation",
    "Callback",
    "Kept",
    "Layer",
    "Loss",
    "Metric",
    "NoMultiplyAdds",
    "Optimizer",
    "PerAxis",
    "Pointwise",
    "SameShape",
    "Schedule",
    "Shape",
    "ShapeError",
    "Sliding",
    "TorchText",
    "Weight",
    "Window",
    "call_text",
    "choice",
    "constructor",
    "count",
    "counts",
    "custom",
    "decay",
    "flag",
    "helper",
    "label",
    "learning_rate",
    "natural",
    "natural_pair",
    "number",
    "pair",
    "plain",
    "ranged",
    "real_number",
    "share",
    "size",
    "switch",
    "text",
    "torch_class",
    "whole",
    "words",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A callback belongs to training, which is imported for who has one."""
    if name == "Callback":
        from .training.trainer.callbacks import Callback

        return Callback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
