"""The augmentation module: applies all passes of a plan to a batch, on any device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...compiler.plan.augment.passes import BLUR, COLOR, ERASE, HUE, MOVE, NOISE, WARP
from ...compiler.plan.fusion import Fusion, Pass
from ..optim.losses import one_hot
from ..runtime.to_device import to_device
from ..tasks.rows_with_maps import NOTHING_BEHIND, Behind, with_maps, without_maps
from . import area_resize, erase, gaussian, noise, own_change, policies  # noqa: F401 - they enter what they do
from .color import Colors
from .geometry import Geometry
from .mix import Mix
from .per_image import ImagePass, Normalize, OfColors, OfInputs, PerImage
from .random_numbers import Draws
from .registry import Normalization, Resources, implementation

MASKS, IMAGES = 3, 4
"""The axes of labels that are masks: images x height x width; and of those that are images."""


class Augmenter(nn.Module):
    """Augments and normalizes the images of a batch, each with random numbers of its own.

    `images` are uint8, or float32 from 0 to 255, N x C x H x W; they are not changed. `indices` are
    their positions in the data: the random numbers of an image depend on seed, epoch and index
    alone; on a GPU, indices are best still on the CPU. Labels are returned unchanged or, where
    images are mixed, as shares of classes; masks (N x H x W) move along with their images, and so
    do maps that stand behind rows of other labels. The last `guests` images and labels are not
    returned: they are only there to be mixed with.
    """

    def __init__(
        self,
        fusion: Fusion,
        normalization: Normalization,
        *,
        seed: int,
        classes: int,
        mixable: Callable[[Tensor], Tensor] | None = None,
        reverse: bool = False,
        reuse: bool = False,
        step: int = 1,
        inputs: Sequence[int] = (),
        clips: bool = True,
        behind: Behind = NOTHING_BEHIND,
    ) -> None:
        """`mixable` turns labels into what can be mixed; by default, shares of `classes`. `reverse`
        reverses the channels at the end (BGR); `normalization` is in the channel order of the
        input. `reuse`: on a CPU, a call may overwrite the images that the call before
        returned. Crops start at multiples of `step`. `inputs` are the channels of each of several
        inputs of the network: they are moved alike, and colors are changed alike in those that have
        some, or, if none has, in all. `clips`: pixels stay from 0 to 255. `behind` are the maps
        behind the rows of labels."""
        super().__init__()
        self._reuse, self._behind = reuse, behind
        self.fusion = fusion
        self._classes, self._mixable = classes, mixable
        resources = Resources.of(seed, normalization, step, clips=clips)
        self._steps: list[PerImage | Mix] = []
        row: list[tuple[ImagePass, bool]] = []
        for one, takes_bytes in _passes(fusion, resources, inputs):
            if isinstance(one, Mix):
                self._steps += [PerImage(row), one] if row else [one]
                row = []
            else:
                row.append((one, takes_bytes))
        if row or fusion.normalizes or reverse:
            normalize = Normalize(normalization if fusion.normalizes else None, reverse)
            self._steps.append(PerImage(row, normalize))
        self._draws = Draws(resources.layout, seed)
        self._draws_on_cpu = Draws(resources.on_cpu, seed, torch.device("cpu"))
        self.guests = sum(isinstance(step, Mix) for step in self._steps)
        """How many more images to pass than are returned: the next ones in the order."""

    def forward(
        self, images: Tensor, labels: Tensor, indices: Tensor, epoch: int = 0
    ) -> tuple[Tensor, Tensor]:
        if len(images) <= self.guests:
            raise ValueError(f"{len(images)} images are too few: mixing needs {self.guests} more")
        drawn = self._draws(epoch, to_device(indices, images.device))
        on_cpu = self._draws_on_cpu(epoch, indices)
        maps: Tensor | None = None
        if self._behind.channels:
            labels, maps = without_maps(labels, self._behind.channels, images.shape[-2:])
        for step in self._steps:
            if isinstance(step, PerImage) and maps is not None:
                images, maps = step(images, drawn, on_cpu, self._reuse, maps, self._behind)
            elif isinstance(step, PerImage):
                moving = labels if labels.ndim in (MASKS, IMAGES) else None
                images, moving = step(images, drawn, on_cpu, self._reuse, moving)
                labels = labels if moving is None else moving
            else:
                mixed = shares(labels, self._classes, self._mixable)
                images = images.to(torch.float32)
                if maps is not None:  # mixed as images are
                    _, maps = step(images, maps, drawn)
                images, labels = step(images, mixed, drawn)
                drawn, on_cpu = drawn[:, : len(images)], on_cpu[:, : len(images)]
        return images, labels if maps is None else with_maps(labels, maps)


def shares(
    labels: Tensor, classes: int, mixable: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Labels as shares of classes: one-hot unless they are shares; masks and images stay. `mixable`
    turns others into what can be mixed."""
    if labels.ndim in (MASKS, IMAGES):
        return labels
    if mixable is not None:
        return mixable(labels)
    if labels.ndim == 2:
        return labels.float()
    return one_hot(labels, classes)


def _passes(
    fusion: Fusion, resources: Resources, inputs: Sequence[int]
) -> Iterator[tuple[Mix | ImagePass, bool]]:
    """Each pass, and whether it accepts uint8."""
    for one in fusion.passes:
        if one.kind in (MOVE, WARP):
            yield Geometry(one, resources), True
        elif one.kind == COLOR and inputs:
            yield (
                OfColors([(at, Colors(part, resources)) for at, part in _of_colors(one, inputs)]),
                False,
            )
        elif one.kind == HUE and inputs:
            (step,) = one.steps
            yield (
                OfColors(
                    [(at, implementation(step, resources)) for at, _ in _of_colors(one, inputs)]
                ),
                False,
            )
        elif one.kind == COLOR:
            yield Colors(one, resources), False
        else:
            (step,) = one.steps
            made = implementation(step, resources)
            spared = one.kind in (NOISE, BLUR, ERASE) or step.directive.spares_targets
            yield OfInputs(made) if spared else made, False


def _of_colors(one: Pass, inputs: Sequence[int]) -> Iterator[tuple[slice, Pass]]:
    """The channels of the inputs whose colors are changed, each with its pass: those in color, or,
    if none is, all."""
    start = 0
    for channels in inputs:
        if channels == 3 or 3 not in inputs:
            yield slice(start, start + channels), replace(one, channels=channels)
        start += channels
