"""Augmentations that change pixels where they are: colors, noise, blur, erased rectangles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ...language.kinds import Range, about_one, between, custom, number, ranged
from ...language.problems import Problem
from ...language.signature import ArgumentError
from ...language.values import Word, interval, show
from ..directive import Context, taken_out
from .augmentation import Augmentation, probability, read_fill, write_fill
from .passes import (
    BLUR,
    COLOR,
    ERASE,
    HUE,
    NOISE,
    ColorChange,
    Cost,
    PassKind,
    Size,
    kernel_size,
    numbers,
)


class Color(Augmentation):
    """Jitter brightness, contrast, saturation and hue."""

    word = "color"
    example = "color brightness=0.2 contrast=0.2"
    for_series = "scale 0.8..1.2"
    synonyms = ("colour",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "color": "RandomColorJitter RandomPhotometricDistort PhotometricDistort ColorJiggle"
        " RGBShift color_distort ColorJitter color_jitter",
        "color brightness=0.2": "Multiply Brightness exposure random_brightness brightness"
        " brightness_range RandomBrightness",
        "color contrast=0.2": "LinearContrast ContrastNormalization random_contrast contrast"
        " RandomContrast",
        "color brightness=0.2 contrast=0.2": "max_lighting RandomBrightnessContrast",
        "color saturation=0.2": "saturation RandomSaturation RandomColorDegeneration",
        "color hue=0.05": "AddToHueAndSaturation random_hue hue RandomHue HueSaturationValue",
    }

    brightness: Range | None = about_one("factor of the brightness", None, keyword_only=True)
    contrast: Range | None = about_one(
        "factor of the distance from the mean gray of the image", None, keyword_only=True
    )
    saturation: Range | None = about_one(
        "factor of the distance from the gray of each pixel", None, keyword_only=True
    )
    hue: Range | None = ranged("rotation of the hues", 0.5, "turns", None, keyword_only=True)
    p: float = probability()

    def check(self) -> None:
        if not any(map(self.arguments.get, ("brightness", "contrast", "saturation", "hue"))):
            raise ArgumentError("no argument is given", "write `color brightness=0.2 contrast=0.2`")

    def color_changes(self) -> tuple[ColorChange, ...]:
        changes = []
        if self.brightness:
            changes.append(ColorChange("brightness", self.brightness[1]))
        if self.contrast:
            changes.append(ColorChange("contrast", self.contrast[1], needs_mean=True))
        if self.saturation:
            changes.append(ColorChange("saturation", self.saturation[1], mixes_channels=True))
        return tuple(changes)

    def pass_kinds(self, input_size: Size) -> tuple[PassKind, ...]:
        linear = (COLOR,) if self.color_changes() else ()
        return (*linear, HUE) if self.hue else linear

    def written_in(self, kind: PassKind) -> str:
        if not self.hue or not self.color_changes():
            return ""
        return f"color hue={interval(self.hue)}" if kind == HUE else str(self.replace(hue=None))

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        """The cost of the hue: conversion to an angle and back."""
        return Cost(numbers(input_size, channels) * 8, self._touched(input_size, channels))

    def needs_colors(self) -> bool:
        return self.saturation is not None or self.hue is not None

    def colorless(self, context: Context) -> Problem:
        name = "saturation" if self.saturation is not None else "hue"
        place = self.place(name)
        assert place is not None
        return context.unfit(
            place, f"only color images have a {name}", f"take `{name}` out", taken_out(place)
        )


class Grayscale(Augmentation):
    """Remove colors at random, leaving three equal channels."""

    word = "grayscale"
    synonyms = ("greyscale",)
    works_on = "colors"
    pass_kind = COLOR
    elsewhere: ClassVar[Mapping[str, str]] = {"grayscale": "RandomGrayscale ToGray RandomGrayScale"}

    p: float = probability(0.1)

    def color_changes(self) -> tuple[ColorChange, ...]:
        return (ColorChange("grayscale", 1.0, mixes_channels=True),)


class PcaColor(Augmentation):
    """Shift colors along the principal components of ImageNet (Krizhevsky et al., 2012)."""

    word = "pca_color"
    works_on = "colors"
    pass_kind = COLOR
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pca_color": "lighting pca pca_jitter pca_noise lighting_noise PCA FancyPCA pca_lighting"
    }

    deviation: float = number("standard deviation of the shift", 0.1, minimum=0, maximum=10)
    p: float = probability()

    def color_changes(self) -> tuple[ColorChange, ...]:
        return (ColorChange("light", math.inf),)


class Noise(Augmentation):
    """Add Gaussian noise to each pixel."""

    word = "noise"
    works_on = "anything"
    pass_kind = NOISE
    elsewhere: ClassVar[Mapping[str, str]] = {
        "noise": "SaltAndPepper Spatter AdditiveGaussianNoise gaussian_noise RandomNoise"
        " MultiplicativeNoise GaussNoise GaussianNoise RandomGaussianNoise ISONoise",
    }

    deviation: Range = between(
        "standard deviation, where white is 1", 0, 1, example="0.05", elsewhere="sigma std stddev"
    )
    p: float = probability()

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        count = numbers(input_size, channels)
        return Cost(count, self._touched(input_size, channels) + 4 * count)


class Blur(Augmentation):
    """Blur with a Gaussian kernel."""

    word = "blur"
    pass_kind = BLUR
    elsewhere: ClassVar[Mapping[str, str]] = {
        "blur": "AdvancedBlur ZoomBlur GlassBlur gaussian_blur MedianBlur Defocus AverageBlur"
        " GaussianBlur RandomGaussianBlur MotionBlur",
    }

    sigma: Range = between("standard deviation of the kernel, in pixels", 0, 100, (0.1, 2.0))
    p: float = probability()

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        macs = numbers(input_size, channels) * 2 * kernel_size(self.sigma[1], 6)
        return Cost(macs, 2 * self._touched(input_size, channels))


def _erasing(value: object) -> Any:
    if isinstance(value, Word):
        if value in ("zero", "noise"):
            return str(value)
        habit = {"random": "noise", "pixel": "noise", "black": "zero", "const": "zero"}
        raise ArgumentError(
            f"{show(value)} is not one of them", instead=habit.get(value.lower(), "")
        )
    return read_fill(value)


class Erase(Augmentation):
    """Erase a random rectangle (Zhong et al., arXiv:1708.04896)."""

    word = "erase"
    pass_kind = ERASE
    for_series = "mask time=10%"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "erase": "GridDropout PixelDropout ChannelDropout erasing cut_out GridMask Dropout"
        " CoarseDropoutV2 RandomErasing Cutout CoarseDropout random_erasing reprob random_cutout",
    }

    scale: Range = between("share of the image's area", 0, 1, (0.02, 0.33), keyword_only=True)
    ratio: Range = between("aspect ratio: width / height", 0.01, 100, (0.3, 3.3), keyword_only=True)
    fill: Any = custom(
        "what the rectangle is filled with",
        _erasing,
        "`zero`, `noise`, or a color like (124, 116, 104), each from 0 to 255",
        "zero",
        takes_words=True,
        keyword_only=True,
        words=("zero", "noise"),
        write=write_fill,
        elsewhere="value",
    )
    p: float = probability(0.25)

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        return Cost(0, 4 * numbers(input_size, channels))
