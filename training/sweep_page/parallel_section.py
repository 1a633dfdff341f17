"""The page's parallel coordinates: a line for each trial, through its values and results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from ..page.markup import Html, element, escape, joined, scrolling, section
from ..sweep.sweep_facts import TrialFacts
from .plot_axis import PlotAxis, axis_of_search
from .plot_frame import n
from .sweep_contents import SweepContents

_TOP, _BOTTOM, _HEIGHT, _SIDE, _GAP = 34, 16, 380, 56, 132
_LEVELS = 5
"""How many strengths of color there are, from the best trials to the worst."""


def parallel_section(contents: SweepContents) -> Html | None:
    shown = [trial for trial in contents.facts.trials if trial.objectives]
    if len(shown) < 2:
        return None
    axes = list(_axes(contents, shown))
    width = 2 * _SIDE + _GAP * (len(axes) - 1)
    places = [_SIDE + _GAP * number for number in range(len(axes))]
    shown.sort(key=lambda trial: -_level(contents, trial))  # the best ones on top
    lines = [_line(contents, trial, axes, places) for trial in shown]
    widths = f"min-width:{min(width, 110 * len(axes))}px;max-width:{round(1.4 * width)}px"
    names = escape(", ".join(axis.label for axis, _ in axes))
    svg = Html(
        f'<svg id="parallel-lines" viewBox="0 0 {width} {_HEIGHT}" style="{widths}" role="img"'
        f' aria-label="{len(shown)} trials by {names}">'
        f"{joined([*lines, *(_axis(a, x) for (a, _), x in zip(axes, places, strict=True))])}</svg>"
    )
    how = (
        "Each line is a trial: the stronger, the better; dashed, if it did not come to its end."
        " Point at one to see its values; drag along axes to choose trials by them, and click an"
        " axis to take its choice back."
    )
    return section(
        "parallel",
        "Trials as lines",
        element("p", how, class_="faint"),
        scrolling("Parallel coordinates of all trials", svg),
        element("p", Html("&nbsp;"), id="parallel-readout", aria_live="polite"),
    )


@cache
def script() -> str:
    """The script of the page."""
    return files(__package__).joinpath("parallel.js").read_text(encoding="utf-8")


def _axes(
    contents: SweepContents, trials: Sequence[TrialFacts]
) -> Iterator[tuple[PlotAxis, dict[int, float]]]:
    """Each axis, with where the trials are on it."""
    for search in contents.facts.searches:
        values = {trial.number: contents.value(trial, search.name) for trial in trials}
        axis = axis_of_search(search, list(values.values()))
        yield axis, _shares(axis, values)
    for name in contents.facts.objectives:
        results = {trial.number: contents.result(trial, name) for trial in trials}
        known = [value for value in results.values() if value is not None]
        axis = contents.axis(name, known)
        yield axis, _shares(axis, results)


def _shares(axis: PlotAxis, values: object) -> dict[int, float]:
    shares = {number: axis.share(value) for number, value in values.items()}  # type: ignore[attr-defined]
    return {number: share for number, share in shares.items() if share is not None}


def _level(contents: SweepContents, trial: TrialFacts) -> int:
    """0 for the best, `_LEVELS` for trials that did not come to their end."""
    if trial.number in contents.marked:
        return 0
    if not trial.is_complete:
        return _LEVELS
    if len(contents.facts.objectives) > 1:
        return 3
    return min(_LEVELS - 1, 1 + int((_LEVELS - 1) * contents.ranks[trial.number]))


def _line(
    contents: SweepContents,
    trial: TrialFacts,
    axes: Sequence[tuple[PlotAxis, dict[int, float]]],
    places: Sequence[int],
) -> Html:
    """The line, with its height on each axis as data for the script; it has gaps where a value is
    unknown."""
    heights = [
        None if (share := shares.get(trial.number)) is None else _height(share)
        for _, shares in axes
    ]
    path, pen = "", "M"
    for x, height in zip(places, heights, strict=True):
        if height is None:
            pen = "M"
            continue
        path += f"{pen}{x},{n(height)}"
        pen = "L"
    known = ",".join("" if height is None else n(height) for height in heights)
    return Html(
        f'<path class="line l{_level(contents, trial)}" d="{path}" data-trial="{trial.number}"'
        f' data-at="{known}" data-href="{escape(contents.href(trial))}">'
        f"{element('title', contents.title(trial))}</path>"
    )


def _height(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _axis(axis: PlotAxis, x: int) -> Html:
    top, bottom = _TOP, _HEIGHT - _BOTTOM
    name = axis.label if len(axis.label) < 18 else axis.label[:16] + "…"
    ticks = [
        f'<text class="tick" x="{x + 6}" y="{n(_height(share) + 4)}">'
        f"{escape(text if len(text) < 12 else text[:10] + '…')}</text>"
        for share, text in axis.ticks(6)
    ]
    return Html(
        f'<g class="axis" data-x="{x}"><text class="name" x="{x}" y="{_TOP - 16}"'
        f' text-anchor="middle">{element("title", axis.label)}{escape(name)}</text>'
        f'<line x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>{"".join(ticks)}'
        f'<rect class="brush" x="{x - 9}" y="{top}" width="18" height="0"/>'
        f'<rect class="grip" x="{x - 22}" y="{top - 8}" width="44" height="{bottom - top + 16}"/>'
        "</g>"
    )
