"""NaN check: the step at which the loss became NaN or infinite, and the first layer that did."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ...dsl.diagnostics import Diagnostic

FAR = 100.0
"""Above this many times the loss of guessing, training has diverged even if the loss is finite."""


class Moment(NamedTuple):
    """The time at which training diverged."""

    epoch: int
    """Counted from 1."""
    step: int
    """Counted from 1, since the start of the run."""
    rate: float


class Diverged(Exception):
    """The loss is NaN, infinite, or far above that of guessing."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


def not_finite(
    module: nn.Module, forward: Callable[[], object], moment: Moment, help: str
) -> Diverged:
    """The error for a loss that is not finite; `forward` repeats the forward pass of the batch."""
    message = (
        f"the loss became NaN or infinite at step {moment.step:,} in epoch {moment.epoch}"
        f" (learning rate {moment.rate:.3g})"
    )
    return Diverged(
        Diagnostic("diverged", message, notes=tuple(_where(module, forward)), help=help)
    )


def too_large(loss: float, guessing: float, moment: Moment, help: str) -> Diverged:
    """The error for an epoch whose mean loss is far above that of guessing."""
    message = (
        f"training diverges: the mean loss of epoch {moment.epoch} is {loss:.4g}, while guessing"
        f" gives {guessing:.3g}"
    )
    return Diverged(Diagnostic("diverged", message, help=help))


def advice(rate: float, warmup: float, clip: bool, half: bool) -> str:
    """Suggestions against divergence."""
    tries = [f"a smaller learning rate, like {rate / 10:.3g}"]
    if not warmup:
        tries.append("a warm-up: `schedule … warmup=3`")
    if not clip:
        tries.append("`clip 1`")
    if half:
        tries.append("`precision fp32`")
    return f"try {', or '.join(tries)}"


# ---- where -----------------------------------------------------------------------------------


def _where(module: nn.Module, forward: Callable[[], object]) -> list[str]:
    broken = [
        name for name, weight in module.named_parameters() if not bool(weight.isfinite().all())
    ]
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        return [f"the weights {broken[0]}{more} are NaN or infinite: the previous step caused this"]
    layer = first_broken(module, forward)
    if layer is None:
        return [
            "every layer gives finite values: the problem is in the loss itself or in the labels"
        ]
    return [layer]


def first_broken(module: nn.Module, forward: Callable[[], object]) -> str | None:
    """A sentence about the first layer, in the order of computation, whose output is not finite.

    Dropout draws new random numbers and norms have seen the batch before, so in rare cases it is
    not the layer that caused the NaN."""
    sentences: list[str] = []
    handles = []

    def before(name: str) -> Callable[[nn.Module, object], None]:
        def hook(part: nn.Module, inputs: object) -> None:
            what = "" if sentences else _kind_of_broken(inputs)
            if what:
                sentences.append(
                    f"the input of {name} already has {what}, which no earlier layer produces"
                )

        return hook

    def after(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(part: nn.Module, inputs: object, output: object) -> None:
            what = "" if sentences else _kind_of_broken(output)
            if what:
                sentences.append(
                    f"{name} is the first layer that produces {what} from finite inputs"
                )

        return hook

    for name, part in module.named_modules():
        if name and not any(True for _ in part.children()):
            handles.append(part.register_forward_pre_hook(before(name)))
            handles.append(part.register_forward_hook(after(name)))
    try:
        with torch.no_grad():
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return sentences[0] if sentences else None


def _kind_of_broken(values: object) -> str:
    """`NaN` or `infinity`; empty if all values are finite."""
    for value in tree_leaves(values):
        if isinstance(value, Tensor) and not bool(value.isfinite().all()):
            return "NaN" if bool(value.isnan().any()) else "infinity"
    return ""
