"""The preprocessing that pretrained weights expect, and a plan that uses it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ...compiler.plan.evaluate import MODES, Normalize, Resize
from ...compiler.plan.plan import TrainPlan
from ...compiler.plan.spectrogram import TimeFrequency
from ..data.images.preprocessing import Preparation
from ..data.images.resize import Fit, Size


class Pixels(NamedTuple):
    resize: int | Size
    mode: str
    crop: Size
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    order: str = "rgb"
    of_images: bool = True
    """False for series and scans, which have no resize and no crop of their own."""
    each: bool = False
    """Whether each series or scan is normalized by its own mean and deviation."""
    spectrogram: TimeFrequency | None = None
    """What is computed of a series, and normalized."""

    @staticmethod
    def of(known: Preparation) -> Pixels:
        numbers = known.mean, known.std, known.scale, known.order
        if not isinstance(known.sizing, Fit):
            each, spectrogram = known.sizing.each, known.spectrogram
            return Pixels(0, "", (0, 0), *numbers, False, each, spectrogram)
        return Pixels(known.sizing.resize, known.sizing.mode, known.sizing.crop, *numbers)


def with_pixels(plan: TrainPlan, pixels: Pixels) -> TrainPlan:
    """The plan with the preprocessing of the weights, as far as `evaluate` does not set its own."""
    evaluate = plan.evaluate
    if pixels.of_images == plan.has_samples or pixels.spectrogram != evaluate.spectrogram:
        return plan  # the numbers that they were trained on mean something else
    fits = not plan.inputs or plan.input[0] == len(pixels.mean)
    if fits and not evaluate.normalize.written:
        evaluate = evaluate.normalized_by(normalize(pixels, plan.input[0]))
    resize, crop = evaluate.resize, evaluate.crop
    if resize is not None and crop is not None and not (resize.written or crop.written):
        mode = pixels.mode if pixels.mode in MODES else resize.mode
        side = _side(pixels, crop.side)
        if side is not None:
            evaluate = replace(evaluate, resize=Resize.make(side=side, mode=mode))
    return replace(plan, evaluate=evaluate)


def normalize(pixels: Pixels, channels: int) -> Normalize:
    """The `normalize` directive for images with this number of channels."""
    same_channels = channels == len(pixels.mean)
    if pixels.each:
        return Normalize.make(preset="each", scale=pixels.scale)
    return Normalize.make(
        preset="none",
        mean=_each(pixels.mean, channels),
        std=_each(pixels.std, channels),
        scale=pixels.scale,
        order=pixels.order if same_channels else "rgb",
    )


def _each(numbers: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Numbers for each channel. From color to gray it is their mean; from gray to color, the same
    number for each channel."""
    if len(numbers) == channels:
        return numbers
    return (sum(numbers) / len(numbers),) * channels


def _side(pixels: Pixels, crop: Size) -> int | Size | None:
    """The size to resize to: the ratio between resize and crop remains that of the weights."""
    if pixels.crop == crop:
        return pixels.resize
    if not isinstance(pixels.resize, int):
        height, width = (
            max(to, round(to * resized / cut))
            for to, resized, cut in zip(crop, pixels.resize, pixels.crop, strict=True)
        )
        return height, width
    if crop[0] == crop[1] and pixels.crop[0] == pixels.crop[1]:
        return max(crop[0], round(crop[0] * pixels.resize / pixels.crop[0]))
    return None
