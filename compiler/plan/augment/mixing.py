"""Augmentations that mix two images and their labels: mixup, cutmix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from ....dsl.diagnostics import Edit
from ...language.kinds import number
from ...language.problems import Problem
from ..directive import Context, conflict
from ..loss import IMAGES, Focal, Loss, maps_of
from .augmentation import Augmentation, probability
from .passes import MIX, Cost, PassKind, Size, numbers


class Mixing(Augmentation):
    """Base of directives that mix two images and their labels."""

    several = False
    pass_kind = MIX

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        count = numbers(input_size, channels)
        return Cost(count * 2, self._touched(input_size, channels) + 4 * count)

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        if self.origin is None:
            return
        maps = maps_of(context)
        for loss in context.all(Loss):
            if isinstance(loss, Focal) and loss.output not in maps:
                message = f"`{self.word}` gives an image two classes; `loss focal` takes one"
                help = "write `loss cross_entropy`, or take this out"
                yield conflict(message, self, loss, help=help)


class Mixup(Mixing):
    """Blend pairs of images and their labels (Zhang et al., arXiv:1710.09412)."""

    word = "mixup"
    works_on = "anything"
    of_scans = True
    elsewhere: ClassVar[Mapping[str, str]] = {"mixup": "mixup_alpha mix_up"}

    alpha: float = number(
        "parameter of Beta(alpha, alpha), from which the weights are drawn; if small, one image"
        " dominates", 0.2,
        minimum=0, above=True, maximum=100,
    )  # fmt: skip
    p: float = probability()

    def problems(self, context: Context) -> Iterator[Problem]:
        maps = maps_of(context)
        losses = [loss for loss in Loss.filled(context) if loss.output in maps]
        if self.origin is not None and any(IMAGES not in loss.tasks for loss in losses):
            yield context.unfit(
                self.origin.span,
                "`mixup` blends images, and a pixel of a mask has one class",
                "write `cutmix`, which pastes a part of another image with its mask",
                (Edit(self.origin.span, "cutmix"),),
            )
            return
        yield from super().problems(context)


class CutMix(Mixing):
    """Paste a rectangle of another image, and mix the labels (Yun et al., arXiv:1905.04899)."""

    word = "cutmix"
    works_on = "maps"
    elsewhere: ClassVar[Mapping[str, str]] = {"cutmix": "cutmix_alpha cut_mix"}

    alpha: float = number(
        "parameter of Beta(alpha, alpha), from which the areas are drawn", 1.0,
        minimum=0, above=True, maximum=100,
    )  # fmt: skip
    p: float = probability()
