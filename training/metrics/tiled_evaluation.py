"""Counts whole images that are answered tile by tile: of each, a few rows at a time.

So an evaluation needs memory for a row of tiles, however large images are. The counts are those of
the whole image. So is the loss, as a mean over pixels; a loss that compares regions (Dice, Lovász)
compares those of each band of rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from ..masks.tiling import Answer, Tiling, bands
from .mask_tally import MaskTally, overlaps, table_of
from .tally import Tally


def count_tiled(
    answer: Answer, images: Tensor, masks: Tensor, tiling: Tiling, tallies: Sequence[Tally]
) -> Tensor:
    """Adds images of the same size to tallies, whose outputs `answer` returns joined by channels;
    returns the mean IoU of each image by the first of them."""
    quality = []
    for image, mask in zip(images, masks, strict=True):
        parts = [_Image(tally) for tally in tallies if isinstance(tally, MaskTally)]
        for band in bands(answer, image[None], tiling):
            truth = mask[None, band.top : band.top + band.rows.shape[2]]
            each = band.rows.chunk(len(parts), 1)
            for part, rows in zip(parts, each, strict=True):
                part.add(rows, truth)
        for part in parts:
            part.end(mask)
        quality.append(overlaps(parts[0].table.double())[0].nanmean())
    return torch.stack(quality).float()


class _Image:
    """The counts of one image."""

    def __init__(self, tally: MaskTally) -> None:
        self.tally = tally
        self.table = torch.zeros_like(tally.table)
        self.loss = torch.zeros_like(tally.sums[:1])
        self.labeled = torch.zeros_like(self.loss)
        self.predicted: list[Tensor] = []

    def add(self, outputs: Tensor, truth: Tensor) -> None:
        """Adds rows of the image: 1 x classes x rows x width."""
        if not self.predicted:
            self.tally.compare(outputs)
        predicted = outputs.argmax(1)
        self.predicted.append(predicted[0].to(torch.uint8))
        self.table += table_of(predicted, truth, len(self.tally.classes))
        labeled = (truth != UNLABELLED).sum()
        self.loss += self.tally.loss(outputs, truth) * labeled
        self.labeled += labeled
        self.tally.count_own(outputs.float(), truth)

    def end(self, mask: Tensor) -> None:
        """Adds the image to the tally."""
        self.tally.table += self.table
        loss = self.loss / self.labeled.clamp(min=1)
        self.tally.sums += torch.cat([torch.ones_like(loss), loss])
        self.tally.count_outline(torch.cat(self.predicted), mask)
