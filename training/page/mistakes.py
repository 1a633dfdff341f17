"""The most confident mistakes."""

from __future__ import annotations

from .contents import Contents
from .markup import Html, element, section
from .picture import tag, viewable

_SHOWN = 24


def mistakes(contents: Contents) -> Html | None:
    wrong = contents.wrong
    if not wrong:
        return None
    items = [element("li", _figure(contents, index)) for index in wrong[:_SHOWN]]
    said = "Wrong predictions with the highest confidence. Mislabelled images show up here, too."
    return section(
        "mistakes",
        "Most confident mistakes",
        element("p", said, class_="faint"),
        element("ul", *items, class_="gallery"),
    )


def _figure(contents: Contents, index: int) -> Html:
    taken = contents.classes[int(contents.taken_for[index])]
    is_ = contents.class_of(index)
    sure = 100 * float(contents.outcome.probabilities[index].amax())
    name = contents.name(index)
    image = tag(viewable(contents.image(index)), f"{name}: {is_}, predicted as {taken}")
    caption = element(
        "figcaption",
        element("strong", taken),
        f" {sure:.1f} %",
        element("br"),
        f"is {is_}",
        element("br"),
        name,
    )
    return element("figure", image, caption)
