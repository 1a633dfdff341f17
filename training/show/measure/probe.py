"""How a trained network bears images that are moved or disturbed: accuracy against strength.

A convolution finds a shape wherever it lies, a fully connected layer only where it was in training;
nothing of either kind is built in for rotation or size. A probe shows what a network has learned to
ignore, and how far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...augment.gaussian import blurred
from ...data.loader.thread_pool import Progress, unwatched
from ...data.opened import Opened
from ...runtime.devices import using
from ..subject import SEED, Subject

MOST_IMAGES = 2000
"""Of a larger validation set, this many images, spread evenly over it."""
_BATCH = 100


@dataclass(frozen=True)
class Kind:
    """A way to disturb images; strength 0 (1 for `scale`) leaves them as they are."""

    name: str
    unit: str
    strengths: tuple[float, ...]
    change: Callable[[Tensor, float], Tensor]
    """Of images, as float from 0 to 255, by a strength."""
    neutral: float = 0.0
    in_pixels: bool = False
    """Whether strengths are numbers of pixels, and so mean less on a larger image."""

    def __call__(self, images: Tensor, strength: float) -> Tensor:
        """Disturbed images: uint8, images x channels x height x width."""
        if strength == self.neutral:
            return images
        return self.change(images.float(), strength).round().clamp(0, 255).to(torch.uint8)


def _moved(images: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """An affine map about the center, in pixels; the border continues with its own pixels, so that
    no black edge appears that would be a disturbance of its own."""
    height, width = images.shape[-2:]
    (a, b, right), (c, d, down) = matrix
    theta = torch.tensor(
        [
            [a, b * height / width, 2 * right / width],
            [c * width / height, d, 2 * down / height],
        ],
        device=images.device,
    )
    grid = F.affine_grid(theta.expand(len(images), 2, 3), [*images.shape], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _shift(images: Tensor, pixels: float) -> Tensor:
    return _moved(images, ((1.0, 0.0, -pixels), (0.0, 1.0, 0.0)))


def _rotate(images: Tensor, degrees: float) -> Tensor:
    turn = math.radians(degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    return _moved(images, ((cos, -sin, 0.0), (sin, cos, 0.0)))


def _scale(images: Tensor, factor: float) -> Tensor:
    return _moved(images, ((1 / factor, 0.0, 0.0), (0.0, 1 / factor, 0.0)))


def _noise(images: Tensor, deviation: float) -> Tensor:
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(images.shape, generator=generator)
    return images + deviation * noise.to(images.device)


def _blur(images: Tensor, sigma: float) -> Tensor:
    deviations = torch.full((len(images),), sigma, device=images.device)
    return blurred(images, deviations, 2 * math.ceil(3 * sigma) + 1)


def _brightness(images: Tensor, levels: float) -> Tensor:
    return images + levels


KINDS = {
    kind.name: kind
    for kind in (
        Kind("shift", "pixels to the right", (0, 1, 2, 3, 4, 6, 8, 12), _shift, in_pixels=True),
        Kind("rotate", "degrees", (0, 5, 10, 15, 20, 30, 45, 60, 90, 180), _rotate),
        Kind("scale", "times as large", (0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2), _scale, 1.0),
        Kind("noise", "standard deviation, in levels of 255", (0, 5, 10, 20, 40, 60, 80), _noise),
        Kind("blur", "sigma in pixels", (0, 0.5, 1, 1.5, 2, 3, 4), _blur, in_pixels=True),
        Kind(
            "brightness",
            "levels of 255 added",
            (-120, -80, -40, -20, 0, 20, 40, 80, 120),
            _brightness,
        ),
    )
}


def pixel_sizes(kind: Kind, subjects: Sequence[Subject]) -> tuple[str, list[float]]:
    """For networks with inputs of different sizes, which see the same images larger or smaller: the
    smallest input, in whose pixels strengths are, and how large one of its pixels is in each. No
    size for a kind that does not count pixels."""
    shapes = [subject.network.input.shape[-2:] for subject in subjects]
    if not kind.in_pixels:
        return "", [1.0] * len(shapes)
    height, width = min(shapes, key=lambda shape: shape[1])
    return f"{height}x{width}", [shape[1] / width for shape in shapes]


def unit_of(kind: Kind, size: str) -> str:
    """What strengths are, in words; `size` is that of the input in whose pixels they are."""
    return f"{kind.unit}, of {size}" if size else kind.unit


@dataclass(frozen=True)
class Probe:
    """The accuracy of one network at each strength."""

    name: str
    strengths: tuple[float, ...]
    accuracies: tuple[float, ...]
    images: int
    data: str
    """The data set that the images are of."""


def images_of(probes: Sequence[Probe]) -> str:
    """Which images were classified, in words; of each network, if they differ."""
    kinds = {(each.images, each.data) for each in probes}
    if len(kinds) == 1:
        return f"{probes[0].images:,} validation images of {probes[0].data}"
    return ", ".join(f"{each.images:,} of {each.data} ({each.name})" for each in probes)


def probe(
    subject: Subject,
    opened: Opened,
    kind: Kind,
    strengths: Sequence[float],
    progress: Progress = unwatched,
    *,
    pixel: float = 1.0,
) -> Probe:
    """Classifies the validation images at each strength, of which 1 is `pixel` pixels here."""
    store = opened.stores["val"]
    step = max(-(-len(store) // MOST_IMAGES), 1)
    places = list(range(0, len(store), step))
    right = [0] * len(strengths)
    for start in range(0, len(places), _BATCH):
        progress(f"probing {subject.name}", start, len(places))
        some = places[start : start + _BATCH]
        images = torch.stack([store.read(place) for place in some]).to(subject.device)
        labels = store.labels[some].to(subject.device)
        for number, strength in enumerate(strengths):
            found = scores(subject, kind(images, strength * pixel)).argmax(1)
            hits = (
                labels.gather(1, found[:, None])[:, 0] > 0 if labels.ndim == 2 else labels == found
            )
            right[number] += int(hits.sum())
    accuracies = tuple(hits / len(places) for hits in right)
    data = opened.dataset.name
    return Probe(subject.name, tuple(strengths), accuracies, len(places), data)


def scores(subject: Subject, images: Tensor) -> Tensor:
    """The logits of images: uint8, on the device."""
    with using(subject.device), torch.inference_mode():
        output: Tensor = subject.module(subject.preparation.prepare(images))
        return output.float()
