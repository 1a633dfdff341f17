"""The mean and standard deviation of pixels (`normalize measured`), and their percentiles.

Of 8 bits, they are exact: they are computed from a histogram of the 256 values of each channel, so
the result depends neither on the device nor on the order of the images. Of more bits, they are sums
in double precision, and percentiles of a sample of pixels. Of a large data set, a sample of images
is used, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any, NamedTuple

import PIL
import torch
from torch import Tensor

from ...runtime.process_group import ALONE, Processes
from ..diagnostic import problem
from ..loader.image_source import Files
from ..loader.order import sample, shared
from ..loader.read_ahead import ahead_of
from ..loader.store import InMemory, Store
from ..loader.thread_pool import Progress, each, unwatched
from ..packs.kept_results import KeptResults
from .image_file import BadImage

MOST = 2**29
"""The number of pixel values that are used at most."""
MOST_FILES = 4096
"""At most this many files are read: it takes seconds, and two digits of the result are right."""
_CHUNK = 2**24
_DIGITS = 6
_RULES = 1
"""Increased whenever other figures would be measured of the same images."""


def counted(images: Tensor) -> Tensor:
    """Histograms of the pixel values: channels x 256, int64, on the CPU."""
    channels = images.shape[1]
    histograms = torch.zeros((channels, 256), dtype=torch.int64)
    rows = max(1, _CHUNK // max(1, images[0].numel()))
    for start in range(0, len(images), rows):
        part = images[start : start + rows]
        for channel in range(channels):
            values = part[:, channel].reshape(-1)
            histograms[channel] += values.bincount(minlength=256).cpu()
    return histograms


def mean_and_std(counts: Tensor, scale: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of pixels times `scale`, from histograms, to six digits. The
    deviation of a constant channel is given as 1."""
    means, stds = [], []
    for row in counts.tolist():
        total = sum(row)
        first = sum(value * count for value, count in enumerate(row))
        second = sum(value * value * count for value, count in enumerate(row))
        variance = (second * total - first * first) / (total * total)  # exact up to here
        means.append(short(scale * first / total))
        stds.append(short(scale * sqrt(variance)) or 1.0)
    return tuple(means), tuple(stds)


def short(value: float) -> float:
    """A measured figure as it is shown and stored."""
    return float(f"{value:.{_DIGITS}g}")


class Measured(NamedTuple):
    """The figures of each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    """The levels below which 2 % of the pixels are."""
    high: tuple[float, ...]
    """Those above which 2 % are."""


LOW, HIGH = 0.02, 0.98
"""The percentiles that are measured."""


@dataclass(frozen=True, eq=False)
class _OfBytes:
    """The pixels of some images, counted."""

    counts: Tensor
    """Channels x 256."""

    @staticmethod
    def of(images: Tensor) -> _OfBytes:
        return _OfBytes(counted(images))

    @staticmethod
    def joined(parts: Sequence[_OfBytes]) -> _OfBytes:
        return _OfBytes(torch.stack([part.counts for part in parts]).sum(0))

    def measured(self, scale: float) -> Measured:
        below = self.counts.cumsum(1)
        low, high = (
            tuple(float((row < share * row[-1]).sum()) for row in below.double())
            for share in (LOW, HIGH)
        )
        return Measured(*mean_and_std(self.counts, scale), low, high)


@dataclass(frozen=True, eq=False)
class _OfLevels:
    """The pixels of some images of more than 8 bits, added up."""

    sums: Tensor
    """Three for each channel: of ones, of levels and of their squares (float64)."""
    some: Tensor
    """Channels x pixels: a sample of the levels."""

    @staticmethod
    def of(images: Tensor, wanted: int = 2**20) -> _OfLevels:
        levels = images.transpose(0, 1).flatten(1)
        sums = torch.zeros((len(levels), 3), dtype=torch.float64)
        for part in torch.split(levels, _CHUNK, 1):
            double = part.double()
            each = [double.new_full((len(part),), part.shape[1]), double.sum(1)]
            sums += torch.stack([*each, double.square().sum(1)], 1).cpu()
        return _OfLevels(sums, levels[:, :: max(1, levels.shape[1] // wanted)].cpu())

    @staticmethod
    def joined(parts: Sequence[_OfLevels]) -> _OfLevels:
        sums = torch.stack([part.sums for part in parts]).sum(0)
        return _OfLevels(sums, torch.cat([part.some for part in parts], 1))

    def measured(self, scale: float) -> Measured:
        ordered = self.some.sort(1).values
        last = ordered.shape[1] - 1
        low, high = (tuple(ordered[:, round(share * last)].tolist()) for share in (LOW, HIGH))
        means, stds = [], []
        for count, first, second in self.sums.tolist():
            mean = first / count
            means.append(short(scale * mean))
            stds.append(short(scale * sqrt(max(0.0, second / count - mean * mean))) or 1.0)
        return Measured(tuple(means), tuple(stds), low, high)


def measured(
    store: Store,
    scale: float,
    threads: int,
    progress: Progress = unwatched,
    processes: Processes = ALONE,
) -> Measured:
    """The figures of each channel of the training images. Of images that stay in their files, each
    process reads a share."""
    further = store.source.further
    if isinstance(store, InMemory):
        images = store.images[:, : store.images.shape[1] - further]
        chosen = sample(len(store), max(1, MOST // images[0].numel()))
        if len(chosen) < len(store):
            images = images[chosen.to(images.device)]
        kind = _OfLevels if images.is_floating_point() else _OfBytes
        return kind.of(images).measured(scale)
    channels, source = store.channels - further, store.source
    kept = source.kept if isinstance(source, Files) else None
    what = ""
    if kept is not None and isinstance(source, Files):
        what = f"pixels {_RULES}/{PIL.__version__}: {source.which()}, {store.fit}, {channels}"
        what += f" channels, times {scale}, {_reading(source)}"
        known = processes.from_first(partial(_known, kept, what))
        if known is not None:
            return known
    numbers = channels * store.fit.crop[0] * store.fit.crop[1]
    chosen = sample(len(store), max(1, min(MOST_FILES, MOST // numbers)))
    mine = chosen[shared(0, len(chosen), *processes.sharing)].tolist()
    deep = store.bytes_of_number > 1
    of = partial(_OfLevels.of, wanted=max(1, 2**20 // len(chosen))) if deep else _OfBytes.of

    def read() -> list[_OfBytes | _OfLevels]:
        def one(place: int) -> _OfBytes | _OfLevels:
            try:
                image = store.read(mine[place])
            except BadImage as error:  # of a pack, or of files elsewhere, which are not checked
                message = f"an image cannot be read: {error.reason}"
                raise problem("bad-file", message, None, help="repair or remove it") from None
            return of(image[None, :channels])

        work = ahead_of(source, mine, one) if isinstance(source, Files) else one
        return each(work, len(mine), threads, "measuring pixels", progress)

    parts = [part for some in processes.together(read) for part in some]
    joined: Callable[[Any], _OfBytes | _OfLevels] = _OfLevels.joined if deep else _OfBytes.joined
    result = joined(parts).measured(scale)
    if kept is not None and processes.local.rank == 0:
        kept.keep(what, result)
    return result


def _reading(source: Files) -> str:
    """What the pixels of images depend on, beside their files and their size."""
    inputs = [source.first_input, *(each.input for each in source.input_files)]
    targets = source.target_files
    enlarged = 1 if targets is None else targets.enlarges
    return f"{source.depth} bits, {inputs}, {enlarged}"


def _known(kept: KeptResults, what: str) -> Measured | None:
    """Figures that were measured before; None if there are none."""
    try:
        return Measured(*(tuple(map(float, each)) for each in kept.value(what)))
    except (TypeError, ValueError):
        return None
