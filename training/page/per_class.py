"""The report's table of precision, recall and F1 of each class."""

from __future__ import annotations

from ...compiler.report.figures import exact
from .contents import Contents
from .markup import Html, details, element, section, table

_SHOWN = 40
"""With more classes, those with the lowest F1 are shown first, and the others folded."""


def classes(contents: Contents) -> Html | None:
    per_class = contents.outcome.per_class
    if not per_class:
        return None
    names = list(per_class)
    if len(names) <= _SHOWN:
        return section("classes", "Metrics per class", _table(contents, names))
    order = sorted(names, key=lambda name: per_class[name].get("f1", 0.0))
    rest = details(
        f"The other {exact(len(order) - _SHOWN)} classes", _table(contents, order[_SHOWN:])
    )
    which = element("p", f"The {_SHOWN} classes with the lowest F1.", class_="faint")
    return section("classes", "Metrics per class", which, _table(contents, order[:_SHOWN]), rest)


def _table(contents: Contents, names: list[str]) -> Html:
    head = ["class", "images", "precision", "recall", "F1"]
    rows = []
    for name in names:
        figures = contents.outcome.per_class[name]
        shares = [figures.get(key, float("nan")) for key in ("precision", "recall", "f1")]
        rows.append(
            [
                name,
                exact(int(figures.get("images", 0))),
                *map(_with_bar, shares),
            ]
        )
    return table("Metrics per class", head, rows)


def _with_bar(share: float) -> Html:
    if share != share:
        return Html("")
    bar = Html(f'<span style="width:{100 * share:.1f}%"></span>')
    meter = element("span", bar, class_="meter", aria_hidden="true")
    return Html(f"{meter}{100 * share:.1f} %")
