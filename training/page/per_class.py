"""Precision and recall of each class."""

from __future__ import annotations

from ...compiler.report.figures import exact
from .contents import Contents
from .markup import Html, details, element, section, table

_SHOWN = 40
"""Of more classes than that, those with the lowest F1."""


def classes(contents: Contents) -> Html | None:
    found = contents.outcome.per_class
    if not found:
        return None
    names = list(found)
    if len(names) <= _SHOWN:
        return section("classes", "Classes", _table(contents, names))
    order = sorted(names, key=lambda name: found[name].get("f1", 0.0))
    rest = details(
        f"The other {exact(len(order) - _SHOWN)} classes", _table(contents, order[_SHOWN:])
    )
    said = element("p", f"The {_SHOWN} classes with the lowest F1.", class_="faint")
    return section("classes", "Classes", said, _table(contents, order[:_SHOWN]), rest)


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
                *map(_metered, shares),
            ]
        )
    return table("Figures of each class", head, rows)


def _metered(share: float) -> Html:
    if share != share:
        return Html("")
    bar = Html(f'<span style="width:{100 * share:.1f}%"></span>')
    meter = element("span", bar, class_="meter", aria_hidden="true")
    return Html(f"{meter}{100 * share:.1f} %")
