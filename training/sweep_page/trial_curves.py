"""The page's curves: the metric of all trials by epoch, and where trials were pruned."""

from __future__ import annotations

from functools import partial

from ..page.markup import Html, element, section
from ..sweep.sweep_facts import PRUNED
from ..sweep.trial_text import objective_text
from .plot_axis import PlotAxis, axis_of_results
from .plot_frame import PlotFrame, n
from .sweep_contents import SweepContents


def trial_curves(contents: SweepContents) -> Html | None:
    curves = [(trial, contents.curve(trial)) for trial in contents.facts.trials]
    curves = [(trial, curve) for trial, curve in curves if len(curve) > 1]
    if not curves:
        return None
    name = contents.metric
    last = max(epoch for _, curve in curves for epoch, _ in curve)
    across = PlotAxis("epoch", 0, max(1, last), text="{:.0f}".format, whole=True)
    # What a network gives before training would leave no room for what it learns.
    learned = [value for _, curve in curves for epoch, value in curve if epoch]
    whole = [v for t, curve in curves if t.is_complete for epoch, v in curve if epoch]
    up = axis_of_results(
        name,
        learned,
        partial(objective_text, name),
        complete=whole,
        higher=contents.is_higher_better(name),
    )
    frame = PlotFrame(across, up, height=340)
    parts = []
    for trial, curve in sorted(curves, key=lambda pair: pair[0].number in contents.marked):
        points = [
            frame.at(across.share(epoch) or 0.0, share)
            for epoch, value in curve
            if epoch and (share := up.share(value)) is not None
        ]
        if not points:
            continue
        path = "L".join(f"{n(x)},{n(y)}" for x, y in points)
        css = contents.css(trial)
        title = element("title", contents.title(trial))
        ended = points[-1]
        cross = (
            f'<path class="cross" d="M{n(ended[0] - 3)},{n(ended[1] - 3)}l6,6m0,-6l-6,6"/>'
            if trial.state == PRUNED
            else ""
        )
        parts.append(
            f'<a href="{contents.href(trial)}"><g class="trial {css}">{title}'
            f'<path class="curve" d="M{path}"/>{cross}</g></a>'
        )
    pruned = sum(trial.state == PRUNED for trial, _ in curves)
    crosses = f" The {pruned} with a cross were pruned there." if pruned else ""
    return section(
        "epochs",
        "By epoch",
        element(
            "div", frame.svg(f"{name} by epoch of {len(curves)} trials", parts), class_="epochs"
        ),
        element("p", f"The validation {name} of each trial.{crosses}", class_="faint"),
    )
