"""The exact mean and standard deviation of pixels (`normalize measured`).

They are computed from a histogram of the 256 values of each channel, so the result depends neither
on the device nor on the order of the images. Of a large data set, a sample of images is used, the
same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor

from ...runtime.process_group import ALONE, Processes
from ..loader.order import sample, shared
from ..loader.store import InMemory, Store
from ..loader.thread_pool import Progress, each, unwatched

MOST = 2**29
"""The number of pixel values that are used at most."""
MOST_FILES = 4096
"""At most so many files are read: it takes seconds, and two digits of the result are right."""
_CHUNK = 2**24
_DIGITS = 6


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


def measured(
    store: Store,
    scale: float,
    threads: int,
    progress: Progress = unwatched,
    processes: Processes = ALONE,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of the training images. Of images that stay in
    their files, each process reads a share."""
    further = store.source.further
    if isinstance(store, InMemory):
        images = store.images[:, : store.images.shape[1] - further]
        chosen = sample(len(store), max(1, MOST // images[0].numel()))
        if len(chosen) < len(store):
            images = images[chosen.to(images.device)]
        return mean_and_std(counted(images), scale)
    channels = store.channels - further
    numbers = channels * store.fit.crop[0] * store.fit.crop[1]
    chosen = sample(len(store), max(1, min(MOST_FILES, MOST // numbers)))
    mine = chosen[shared(0, len(chosen), *processes.sharing)].tolist()
    empty = torch.zeros((channels, 256), dtype=torch.int64)

    def count() -> Tensor:
        one: Callable[[int], Tensor] = lambda i: counted(store.read(mine[i])[None, :channels])  # noqa: E731
        return sum(each(one, len(mine), threads, "measuring pixels", progress), empty)

    return mean_and_std(sum(processes.together(count), empty), scale)
