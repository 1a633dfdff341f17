"""One series or scan from a file or an array: .npy, .npz, .csv, .tsv, .txt and .wav files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from ....compiler.shapes import Shape, axes_of
from ...untrusted.bad_file import BadFile
from ..images.array_file import array_in
from ..images.image_file import BadImage, contents
from ..images.in_memory import is_array
from ..sources.labels import Unfit
from .layout import first_not_finite, layout_of, must_be_numbers, plain
from .sound import SOUND, in_channels, resampled, sound_in

ARRAYS = (".npy", ".npz")
TEXTS = (".csv", ".tsv", ".txt")


def endings_for(shape: Shape) -> tuple[str, ...]:
    """The endings of files that may hold a sample of a shape."""
    return (*ARRAYS, *((*SOUND, *TEXTS) if axes_of(shape) == 1 else ()))


@dataclass(frozen=True)
class SampleFormat:
    """How samples are read for a network."""

    shape: Shape
    """The shape that the network takes, channels first; samples may differ in their axes."""
    rate: int | None = None
    """The samples of sound in a second; None if they stay as the files have them."""

    def read(self, source: Any) -> Tensor:
        """A sample (channels x axes), from a path, the bytes of a WAV file, or an array. Raises
        BadImage, also for numbers that are not finite."""
        sample = self._read(source)
        if not sample.numel():
            raise BadImage("it has no numbers")
        wrong = first_not_finite(sample)
        if wrong:
            raise BadImage(wrong)
        return sample

    def _read(self, source: Any) -> Tensor:
        if is_array(source):
            return self._arranged(source)
        if isinstance(source, bytes):
            return self._sound(source)
        if not isinstance(source, (str, os.PathLike)):
            raise BadImage(f"a sample is a path or an array, not {type(source).__name__}")
        path = Path(source)
        ending = path.suffix.lower()
        if ending in SOUND and axes_of(self.shape) == 1:
            return self._sound(contents(str(path)))
        if ending in TEXTS and axes_of(self.shape) == 1:
            return self._arranged(_numbers_in(path))
        if ending in ARRAYS:
            try:
                return self._arranged(array_in(path))
            except BadFile as error:
                raise BadImage(str(error)) from None
        raise BadImage(f"it is none of {', '.join(endings_for(self.shape))}")

    def _arranged(self, array: Any) -> Tensor:
        array = array.detach().cpu().numpy() if isinstance(array, Tensor) else array
        try:
            must_be_numbers(array.dtype)
            if array.ndim == len(self.shape) + 1 and len(array) == 1:
                array = array[0]
            return torch.from_numpy(plain(layout_of(array.shape, self.shape).arranged(array)))
        except Unfit as error:
            raise BadImage(str(error)) from None

    def _sound(self, data: bytes) -> Tensor:
        sound = sound_in(data)
        samples = in_channels(sound.samples, self.shape[0])
        return resampled(samples, sound.rate, self.rate or sound.rate)


def rate_of(path: str) -> int | None:
    """The sample rate of a WAV file; None if it cannot be read."""
    if not path.lower().endswith(SOUND):
        return None
    try:
        return sound_in(contents(path)).rate
    except BadImage:
        return None


def _numbers_in(path: Path) -> Any:
    """The numbers of a text file: a step a line, with a number for each channel; or all steps of a
    channel in a line, or a number a line. A first line of names is left out."""
    try:
        lines = contents(str(path)).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadImage("it is not text") from None
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        cells = line.replace(",", " ").replace(";", " ").replace("\t", " ").split()
        if not cells:
            continue
        try:
            rows.append([float(cell) for cell in cells])
        except ValueError:
            if rows or number > 1:
                raise BadImage(f"line {number} is not numbers: {line.strip()[:40]}") from None
    if not rows:
        raise BadImage("it has no numbers")
    if len({len(row) for row in rows}) > 1:
        raise BadImage(f"its lines have different lengths, {len(rows[0])} numbers in the first")
    table = numpy.array(rows)
    return table.reshape(-1) if 1 in table.shape else table
