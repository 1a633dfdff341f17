"""The report's images of the filters of the first convolution, numbered and framed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...compiler.network import Network
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
    count, channels, height, width = weights.shape
    shown = weights[:_SHOWN]
    which = f", the first {_SHOWN} of {count}" if count > _SHOWN else ""
    about = (
        f"{name}: {count} filters of {height}x{width}{which}, numbered from 0. Each is scaled to"
        " its own range; mid-gray is zero."
    )
    if channels not in (1, 3):
        about += f" Each image is the mean over the {channels} input channels."
    items = [
        element("li", _filter(name, number, weight, picture))
        for number, (weight, picture) in enumerate(zip(shown, _pictures(shown), strict=True))
    ]
    return section(
        "filters",
        "Filters of the first layer",
        element("p", about, class_="faint"),
        element("ul", *items, class_="filters"),
    )


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
        if weight.ndim == 4 and weight.shape[2] * weight.shape[3] > 1:
            return node.name, weight.detach().float().cpu()
    return None


def _pictures(weights: Tensor) -> Tensor:
    """The weights as uint8 images in which mid-gray is zero."""
    if weights.shape[1] not in (1, 3):
        weights = weights.mean(1, keepdim=True)
    reach = weights.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12)
    return ((weights / reach + 1) * 127.5).round().to(torch.uint8)
