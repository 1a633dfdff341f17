"""The flow of a foreign module, by the first way that works."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

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
    of zeros in the shape that our network takes. A run on shapes alone is enough, unless the module
    looks at numbers."""
    images = example if example is not None else _images(module, input_shape)
    reasons: dict[str, str] = {}
    ways: list[tuple[str, Callable[[], Flow]]] = [
        ("torch.fx", lambda: traced(module)),
        ("a traced run", lambda: watched(module, images.to("meta"))),
        ("a traced run", lambda: watched(module, images)),
    ]
    for how, way in ways:
        try:
            flow = way()
        except CannotFollow as reason:
            reasons[how] = str(reason)
            continue
        if flow.places:
            return Followed(flow, f"its dataflow, by {how}")
        reasons[how] = "no layer between input and output"
    why = "; ".join(f"{how}: {reason}" for how, reason in reasons.items())
    return Followed(None, f"its dataflow could not be followed ({why})")


def _images(module: nn.Module, shape: Shape) -> Tensor:
    """Two, as a batch norm in training takes more than one."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    return torch.zeros(2, *shape, dtype=like.dtype, device=like.device)
