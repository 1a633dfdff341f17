"""The preprocessing that pretrained weights expect, and a plan that uses it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ...compiler.plan.evaluate import MODES, Normalize, Resize
from ...compiler.plan.plan import TrainPlan
from ..data.images.preprocessing import Preparation
from ..data.images.resize import Size


class Pixels(NamedTuple):
    resize: int | Size
    mode: str
    crop: Size
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    order: str = "rgb"

    @staticmethod
    def of(known: Preparation) -> Pixels:
        fit = known.fit
        return Pixels(
            fit.resize, fit.mode, fit.crop, known.mean, known.std, known.scale, known.order
        )


def with_pixels(plan: TrainPlan, pixels: Pixels) -> TrainPlan:
    """The plan with the preprocessing of the weights, as far as `evaluate` does not set its own."""
    evaluate = plan.evaluate
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
