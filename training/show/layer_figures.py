"""What each layer of a network does with images, in figures; and its strongest channels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...compiler.network import Node

STRONGEST = "strongest first: largest mean magnitude"
"""How channels are chosen where not all are shown, in words for the user."""


@dataclass(frozen=True)
class LayerSummary:
    """The output of one layer, over all images."""

    node: Node
    least: float
    mean: float
    greatest: float
    zeros: float
    """The share of values that are exactly zero."""
    dead: int
    """The number of channels that are zero everywhere, where a channel has several values."""
    bad: int
    """The number of values that are not finite."""


def summary(node: Node, output: Tensor) -> LayerSummary:
    """`output` is images x channels x …, in any precision."""
    values = output.detach().float()
    by_channel = values.transpose(0, 1).flatten(1) if values.ndim > 1 else values[None]
    # Few passes over the numbers, because they are many: NaN and infinity reach the extremes.
    low, high = by_channel.aminmax(dim=1)
    finite = bool(low.isfinite().all() and high.isfinite().all())
    zero = (low == 0) & (high == 0)
    return LayerSummary(
        node,
        float(low.min()),
        float(values.mean()),
        float(high.max()),
        1 - int(values.count_nonzero()) / values.numel(),
        int(zero.sum()) if by_channel.shape[1] > 1 else 0,
        0 if finite else int((~values.isfinite()).sum()),
    )


def strength(output: Tensor) -> Tensor:
    """The mean magnitude of each channel over all images and positions."""
    values = output.detach().float()
    sums: Tensor = torch.linalg.vector_norm(values, 1, dim=(0, *range(2, values.ndim)))
    return sums / (values.numel() // values.shape[1])


def strongest(output: Tensor, most: int) -> list[int]:
    """The channels to show if not all can be, in the order of their strength."""
    order = strength(output).argsort(descending=True, stable=True)
    return [int(channel) for channel in order[:most]]
