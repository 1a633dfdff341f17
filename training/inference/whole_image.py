"""Answers for whole images of any size: tiles of the size of the network's input, that overlap.

An image is resized as for training, but not cropped. If it is then larger than the input of the
network, the network answers for tiles of it (`tiling.py`). What the resize has done is undone on
the outputs, before each pixel gets its class or its color. Outputs may be larger than the image, as
in super-resolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...compiler.plan.evaluate import Tta
from ..data.images.image_file import BadImage
from ..data.images.preprocessing import Preparation
from ..data.images.resize import Fit, Size
from ..data.samples.sample_fit import SampleFit
from ..masks.tiling import TOGETHER, Tiling, bands, outputs_of
from ..runtime.memory_errors import with_fewer
from ..tasks.task import Task

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
    batch: int = TOGETHER
    """The largest number of tiles that go through a network at a time."""
    tiling: Tiling | None = None
    """By default, tiles have the size of the network's input."""
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

    def masks(self, images: Tensor) -> Iterator[Tensor]:
        """The class of each pixel of images of the same size (uint8, height x width), on the CPU.
        Of images that keep their size, the outputs are never in memory as a whole."""
        sizing = self.preparation.sizing
        if isinstance(sizing, SampleFit):
            for sample in images:
                yield self._mask_of_sample(sample, sizing)
            return
        size: Size = (images.shape[-2], images.shape[-1])
        if self._scales != (1.0,) or self.preparation.fit.resized(*size) != size:
            for outputs in self.outputs(images):
                yield classes_of(outputs, size).cpu()
            return
        for image in images:
            yield with_fewer(partial(self._mask, image), self.batch)

    def _mask_of_sample(self, sample: Tensor, fit: SampleFit) -> Tensor:
        sizes = fit.sizes_of(sample)
        mask = with_fewer(partial(self._mask, fit.padded(fit.whole(sample))), self.batch)
        for axis, (start, length) in enumerate(zip(fit.before(sizes), sizes, strict=True)):
            mask = mask.narrow(axis, start, length)
        return mask.contiguous()

    def _mask(self, image: Tensor, batch: int) -> Tensor:
        with torch.inference_mode():
            rows = bands(self._averaged, image[None], self._tiles, batch)
            return torch.cat([band.rows[0].argmax(0).to(torch.uint8).cpu() for band in rows])

    def _outputs(self, images: Tensor, size: Size, batch: int) -> Tensor:
        with torch.inference_mode():
            if self._scales == (1.0,):
                view = Fit(size, self.preparation.fit.mode, size).whole(images)
                return outputs_of(self._averaged, view, self._tiles, batch, self.enlarges)
            each = [self._of_scales(module, images, size, batch) for module in self.modules]
            return each[0] if len(each) == 1 else self.task.averaged(torch.stack(each))

    def _of_scales(self, module: nn.Module, images: Tensor, size: Size, batch: int) -> Tensor:
        """The outputs of a network, averaged over views in several sizes."""
        height, width = size
        larger = self.enlarges * height, self.enlarges * width
        views = []
        for scale in self._scales:
            smaller = max(1, round(height * scale)), max(1, round(width * scale))
            view = Fit(smaller, self.preparation.fit.mode, smaller).whole(images)
            for flipped in self._flips:
                answer = partial(self._of_network, module, flipped=flipped)
                found = outputs_of(answer, view, self._tiles, batch, self.enlarges)
                views.append(resized_outputs(found, larger))
        return self._average_of_views(views)

    def _averaged(self, pixels: Tensor) -> Tensor:
        """The outputs for tiles, averaged over mirrored views and networks."""
        each = [
            self._average_of_views(
                [self._of_network(module, pixels, flipped=flipped) for flipped in self._flips]
            )
            for module in self.modules
        ]
        return each[0] if len(each) == 1 else self.task.averaged(torch.stack(each))

    def _of_network(self, module: nn.Module, pixels: Tensor, *, flipped: bool) -> Tensor:
        prepared = self.preparation.prepare(pixels.to(self.device))
        outputs: Tensor = module(prepared.flip(-1) if flipped else prepared).float()
        return outputs.flip(-1) if flipped else outputs

    def _average_of_views(self, views: Sequence[Tensor]) -> Tensor:
        if len(views) == 1:
            return views[0]
        stacked = torch.stack([*views])
        if self.tta is not None and self.tta.average == "logits":
            return stacked.mean(0)
        return self.task.averaged(stacked)

    @property
    def _tiles(self) -> Tiling:
        return self.tiling or Tiling(self.preparation.sizing.crop)

    @property
    def _scales(self) -> tuple[float, ...]:
        return tuple(dict.fromkeys(self.tta.scales)) if self.tta is not None else (1.0,)

    @property
    def _flips(self) -> tuple[bool, ...]:
        return (False, True) if self.tta is not None and self.tta.flip else (False,)


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
