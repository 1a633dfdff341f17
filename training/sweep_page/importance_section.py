"""The page's importances of parameters."""

from __future__ import annotations

from collections.abc import Iterator

from ..page.markup import Html, element, escape, joined, section
from .importance import CERTAIN, FEWEST, Importance, importances
from .sweep_contents import SweepContents

_ROW, _BAR, _LEFT, _WIDTH = 30, 16, 130, 440


def importance_section(contents: SweepContents) -> Html | None:
    searches = contents.facts.searches
    if len(searches) < 2 or not contents.complete:
        return None
    count = len(contents.complete)
    if count < FEWEST:
        text = f"{FEWEST} trials that came to their end are the fewest to tell; there are {count}."
        return section("importance", "What matters", element("p", text, class_="faint"))
    values = [[contents.value(trial, s.name) for trial in contents.complete] for s in searches]
    charts = []
    for name in contents.measured:
        results = [trial.objectives[name] for trial in contents.complete]
        found = importances(searches, values, results)
        if found:
            head = f"for {name}" if len(contents.measured) > 1 else ""
            charts.append(element("div", element("h3", head) if head else "", _bars(name, found)))
    if not charts:
        return None
    few = (
        element(
            "p",
            element("strong", f"{count} trials are few: "),
            "the order of these bars is not certain.",
            class_="verdict",
        )
        if count < CERTAIN
        else ""
    )
    how = (
        "The share of the variance of the trials' ranks that each parameter explains by itself, its"
        " values in a few bins, corrected for their number (epsilon squared). The line in each row"
        " is what 95 % of random orders of the same results stay below: bars that do not reach it"
        " are faint, and tell nothing. What parameters do only together is not in it; a sampler"
        " that tries good values more often makes the parameters that it has settled look small."
    )
    return section(
        "importance",
        "What matters",
        few,
        element("div", *charts, class_="charts"),
        element("p", how, class_="faint"),
    )


def _bars(objective: str, found: list[Importance]) -> Html:
    height = _ROW * len(found) + 8
    label = "; ".join(f"{each.name} {each.share:.0%}" for each in found)
    return Html(
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-label="{escape(f"importances for {objective}: {label}")}">'
        f"{joined(_rows(found))}</svg>"
    )


def _rows(found: list[Importance]) -> Iterator[Html]:
    room = _WIDTH - _LEFT - 52
    for place, each in enumerate(found):
        top = 6 + _ROW * place
        wide, mark = room * each.share, _LEFT + room * min(1.0, each.chance)
        css = "bar" if each.is_told else "bar faint-bar"
        name = each.name if len(each.name) < 18 else each.name[:16] + "…"
        title = f"{each.name}: {each.share:.1%}, and by chance up to {each.chance:.1%}"
        yield Html(
            f"<g>{element('title', title)}"
            f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{css}" x="{_LEFT}" y="{top}" width="{max(1.0, wide):.1f}"'
            f' height="{_BAR}"/>'
            f'<line class="best" x1="{mark:.1f}" x2="{mark:.1f}" y1="{top - 3}"'
            f' y2="{top + _BAR + 3}"/>'
            f'<text x="{_LEFT + max(wide, mark - _LEFT) + 8:.1f}" y="{top + 13}">'
            f"{each.share:.0%}</text></g>"
        )
