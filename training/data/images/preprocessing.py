"""Preprocessing: from an image file to the input of the network, in training and in inference; and
from a series or a scan.

An image is resized and center-cropped (`resize.py`), and its bytes are normalized:

    prepared[c] = pixel[c] * (scale / std[c]) - mean[c] / std[c]

in float32; both factors are computed in double precision and rounded once. With `order` bgr, the
channels are reversed first, and mean and std are in the reversed order.

Series and scans (inputs of one or three axes) are cropped or padded (`samples/sample_fit.py`), and
normalized by the same formula, from numbers in their own units.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ....compiler.language.values import spelled
from ....compiler.plan.plan import NamedInput, TrainPlan
from ....compiler.plan.spectrogram import TimeFrequency, spectrogram_in
from ....compiler.shapes import LAYOUTS, Shape, text
from ..samples.sample_file import SampleFormat
from ..samples.sample_fit import SampleFit, fit_in
from ..to_spectrogram import ToSpectrogram
from .decode import Together, decode
from .image_file import BadImage
from .resize import KEPT, Fit, Size, evaluation_fit

FORMAT = 1
MAX_SIDE = 2**14
"""A limit of height and width, because the metadata of weights may claim any size."""


class NoPreparation(ValueError):
    """The text is not a preprocessing record that `to_json` wrote."""


@dataclass(frozen=True)
class Preparation:
    """All steps between an image file and the input of the network."""

    channels: int
    sizing: Fit | SampleFit
    """The resize and crop of images; or the crop and padding of series and scans."""
    scale: float
    mean: tuple[float, ...]
    """One number for each channel."""
    std: tuple[float, ...]
    order: str = "rgb"
    rate: int | None = None
    """The samples of sound in a second, if the network was trained on sound."""
    spectrogram: TimeFrequency | None = None
    """What is computed of a series; the normalization is that of its result."""
    input: Shape = ()
    """The shape of the network's input, if it is a spectrogram."""
    inputs: tuple[NamedInput, ...] = ()
    """The inputs of a network that has several; `channels` are those of all."""
    depth: int = 8
    """The bits of a channel that are read from image files: 8, 16, or 32 for numbers in units of
    their own."""

    @property
    def fit(self) -> Fit:
        """The resize and crop of images."""
        assert isinstance(self.sizing, Fit), "series and scans are not resized"
        return self.sizing

    @property
    def of_images(self) -> bool:
        """Whether it prepares images, and not series or scans."""
        return isinstance(self.sizing, Fit)

    @property
    def sample(self) -> Shape:
        """The shape of what is prepared, after crop and padding."""
        return (self.channels, *self.sizing.crop)

    @staticmethod
    def of(
        plan: TrainPlan,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        rate: int | None = None,
        depth: int = 8,
    ) -> Preparation:
        """The preprocessing of a plan; `mean` and `std` are used if the plan says `measured`."""
        pixels, spectrogram = plan.normalization, plan.evaluate.spectrogram
        channels = plan.input[0]
        return Preparation(
            plan.sample[0],
            SampleFit.of(plan) if plan.has_samples else evaluation_fit(plan),
            pixels.scale,
            _each(_filled(pixels.mean, mean), channels),
            _each(_filled(pixels.std, std), channels),
            pixels.order if channels == 3 else "rgb",
            rate,
            spectrogram,
            plan.input if spectrogram is not None else (),
            plan.inputs,
            depth,
        )

    @property
    def each(self) -> dict[str, Preparation]:
        """The preprocessing of each input, if there are several."""
        found, start = {}, 0
        for name, channels, _ in self.inputs:
            own = slice(start, start + channels)
            found[name] = replace(
                self, channels=channels, mean=self.mean[own], std=self.std[own], inputs=()
            )
            start += channels
        return found

    def read(self, source: Any) -> Tensor:
        """The whole image of a file, a Pillow image or an array, as uint8, or with more than 8 bits
        as levels from 0 to 255; or a series or a scan of
        a file or an array, in its own units. Raises BadImage."""
        if self.inputs:
            return self._read_together(source)
        if self.of_images:
            return decode(source, self.channels, self.depth)
        sample = SampleFormat(self.sample, self.rate).read(source)
        assert isinstance(self.sizing, SampleFit)
        if self.sizing.too_short(tuple(sample.shape[1:])):
            raise BadImage(
                f"it is {text(tuple(sample.shape))}, smaller than the {text(self.sample)} that the"
                " network takes, and the run pads nothing (`evaluate { pad zero }`)"
            )
        return sample

    def _read_together(self, source: Any) -> Tensor:
        """The sample of a file, an image or an array for each input, by its name."""
        names = [each.name for each in self.inputs]
        if not isinstance(source, Mapping) or {*source} != {*names}:
            there = [str(name) for name in source] if isinstance(source, Mapping) else []
            lacking = [name for name in names if name not in there]
            strange = [name for name in there if name not in names]
            wrong = f"`{lacking[0]}` is missing" if lacking else f"`{strange[0]}` is not one"
            raise BadImage(
                f"the network has the inputs {', '.join(f'`{name}`' for name in names)}"
                + (f", and {wrong}" if isinstance(source, Mapping) else ": name a file for each")
            )
        if self.of_images:
            return decode(
                Together(tuple([(each, source[each.name]) for each in self.inputs])), 0, self.depth
            )
        samples = []
        for name, own in self.each.items():
            try:
                samples.append(own.read(source[name]))
            except BadImage as error:
                raise BadImage(f"its `{name}`: {error.reason}") from None
        if len({sample.shape[1:] for sample in samples}) > 1:
            sizes = [f"`{n}` {text(s.shape)}" for n, s in zip(names, samples, strict=True)]
            raise BadImage(f"its inputs differ in size: {', '.join(sizes)}")
        return torch.cat(samples)

    def image(self, source: Any) -> Tensor:
        """A file, a Pillow image or an array, resized and cropped to the input size of the network,
        as uint8; or a series or a scan, cropped and padded. Raises BadImage."""
        return self.sizing(self.read(source))

    def prepare(self, images: Tensor) -> Tensor:
        """The input of the network, on the device of the images."""
        return self.normalized(self.transformed(images))

    def transformed(self, samples: Tensor) -> Tensor:
        """What is normalized: the samples, or their spectrograms."""
        return samples if self.transform is None else self.transform(samples)

    @cached_property
    def transform(self) -> ToSpectrogram | None:
        """What computes spectrograms, if the network takes them."""
        return ToSpectrogram(self.spectrogram, self.input) if self.spectrogram else None

    def normalized(self, images: Tensor) -> Tensor:
        """Normalizes images: from uint8 (or numbers from 0 to 255) to float32, images x channels x
        height x width, on the device of the images. Series and scans keep their axes; where the
        network takes spectrograms, these are normalized."""
        factor, offset = self._on(images.device)
        if self.order == "bgr":
            images = images.flip(-3)
        return images.to(torch.float32).mul(factor).add_(offset)

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._factors:
            factor = [self.scale / std for std in self.std]
            offset = [-mean / std for mean, std in zip(self.mean, self.std, strict=True)]
            shape = (-1, *(1 for _ in (self.input or self.sample)[1:]))
            self._factors[device] = (
                torch.tensor(factor, dtype=torch.float64).float().view(shape).to(device),
                torch.tensor(offset, dtype=torch.float64).float().view(shape).to(device),
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
        if self.inputs:
            *sizing, first = next(iter(self.each.values())).lines()
            each = [own.lines()[-1] for own in self.each.values()]
            if len({first, *each}) == 1:
                return (*sizing, first)
            named = zip(self.inputs, each, strict=True)
            return (
                *sizing,
                *(line.replace("normalize", f"normalize {one.name}", 1) for one, line in named),
            )
        normalize = f"normalize mean={_number(self.mean)} std={_number(self.std)}"
        if isinstance(self.sizing, SampleFit) and self.sizing.each:
            normalize = "normalize each"
        elif self.scale != (1 / 255 if self.of_images else 1):
            normalize += f" scale={spelled(self.scale)}"
        if self.order == "bgr":
            normalize += " order=bgr"
        transform = (str(self.spectrogram),) if self.spectrogram is not None else ()
        return (*self.sizing.lines(), *transform, normalize)

    def to_json(self) -> str:
        own = asdict(replace(self, spectrogram=None))
        known = {"fit" if key == "sizing" else key: value for key, value in own.items()}
        if self.rate is None:
            del known["rate"]
        if self.depth == 8:
            del known["depth"]
        del known["spectrogram"], known["input"]
        if not self.inputs:
            del known["inputs"]
        if self.spectrogram is not None:
            known["spectrogram"] = {"is": self.spectrogram.word, **self.spectrogram.arguments}
            known["input"] = self.input
        return json.dumps({"format": FORMAT, **known}, indent=2, allow_nan=False) + "\n"

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
    fit, rate = data["fit"], data.get("rate")
    preparation = Preparation(
        int(data["channels"]),
        _fit_of_images(fit) if "resize" in fit else fit_in(fit),
        float(data["scale"]),
        tuple(map(float, data["mean"])),
        tuple(map(float, data["std"])),
        str(data["order"]),
        None if rate is None else int(rate),
        spectrogram_in(data["spectrogram"]) if "spectrogram" in data else None,
        tuple(map(int, data.get("input", ()))),
        tuple(
            [
                NamedInput(str(name), int(count), str(like))
                for name, count, like in data.get("inputs", ())
            ]
        ),
        int(data.get("depth", 8)),
    )
    if preparation.inputs and sum(one.channels for one in preparation.inputs) != int(
        data["channels"]
    ):
        raise ValueError("its inputs do not have its channels")
    transform = preparation.spectrogram
    if transform is not None and transform.sample(preparation.input) != preparation.sample:
        raise ValueError("its spectrogram does not fit its series")
    sides: tuple[int, ...] = preparation.sizing.crop
    if preparation.of_images:
        resize = preparation.fit.resize
        if resize != KEPT:
            sides += resize if isinstance(resize, tuple) else (resize,)
    elif math.prod(sides) <= MAX_SIDE**2:
        sides = ()
    if preparation.rate is not None and preparation.rate <= 0:
        raise ValueError("its values contradict each other")
    numbers = (preparation.scale, *preparation.mean, *preparation.std)
    channels = preparation.input[0] if transform is not None else preparation.channels
    fine = len(preparation.mean) == len(preparation.std) == channels and all(
        std > 0 for std in preparation.std
    )
    fine = fine and all(map(math.isfinite, numbers)) and all(0 < side <= MAX_SIDE for side in sides)
    fine = fine and preparation.depth in (8, 16, 32)
    if not fine or preparation.order not in ("rgb", "bgr"):
        raise ValueError("its values contradict each other")
    return preparation


def _fit_of_images(fit: Mapping[str, Any]) -> Fit:
    resize = fit["resize"]
    return Fit(
        _size(resize) if isinstance(resize, list) else int(resize),
        str(fit["mode"]),
        _size(fit["crop"]),
        bool(fit.get("fills", False)),
    )


def _size(value: Any) -> Size:
    height, width = value
    return int(height), int(width)


def _number(numbers: tuple[float, ...]) -> str:
    return spelled(numbers if len(numbers) > 1 else numbers[0])


def _filled(numbers: tuple[float, ...] | None, measured: tuple[float, ...]) -> tuple[float, ...]:
    """Numbers with those that are NaN as they were measured."""
    if not numbers:
        return measured
    every = measured if len(measured) == len(numbers) else measured[:1] * len(numbers)
    pairs = zip(numbers, every or numbers, strict=True)
    return tuple(other if math.isnan(own) else own for own, other in pairs)


def _each(numbers: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Numbers for each channel; of images that are stored in color and become gray, their mean."""
    if channels == 1 < len(numbers):
        return (sum(numbers) / len(numbers),)
    return numbers * channels if len(numbers) == 1 else numbers


def described_preprocessing(preparation: Preparation) -> dict[str, Any]:
    """The preprocessing described for other programs, in words and numbers. `color_modes.py` says
    how image files other than 8-bit RGB are converted."""
    if preparation.inputs:
        described = {name: described_preprocessing(own) for name, own in preparation.each.items()}
        return {"inputs": described}
    if not preparation.of_images:
        return _described_samples(preparation)
    fit = preparation.fit
    side = isinstance(fit.resize, int)
    return {
        "decode": "turned upright by EXIF orientation; transparency on white; "
        + _DECODED[preparation.depth],
        "color": {1: "grey, ITU-R 601 luma", 3: "RGB"}.get(preparation.channels, "as in the file"),
        "resize": "none" if fit.resize == KEPT else fit.resize,
        "resize_is": "shorter side" if side else "height, width",
        "resize_longer_side": "int(resize * longer / shorter)" if side else "",
        "interpolation": fit.mode,
        "antialias": fit.mode != "nearest",
        "resize_rounding": (
            "to bytes after each axis, width before height; 16-bit weights"
            if preparation.depth == 8
            else "none: levels from 0 to 255 with fractions"
        ),
        "crop": list(fit.crop),
        "crop_offset": "round((size - crop) / 2), half to even",
        "order": preparation.order,
        "scale": preparation.scale,
        "mean": list(preparation.mean),
        "std": list(preparation.std),
        "formula": "float32(pixel) * float32(scale / std) + float32(-mean / std)",
        "layout": "images x channels x height x width",
    }


_DECODED = {
    8: "16 bits / 257, rounded",
    16: "16 bits / 257",
    32: "16 bits / 257; signed numbers, those of 32 bits, and floats * 255",
}


def _described_samples(preparation: Preparation) -> dict[str, Any]:
    """The same for series and scans."""
    sizing = preparation.sizing
    assert isinstance(sizing, SampleFit)
    pad = {} if sizing.pad is None else {"pad": sizing.pad, "pad_at": sizing.at}
    rate = {} if preparation.rate is None else {"rate": preparation.rate}
    transform = preparation.spectrogram
    spectrogram: dict[str, Any] = {}
    if transform is not None:
        spectrogram["spectrogram"] = {"is": transform.word, **transform.arguments}
        spectrogram["input"] = list(preparation.input)
    return {
        **rate,
        "crop": list(sizing.crop),
        "crop_offset": "(size - crop) // 2",
        **pad,
        "each": sizing.each,
        **spectrogram,
        "scale": preparation.scale,
        "mean": list(preparation.mean),
        "std": list(preparation.std),
        "formula": "float32(value) * float32(scale / std) + float32(-mean / std)",
        "layout": f"samples x {LAYOUTS[len(sizing.crop)]}",
    }
