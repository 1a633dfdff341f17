"""Measures which preprocessing weights of unknown origin expect (`normalize none`, `imagenet`, …).

A bare file of weights (`.npz`, `.pth`) does not record the preprocessing. With the wrong pixel
scale there is no error, only a lower accuracy. So each candidate is measured on a few images:

- If the network has batch norms, their running statistics are the mean and variance of their
  inputs in training. The Kullback-Leibler divergence between these and the statistics of the inputs
  here is about 0.01 with the right preprocessing, and between ten and a million times that with a
  wrong scale.
- Otherwise, the mean cosine similarity of the features of different images. Pixels that are too
  small have less effect than the biases, and pixels that are too large saturate a few channels; in
  both cases the features of all images are nearly the same.
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
from ..data.opened import Opened
from ..runtime.eval_mode import evaluating
from ..weights.activation_check import submodule

IMAGES = 48
"""The number of images: enough to tell scales apart, and a CPU needs only seconds for them."""

Evidence = Literal["batch norms", "features"]

_CLEAR: dict[Evidence, float] = {"batch norms": 1.5, "features": 1.03}
"""The factor by which the best candidate must be better for the difference to be meaningful."""

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
    """Lower is better."""


class Comparison(NamedTuple):
    evidence: Evidence
    used: Fit
    """The preprocessing of the plan."""
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
        """A warning if the preprocessing in use does not suit the weights, else a note. With
        `options`, the help names options of the command line, as for a spec of the gallery."""
        used, best = self.used.normalize, self.best.normalize
        unknown = f"the preprocessing that the weights of {source} expect is unknown"
        tried = ", ".join(f"`{one.normalize}` {one.score:.3g}" for one in (self.used, *self.others))
        compared = f"{_MEASURES[self.evidence]} (lower is better): {tried}"
        if not self.clear:
            return [f"{unknown}; no candidate scored clearly better than `{used}`", compared]
        if options:
            ways = [
                f"`--set evaluate.normalize={shlex.quote(_as_value(one))}`" for one in (best, used)
            ]
        else:
            ways = [f"`evaluate {{ {one} }}`" for one in (best, used)]
        return [
            f"warning: {unknown}. `{used}` is used, but `{best}` scored better: write {ways[0]}, or"
            f" {ways[1]} to keep it",
            compared,
        ]


def _as_value(normalize: Normalize) -> str:
    """The arguments of the directive, without its word."""
    return str(normalize).removeprefix("normalize").strip()


def compare_preprocessing(
    network: Network, module: nn.Module, opened: Opened, taken: Collection[str]
) -> Comparison | None:
    """Compares the usual kinds of preprocessing on images of the training set. `taken` has the
    names of the tensors that were loaded. None if nothing can be concluded."""
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
        others = [one for one in others if one.score < float("inf")]  # false for NaN, too
    if not others:
        return None
    return Comparison(evidence, used, tuple(sorted(others, key=lambda one: one.score)))


def _images(opened: Opened) -> Tensor:
    """A random sample of the training images, since they are often sorted by class."""
    count = len(opened.stores["train"])
    chosen = permutation(count, seed=0, epoch=0)[:IMAGES].tolist()
    size = opened.preparation.size
    read = [opened.image("train", index) for index in chosen]
    if any(image.shape[-2:] != size for image in read):  # training images may be larger
        read = [opened.preparation.fit(image) for image in read]
    return torch.stack(read)


def _prepared_by(normalize: Normalize, known: Preparation) -> Preparation:
    pixels = normalize.pixels
    mean, std = pixels.mean or (0.0,), pixels.std or (1.0,)
    each = known.channels // len(mean)
    order = pixels.order if known.channels == 3 else "rgb"
    return replace(known, scale=pixels.scale, mean=mean * each, std=std * each, order=order)


def _last_features(network: Network, module: nn.Module, taken: Collection[str]) -> nn.Module | None:
    """The layer whose inputs are compared: the first one that was not loaded, which is usually the
    classifier, or else the last layer."""
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
    """The Kullback-Leibler divergence between the inputs of norms and their running statistics,
    both taken as normal distributions: the median over channels, and the mean over norms."""
    medians: list[Tensor] = []

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        values = inputs[0].double()
        mean, variance = values.mean((0, 2, 3)), values.var((0, 2, 3)) + norm.eps
        known = norm.running_var.double() + norm.eps
        far = (mean - norm.running_mean.double()).square() / known
        medians.append(((variance / known + far - 1 - (variance / known).log()) / 2).median())

    _run(module, norms, measure, images)
    return float(torch.stack(medians).mean()) if medians else float("nan")


def _similarity(module: nn.Module, layer: nn.Module, images: Tensor) -> float:
    """The mean cosine similarity of the inputs of a layer for two different images."""
    features: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        maps = inputs[0].double()
        features.append(maps.mean((2, 3)) if maps.ndim == 4 else maps)

    _run(module, [layer], keep, images)
    if not features:
        return float("nan")
    rows = F.normalize(features[0], dim=1)
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
