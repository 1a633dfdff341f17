"""The report's masks: the worst and the best images, each with its mask, the answer and its errors.

The answers of an evaluation are not kept, only how good each is; those that are shown are computed
again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from ..data.diagnostic import in_nouns
from ..masks.class_colors import class_colors
from ..masks.mask_overlay import WRONG, errors_overlay, mask_overlay, smaller
from ..masks.sample_masks import series_with_tracks, slice_picture, telling_slice
from ..masks.tiling import outputs_of
from ..metrics.mask_tally import table_of
from ..metrics.most_confused import confused
from ..runtime.devices import using
from ..runtime.eval_mode import evaluating
from ..show.pictures.side_by_side import of_each_input
from .contents import Contents
from .markup import Html, element, enlargeable, joined
from .picture import LARGE, LARGEST, tag, viewable

_WORST, _BEST = 6, 4
_LEGEND = 40
"""Of more classes, the legend names only those that the pictures have."""


def mask_answers(contents: Contents) -> Html | None:
    groups = [(title, indices) for title, indices in chosen(contents.outcome.answers) if indices]
    if not groups:
        return None
    answers = _answers(contents, [index for _, indices in groups for index in indices])
    noun = contents.data.dataset.noun
    order = "From top to bottom" if noun == "series" else "Side by side"
    of_scans = ", of the slice with the most wrong voxels" if noun in ("scan", "clip") else ""
    striped = " wrong pixels; striped pixels have no label. Click or tap to enlarge."
    about = (
        "By mean IoU over the classes that an image has or is said to have."
        f" {order}{of_scans}: the image, its mask, the answer, and where the answer is wrong: "
    )
    shown = [_group(contents, title, indices, answers) for title, indices in groups]
    return contents.section(
        "masks",
        "Masks: right and wrong",
        element("p", in_nouns(about, noun), swatch(WRONG),
                in_nouns(striped, noun), class_="faint"),
        _legend(contents, answers),
        *shown,
    )  # fmt: skip


def chosen(quality: Tensor) -> list[tuple[str, list[int]]]:
    """The indices of the worst and the best images; of few images, each only once."""
    known = (~quality.isnan()).nonzero().flatten()
    order = known[quality[known].argsort(stable=True)].tolist()
    best = order[_WORST:][-_BEST:]
    return [("Worst", order[:_WORST]), ("Best", best[::-1])]


class _Answer(NamedTuple):
    image: Tensor
    mask: Tensor
    answer: Tensor


def _answers(contents: Contents, indices: Sequence[int]) -> dict[int, _Answer]:
    data, part, task = contents.data, contents.outcome.part, contents.data.task

    def outputs(images: Tensor) -> Tensor:
        prepared = data.preparation.prepare(images.to(contents.device))
        return task.packed(contents.module(prepared))

    found = {}
    with using(contents.device), evaluating(contents.module), torch.inference_mode():
        for index in indices:
            image, mask = data.evaluated(part, contents.row(index), contents.channels)
            if data.tiling is None:
                answered = outputs(image[None])
            else:
                answered = outputs_of(outputs, image[None], data.tiling)
            answer = task.answers(answered)[0].cpu()
            found[index] = _Answer(image, mask, answer)
    return found


def _legend(contents: Contents, answers: dict[int, _Answer]) -> Html:
    classes, colors = contents.classes, class_colors(contents.classes).tolist()
    numbers = list(range(len(classes)))
    if len(classes) > _LEGEND:
        there = torch.cat([pixels.flatten() for each in answers.values() for pixels in each[1:]])
        numbers = there.bincount(minlength=len(classes))[: len(classes)].nonzero()[:, 0].tolist()
    items = [element("li", named(classes[number], colors[number])) for number in numbers]
    return element("ul", *items, class_="legend", aria_label="Colors of the classes")


def swatch(color: Sequence[int]) -> Html:
    """A small square of a color."""
    return element("span", style=f"background: rgb({', '.join(map(str, color))})", class_="swatch")


def named(name: str, color: Sequence[int]) -> Html:
    """The name of a class beside its color."""
    return element("span", swatch(color), name, class_="named")


def _group(
    contents: Contents, title: str, indices: Sequence[int], answers: dict[int, _Answer]
) -> Html:
    items = [element("li", _figure(contents, index, answers[index])) for index in indices]
    return joined([element("h3", title), element("ul", *items, class_="gallery quads")])


def _figure(contents: Contents, index: int, one: _Answer) -> Html:
    name = contents.name(index)
    iou = f"{100 * float(contents.outcome.answers[index]):.1f} %"
    said = in_nouns(_said(contents, one), contents.data.dataset.noun)
    small = element("span", *_pictures(contents, one, name, LARGEST), class_=_classes(one))
    large = [
        element("figure", picture, element("figcaption", title))
        for picture, title in zip(
            _pictures(contents, one, name, LARGE), _titles(contents, one), strict=True
        )
    ]
    side_by_side = "row four" if len(large) > 1 else "row"
    opened = joined([
        element("div", *large, class_=side_by_side), element("p", f"{name}: {said}")
    ])  # fmt: skip
    caption = element(
        "figcaption", element("strong", f"mean IoU {iou}"), f", {name}", element("br"), said
    )
    return element(
        "figure",
        enlargeable(f"mask-{contents.of_word}{index}", f"Enlarge {name}", small, opened),
        caption,
    )


def _classes(one: _Answer) -> str | None:
    return "quad" if one.mask.ndim > 1 else None


def _titles(contents: Contents, one: _Answer) -> tuple[str, ...]:
    if one.mask.ndim == 1:
        return ("from top to bottom: the series, its mask, the answer, wrong steps",)
    if one.mask.ndim == 2:
        return ("image", "mask", "answer", "wrong pixels")
    at = telling_slice(one.mask, one.answer, contents.classes)
    return (f"slice {at} of {len(one.mask)}, from 0", "mask", "answer", "wrong voxels")


def _pictures(contents: Contents, one: _Answer, name: str, largest: int) -> list[Html]:
    classes = contents.classes
    if one.mask.ndim == 1:
        wrong = (one.mask != one.answer) & (one.mask != UNLABELLED)
        tracks = [one.mask, one.answer, wrong]
        picture = series_with_tracks(one.image, tracks, classes, 2 * largest)
        return [tag(picture, f"{name}, its mask, the answer and wrong steps")]
    if one.mask.ndim > 2:
        at = telling_slice(one.mask, one.answer, classes)
        one = _Answer(slice_picture(one.image, at), one.mask[at], one.answer[at])
    first, *_ = of_each_input(one.image, contents.inputs)
    image = viewable(first, largest)
    height, width = image.shape[-2:]
    mask, answer = (smaller(each, (height, width)) for each in (one.mask, one.answer))
    pictures = [
        (viewable(one.image, largest, contents.inputs), name),
        (mask_overlay(image, mask, classes), f"Mask of {name}"),
        (mask_overlay(image, answer, classes), f"Answer to {name}"),
        (errors_overlay(image, mask, answer), f"Wrong pixels of {name}"),
    ]
    return [tag(picture, alt, lossy=True) for picture, alt in pictures]


def _said(contents: Contents, one: _Answer) -> str:
    """What is wrong with an answer, in words."""
    classes = contents.classes
    labeled = max(1, int((one.mask != UNLABELLED).sum()))
    table = table_of(one.answer.long(), one.mask, len(classes))
    wrong = int(table.sum() - table.diagonal().sum())
    if not wrong:
        return "every pixel is right"
    (most,) = confused(table, 1)
    pair = f"{classes[most.label]} is taken for {classes[most.taken_for]}"
    share = f"{100 * wrong / labeled:.1f} % of the pixels are wrong"
    return f"{share}; most often, {pair} ({100 * most.times / labeled:.1f} %)"
