"""The page's tables: all trials, each with a link to its report; and what was not trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from ...compiler.report.figures import exact
from ..display.number_format import duration
from ..page.markup import Html, details, element, joined, scrolling, section, table
from ..sweep.sweep_facts import TrialFacts
from ..sweep.trial_text import objective_text, value_text, values_text
from .sweep_contents import SweepContents

_MOST = 200
"""Proposals that were not trained are listed up to so many."""


def trials_section(contents: SweepContents) -> Html:
    facts = contents.facts
    head = [
        "trial",
        *facts.objectives,
        *(search.name for search in facts.searches),
        "epochs",
        "time",
        "",
    ]
    rows = [_row(contents, trial) for trial in _in_order(contents)]
    cells = [
        element("th", name, scope="col", class_="number" if 0 < place < len(head) - 1 else None)
        for place, name in enumerate(head)
    ]
    body = element(
        "table",
        element("caption", "All trials", class_="hidden"),
        element("thead", element("tr", *cells)),
        element("tbody", joined(rows)),
        class_="trials",
    )
    return section("trials", "All trials", scrolling("All trials", body))


def _in_order(contents: SweepContents) -> Iterator[TrialFacts]:
    """The best first; then those that did not come to their end."""
    name = contents.facts.objectives[0]
    sign = -1 if contents.facts.higher[0] else 1
    yield from sorted(contents.complete, key=lambda trial: sign * trial.objectives[name])
    rest = [trial for trial in contents.facts.trials if not trial.is_complete]
    yield from sorted(rest, key=lambda trial: sign * trial.objectives.get(name, sign * inf))


def _row(contents: SweepContents, trial: TrialFacts) -> Html:
    facts = contents.facts
    link = element("a", str(trial.number), href=contents.href(trial))
    note = []
    if trial.number in contents.marked:
        note.append("best" if len(facts.objectives) == 1 else "on the front")
    if trial.is_written:
        note.append("the spec as written")
    if not trial.is_complete:
        note.append(f"{trial.state}: {trial.reason}" if trial.reason else trial.state)
    elif trial.state != "done":
        note.append(trial.state)
    cells = [
        element("th", link, scope="row"),
        *(_number(objective_text(o, trial.objectives.get(o))) for o in facts.objectives),
        *(_number(value_text(s, trial.values.get(s.name))) for s in facts.searches),
        _number(exact(trial.epochs)),
        _number("" if trial.seconds is None else duration(trial.seconds)),
        element("td", ", ".join(note)),
    ]
    css = "best-trial" if trial.number in contents.marked else None
    css = css if trial.is_complete else "early"
    return element("tr", *cells, id=f"trial-{trial.number}", class_=css)


def _number(text: str) -> Html:
    return element("td", text, class_="number")


def not_trained_section(contents: SweepContents) -> Html | None:
    """Proposals that the compiler refused before anything was trained, by reason."""
    facts = contents.facts
    if not facts.not_trained:
        return None
    kinds = [[kind, exact(count)] for kind, count in facts.why_not_trained.items()]
    listed: Sequence[Sequence[str]] = [
        [values_text(facts.searches, one.values), one.reason] for one in facts.not_trained[:_MOST]
    ]
    more = len(facts.not_trained) - _MOST
    rest = element("p", f"and {exact(more)} more", class_="faint") if more > 0 else ""
    return section(
        "refused",
        "Never trained",
        element("p", f"{facts.saved}. They cost nothing: the compiler knew before."),
        table("Reasons", ["reason", "proposals"], kinds),
        details(
            "All of them",
            table("Never trained", ["values", "why"], listed, numbers_from=9),
            rest,
        ),
    )
