"""Grad-CAM for some correct and some wrong predictions."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor

from ..inference.gradcam import gradcam, last_map
from .contents import Contents
from .markup import Html, element, joined, section
from .picture import overlay, tag, viewable

_RIGHT, _WRONG = 8, 8


def looks(contents: Contents) -> Html | None:
    if contents.multi_label:
        return None
    place = last_map(contents.network, contents.module)
    if place is None:
        return None
    _, height, width = place.node.shape
    said = (
        f"Grad-CAM on the {height}x{width} feature map of {place.node.name}: bright regions"
        " contributed most to the prediction."
    )
    groups = [("Correct", of_each_class(contents)), ("Wrong", contents.wrong[:_WRONG])]
    return section(
        "looks",
        "Where the network looks",
        element("p", said, class_="faint"),
        *(_group(contents, title, indices) for title, indices in groups if indices),
    )


def of_each_class(contents: Contents) -> list[int]:
    """Correctly classified images: the first of each class, then the second, …"""
    outcome = contents.outcome
    right = contents.taken_for == outcome.labels
    each = [
        (right & (outcome.labels == label)).nonzero().flatten().tolist()
        for label in range(len(contents.classes))
    ]
    rounds = (places[turn] for turn in range(_RIGHT) for places in each if turn < len(places))
    return list(islice(rounds, _RIGHT))


def _group(contents: Contents, title: str, indices: list[int]) -> Html:
    images = [contents.image(index) for index in indices]
    heat = _heat(contents, images, contents.taken_for[indices])
    items = [
        element("li", _figure(contents, index, image, each))
        for index, image, each in zip(indices, images, heat, strict=True)
    ]
    return joined([element("h3", title), element("ul", *items, class_="gallery pairs")])


def _heat(contents: Contents, images: list[Tensor], classes: Tensor) -> Tensor:
    prepared = contents.data.preparation.prepare(torch.stack(images).to(contents.device))
    found = gradcam(contents.network, contents.module, prepared, classes)
    assert found is not None
    return found


def _figure(contents: Contents, index: int, image: Tensor, heat: Tensor) -> Html:
    taken = contents.classes[int(contents.taken_for[index])]
    is_ = contents.class_of(index)
    sure = 100 * float(contents.outcome.probabilities[index].amax())
    what = f"predicted as {taken}" if taken != is_ else "correct"
    pair = element(
        "div",
        tag(viewable(image), f"{contents.name(index)}: {is_}, {what}"),
        tag(overlay(image, heat), f"Grad-CAM for {taken}"),
        class_="pair",
    )
    said = "" if taken == is_ else f", is {is_}"
    caption = element("figcaption", element("strong", taken), f" {sure:.1f} %{said}")
    return element("figure", pair, caption)
