"""What `cnn predict` prints, as a table or JSON: the most probable classes of each image, all that
it has, the shares of its mask, its numbers, or what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from ...compiler.report.figures import exact, plural
from ...compiler.report.grid import Column, grid
from ...compiler.report.style import BOLD, Style
from ...compiler.shapes import AXES
from ...dsl.printable import show
from ..data.diagnostic import point_of
from ..inference.prediction import Prediction, Share
from ..tasks.multi_label import MultiLabel
from ..tasks.multi_task import MultiTask, One
from ..tasks.regression import Regression
from .number_format import amount_of


class _Line(NamedTuple):
    image: str
    name: str
    probability: float
    first: bool


def prediction_text(predictions: Sequence[Prediction], style: Style, noun: str = "image") -> str:
    """A table of the images that could be read; the name of an image is beside its top class."""
    lines = [
        _Line(show(each.image) if not place else "", show(guess.name), guess.probability, not place)
        for each in predictions
        for place, guess in enumerate(each.guesses)
    ]
    columns: list[Column[_Line]] = [
        Column(noun, lambda line: line.image, least=12),
        Column("class", lambda line: line.name, least=12),
        Column("probability", lambda line: f"{100 * line.probability:.2f} %", right=True),
    ]
    table = grid([columns], lines, style, lambda line, _column: BOLD if line.first else "")
    return "\n".join(table)


def prediction_json(
    about: Mapping[str, object], predictions: Sequence[Prediction], classes: Sequence[str]
) -> dict[str, Any]:
    return {
        **about,
        "classes": list(classes),
        "images": [
            {
                "image": each.image,
                "predictions": _guesses_json(each),
                **({"problem": each.reason} if each.reason else {}),
            }
            for each in predictions
        ],
    }


def _guesses_json(prediction: Prediction) -> list[dict[str, Any]]:
    return [{"class": guess.name, "probability": guess.probability} for guess in prediction.guesses]


# ---- several classes -------------------------------------------------------------------------


class _PresentLine(NamedTuple):
    image: str
    name: str
    probability: str
    threshold: str
    present: bool


def present_text(
    predictions: Sequence[Prediction], task: MultiLabel, style: Style, top: int | None
) -> str:
    """A table of the classes that each image has; with `top`, of its most probable classes, where
    those that it has are bold."""
    thresholds = dict(zip(task.classes, task.thresholds, strict=False))
    lines = []
    for each in predictions:
        if each.reason:
            continue
        names = {guess.name for guess in each.present}
        for place, guess in enumerate(each.present if top is None else each.guesses):
            image = show(each.image) if not place else ""
            least = f"{100 * thresholds.get(guess.name, 0.5):.2f} %"
            share = f"{100 * guess.probability:.2f} %"
            lines.append(_PresentLine(image, show(guess.name), share, least, guess.name in names))
        if top is None and not each.present:
            lines.append(_PresentLine(show(each.image), "(none)", "", "", False))
    columns: list[Column[_PresentLine]] = [
        Column("image", lambda line: line.image, least=12),
        Column("class", lambda line: line.name, least=12),
        Column("probability", lambda line: line.probability, right=True),
        Column("threshold", lambda line: line.threshold, right=True),
    ]
    table = grid([columns], lines, style, lambda line, _column: BOLD if line.present else "")
    return "\n".join(table)


def present_json(
    about: Mapping[str, object], predictions: Sequence[Prediction], task: MultiLabel
) -> dict[str, Any]:
    """As of other classes, with the thresholds, and all classes that each image has."""
    known = prediction_json(about, predictions, task.classes)
    for image, each in zip(known["images"], predictions, strict=True):
        if not each.reason:
            image["present"] = [guess.name for guess in each.present]
    thresholds = dict(zip(task.classes, task.thresholds, strict=False))
    return {**about, "classes": list(task.classes), "thresholds": thresholds, **known}


# ---- masks -----------------------------------------------------------------------------------


class _ShareLine(NamedTuple):
    image: str
    name: str
    share: str
    pixels: str
    first: bool


def shares_text(
    predictions: Sequence[Prediction], style: Style, most: int, noun: str = "image"
) -> str:
    """A table of how much of each image the classes cover, the `most` largest of each. `noun` is
    what an image is called."""
    lines = []
    for each in predictions:
        for place, one in enumerate(each.shares[:most]):
            image = show(each.image) if not place else ""
            share = f"{100 * one.share:.2f} %"
            lines.append(_ShareLine(image, show(one.name), share, exact(one.pixels), not place))
        rest = each.shares[most:]
        if rest:
            share = f"{100 * sum(one.share for one in rest):.2f} %"
            pixels = exact(sum(one.pixels for one in rest))
            other = plural(len(rest), "other class")
            lines.append(_ShareLine("", other, share, pixels, False))
    columns: list[Column[_ShareLine]] = [
        Column(noun, lambda line: line.image, least=12),
        Column("class", lambda line: line.name, least=12),
        Column("share", lambda line: line.share, right=True),
        Column(f"{point_of(noun)}s", lambda line: line.pixels, right=True),
    ]
    table = grid([columns], lines, style, lambda line, _column: BOLD if line.first else "")
    return "\n".join(table)


def shares_json(prediction: Prediction, classes: Sequence[str]) -> dict[str, Any]:
    """An image of the JSON of `cnn predict`, where answers are masks."""
    if prediction.mask is None:
        return {"image": prediction.image, "problem": prediction.reason}
    sizes = prediction.mask.shape
    axes = dict(zip(AXES[len(sizes)][::-1], sizes[::-1], strict=True))
    numbers = {name: number for number, name in enumerate(classes)}
    return {
        "image": prediction.image,
        **axes,
        "predictions": _shares_json(prediction.shares, numbers),
    }


def _shares_json(shares: Sequence[Share], numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "class": one.name,
            "number": numbers[one.name],
            "pixels": one.pixels,
            "share": one.share,
        }
        for one in shares
    ]


# ---- images ----------------------------------------------------------------------------------


def picture_json(prediction: Prediction, written: str) -> dict[str, Any]:
    """An image of the JSON of `cnn predict`, where answers are images; `written` is its file."""
    if prediction.picture is None:
        return {"image": prediction.image, "problem": prediction.reason}
    height, width = prediction.picture.shape[-2:]
    return {
        "image": prediction.image,
        "width": width,
        "height": height,
        **({"file": written} if written else {}),
    }


def pictures_text(entries: Sequence[Mapping[str, Any]], style: Style) -> str:
    """A table of the images that a network answers with: their sizes, and their files."""
    lines = [entry for entry in entries if "width" in entry]
    columns: list[Column[Mapping[str, Any]]] = [
        Column("image", lambda line: show(line["image"]), least=12),
        Column("answer", lambda line: f"{line['width']} x {line['height']}", right=True),
    ]
    if any("file" in line for line in lines):
        columns.append(Column("file", lambda line: show(line["file"]), least=12))
    return "\n".join(grid([columns], lines, style, lambda line, _column: BOLD))


# ---- numbers ---------------------------------------------------------------------------------


_BESIDE = 6
"""Up to this many numbers have a column each; more of them have lines."""


class _NumberLine(NamedTuple):
    image: str
    name: str
    values: Sequence[str]
    first: bool


def numbers_text(
    predictions: Sequence[Prediction], task: Regression, style: Style, noun: str = "image"
) -> str:
    """A table of the numbers of the images that could be read, in the units of the data."""
    lines = []
    for each in predictions:
        values = [
            amount_of(number.value, deviation)
            for number, deviation in zip(each.numbers, task.deviations, strict=False)
        ]
        if not values:
            continue
        if len(values) <= _BESIDE:
            lines.append(_NumberLine(show(each.image), "", values, False))
            continue
        for place, (name, value) in enumerate(zip(task.classes, values, strict=True)):
            image = show(each.image) if not place else ""
            lines.append(_NumberLine(image, show(name), (value,), not place))
    columns: list[Column[_NumberLine]] = [Column(noun, lambda line: line.image, least=12)]
    if len(task.classes) <= _BESIDE:
        columns += [_number_column(place, name) for place, name in enumerate(task.classes)]
    else:
        columns.append(Column("number", lambda line: line.name, least=12))
        columns.append(_number_column(0, "value"))
    table = grid([columns], lines, style, lambda line, _column: BOLD if line.first else "")
    return "\n".join(table)


def _number_column(place: int, name: str) -> Column[_NumberLine]:
    return Column(show(name), lambda line: line.values[place], right=True, optional=False)


def numbers_json(
    about: Mapping[str, object], predictions: Sequence[Prediction], task: Regression
) -> dict[str, Any]:
    """Unrounded values, in the units of the data; NaN and infinity become null."""
    return {
        **about,
        "task": task.word,
        "numbers": list(task.classes),
        "images": [
            {
                "image": each.image,
                "predictions": _numbers_json(each),
                **({"problem": each.reason} if each.reason else {}),
            }
            for each in predictions
        ],
    }


def _numbers_json(prediction: Prediction) -> list[dict[str, Any]]:
    return [
        {"number": number.name, "value": number.value if isfinite(number.value) else None}
        for number in prediction.numbers
    ]


# ---- several outputs -------------------------------------------------------------------------


def outputs_text(predictions: Sequence[Prediction], task: MultiTask, style: Style) -> str:
    """A table with a column for each output: its most probable class, its classes, or its
    numbers."""
    readable = [each for each in predictions if each.outputs]
    columns: list[Column[Prediction]] = [
        Column("image", lambda each: show(each.image), least=12),
        *map(_output_column, task.each),
    ]
    return "\n".join(grid([columns], readable, style))


def _output_column(one: One) -> Column[Prediction]:
    def text(prediction: Prediction) -> str:
        own: Prediction = prediction.outputs[one.name]
        if one.answer.is_image:
            return "an image"
        if one.answer.is_mask:
            return ", ".join(
                f"{show(each.name)} {100 * each.share:.1f} %" for each in own.shares[:_OF_MASKS]
            )
        if one.task.numbers:
            each = zip(own.numbers, one.answer.scale.deviations, strict=True)
            return ", ".join(amount_of(number.value, deviation) for number, deviation in each)
        if one.task.word == MultiLabel.word:
            there = [guess.name for guess in own.guesses if guess.probability > 0.5]
            return ", ".join(map(show, there)) or "none"
        best = own.guesses[0]
        return f"{show(best.name)} ({100 * best.probability:.1f} %)"

    return Column(show(one.name), text, right=one.task.numbers, optional=False)


_OF_MASKS = 3
"""So many classes of a mask stand in the column of its output."""


def outputs_json(
    about: Mapping[str, object],
    predictions: Sequence[Prediction],
    task: MultiTask,
    maps: Sequence[Mapping[str, Mapping[str, Any]]] = (),
) -> dict[str, Any]:
    """The predictions of each output. `maps` has what else is known of the masks and images that
    are answered for each image: their files and polygons."""
    numbers = {
        one.name: {name: number for number, name in enumerate(one.answer.classes)}
        for one in task.each
        if one.answer.is_mask
    }

    images = {one.name for one in task.each if one.answer.is_image}

    def of_output(place: int, name: str, own: Prediction) -> object:
        further = maps[place].get(name, {}) if maps else {}
        if name in images:
            return further
        if name not in numbers:
            return _numbers_json(own) or _guesses_json(own)
        return {"predictions": _shares_json(own.shares, numbers[name]), **further}

    return {
        **about,
        "task": task.word,
        "outputs": {
            one.name: {"task": one.task.word, "of": list(one.answer.classes)} for one in task.each
        },
        "images": [
            {
                "image": each.image,
                "outputs": {
                    name: of_output(place, name, own) for name, own in each.outputs.items()
                },
                **({"problem": each.reason} if each.reason else {}),
            }
            for place, each in enumerate(predictions)
        ],
    }
