"""The page's progress of a sweep: the best so far by trial, or the front of two objectives."""

from __future__ import annotations

from ..page.markup import Html, element, section
from ..sweep.trial_text import objective_text
from .plot_axis import PlotAxis
from .plot_frame import PlotFrame, dot, n
from .sweep_contents import SweepContents


def progress_section(contents: SweepContents) -> Html | None:
    if not contents.complete:
        return None
    names = contents.facts.objectives
    charts = [_best_so_far(contents, name) for name in contents.measured]
    if len(names) == 1:
        how = "Each point is a trial; the line is the best result until then."
        return section(
            "progress", "Best so far", *_charts(charts), element("p", how, class_="faint")
        )
    how = (
        "On the line are the trials that no other is better than in both. Which of them to take is"
        " a matter of what each is worth."
    )
    return section(
        "progress",
        "Front",
        *_charts([_front(contents), *charts]),
        element("p", how, class_="faint"),
    )


def _charts(charts: list[Html]) -> list[Html]:
    return [element("div", *(element("div", each) for each in charts), class_="charts")]


def _best_so_far(contents: SweepContents, name: str) -> Html:
    """Results by number of the trial, also of those that were pruned."""
    higher = contents.is_higher_better(name)
    better = max if higher else min
    results = [
        (t, value) for t in contents.facts.trials if (value := contents.result(t, name)) is not None
    ]
    last = max((trial.number for trial, _ in results), default=1)
    across = PlotAxis("trial", 0, max(1, last), text="{:.0f}".format, whole=True)
    label = f"{name} ({'higher' if higher else 'lower'} is better)"
    up = contents.axis(name, [value for _, value in results], label)
    frame = PlotFrame(across, up)
    path, best, parts = "", None, []
    for trial, value in results:
        x, y = frame.at(across.share(trial.number) or 0.0, up.share(value) or 0.0)
        parts.append(dot(x, y, contents.css(trial), contents.title(trial), contents.href(trial)))
        if trial.is_complete and (best is None or better(value, best) != best):
            best = value
            path += f"M{n(x)},{n(y)}" if not path else f"H{n(x)}V{n(y)}"
    end, _ = frame.at(1, 0)
    line = f'<path class="curve two" d="{path}H{n(end)}"/>' if path else ""
    text = objective_text(name, best)
    return frame.svg(f"best {name} so far, over {len(results)} trials: {text}", [line, *parts])


def _front(contents: SweepContents) -> Html:
    one, two = contents.facts.objectives
    trials = contents.complete
    across, up = (
        contents.axis(name, [trial.objectives[name] for trial in trials]) for name in (two, one)
    )
    frame = PlotFrame(across, up)

    def place(trial: object) -> tuple[float, float]:
        objectives = trial.objectives  # type: ignore[attr-defined]
        return frame.at(across.share(objectives[two]) or 0.0, up.share(objectives[one]) or 0.0)

    front = sorted(contents.facts.front, key=lambda trial: trial.objectives[two])
    steps = "L".join(f"{n(x)},{n(y)}" for x, y in map(place, front))
    line = f'<path class="curve two" d="M{steps}"/>' if steps else ""
    dots = [
        dot(*place(trial), contents.css(trial), contents.title(trial), contents.href(trial))
        for trial in sorted(trials, key=lambda trial: trial.number in contents.marked)
    ]
    return frame.svg(
        f"{one} against {two}: {len(front)} of {len(trials)} trials are on the front", [line, *dots]
    )
