"""Preprocessing: from an image file to the input of the network, in training and in inference.

An image is resized and center-cropped (`resize.py`), and its bytes are normalized:

    prepared[c] = pixel[c] * (scale / std[c]) - mean[c] / std[c]

in float32; both factors are computed in double precision and rounded once. With `order` bgr, the
channels are reversed first, and mean and std are in the reversed order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ....compiler.language.values import spelled
from ....compiler.plan.plan import TrainPlan
from .decode import decode
from .resize import Fit, Size, evaluation_fit

FORMAT = 1
MAX_SIDE = 2**14
"""A limit of height and width, because the metadata of weights may claim any size."""


class NoPreparation(ValueError):
    """The text is not a preprocessing record that `to_json` wrote."""


@dataclass(frozen=True)
class Preparation:
    """All steps between an image file and the input of the network."""

    channels: int
    fit: Fit
    scale: float
    mean: tuple[float, ...]
    """One number for each channel."""
    std: tuple[float, ...]
    order: str = "rgb"

    @staticmethod
    def of(plan: TrainPlan, mean: tuple[float, ...], std: tuple[float, ...]) -> Preparation:
        """The preprocessing of a plan; `mean` and `std` are used if the plan says `measured`."""
        pixels = plan.evaluate.normalize.pixels
        channels = plan.input[0]
        return Preparation(
            channels,
            evaluation_fit(plan),
            pixels.scale,
            _each(pixels.mean or mean, channels),
            _each(pixels.std or std, channels),
            pixels.order if channels == 3 else "rgb",
        )

    def image(self, source: Any) -> Tensor:
        """A file, a Pillow image or an array, resized and cropped to the input size of the network,
        as uint8; raises BadImage."""
        return self.fit(decode(source, self.channels))

    def prepare(self, images: Tensor) -> Tensor:
        """Normalizes images: from uint8 (or numbers from 0 to 255) to float32, images x channels x
        height x width, on the device of the images."""
        factor, offset = self._on(images.device)
        if self.order == "bgr":
            images = images.flip(-3)
        return images.to(torch.float32).mul(factor).add_(offset)

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._factors:
            factor = [self.scale / std for std in self.std]
            offset = [-mean / std for mean, std in zip(self.mean, self.std, strict=True)]
            self._factors[device] = (
                torch.tensor(factor, dtype=torch.float64).float().view(-1, 1, 1).to(device),
                torch.tensor(offset, dtype=torch.float64).float().view(-1, 1, 1).to(device),
            )
        return self._factors[device]

    @cached_property
    def _factors(self) -> dict[torch.device, tuple[Tensor, Tensor]]:
        return {}

    @property
    def size(self) -> Size:
        """Height and width of the input of the network."""
        return self.fit.crop

    def lines(self) -> tuple[str, ...]:
        """The preprocessing as lines of the `evaluate` section of a spec."""
        normalize = f"normalize mean={_number(self.mean)} std={_number(self.std)}"
        if self.scale != 1 / 255:
            normalize += f" scale={spelled(self.scale)}"
        if self.order == "bgr":
            normalize += " order=bgr"
        return (*self.fit.lines(), normalize)

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Preparation:
        """Raises NoPreparation for anything but what `to_json` wrote."""
        try:
            return _read(json.loads(text))
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise NoPreparation(f"this is not a preprocessing record: {error!r}") from None


def _read(data: Mapping[str, Any]) -> Preparation:
    if data["format"] != FORMAT:
        raise ValueError(f"this is format {data['format']!r}, not {FORMAT}")
    fit = data["fit"]
    resize = fit["resize"]
    preparation = Preparation(
        int(data["channels"]),
        Fit(
            _size(resize) if isinstance(resize, list) else int(resize),
            str(fit["mode"]),
            _size(fit["crop"]),
        ),
        float(data["scale"]),
        tuple(map(float, data["mean"])),
        tuple(map(float, data["std"])),
        str(data["order"]),
    )
    sides = preparation.fit.crop + (
        preparation.fit.resize if isinstance(preparation.fit.resize, tuple) else ()
    )
    if isinstance(preparation.fit.resize, int):
        sides += (preparation.fit.resize,)
    numbers = (preparation.scale, *preparation.mean, *preparation.std)
    fine = len(preparation.mean) == len(preparation.std) == preparation.channels and all(
        std > 0 for std in preparation.std
    )
    fine = fine and all(map(math.isfinite, numbers)) and all(0 < side <= MAX_SIDE for side in sides)
    if not fine or preparation.order not in ("rgb", "bgr"):
        raise ValueError("its values contradict each other")
    return preparation


def _size(value: Any) -> Size:
    height, width = value
    return int(height), int(width)


def _number(numbers: tuple[float, ...]) -> str:
    return spelled(numbers if len(numbers) > 1 else numbers[0])


def _each(numbers: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return numbers * channels if len(numbers) == 1 else numbers


def described_preprocessing(preparation: Preparation) -> dict[str, Any]:
    """The preprocessing described for other programs, in words and numbers. `color_modes.py` says
    how image files other than 8-bit RGB are converted."""
    fit = preparation.fit
    side = isinstance(fit.resize, int)
    return {
        "decode": (
            "turned upright by EXIF orientation; transparency on white; 16 bits / 257, rounded"
        ),
        "color": {1: "grey, ITU-R 601 luma", 3: "RGB"}.get(preparation.channels, "as in the file"),
        "resize": fit.resize,
        "resize_is": "shorter side" if side else "height, width",
        "resize_longer_side": "int(resize * longer / shorter)" if side else "",
        "interpolation": fit.mode,
        "antialias": fit.mode != "nearest",
        "resize_rounding": "to bytes after each axis, width before height; 16-bit weights",
        "crop": list(fit.crop),
        "crop_offset": "round((size - crop) / 2), half to even",
        "order": preparation.order,
        "scale": preparation.scale,
        "mean": list(preparation.mean),
        "std": list(preparation.std),
        "formula": "float32(pixel) * float32(scale / std) + float32(-mean / std)",
        "layout": "images x channels x height x width",
    }
