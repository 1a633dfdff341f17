"""What weights take pixels to be: the same has to hold for whoever begins with them."""

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
    """A plan in which `evaluate` says what the weights have learned from, where it said nothing."""
    evaluate = plan.evaluate
    if not evaluate.normalize.written:
        evaluate = replace(evaluate, normalize=normalize(pixels, plan.input[0]))
    resize, crop = evaluate.resize, evaluate.crop
    if resize is not None and crop is not None and not (resize.written or crop.written):
        mode = pixels.mode if pixels.mode in MODES else resize.mode
        side = _side(pixels, crop.side)
        if side is not None:
            evaluate = replace(evaluate, resize=Resize.make(side=side, mode=mode))
    return replace(plan, evaluate=evaluate)


def normalize(pixels: Pixels, channels: int) -> Normalize:
    """For images with so many channels."""
    colours = channels == len(pixels.mean)
    return Normalize.make(
        preset="none",
        mean=_each(pixels.mean, channels),
        std=_each(pixels.std, channels),
        scale=pixels.scale,
        order=pixels.order if colours else "rgb",
    )


def _each(numbers: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Of three colours for grey, their mean; of grey for colours, the same for each."""
    if len(numbers) == channels:
        return numbers
    return (sum(numbers) / len(numbers),) * channels


def _side(pixels: Pixels, crop: Size) -> int | Size | None:
    """To what images are resized: as much larger than the input as they were."""
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
