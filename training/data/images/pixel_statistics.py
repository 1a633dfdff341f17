"""Mean and standard deviation of pixels, counted exactly.

Of each channel it is counted how often every one of the 256 values occurs, so the result depends
on neither the device nor the order. Of large sets a part is taken, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor

from ..loader.order import permutation
from ..loader.store import InMemory, Store
from ..loader.thread_pool import Progress, each, unwatched

MOST = 2**29
"""Numbers that are counted."""
MOST_FILES = 4096
"""Files that are read for it: enough for two digits, and over in seconds."""
_CHUNK = 2**24
_DIGITS = 6


def counted(images: Tensor) -> Tensor:
    """How often each value occurs: channels x 256, int64, on the CPU."""
    channels = images.shape[1]
    found = torch.zeros((channels, 256), dtype=torch.int64)
    rows = max(1, _CHUNK // max(1, images[0].numel()))
    for start in range(0, len(images), rows):
        part = images[start : start + rows]
        for channel in range(channels):
            values = part[:, channel].reshape(-1)
            found[channel] += values.bincount(minlength=256).cpu()
    return found


def mean_and_std(counts: Tensor, scale: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of pixels multiplied by `scale`, to six digits; a channel that never changes has std 1."""
    means, stds = [], []
    for row in counts.tolist():
        total = sum(row)
        first = sum(value * count for value, count in enumerate(row))
        second = sum(value * value * count for value, count in enumerate(row))
        variance = (second * total - first * first) / (total * total)  # exact up to here
        means.append(_short(scale * first / total))
        stds.append(_short(scale * sqrt(variance)) or 1.0)
    return tuple(means), tuple(stds)


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def sample(count: int, most: int) -> Tensor:
    """Which of so many images are counted: all, or some of everywhere."""
    if count <= most:
        return torch.arange(count)
    return permutation(count, seed=0, epoch=0)[:most].sort().values


def measured(
    store: Store, scale: float, threads: int, progress: Progress = unwatched
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of the images to learn from."""
    if isinstance(store, InMemory):
        images = store.images
        chosen = sample(len(store), max(1, MOST // images[0].numel()))
        if len(chosen) < len(store):
            images = images[chosen.to(images.device)]
        return mean_and_std(counted(images), scale)
    numbers = store.channels * store.fit.crop[0] * store.fit.crop[1]
    chosen = sample(len(store), max(1, min(MOST_FILES, MOST // numbers)))
    one: Callable[[int], Tensor] = lambda i: counted(store.read(int(chosen[i]))[None])  # noqa: E731
    counts = each(one, len(chosen), threads, "measuring pixels", progress)
    return mean_and_std(torch.stack(counts).sum(0), scale)
