"""Augmentations by random operations from a published list: RandAugment, TrivialAugment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...language.kinds import whole
from .augmentation import Augmentation, filling
from .passes import POLICY, Cost, PassKind, Size, numbers


class OfAList(Augmentation):
    """Random operations from a published list."""

    pass_kind = POLICY

    def needs_one_input(self) -> str:
        return "its operations change the colors of a single image"

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        """The most expensive operations of the lists read a neighborhood of 3 x 3."""
        count = numbers(input_size, channels)
        return Cost(count * 12 * self.rounds, self._touched(input_size, channels) * self.rounds)

    @property
    def rounds(self) -> int:
        """The number of operations per image."""
        return 1


class RandAugment(OfAList):
    """Apply random operations of one strength (Cubuk et al., arXiv:1909.13719)."""

    word = "randaugment"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "randaugment": "auto_aug aa rand_augment AutoAugment auto_augment AugMix rand_m9_mstd0.5"
    }

    n: int = whole("number of operations for each image", 2, maximum=100, elsewhere="num_ops")
    magnitude: int = whole("strength, of 30", 9, minimum=0, maximum=30, elsewhere="m")
    fill: Any = filling()

    @property
    def rounds(self) -> int:
        return self.n


class Trivial(OfAList):
    """Apply one operation of random strength (Müller and Hutter, arXiv:2103.10158)."""

    word = "trivial"
    elsewhere: ClassVar[Mapping[str, str]] = {"trivial": "TrivialAugmentWide trivialaugment"}

    fill: Any = filling()
