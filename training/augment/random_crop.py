"""Random crops of whole images, cut out when their files are read (`crop scale=8%..100%`).

As in torchvision's RandomResizedCrop and RandomCrop, any part of an image can be drawn, however
long and thin the image is, and in the resolution of its file. The random numbers of an image depend
on the seed, the epoch and its index alone, as those of the augmentation of batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...compiler.plan.augment.passes import Size
from ...compiler.plan.augment.resizing import Crop
from ...compiler.plan.data import UNLABELLED
from ...compiler.plan.fusion import CropWhenRead, Step, crop_when_read
from ...compiler.plan.plan import TrainPlan
from ..data.images.resize import Fit, padded, resized
from .random_numbers import Draws, whole
from .registry import Resources, implementation, implements
from .transforms import PART_DRAWS, parts

Box = tuple[int, int, int, int]
"""Left, top, width, height."""


_AROUND = PART_DRAWS + 1
"""The first of the random numbers that say around which pixel a box is."""
WHEN_READ = "when read"
"""The part of a directive that is done when images are read."""


@implements(Crop, WHEN_READ)
class RandomBoxes:
    """Makes boxes (N x 4) from the random numbers, the heights and the widths of images."""

    def __init__(self, directive: Crop, step: Step, resources: Resources) -> None:
        self._directive, self._size = directive, step.output_size
        count = 2 if directive.scale is None else PART_DRAWS
        self._at = resources.layout.reserve(step.number, 1, count)
        self._around = resources.layout.reserve(step.number, _AROUND, 3 if self.balanced else 0)
        self._step = resources.step

    @property
    def balanced(self) -> float:
        """The share of boxes around a pixel of a class that is drawn with equal chances."""
        return self._directive.balanced

    def __call__(self, drawn: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        step = self._step
        if self._directive.scale is not None:
            boxes = parts(drawn[self._at], self._directive, (rows, columns))
            return boxes if step == 1 else (boxes // step * step).clamp_(min=0)
        top, left = drawn[self._at]
        height, width = self._size
        left = whole(left, 0, (columns - width) // step) * step
        top = whole(top, 0, (rows - height) // step) * step
        return torch.stack([left, top, *map(torch.full_like, (left, top), (width, height))], 1)

    def around(self, box: Box, mask: Tensor, drawn: Tensor) -> Box:
        """A box of an image, moved to a pixel of one of the classes in its mask, if that is drawn:
        the pixel is in the middle, or as near to it as the edges of the image allow."""
        chance, which, where = drawn[self._around].tolist()
        if chance >= self.balanced:
            return box
        values = mask.flatten()
        present = values.bincount(minlength=UNLABELLED)[:UNLABELLED].nonzero().flatten()
        if not len(present):
            return box
        pixels = (values == present[int(which * len(present))]).nonzero().flatten()
        row, column = divmod(int(pixels[int(where * len(pixels))]), mask.shape[1])
        _, _, width, height = box
        left = min(max(0, column - width // 2), mask.shape[1] - width)
        top = min(max(0, row - height // 2), mask.shape[0] - height)
        return left, top, width, height


class RandomCrop:
    """The random crop of a plan."""

    def __init__(
        self, crop: CropWhenRead, seed: int, step: int = 1, *, fills: bool = False
    ) -> None:
        """With `fills`, images that are smaller than a crop are filled up."""
        self.size: Size = crop.size
        """The size of the result."""
        self._fills = fills
        self._words = f"{crop.step.directive} of the whole image"
        resources = Resources.of(seed, (torch.ones(1), torch.zeros(1)), step)
        self._boxes: RandomBoxes = implementation(crop.step, resources, WHEN_READ)
        self._draws = Draws(resources.layout, seed)
        resize = crop.resize
        self.fit = Fit(resize.side, resize.mode, crop.size) if resize is not None else None
        """The resize of whole images; None if they keep their size."""

    @staticmethod
    def of(plan: TrainPlan, step: int = 1) -> RandomCrop | None:
        """None if no crop of the plan is done when images are read. Crops start at multiples of
        `step`."""
        crop = crop_when_read(plan)
        if crop is None:
            return None
        fills = plan.evaluate.tiles is not None
        return RandomCrop(crop, plan.train.seed.value, step, fills=fills)

    def __str__(self) -> str:
        return self._words

    def __call__(
        self, images: Sequence[Tensor], epoch: int, indices: Sequence[int], *, masks: int = 0
    ) -> Tensor:
        """Crops of whole images (uint8), as one tensor; the last channels may be masks. Raises
        BadImage if one is too long and thin."""
        if self.fit is not None:
            images = [self.fit.whole(image, masks=masks) for image in images]
        if self._fills:
            images = [padded(image, self.size, masks) for image in images]
        sizes = [(image.shape[-2], image.shape[-1]) for image in images]
        boxes = self.boxes(sizes, epoch, indices)
        if masks and self._boxes.balanced:
            drawn = self._draws(epoch, torch.tensor(indices)).unbind(1)
            classes = (image[-1].to(torch.uint8) for image in images)
            each = zip(boxes, classes, drawn, strict=True)
            boxes = [self._boxes.around(box, mask, numbers) for box, mask, numbers in each]
        cut = []
        for image, (left, top, width, height) in zip(images, boxes, strict=True):
            part = image[:, top : top + height, left : left + width]
            same = (height, width) == self.size
            cut.append(part if same else resized(part, self.size, "bilinear", masks))
        return torch.stack(cut)

    def boxes(self, sizes: Sequence[Size], epoch: int, indices: Sequence[int]) -> list[Box]:
        """What is cut out of images of these sizes (height and width)."""
        rows, columns = torch.tensor(sizes, dtype=torch.float32).unbind(1)
        boxes = self._boxes(self._draws(epoch, torch.tensor(indices)), rows, columns)
        return boxes.int().tolist()
