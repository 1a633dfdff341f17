"""The mean and standard deviation of each channel of series and scans (`normalize measured`).

They are computed in double precision over the training samples before padding. Of a large set in
files, a sample of them is read, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt

import torch
from torch import Tensor

from ...runtime.process_group import ALONE, Processes
from ..images.pixel_statistics import short
from ..loader.order import sample, shared
from ..loader.store import InMemory, Store
from ..loader.thread_pool import Progress, each, unwatched

MOST = 2**29
"""The number of values that are used at most."""
MOST_FILES = 4096
"""At most this many files are read."""
_CHUNK = 2**22


def moments(samples: Tensor) -> Tensor:
    """Of each sample (samples x channels x axes): its number of values, and for each channel their
    mean and the sum of squared differences from it. samples x channels x 3, float64."""
    values = samples.double().flatten(2)
    mean = values.mean(2)
    squares = (values - mean.unsqueeze(2)).square().sum(2)
    return torch.stack([torch.full_like(mean, values.shape[2]), mean, squares], 2)


def mean_and_std(each_one: Tensor, scale: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of all values times `scale`, from the moments of samples, to six digits.
    The deviation of a constant channel is given as 1."""
    counts, means, squares = each_one.unbind(2)
    total = counts.sum(0)
    mean = (counts * means).sum(0) / total
    variance = (squares.sum(0) + (counts * (means - mean).square()).sum(0)) / total
    deviations = [sqrt(value) * scale for value in variance.tolist()]
    largest = (mean.abs() * scale).tolist()
    return (
        tuple(short(value * scale) for value in mean.tolist()),
        tuple(
            short(value) if value > 1e-7 * size else 1.0
            for value, size in zip(deviations, largest, strict=True)
        ),
    )


def measured(
    store: Store,
    scale: float,
    threads: int,
    progress: Progress = unwatched,
    processes: Processes = ALONE,
    transform: Callable[[Tensor], Tensor] | None = None,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of the training samples, or of what `transform`
    makes of them at the size that it takes. Of samples that stay in their files, each process reads
    a share."""
    masks = store.source.masks
    if isinstance(store, InMemory):
        samples = store.images[:, : store.images.shape[1] - masks]
        rows = max(1, _CHUNK // samples[0].numel())
        chosen = sample(len(store), max(1, MOST // samples[0].numel()))
        parts = []
        for some in torch.split(chosen, rows):
            these = samples[some.to(samples.device)]
            parts.append(moments(these if transform is None else transform(these)).cpu())
        return mean_and_std(torch.cat(parts), scale)
    channels = store.channels - masks
    numbers = channels * prod(store.fit.crop)
    most = MOST // numbers if store.in_memory else min(MOST_FILES, MOST // numbers)
    chosen = sample(len(store), max(1, most))
    mine = chosen[shared(0, len(chosen), *processes.sharing)].tolist()

    def one(place: int) -> Tensor:
        whole = store.whole(mine[place])
        if transform is not None:
            return moments(transform(store.fit(whole, masks=masks)[None, :channels]))
        return moments(whole[None, :channels])

    def measure() -> Tensor:
        found = each(one, len(mine), threads, "measuring samples", progress)
        if found:
            return torch.cat(found)
        empty = torch.zeros(1, channels, *store.fit.crop)
        return moments(empty if transform is None else transform(empty))[:0]

    return mean_and_std(torch.cat(processes.together(measure)), scale)
