"""The masks of images whose regions a file of COCO annotations has: they are drawn when an image is
read."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from ....compiler.plan.data import UNLABELLED
from ...masks.coco_regions import BadRegion, drawn
from ..loader.packed_strings import Strings
from .image_file import BadImage


@dataclass(frozen=True, eq=False)
class CocoMasks:
    """The regions of images, in their order."""

    regions: Strings
    """For each image, as JSON: its height, its width, and regions, each with the number of its
    class, its COCO `segmentation`, and what it is called."""

    def read(self, index: int) -> Tensor:
        """The class of each pixel of an image: uint8, height x width. Raises BadImage."""
        height, width, regions = json.loads(self.regions[index])
        pixels = []
        for number, region, about in regions:
            try:
                pixels.append((number, drawn(region, height, width)))
            except BadRegion as error:
                raise BadImage(f"{about}: {error}") from None
        mask = numpy.zeros((height, width), numpy.uint8)
        # Crowds below all others; then large regions below small ones.
        order = sorted(pixels, key=lambda each: (each[0] != UNLABELLED, -int(each[1].sum())))
        for number, inside in order:
            mask[inside] = number
        return torch.from_numpy(mask)

    def file(self, index: int) -> str:
        return ""

    def select(self, indices: Tensor) -> CocoMasks:
        return CocoMasks(self.regions.select(indices))
