"""The page's slices: the result of each trial by the value of each parameter."""

from __future__ import annotations

from ...compiler.plan.search_space import Search
from ..page.markup import Html, element, section
from .plot_axis import axis_of_search
from .plot_frame import PlotFrame, dot
from .sweep_contents import SweepContents


def slices_section(contents: SweepContents) -> Html | None:
    facts = contents.facts
    if len(contents.complete) < 2:
        return None
    charts = [
        element("div", _slice(contents, search, name))
        for name in contents.measured
        for search in facts.searches
    ]
    note = (
        "Faint points are trials that did not come to their end: what they had reached by then."
        " Results that are far worse than the others are drawn at the edge."
    )
    return section(
        "slices",
        "Results by value",
        element("div", *charts, class_="charts"),
        element("p", note, class_="faint"),
    )


def _slice(contents: SweepContents, search: Search, name: str) -> Html:
    trials = contents.facts.trials
    across = axis_of_search(search, [contents.value(trial, search.name) for trial in trials])
    known = [(t, value) for t in trials if (value := contents.result(t, name)) is not None]
    up = contents.axis(name, [value for _, value in known])
    frame = PlotFrame(across, up)
    dots = []
    for trial, value in sorted(known, key=lambda pair: pair[0].number in contents.marked):
        x, y = across.share(contents.value(trial, search.name)), up.share(value)
        if x is not None and y is not None:
            spread = (
                (trial.number * 0.618 % 1 - 0.5) * 0.4 / len(search.choices)
                if search.choices
                else 0
            )
            place = frame.at(x + spread, y)
            dots.append(
                dot(*place, contents.css(trial), contents.title(trial), contents.href(trial))
            )
    return frame.svg(f"{name} by {search.name} of {len(dots)} trials", dots)
