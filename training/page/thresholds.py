"""The report's threshold curves: precision, recall and F1 of each class over all thresholds, where
an image may have several classes."""

from __future__ import annotations

from functools import cache

import torch

from ..metrics.score_bins import BINS, Ranking, ScoreBins, bin_of, edge_of, probability_of
from ..tasks.multi_label import MultiLabel
from .contents import Contents
from .markup import Html, details, element
from .share_chart import Curve, share_chart

_OPEN = 4
"""The charts of further classes are folded."""
_CHARTS = 48
"""Further classes have no charts; all are in the table."""
_POINTS = 100


def thresholds(contents: Contents) -> Html | None:
    task = contents.data.task
    if not isinstance(task, MultiLabel) or not len(contents.outcome.answers):
        return None
    ranking = _ranking(contents, task)
    order = ranking.actual.argsort(descending=True, stable=True).tolist()
    charts = [
        _chart(contents, task, ranking, place) for place in order[:_CHARTS] if ranking.actual[place]
    ]
    if not charts:
        return None
    about = (
        "The dashed line is the threshold that is used: an image has the class if its probability"
        " is at least that. It is where F1 was largest on the validation set, so that F1 on other"
        " images may be a little lower. A lower threshold finds more images of the class, and more"
        " that do not have it. Classes with the most images first."
    )
    shown = [element("div", *charts[:_OPEN], class_="charts")]
    if charts[_OPEN:]:
        more = element("div", *charts[_OPEN:], class_="charts")
        shown.append(details(f"{len(charts) - _OPEN} more", more))
    return contents.section("thresholds", "Thresholds", element("p", about, class_="faint"), *shown)


def _ranking(contents: Contents, task: MultiLabel) -> Ranking:
    bins = ScoreBins(len(task.classes), torch.device("cpu"))
    outputs = task.outputs(contents.outcome.answers)
    labels = contents.outcome.labels
    bins.add(bin_of(outputs), labels > 0.5, ~labels.isnan())
    return bins.ranking()


@cache
def _edges() -> tuple[int, ...]:
    """Edges whose probabilities are about evenly spaced, with the first and the last."""
    edges, last = [0], 0.0
    for edge in range(1, BINS):
        probability = probability_of(edge)
        if probability - last >= 1 / _POINTS:
            edges.append(edge)
            last = probability
    return tuple(edges)


def _chart(contents: Contents, task: MultiLabel, ranking: Ranking, place: int) -> Html:
    name, used = task.classes[place], (task.thresholds or (0.5,) * len(task.classes))[place]
    edges = sorted({*_edges(), edge_of(used)})
    predicted, correct = ranking.predicted[place, edges], ranking.correct[place, edges]
    actual = float(ranking.actual[place])
    at = [probability_of(edge) for edge in edges]

    def points(values: torch.Tensor) -> list[tuple[float, float]]:
        return list(zip(at, values.tolist(), strict=True))

    some = predicted > 0
    precision = [point for point, there in zip(points(correct / predicted), some, strict=True)
                 if there]  # fmt: skip
    curves = [
        Curve("F1", "one", points(2 * correct / (predicted + actual))),
        Curve("precision", "two", precision),
        Curve("recall", "three", points(correct / actual)),
    ]
    label = f"Precision, recall and F1 of {name} over the threshold, which is {100 * used:.2f} %"
    chart = share_chart(label, "threshold", "", curves=curves, mark=used)
    figures = contents.outcome.per_class.get(name, {})
    said = f"threshold {100 * used:.2f} %, F1 {100 * figures.get('f1', 0.0):.1f} %"
    return element("div", element("h3", name), chart, element("p", said, class_="faint"))
