"""Rows of labels with maps behind them: of a network with several outputs, of which some answer for
each pixel.

The labels of an image are one row of numbers: those for the whole image, in the order of the
outputs, then its maps, flattened: first the channels of images, then masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor


class Behind(NamedTuple):
    """The maps behind rows of labels."""

    images: int = 0
    """The number of channels of images, from 0 to 255."""
    masks: int = 0

    @property
    def channels(self) -> int:
        return self.images + self.masks


NOTHING_BEHIND = Behind()


def with_maps(rows: Tensor, maps: Tensor) -> Tensor:
    """Rows with their maps (images x channels x height x width) behind them."""
    return torch.cat([rows.float(), maps.flatten(1).float()], 1)


def without_maps(labels: Tensor, channels: int, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The rows, and the maps behind them, of so many channels and of this height and width."""
    rows, maps = labels.tensor_split([labels.shape[1] - channels * prod(size)], 1)
    return rows, maps.view(len(maps), channels, *size)
