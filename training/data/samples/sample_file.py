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
from ..sources.file_names import clean
from ..sources.unfit import Unfit
from .sample_endings import ARRAYS, SOUND, TEXTS, endings_for, in_archive
from .sample_layout import first_not_finite, layout_of, must_be_numbers, plain
from .sound import in_channels, resampled, sound_in


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


def several_in(array: Any, shape: Shape) -> bool:
    """Whether an array is several samples for this shape, and not one."""
    sizes = tuple(array.shape)
    try:
        layout_of(sizes, shape)
    except Unfit:
        try:
            layout_of(sizes[1:], shape)
        except Unfit:
            return False
        return True
    return False


def samples_in(path: str, shape: Shape) -> list[tuple[str, Any]]:
    """The samples of a file, each with its name: one, or those of an array of several, or of a text
    with a series in each line. What is wrong with a file is its sample: a BadImage."""
    name, ending = clean(path), Path(path).suffix.lower()
    text = ending in TEXTS and axes_of(shape) == 1
    if not text and ending not in ARRAYS:
        return [(name, path)]
    try:
        array = series_in_lines(Path(path)) if text else array_in(Path(path))
    except BadImage as error:
        return [(name, error)]
    except BadFile as error:
        return [(name, BadImage(str(error)))]
    if not several_in(array, shape):
        return [(name, array)]
    many = len(array) > 1
    return [(f"{name}#{place}" if many else name, one) for place, one in enumerate(array)]


def series_in_lines(path: Path) -> Any:
    """The numbers of a text file. Of a file of the UCR archive, the class is left out."""
    numbers = _numbers_in(path)
    return numbers[:, 1:] if in_archive(path.name) and numbers.ndim == 2 else numbers


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
