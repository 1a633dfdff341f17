"""Which preprocessing weights of unknown origin expect: `normalize none`, `imagenet`, `caffe`, …

A bare file of weights (`.npz`, `.pth`) does not say what its network did to pixels. With another
scale it computes without an error, and is wrong more often. What speaks for a candidate is measured
on a few images:

- Where batch norms came with the weights, they know the mean and the variance of what arrived at
  them in training. The Kullback-Leibler divergence from what arrives here is about 0.01 with the
  right preprocessing, and between ten and a million times that with another scale.
- Else, how alike the features of different images are: their mean cosine similarity. Pixels that
  are too small drown in the biases, those that are too large saturate a few channels; either way
  the network sees the same in all images.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...compiler.network import Network
from ...compiler.plan.evaluate import Normalize
from ..data.images.preprocessing import Preparation
from ..data.loader.order import permutation
from ..data.open import Opened
from ..runtime.eval_mode import evaluating
from .activation_check import submodule

IMAGES = 48
"""Enough to tell scales apart; a CPU takes seconds for them."""

Evidence = Literal["batch norms", "features"]

_CLEAR: dict[Evidence, float] = {"batch norms": 1.5, "features": 1.03}
"""How many times as good the best candidate has to be for the difference to say something."""

_MEASURES: dict[Evidence, str] = {
    "batch norms": "divergence from the statistics in their batch norms",
    "features": "similarity of the features of different images",
}

_COLOR = (
    *(Normalize.make(preset=name) for name in ("none", "imagenet", "inception", "caffe")),
    Normalize.make(preset="none", scale=1.0),
)
_GREY = (
    Normalize.make(preset="none"),
    Normalize.make(preset="none", mean=(0.5,), std=(0.5,)),
    Normalize.make(preset="none", scale=1.0),
)


class Fit(NamedTuple):
    """How well a preprocessing suits the weights."""

    normalize: Normalize
    score: float
    """The smaller the better."""


class Comparison(NamedTuple):
    evidence: Evidence
    used: Fit
    """What the plan says."""
    others: tuple[Fit, ...]
    """The candidates, best first."""

    @property
    def best(self) -> Fit:
        return self.others[0]

    @property
    def clear(self) -> bool:
        """Whether another preprocessing suits the weights better than the one in use."""
        return self.best.score * _CLEAR[self.evidence] < self.used.score

    def lines(self, source: str, *, options: bool = False) -> list[str]:
        """A warning where the preprocessing in use does not suit the weights, else a remark. With
        `options`, how to say it on the command line: the spec is of the gallery."""
        used, best = self.used.normalize, self.best.normalize
        unknown = f"the preprocessing that the weights of {source} expect is unknown"
        tried = ", ".join(f"`{one.normalize}` {one.score:.3g}" for one in (self.used, *self.others))
        compared = f"{_MEASURES[self.evidence]} (lower is better): {tried}"
        if not self.clear:
            return [f"{unknown}; `{used}` suits them", compared]
        if options:
            ways = [f"`--set evaluate.normalize={shlex.quote(_said(one))}`" for one in (best, used)]
        else:
            ways = [f"`evaluate {{ {one} }}`" for one in (best, used)]
        return [
            f"warning: {unknown}. `{used}` is used, and `{best}` suits them better: write"
            f" {ways[0]}, or {ways[1]} to keep it",
            compared,
        ]


def _said(normalize: Normalize) -> str:
    """What stands behind the word."""
    return str(normalize).removeprefix("normalize").strip()


def compare_preprocessing(
    network: Network, module: nn.Module, opened: Opened, taken: Collection[str]
) -> Comparison | None:
    """Tries what is usual on images of the training set. `taken` are the tensors of the module that
    came with the weights. None where nothing can be concluded."""
    images = _images(opened)
    norms = [
        part
        for name, part in module.named_modules()
        if isinstance(part, nn.BatchNorm2d) and f"{name}.running_mean" in taken
    ]
    last = _last_features(network, module, taken)
    measure: Callable[[Tensor], float]
    evidence: Evidence
    if norms:
        evidence, measure = "batch norms", lambda images: _divergence(module, norms, images)
    elif last is not None:
        layer = last
        evidence, measure = "features", lambda images: _similarity(module, layer, images)
    else:
        return None
    known = opened.preparation

    def fit(normalize: Normalize, preparation: Preparation) -> Fit:
        return Fit(normalize, measure(preparation.prepare(images)))

    with evaluating(module), torch.no_grad():
        used = fit(opened.plan.evaluate.normalize, known)
        candidates = _COLOR if known.channels == 3 else _GREY
        others = [fit(one, _prepared_by(one, known)) for one in candidates]
    if not all(torch.tensor([used.score, *(one.score for one in others)]).isfinite()):
        others = [one for one in others if one.score < float("inf")]  # NaN is not, either
    if not others:
        return None
    return Comparison(evidence, used, tuple(sorted(others, key=lambda one: one.score)))


def _images(opened: Opened) -> Tensor:
    """As many everywhere, whatever their order: classes often lie one behind the other."""
    count = len(opened.stores["train"])
    chosen = permutation(count, seed=0, epoch=0)[:IMAGES].tolist()
    size = opened.preparation.size
    read = [opened.image("train", index) for index in chosen]
    if any(image.shape[-2:] != size for image in read):  # larger, for a random crop to be cut out
        read = [opened.preparation.fit(image) for image in read]
    return torch.stack(read)


def _prepared_by(normalize: Normalize, known: Preparation) -> Preparation:
    pixels = normalize.pixels
    mean, std = pixels.mean or (0.0,), pixels.std or (1.0,)
    each = known.channels // len(mean)
    order = pixels.order if known.channels == 3 else "rgb"
    return replace(known, scale=pixels.scale, mean=mean * each, std=std * each, order=order)


def _last_features(network: Network, module: nn.Module, taken: Collection[str]) -> nn.Module | None:
    """The layer whose input says most: the first that does not come with the weights, else the
    last one; that of a classifier."""
    layers = [
        (node.name, part)
        for node in network.nodes
        if node.weights and not node.aux
        for part in [submodule(module, node.name)]
        if isinstance(part, nn.Conv2d | nn.Linear)
    ]
    fresh = [part for name, part in layers if f"{name}.weight" not in taken]
    if not layers or fresh[:1] == [layers[0][1]]:
        return None
    return fresh[0] if fresh else layers[-1][1]


def _divergence(module: nn.Module, norms: list[nn.BatchNorm2d], images: Tensor) -> float:
    """Between what arrives at norms and what their statistics say, both taken for normal: the
    median over channels, the mean over norms."""
    found: list[Tensor] = []

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        values = inputs[0].double()
        mean, variance = values.mean((0, 2, 3)), values.var((0, 2, 3)) + norm.eps
        known = norm.running_var.double() + norm.eps
        far = (mean - norm.running_mean.double()).square() / known
        found.append(((variance / known + far - 1 - (variance / known).log()) / 2).median())

    _run(module, norms, measure, images)
    return float(torch.stack(found).mean()) if found else float("nan")


def _similarity(module: nn.Module, layer: nn.Module, images: Tensor) -> float:
    """The mean cosine between what two images come to where they arrive at a layer."""
    found: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        maps = inputs[0].double()
        found.append(maps.mean((2, 3)) if maps.ndim == 4 else maps)

    _run(module, [layer], keep, images)
    if not found:
        return float("nan")
    rows = F.normalize(found[0], dim=1)
    count = len(rows)
    return float(((rows @ rows.T).sum() - rows.square().sum()) / max(1, count * (count - 1)))


def _run(
    module: nn.Module,
    layers: list[nn.BatchNorm2d] | list[nn.Module],
    see: Callable[[nn.Module, tuple[Tensor, ...]], None],
    images: Tensor,
) -> None:
    handles = [layer.register_forward_pre_hook(see) for layer in layers]
    try:
        module(images.to(next(module.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
