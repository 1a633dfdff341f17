"""The augmentation of a plan as one module, for whole batches on any device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...compiler.plan.augment import CutMix as CutMixDirective
from ...compiler.plan.fusion import Fusion, Pass
from .area_resize import Resize
from .color import Colours, Hue
from .erase import Erase
from .gaussian import Blur
from .geometry import Geometry
from .mix import CutMix, Mixup
from .noise import Noise
from .noise_table import Table
from .per_image import Alone, Done, Finish
from .policies import Policy
from .random_numbers import Draws, Layout

Numbers = tuple[Tensor, Tensor]
"""Factor and offset of each channel: what pixels of 0..255 become."""


class Augmenter(nn.Module):
    """Images of a batch as the network takes them, each changed as it was drawn.

    `images` are uint8, or float32 of 0..255, N x C x H x W; they are left as they are. `indices`
    are their places in the data: what is drawn for an image depends on seed, epoch and that alone.
    Labels come back as they are or, where images are mixed, as shares of classes; and without the
    last `guests` of them and of the images, which are there to be mixed with.
    """

    def __init__(
        self,
        fusion: Fusion,
        normalize: Numbers,
        *,
        seed: int,
        classes: int,
        reverse: bool = False,
        reuse: bool = False,
    ) -> None:
        """`reverse`: blue first, at the end; `normalize` is for the channels as they come. `reuse`:
        on a CPU, images that were made may be written over when the next ones are."""
        super().__init__()
        self._reuse = reuse
        self.fusion = fusion
        self._classes = classes
        layout = Layout()
        parts = _Parts(layout, seed, normalize)
        self._steps: list[Alone | Mixup | CutMix] = []
        row: list[tuple[Done, bool]] = []
        for one in fusion.passes:
            made = parts.made(one)
            if isinstance(made, Mixup | CutMix):
                self._steps += [Alone(row), made] if row else [made]
                row = []
            else:
                row.append((made, one.family == "geometry" and one.kind != "resize"))
        if row or fusion.normalizes or reverse:
            finish = Finish(normalize if fusion.normalizes else None, reverse)
            self._steps.append(Alone(row, finish))
        self._draws = Draws(layout, seed)
        self.guests = sum(isinstance(step, Mixup | CutMix) for step in self._steps)
        """How many images more than come back are to be handed over, those behind in the order."""

    def forward(
        self, images: Tensor, labels: Tensor, indices: Tensor, epoch: int = 0
    ) -> tuple[Tensor, Tensor]:
        if len(images) <= self.guests:
            raise ValueError(f"{len(images)} images, {self.guests} of them only to mix with")
        drawn = self._draws(epoch, indices.to(images.device))
        for step in self._steps:
            if isinstance(step, Alone):
                images = step(images, drawn, self._reuse)
            else:
                images, labels = step(images.to(torch.float32), self._shares(labels), drawn)
                drawn = drawn[:, : len(images)]
        return images, labels

    def _shares(self, labels: Tensor) -> Tensor:
        """Of every class: 1 for that of a label."""
        if labels.ndim == 2:
            return labels.float()
        return nn.functional.one_hot(labels, self._classes).float()


class _Parts:
    """What passes are made with."""

    def __init__(self, layout: Layout, seed: int, normalize: Numbers) -> None:
        self._layout = layout
        self._normal = Table(seed, "normal")
        self._even = Table(seed, "even")
        self._normalize = normalize

    def made(self, one: Pass) -> Done | Mixup | CutMix:
        """A pass as something that can be called."""
        layout, step = self._layout, one.steps[0]
        match one.kind:
            case "move" | "warp":
                return Geometry(one, layout, self._even)
            case "resize":
                return Resize(step, layout)
            case "colour":
                return Colours(one, layout, self._normalize if one.normalizes else None)
            case "hue":
                return Hue(step, layout)
            case "noise":
                return Noise(step, layout, self._normal)
            case "blur":
                return Blur(step, layout)
            case "erase":
                return Erase(step, layout, self._normal, self._normalize)
            case "policy":
                return Policy(step, layout)
            case "mix":
                mixing = isinstance(step.directive, CutMixDirective)
                return CutMix(step, layout) if mixing else Mixup(step, layout)
        raise AssertionError(one.kind)
