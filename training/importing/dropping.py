"""What drops in training only. torch's own dropout leaves its mark in a graph of the evaluation
mode; other modules (DropPath, StochasticDepth, as everybody writes them anew) do nothing there and
leave none. They are known by what they do: in training each image is either dropped or divided by
the part that is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

IMAGES = 512
"""So many are dropped or not: that all are, or none, happens to no rate in use."""


@contextmanager
def marked(module: nn.Module) -> Iterator[None]:
    """Modules that drop whole images call `dotcnn::drop_path` while the module is exported."""
    changed: list[nn.Module] = []
    mark = _mark()
    try:
        for inner in module.modules():
            rate = _rate(inner)
            if rate:
                inner.forward = functools.partial(_marking, mark, rate)
                changed.append(inner)
        yield
    finally:
        for inner in changed:
            del inner.forward


def _marking(mark: Callable[[Tensor, float], Tensor], rate: float, x: Tensor) -> Tensor:
    return mark(x, rate)


@functools.cache
def _mark() -> Any:
    """The function that stands for it in the graph."""

    @torch.library.custom_op("dotcnn::drop_path", mutates_args=())
    def drop_path(input: Tensor, p: float) -> Tensor:
        return input.clone()

    @drop_path.register_fake
    def _(input: Tensor, p: float) -> Tensor:
        return torch.empty_like(input)

    return drop_path


def _rate(module: nn.Module) -> float:
    """The part of the images that a module drops; 0 for modules that do something else."""
    if type(module).__module__.startswith("torch.nn") or "forward" in vars(module):
        return 0.0
    if any(True for part in (module.children, module.parameters, module.buffers) for _ in part()):
        return 0.0
    rates = [each for each in vars(module).values() if type(each) is float and 0 < each < 1]
    if not rates:
        return 0.0
    training = module.training
    state = torch.random.get_rng_state()
    images = torch.rand(IMAGES, 2, 2, 2, dtype=torch.float64) + 1
    try:
        module.train()
        dropped = module(images.clone())
        module.eval()
        kept = module(images.clone())
        if not torch.equal(kept, images):
            return 0.0
        factors = (dropped / images).reshape(IMAGES, -1)
    except Exception:  # noqa: BLE001 - code of the module; it wants something else than images
        return 0.0
    finally:
        module.training = training
        torch.random.set_rng_state(state)
    for rate in sorted(rates):
        scaled = factors * (1 - rate)
        whole = (scaled - scaled.mean(1, keepdim=True)).abs().max() < 1e-6
        binary = torch.minimum(scaled.abs(), (scaled - 1).abs()).max() < 1e-6
        if whole and binary and 0 < scaled.mean() < 1:
            return rate
    return 0.0
