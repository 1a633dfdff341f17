"""The report's reliability diagram: how often answers of each confidence are right."""

from __future__ import annotations

import torch
from torch import Tensor

from ...compiler.report.figures import exact
from ..metrics.calibration import BINS, calibration, calibration_error
from ..tasks.multi_label import MultiLabel
from .contents import Contents
from .markup import Html, element
from .share_chart import Bar, share_chart


def reliability(contents: Contents) -> Html | None:
    several = isinstance(contents.data.task, MultiLabel)
    if not (several or contents.one_class) or not len(contents.outcome.answers):
        return None
    answers, labels = contents.outcome.answers.double(), contents.outcome.labels
    if several:
        sums = calibration(answers.clamp(0, 1), labels > 0.5, ~labels.isnan())
    else:
        sums = calibration(answers.amax(1), answers.argmax(1) == labels)
    if not torch.isfinite(sums).all():
        return None
    count, confidence, right = sums.tolist()
    what = "decisions" if several else "predictions"
    are = "have the class" if several else "are right"
    bars = [
        Bar(
            place / BINS,
            (place + 1) / BINS,
            right[place] / many,
            f"{exact(int(many))} {what} with a probability of {100 * confidence[place] / many:.1f}"
            f" % on average: {100 * right[place] / many:.1f} % {are}",
        )
        for place, many in enumerate(count)
        if many
    ]
    up = "of them have the class" if several else "of them are right"
    label = f"Reliability diagram: of {what} with each probability, how many {are}"
    error = f"{label}; the expected calibration error is {100 * calibration_error(sums):.2f} %"
    chart = share_chart(
        error, "predicted probability", up, bars=bars, diagonal="a calibrated network"
    )
    return contents.section(
        "calibration",
        "Calibration",
        element("div", element("div", chart), element("p", _said(sums, several)), class_="charts"),
    )


def _said(sums: Tensor, several: bool) -> str:
    """The calibration error, and in which direction it is."""
    count, confidence, right = sums.sum(1).tolist()
    error = f"The expected calibration error (ECE) is {100 * calibration_error(sums):.2f} %"
    mean = f"{100 * confidence / count:.1f} %"
    share = f"{100 * right / count:.1f} %"
    if several:
        said = f"on average, a class has a probability of {mean}, and {share} of images have it"
    else:
        said = f"the mean confidence is {mean}, and {share} of the predictions are right"
    lie = "Bars below the dashed line: the network is more certain than it should be."
    return f"{error}: {said}. {lie}"
