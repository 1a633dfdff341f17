"""Traces the dataflow of a torch module: symbolically, on shapes, or on images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .flow import Flow
from .fx_trace import CannotTrace, traced
from .layer import Shape
from .traced_run import recorded


class Traced(NamedTuple):
    flow: Flow | None
    """None if the module could not be traced."""
    how: str
    """How it was traced, or why it could not be, in words."""


def trace(module: nn.Module, input_shape: Shape, example: Tensor | None = None) -> Traced:
    """Traces symbolically if possible, without running the module. Otherwise runs it on `example`,
    by default zeros of the network's input shape: first on shapes only, then on values, in case its
    Python code depends on them."""
    images = example if example is not None else _images(module, input_shape)
    reasons: dict[str, str] = {}
    ways: list[tuple[str, Callable[[], Flow]]] = [
        ("torch.fx", lambda: traced(module)),
        ("a traced run", lambda: recorded(module, images.to("meta"))),
        ("a traced run", lambda: recorded(module, images)),
    ]
    for how, way in ways:
        try:
            flow = way()
        except CannotTrace as reason:
            reasons[how] = str(reason)
            continue
        if flow.places:
            return Traced(flow, f"dataflow ({how})")
        reasons[how] = "no layer between input and output"
    why = "; ".join(f"{how}: {reason}" for how, reason in reasons.items())
    return Traced(None, f"the module could not be traced ({why})")


def _images(module: nn.Module, shape: Shape) -> Tensor:
    """Two images: a batch norm in training mode needs more than one."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    return torch.zeros(2, *shape, dtype=like.dtype, device=like.device)
