"""The most confident wrong predictions: the report's gallery of them, and what loggers show."""

from __future__ import annotations

from collections.abc import Iterator

from ..metrics.mistake import Mistake
from .contents import Contents
from .markup import Html, element
from .picture import LARGEST, tag, viewable

_SHOWN = 24


def mistakes(contents: Contents) -> Html | None:
    if not contents.wrong:
        return None
    items = [element("li", _figure(each)) for each in most_confident(contents)]
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


def most_confident(contents: Contents, largest: int = LARGEST) -> Iterator[Mistake]:
    """Mistakes with the highest confidence, with images of at most `largest` pixels along their
    longer side."""
    for index in contents.wrong[:_SHOWN]:
        yield Mistake(
            image=viewable(contents.image(index), largest, inputs=contents.inputs),
            name=contents.name(index),
            label=contents.class_of(index),
            predicted=contents.classes[int(contents.predicted[index])],
            confidence=float(contents.outcome.answers[index].amax()),
            output=contents.of,
        )


def of_all_outputs(contents: Contents) -> Iterator[Mistake]:
    """The same for each output of a network, larger."""
    several = contents.outcome.outputs
    for each in contents.each_output() if several else [contents]:
        yield from most_confident(each, _LARGE)


_LARGE = 256


def _figure(mistake: Mistake) -> Html:
    name, label, predicted = mistake.name, mistake.label, mistake.predicted
    caption = element(
        "figcaption",
        element("strong", predicted),
        f" {100 * mistake.confidence:.1f} %",
        element("br"),
        f"true class: {label}",
        element("br"),
        name,
    )
    image = tag(mistake.image, f"{name}: {label}, predicted as {predicted}")
    return element("figure", image, caption)
