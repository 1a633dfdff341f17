"""The report's images: input, answer and target of the worst, the middle and the best ones, and how
PSNR is distributed.

The answers of an evaluation are not kept, only their PSNR; those that are shown are computed again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..display.number_format import metric
from ..metrics.comparison import INPUT
from ..metrics.image_tally import BEST, psnr
from ..restoration.degrade import in_gray, scaled
from ..runtime.devices import using
from ..runtime.eval_mode import evaluating
from .contents import Contents
from .histogram import histogram
from .markup import Html, element, enlargeable, joined
from .picture import LARGE, LARGEST, tag, viewable

_WORST, _MIDDLE, _BEST = 6, 4, 4
_SAME = 60.0
"""From this PSNR on, an input is its own target."""


def image_answers(contents: Contents) -> Html | None:
    groups = [(title, indices) for title, indices in chosen(contents.outcome.answers) if indices]
    if not groups:
        return None
    answers = _answers(contents, [index for _, indices in groups for index in indices])
    about = (
        "By PSNR. Side by side: the input, the answer, the target, and by how much the answer is"
        " wrong, four times as strong: gray is no error. Click or tap to enlarge."
    )
    known = [value for value in contents.outcome.answers.tolist() if value == value]
    base = next(
        (each.base["psnr"] for each in contents.outcome.comparisons if each.against == INPUT), None
    )
    return contents.section(
        "images",
        "Images: input, answer and target",
        histogram("PSNR of the answers", known, "PSNR, dB", mark=base, mark_name="the inputs"),
        element("p", about, class_="faint"),
        *(_group(contents, title, indices, answers) for title, indices in groups),
    )


def chosen(quality: Tensor) -> list[tuple[str, list[int]]]:
    """The indices of the worst, the middle and the best images; of few images, each only once."""
    known = (~quality.isnan()).nonzero().flatten()
    order = known[quality[known].argsort(stable=True)].tolist()
    worst, rest = order[:_WORST], order[_WORST:]
    best = rest[max(0, len(rest) - _BEST) :]
    between = rest[: len(rest) - len(best)]
    start = max(0, len(order) // 2 - len(worst) - _MIDDLE // 2)
    start = min(start, max(0, len(between) - _MIDDLE))
    return [
        ("Worst", worst), ("Middle", between[start : start + _MIDDLE]), ("Best", best[::-1]),
    ]  # fmt: skip


class _Answer(NamedTuple):
    image: Tensor
    """The input, at the size of the target."""
    answer: Tensor
    target: Tensor
    input_psnr: float


def _answers(contents: Contents, indices: Sequence[int]) -> dict[int, _Answer]:
    data, task = contents.data, contents.data.task
    found = {}
    with using(contents.device), evaluating(contents.module), torch.inference_mode():
        for index in indices:
            image, target = _input_and_target(contents, index)
            prepared = data.preparation.prepare(image[None].to(contents.device))
            answer = task.answers(contents.module(prepared))[0].cpu()
            before = math.inf if contents.of else _psnr_of_input(image, target)
            found[index] = _Answer(_as_large(image, target), answer, target, before)
    return found


def _input_and_target(contents: Contents, index: int) -> tuple[Tensor, Tensor]:
    data, part, row = contents.data, contents.outcome.part, contents.row(index)
    if data.pairs is not None:
        return data.input_and_target(part, row)
    target = data.maps(part, row, contents.channels)  # that of one of several outputs
    return data.image(part, row), target.to(torch.uint8)


def _as_large(image: Tensor, target: Tensor) -> Tensor:
    """An input with its pixels repeated, up to the size of its target."""
    times = target.shape[-1] // image.shape[-1]
    return image.repeat_interleave(times, -2).repeat_interleave(times, -1)


def _psnr_of_input(image: Tensor, target: Tensor) -> float:
    levels = scaled(image[None].float(), (target.shape[-2], target.shape[-1]))
    if len(image) != len(target):
        levels = (in_gray(levels) if len(image) > 1 else levels).expand(-1, len(target), -1, -1)
    return float(psnr(levels.round() / 255, target[None] / 255))


def _group(
    contents: Contents, title: str, indices: Sequence[int], answers: dict[int, _Answer]
) -> Html:
    items = [element("li", _figure(contents, index, answers[index])) for index in indices]
    return joined([element("h3", title), element("ul", *items, class_="gallery quads")])


def _figure(contents: Contents, index: int, one: _Answer) -> Html:
    name = contents.name(index)
    value = metric("psnr", float(contents.outcome.answers[index]))
    small = element("span", *_pictures(one, name, LARGEST), class_="quad")
    titles = ("input", "answer", "target", "error, four times")
    large = [
        element("figure", picture, element("figcaption", title))
        for picture, title in zip(_pictures(one, name, LARGE), titles, strict=True)
    ]
    before = "" if one.input_psnr >= min(_SAME, BEST) else (
        f"; the input has {metric('psnr', one.input_psnr)}")  # fmt: skip
    said = f"PSNR {value}{before}"
    opened = joined([element("div", *large, class_="row four"), element("p", f"{name}: {said}")])
    caption = element("figcaption", element("strong", f"PSNR {value}"), f", {name}{before}")
    key = f"image-{contents.of_word}{index}"
    return element("figure", enlargeable(key, f"Enlarge {name}", small, opened), caption)


def _pictures(one: _Answer, name: str, largest: int) -> list[Html]:
    error = (one.answer.float() - one.target.float()) * 4 + 128
    pictures = [
        (one.image, f"Input {name}"),
        (one.answer, f"Answer to {name}"),
        (one.target, f"Target of {name}"),
        (error.round().clamp(0, 255).to(torch.uint8), f"Error of {name}"),
    ]
    return [tag(viewable(picture, largest), alt, lossy=True) for picture, alt in pictures]
