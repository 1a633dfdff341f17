"""The report's numbers: predicted against true ones, residuals, and the images with the largest
errors."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ...compiler.report.figures import exact
from ..display.number_format import amount_of
from ..tasks.regression import Regression
from .contents import Contents
from .markup import Html, details, element, joined
from .picture import tag, viewable
from .scatter import Point, scatter

_OPEN = 4
"""The charts of further numbers are folded."""
_CHARTS = 24
"""Further numbers have no charts; all are in the table."""
_POINTS = 2000
_WORST = 12
_SAID = 3
"""So many numbers of an image are named below it, those with the largest errors."""


def number_answers(contents: Contents) -> Iterator[Html]:
    """The sections about the numbers of single images."""
    task = contents.data.task
    assert isinstance(task, Regression)
    charts = [
        chart
        for index in range(min(len(task.classes), _CHARTS))
        if (chart := _charts(contents, task, index))
    ]
    if charts:
        about = (
            "Points on the dashed line are exact. Residuals are predicted minus true numbers: a"
            " slope or a bend in them is what the network has not learned."
        )
        shown = [element("p", about, class_="faint"), *charts[:_OPEN]]
        if charts[_OPEN:]:
            shown.append(details(f"{len(charts) - _OPEN} more", *charts[_OPEN:]))
        yield contents.section("numbers", "Predicted and true numbers", *shown)
    if worst := _worst(contents, task):
        yield worst


def _charts(contents: Contents, task: Regression, index: int) -> Html | None:
    name, deviation = task.classes[index], task.deviations[index]
    truth, answers = contents.outcome.labels[:, index], contents.outcome.answers[:, index]
    known = (truth.isfinite() & answers.isfinite()).nonzero().flatten()
    if not len(known):
        return None
    step = -(-len(known) // _POINTS)
    chosen = known[::step].tolist()
    named = [(truth[i].item(), answers[i].item(), contents.name(i)) for i in chosen]

    def value(number: float) -> str:
        return f"{number:,.6g}" if abs(number) < 1e6 else f"{number:.4g}"

    predicted = scatter(
        f"Predicted {name}", [Point(x, y, title) for x, y, title in named],
        (f"true {name}", f"predicted {name}"), value,
        line=lambda x: x, line_name="predicted as it is", same_range=True,
    )  # fmt: skip
    residuals = scatter(
        f"Residuals of {name}", [Point(x, y - x, title) for x, y, title in named],
        (f"true {name}", "predicted minus true"), value, line=lambda x: 0.0, line_name="no error",
    )  # fmt: skip
    error = (answers - truth)[known].double()
    bias = amount_of(float(error.mean()), deviation)
    spread = amount_of(float(error.std(correction=0)), deviation)
    said = f"{name}: residuals are {bias} on average, with a standard deviation of {spread}"
    if step > 1:
        said += f". Every {step}th of {exact(len(known))} {contents.nouns} is drawn"
    both = element("div", element("div", predicted), element("div", residuals), class_="charts")
    return joined([element("h3", name), both, element("p", f"{said}.", class_="faint")])


def _worst(contents: Contents, task: Regression) -> Html | None:
    errors = standardized_errors(contents.outcome.answers, contents.outcome.labels, task)
    largest = errors.amax(1)
    order = [int(i) for i in largest.argsort(descending=True, stable=True) if largest[i] > 0]
    if not order:
        return None
    items = [
        element("li", _figure(contents, task, index, errors[index])) for index in order[:_WORST]
    ]
    about = "Images with the largest errors. Wrong labels show up here, too."
    if len(task.classes) > 1:
        about += " Errors of different numbers are compared in standard deviations of the labels."
    return contents.section(
        "worst",
        "Largest errors",
        element("p", about, class_="faint"),
        element("ul", *items, class_="gallery"),
    )


def standardized_errors(answers: Tensor, labels: Tensor, task: Regression) -> Tensor:
    """The size of each error in standard deviations of its number; 0 for missing labels."""
    errors = (answers - labels).abs() / torch.tensor(task.deviations)
    return errors.nan_to_num(0.0, posinf=torch.finfo(errors.dtype).max)


def _figure(contents: Contents, task: Regression, index: int, errors: Tensor) -> Html:
    name = contents.name(index)
    said: list[str] = []
    several = len(task.classes) > 1
    for place in errors.argsort(descending=True, stable=True)[:_SAID].tolist():
        truth = float(contents.outcome.labels[index, place])
        answer = float(contents.outcome.answers[index, place])
        if truth != truth:
            continue
        deviation = task.deviations[place]
        of_what = f"{task.classes[place]} " if several else ""
        said += [
            element("strong", f"{of_what}{amount_of(answer, deviation)}"),
            f" instead of {amount_of(truth, deviation)}",
            element("br"),
        ]
    image = tag(
        viewable(contents.image(index), inputs=contents.inputs), f"{name}, predicted wrongly"
    )
    return element("figure", image, element("figcaption", *said, name))
