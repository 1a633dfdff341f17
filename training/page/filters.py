"""The report's images of the filters of the first convolution, numbered and framed."""

from __future__ import annotations

from torch import Tensor, nn

from ...compiler.network import Network
from ..show.pictures.colors import filter_pictures
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
        " its own largest magnitude; "
    )
    about += (
        "gray is zero."
        if channels == 3
        else "white is zero, orange weights add what they read, blue ones subtract it."
    )
    if channels not in (1, 3):
        about += f" Each image is the mean over the {channels} input channels."
    pictures = _pictures(shown, contents.data.preparation.order)
    items = [
        element("li", _filter(name, number, weight, picture))
        for number, (weight, picture) in enumerate(zip(shown, pictures, strict=True))
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


def _pictures(weights: Tensor, order: str) -> Tensor:
    """The weights as uint8 images."""
    if weights.shape[1] not in (1, 3):
        weights = weights.mean(1, keepdim=True)
    elif order == "bgr":
        weights = weights.flip(1)
    pictures, _ = filter_pictures(weights)
    return pictures
