"""The report's gallery of the most confident wrong predictions."""

from __future__ import annotations

from .contents import Contents
from .markup import Html, element
from .picture import tag, viewable

_SHOWN = 24


def mistakes(contents: Contents) -> Html | None:
    wrong = contents.wrong
    if not wrong:
        return None
    items = [element("li", _figure(contents, index)) for index in wrong[:_SHOWN]]
    about = (
        "Wrong predictions with the highest confidence. Mislabeled"
        f" {contents.nouns} show up here, too."
    )
    return contents.section(
        "mistakes",
        "Most confident mistakes",
        element("p", about, class_="faint"),
        element("ul", *items, class_="gallery"),
    )


def _figure(contents: Contents, index: int) -> Html:
    predicted, label = contents.classes[int(contents.predicted[index])], contents.class_of(index)
    confidence = 100 * float(contents.outcome.answers[index].amax())
    name = contents.name(index)
    image = tag(
        viewable(contents.image(index), inputs=contents.inputs),
        f"{name}: {label}, predicted as {predicted}",
    )
    caption = element(
        "figcaption",
        element("strong", predicted),
        f" {confidence:.1f} %",
        element("br"),
        f"true class: {label}",
        element("br"),
        name,
    )
    return element("figure", image, caption)
