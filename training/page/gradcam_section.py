"""The report's Grad-CAM heatmaps of some correct and some wrong predictions."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor

from ..inference.gradcam import gradcam, last_map
from .contents import Contents
from .markup import Html, element, joined, section
from .picture import overlay, tag, viewable

_RIGHT, _WRONG = 8, 8


def gradcam_section(contents: Contents) -> Html | None:
    if contents.multi_label:
        return None
    node = last_map(contents.network)
    if node is None:
        return None
    _, height, width = node.shape
    about = (
        f"Computed on the {height}x{width} feature map of {node.name}. Bright regions"
        " contributed most to the prediction."
    )
    groups = [("Correct", of_each_class(contents)), ("Wrong", contents.wrong[:_WRONG])]
    return section(
        "gradcam",
        "Grad-CAM: where the network looks",
        element("p", about, class_="faint"),
        *(_group(contents, title, indices) for title, indices in groups if indices),
    )


def of_each_class(contents: Contents) -> list[int]:
    """Indices of correctly classified images: the first of each class, then the second, …"""
    outcome = contents.outcome
    right = contents.predicted == outcome.labels
    each = [
        (right & (outcome.labels == label)).nonzero().flatten().tolist()
        for label in range(len(contents.classes))
    ]
    rounds = (places[turn] for turn in range(_RIGHT) for places in each if turn < len(places))
    return list(islice(rounds, _RIGHT))


def _group(contents: Contents, title: str, indices: list[int]) -> Html:
    images = [contents.image(index) for index in indices]
    heat = _heat(contents, images, contents.predicted[indices])
    items = [
        element("li", _figure(contents, index, image, each))
        for index, image, each in zip(indices, images, heat, strict=True)
    ]
    return joined([element("h3", title), element("ul", *items, class_="gallery pairs")])


def _heat(contents: Contents, images: list[Tensor], classes: Tensor) -> Tensor:
    prepared = contents.data.preparation.prepare(torch.stack(images).to(contents.device))
    heat = gradcam(contents.network, contents.module, prepared, classes)
    assert heat is not None
    return heat


def _figure(contents: Contents, index: int, image: Tensor, heat: Tensor) -> Html:
    predicted, label = contents.classes[int(contents.predicted[index])], contents.class_of(index)
    confidence = 100 * float(contents.outcome.probabilities[index].amax())
    what = f"predicted as {predicted}" if predicted != label else "correct"
    pair = element(
        "div",
        tag(viewable(image), f"{contents.name(index)}: {label}, {what}"),
        tag(overlay(image, heat), f"Grad-CAM for {predicted}"),
        class_="pair",
    )
    true = "" if predicted == label else f", true class: {label}"
    caption = element("figcaption", element("strong", predicted), f" {confidence:.1f} %{true}")
    return element("figure", pair, caption)
