"""Answers for whole images of any size: tiles of the size of the network's input, that overlap.

An image is resized as for training, but not cropped. If it is then larger than the input of the
network, the network answers for tiles of it, and where tiles overlap, their outputs are averaged
with weights that fall to zero at the edges of a tile, so that no seams are seen. What the resize
has done is undone on the outputs, before each pixel gets its class or its color. Outputs may be
larger than the image, as in super-resolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...compiler.plan.evaluate import Tta
from ..data.images.image_file import BadImage
from ..data.images.preprocessing import Preparation
from ..data.images.resize import Fit, Size
from ..runtime.memory_errors import with_fewer
from ..tasks.task import Task

OVERLAP = 0.25
"""The share of a tile that the next one covers too, at least."""
MAX_BYTES = 2**33
"""A limit for the outputs of one image: 8 GB."""


@dataclass(frozen=True, eq=False)
class WholeImages:
    """The networks of a trained model, for whole images."""

    modules: Sequence[nn.Module]
    """Of an ensemble, several: their answers are averaged."""
    preparation: Preparation
    task: Task
    device: torch.device
    tta: Tta | None = None
    batch: int = 8
    """The largest number of tiles that go through a network at a time."""
    enlarges: int = 1
    """How many times larger outputs are than images, along each side."""

    def outputs(self, images: Tensor) -> Tensor:
        """The outputs for images of the same size (uint8, images x channels x height x width),
        averaged over views and networks: images x classes x the size after the resize, or so many
        times that as the network enlarges images."""
        size = self.preparation.fit.resized(images.shape[-2], images.shape[-1])
        needs = 4 * len(self.task.classes) * size[0] * size[1] * self.enlarges**2
        if needs > MAX_BYTES:
            raise BadImage(f"{size[1]:,} x {size[0]:,} pixels of {len(self.task.classes)}"
                           f" {self.task.nouns[1]} do not fit into memory")  # fmt: skip
        return with_fewer(partial(self._outputs, images, size), self.batch)

    def _outputs(self, images: Tensor, size: Size, batch: int) -> Tensor:
        with torch.inference_mode():
            each = [self._of_network(module, images, size, batch) for module in self.modules]
            return each[0] if len(each) == 1 else self.task.averaged(torch.stack(each))

    def _of_network(self, module: nn.Module, images: Tensor, size: Size, batch: int) -> Tensor:
        size = self._enlarged(size)
        views = [
            resized_outputs(self._of_view(module, view, batch, flipped=flipped), size)
            for view, flipped in self._views(images)
        ]
        if len(views) == 1:
            return views[0]
        stacked = torch.stack(views)
        if self.tta is not None and self.tta.average == "logits":
            return stacked.mean(0)
        return self.task.averaged(stacked)

    def _views(self, images: Tensor) -> Iterator[tuple[Tensor, bool]]:
        """The images at each scale, and whether mirrored."""
        fit, tta = self.preparation.fit, self.tta
        height, width = fit.resized(images.shape[-2], images.shape[-1])
        for scale in dict.fromkeys(tta.scales) if tta is not None else (1.0,):
            size = max(1, round(height * scale)), max(1, round(width * scale))
            view = Fit(size, fit.mode, size).whole(images)
            yield view, False
            if tta is not None and tta.flip:
                yield view, True

    def _of_view(self, module: nn.Module, images: Tensor, batch: int, *, flipped: bool) -> Tensor:
        """The outputs for all tiles of images, put together; those of mirrored images are mirrored
        back."""
        size: Size = (images.shape[-2], images.shape[-1])
        images = _filling(images.flip(-1) if flipped else images, self.preparation.size)
        places = list(tiles((images.shape[-2], images.shape[-1]), self.preparation.size))
        height, width = self.preparation.size
        times = self.enlarges
        tiled = [(image, *place) for image in range(len(images)) for place in places]
        total, weights = None, None
        window = _window(self._enlarged(self.preparation.size), self.device)
        for start in range(0, len(tiled), batch):
            part = tiled[start : start + batch]
            pixels = torch.stack(
                [images[i, :, top : top + height, left : left + width] for i, top, left in part]
            )
            outputs = module(self.preparation.prepare(pixels.to(self.device))).float()
            if len(places) == 1 and len(part) == len(tiled):
                total = outputs
                break
            if total is None:
                whole_size = self._enlarged((images.shape[-2], images.shape[-1]))
                total = torch.zeros(len(images), outputs.shape[1], *whole_size, device=self.device)
                weights = torch.zeros(whole_size, device=self.device)
            for (image, top, left), output in zip(part, outputs, strict=True):
                there = (
                    slice(times * top, times * (top + height)),
                    slice(times * left, times * (left + width)),
                )
                total[image][:, there[0], there[1]] += output * window
                if image == 0:
                    assert weights is not None
                    weights[there] += window
        assert total is not None
        whole: Tensor = total if weights is None else total / weights
        whole = whole[..., : times * size[0], : times * size[1]]
        return whole.flip(-1) if flipped else whole

    def _enlarged(self, size: Size) -> Size:
        return self.enlarges * size[0], self.enlarges * size[1]


def _filling(images: Tensor, least: Size) -> Tensor:
    """Images padded at their right and lower edges to at least this size, by their last pixels."""
    down, right = (max(0, w - h) for w, h in zip(least, images.shape[-2:], strict=True))
    if not down and not right:
        return images
    return F.pad(images.float(), (0, right, 0, down), mode="replicate").to(torch.uint8)


def tiles(size: Size, tile: Size) -> Iterator[tuple[int, int]]:
    """The upper left corners of tiles that cover an image, evenly spaced."""
    for top in _starts(size[0], tile[0]):
        for left in _starts(size[1], tile[1]):
            yield top, left


def _starts(length: int, tile: int) -> list[int]:
    if length <= tile:
        return [0]
    steps = ceil((length - tile) / max(1, tile * (1 - OVERLAP)))
    return [round(number * (length - tile) / steps) for number in range(steps + 1)]


def _window(size: Size, device: torch.device) -> Tensor:
    """The weights of the pixels of a tile: largest in its middle, almost zero at its edges."""
    each = [
        (torch.sin((torch.arange(side, device=device) + 0.5) * pi / side) ** 2).clamp(min=1e-3)
        for side in size
    ]
    return each[0][:, None] * each[1]


def resized_outputs(outputs: Tensor, size: Size) -> Tensor:
    """Outputs (images x classes x height x width) of another size, interpolated."""
    if outputs.shape[-2:] == size:
        return outputs
    return F.interpolate(outputs, size, mode="bilinear", align_corners=False, antialias=True)


def classes_of(outputs: Tensor, size: Size) -> Tensor:
    """The class of each pixel of an image of this size (uint8), from its outputs (classes x height
    x width): interpolated, class by class, so that a large image needs little memory."""
    if outputs.shape[-2:] == size:
        return outputs.argmax(0).to(torch.uint8)
    best = resized_outputs(outputs[None, :1], size)[0, 0]
    classes = torch.zeros(size, dtype=torch.uint8, device=outputs.device)
    for number in range(1, len(outputs)):
        one = resized_outputs(outputs[None, number : number + 1], size)[0, 0]
        larger = one > best
        best = torch.where(larger, one, best)
        classes[larger] = number
    return classes
