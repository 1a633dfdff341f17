"""The flow of a foreign module, by the first way that works."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .exported import exported
from .flow import Flow
from .layer import Shape
from .traced import CannotFollow, traced
from .watched import watched


class Followed(NamedTuple):
    """How data flows through a module; None where that could not be found out."""

    flow: Flow | None
    how: str
    """In a few words."""


def follow(module: nn.Module, input_shape: Shape, example: Tensor | None = None) -> Followed:
    """Symbolically if that can be (nothing runs), else with an example: what is given, or images
    of zeros in the shape that our network takes."""
    reasons: list[str] = []
    try:
        return _complete(traced(module), "its dataflow, by torch.fx")
    except CannotFollow as reason:
        reasons.append(f"torch.fx: {reason}")
    example = example if example is not None else _images(module, input_shape)
    for way, how in ((exported, "torch.export"), (watched, "a traced run")):
        try:
            return _complete(way(module, example), f"its dataflow, by {how}")
        except CannotFollow as reason:
            reasons.append(f"{how}: {reason}")
    return Followed(None, f"its dataflow could not be followed ({'; '.join(reasons)})")


def _complete(flow: Flow, how: str) -> Followed:
    if not flow.layers:
        raise CannotFollow("no layer between input and output")
    return Followed(flow, how)


def _images(module: nn.Module, shape: Shape) -> Tensor:
    """Two, as a batch norm in training takes more than one."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    return torch.zeros(2, *shape, dtype=like.dtype, device=like.device)
