"""The images of several inputs of a network, side by side: as they are one sample, whose channels
are theirs, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ....compiler.plan.plan import NamedInput

_GAP = 2
"""White pixels between two images."""


def of_each_input(sample: Tensor, inputs: Sequence[NamedInput]) -> list[Tensor]:
    """The images in a sample: one, unless there are several `inputs`."""
    if not inputs or sample.ndim != 3:  # series and scans are drawn channel by channel
        return [sample]
    return [*torch.split(sample, [each.channels for each in inputs])]


def side_by_side(pictures: Sequence[Tensor]) -> Tensor:
    """Pictures of one or three channels (uint8) and of the same height as one."""
    if len(pictures) == 1:
        return pictures[0]
    gap = torch.full((3, pictures[0].shape[1], _GAP), 255, dtype=torch.uint8)
    pieces = [piece for each in pictures for piece in (each.expand(3, -1, -1), gap)]
    return torch.cat(pieces[:-1], 2)
