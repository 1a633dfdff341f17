"""The report's Grad-CAM heatmaps: an image of every class, and the most confident mistakes.

Each can be opened in large, with the color scale; of a mistake, with the heatmap of the true class
beside that of the predicted one. The browser does that itself (`popover`), without a script.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...compiler.shapes import by
from ..inference.gradcam import gradcam, last_map
from .contents import Contents
from .markup import Html, element, enlargeable, joined, section
from .picture import LARGE, heat_scale, overlay, tag, viewable

_WRONG = 8
_CLASSES = 40
"""Of more classes, only the first ones are shown: a page is to stay small enough for e-mail."""
_TOGETHER = 16
"""Images that go through the network at a time."""


def gradcam_section(contents: Contents) -> Html | None:
    if not contents.one_class:
        return None
    node = last_map(contents.network)
    if node is None:
        return None
    sides = node.shape[1:]
    size = f"{by(sides)} feature map" if len(sides) > 1 else f"{sides[0]} steps"
    about = (
        f"Computed on the {size} of {node.name}: the bright regions"
        " contributed most to the score of the predicted class. Click or tap to enlarge."
    )
    count = len(contents.classes)
    each = f"Of the first {_CLASSES} of {count} classes" if count > _CLASSES else "Of each class"
    groups = [(each, of_each_class(contents)), ("Wrong", contents.wrong[:_WRONG])]
    return section(
        "gradcam",
        "Grad-CAM: where the network looks",
        element("p", about, class_="faint"),
        heat_scale(contents.data.dataset.noun),
        *(_group(contents, title, indices) for title, indices in groups if indices),
    )


def of_each_class(contents: Contents) -> list[int]:
    """Indices of an image of each class that has any: the first one that is classified correctly,
    or, if there is none, the first one."""
    labels = contents.outcome.labels
    right = contents.predicted == labels
    indices = []
    for label in range(min(_CLASSES, len(contents.classes))):
        images = (labels == label).nonzero().flatten()
        if len(images):
            correct = images[right[images]]
            indices.append(int((correct if len(correct) else images)[0]))
    return indices


def _group(contents: Contents, title: str, indices: list[int]) -> Html:
    images = [contents.image(index) for index in indices]
    predicted, labels = contents.predicted[indices], contents.outcome.labels[indices]
    heat = _heat(contents, images, predicted)
    wrong = (predicted != labels).nonzero().flatten().tolist()
    others: dict[int, Tensor] = {}
    if wrong:
        maps = _heat(contents, [images[place] for place in wrong], labels[wrong])
        others = dict(zip(wrong, maps, strict=True))
    items = [
        element(
            "li", _figure(contents, title, index, images[place], heat[place], others.get(place))
        )
        for place, index in enumerate(indices)
    ]
    return joined([element("h3", title), element("ul", *items, class_="gallery pairs")])


def _heat(contents: Contents, images: list[Tensor], classes: Tensor) -> Tensor:
    parts = []
    for start in range(0, len(images), _TOGETHER):
        part = torch.stack(images[start : start + _TOGETHER])
        prepared = contents.data.preparation.prepare(part.to(contents.device))
        chosen = classes[start : start + _TOGETHER]
        heat = gradcam(contents.network, contents.module, prepared, chosen)
        assert heat is not None
        parts.append(heat)
    return torch.cat(parts)


def _figure(
    contents: Contents, group: str, index: int, image: Tensor, heat: Tensor, other: Tensor | None
) -> Html:
    """`other` is the heatmap of the true class, of a mistake."""
    predicted, label = contents.classes[int(contents.predicted[index])], contents.class_of(index)
    confidence = 100 * float(contents.outcome.answers[index].amax())
    what = f"predicted as {predicted}" if predicted != label else "correct"
    name = contents.name(index)
    alt = f"{name}: {label}, {what}"
    pair = element(
        "span",
        tag(viewable(image, inputs=contents.inputs), alt),
        tag(overlay(image, heat, inputs=contents.inputs), f"Grad-CAM for {predicted}", lossy=True),
        class_="pair",
    )
    true = "" if predicted == label else f", true class: {label}"
    caption = element("figcaption", element("strong", predicted), f" {confidence:.1f} %{true}")
    large = [
        _captioned(tag(viewable(image, LARGE, contents.inputs), alt, lossy=True), name),
        _captioned(
            _large(contents, image, heat, predicted), f"for {predicted}, {confidence:.1f} %"
        ),
    ]
    if other is not None:
        large.append(
            _captioned(_large(contents, image, other, label), f"for the true class, {label}")
        )
    opened = joined([element("div", *large, class_="row"), heat_scale(contents.data.dataset.noun)])
    mark = f"gradcam-{'wrong-' if group == 'Wrong' else ''}{index}"
    return element("figure", enlargeable(mark, f"Enlarge {alt}", pair, opened), caption)


def _large(contents: Contents, image: Tensor, heat: Tensor, name: str) -> Html:
    return tag(overlay(image, heat, LARGE, contents.inputs), f"Grad-CAM for {name}", lossy=True)


def _captioned(image: Html, caption: str) -> Html:
    return element("figure", image, element("figcaption", caption))
