"""The report's images of the filters of the first convolution, numbered and framed: those of series
as curves, those of scans as slices side by side."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from ...compiler.network import Network
from ...compiler.shapes import by
from ..show.pictures.colors import filter_pictures
from ..show.pictures.series_picture import curve
from .contents import Contents
from .markup import Html, element, section
from .picture import tag

_SHOWN = 256
"""The most filters that are shown."""


def filters(contents: Contents) -> Html | None:
    first = first_filters(contents.network, contents.module)
    if first is None:
        return None
    name, weights = first
    count, channels, *sizes = weights.shape
    shown = weights[:_SHOWN]
    which = f", the first {_SHOWN} of {count}" if count > _SHOWN else ""
    about = f"{name}: {count} filters of {by(tuple(sizes))}{which}, numbered from 0. "
    order = contents.data.preparation.order
    if len(sizes) == 1:
        about += _of_curves(channels)
        pictures = [_curves(each) for each in shown]
    else:
        colors = channels == 3 and len(sizes) == 2
        about += "Each is scaled to its own largest magnitude; "
        about += "gray is zero." if colors else _SIGNED
        if channels > 1 and not colors:
            about += f" Each image is the mean over the {channels} input channels."
        if len(sizes) == 3:
            about += " The slices of a filter are side by side."
            pictures = _slices(shown)
        else:
            pictures = list(_pictures(shown, order))
    items = [
        element("li", _filter(name, number, weight, picture))
        for number, (weight, picture) in enumerate(zip(shown, pictures, strict=True))
    ]
    return section(
        "filters",
        "Filters of the first layer",
        element("p", about, class_="faint"),
        element("ul", *items, class_="filters" if len(sizes) == 2 else "filters wide"),
    )


_SIGNED = "white is zero, orange weights add what they read, blue ones subtract it."
_CURVE, _LANES = (120, 48), 6
"""Width and height of the curve of a filter, and the most input channels that have one."""
_CELL, _GAP = 8, 4
"""The side of a weight of a filter of scans in pixels, and the space between slices."""


def _of_curves(channels: int) -> str:
    """How to read the filters of a series."""
    if channels == 1:
        return "Each is a curve over its steps, scaled to its largest magnitude; the line is zero."
    lanes = f"each of its {channels}"
    if channels > _LANES:
        lanes = f"the first {_LANES} of its {channels}"
    return (
        f"Each has a curve over its steps for {lanes} input channels, on one scale, that of its"
        " largest magnitude; the lines are zero."
    )


def _curves(weights: Tensor) -> Tensor:
    """A filter of a series, channels x steps: uint8, 3 x height x width."""
    reach = float(weights.abs().max().clamp(min=1e-30))
    lanes = [curve(each, (-reach, reach), *_CURVE) for each in weights[:_LANES]]
    return torch.cat(lanes, 1)


def _slices(weights: Tensor) -> list[Tensor]:
    """Filters of scans: the slices side by side."""
    mean = weights.mean(1, keepdim=True)
    pictures = []
    for one in mean:
        slices, _ = filter_pictures(one.transpose(0, 1).reshape(1, 1, -1, one.shape[-1]))
        large = slices[0].repeat_interleave(_CELL, 1).repeat_interleave(_CELL, 2)
        each = large.chunk(one.shape[1], 1)
        gap = torch.full((3, each[0].shape[1], _GAP), 255, dtype=torch.uint8)
        row = [part for slice_ in each for part in (slice_, gap)]
        pictures.append(torch.cat(row[:-1], 2))
    return pictures


def _filter(name: str, number: int, weight: Tensor, picture: Tensor) -> Html:
    reach = f"from {float(weight.min()):.3g} to {float(weight.max()):.3g}"
    alt = f"filter {number} of {name}, {reach}"
    image = tag(picture, alt, title=f"{number}: {reach}")
    return element("figure", image, element("figcaption", str(number)))


def first_filters(network: Network, module: nn.Module) -> tuple[str, Tensor] | None:
    """The name and weights of the first trainable convolution of the image with a kernel larger
    than 1x1; None if there is none."""
    inputs = network.input.index
    for node in network.nodes:
        if node.op.kind != "conv" or not any(w.trainable for w in node.weights):
            continue
        if [source.index for source in node.inputs] != [inputs]:
            continue
        try:
            weight = module.get_submodule(node.name).get_parameter("weight")
        except AttributeError:
            continue
        if weight.ndim > 2 and prod(weight.shape[2:]) > 1:
            return node.name, weight.detach().float().cpu()
    return None


def _pictures(weights: Tensor, order: str) -> Tensor:
    """The weights as uint8 images."""
    if weights.shape[1] not in (1, 3):
        weights = weights.mean(1, keepdim=True)
    elif order == "bgr":
        weights = weights.flip(1)
    pictures, _ = filter_pictures(weights)
    return pictures
