"""The confusion matrix and the most frequent confusions."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from ...compiler.report.figures import exact, plural
from ..metrics.most_confused import confused
from .contents import Contents
from .markup import Html, element, escape, joined, scrolling, section, table
from .picture import tag

LARGEST_TABLE = 20
"""Classes; of more than that the matrix is shown as a picture."""
LARGEST_PICTURE = 1000
_LISTED = 20
_LONG = 4
"""Names of classes that are longer stand upright above their column."""


def confusion(contents: Contents) -> Html | None:
    if contents.multi_label:
        return None
    matrix = contents.outcome.confusion
    wrong = int(matrix.sum() - matrix.diagonal().sum())
    right = "All images are classified correctly." if not wrong else ""
    shown: Html | str = ""
    if len(matrix) <= LARGEST_TABLE:
        shown = _table(contents.classes, matrix)
    elif len(matrix) <= LARGEST_PICTURE:
        shown = _picture(matrix)
    how = "Rows are true classes, columns predicted ones."
    return section(
        "confusion",
        "Confusions",
        element("p", how, class_="faint") if shown else "",
        shown,
        element("p", right) if right else _most(contents, wrong),
    )


def _table(classes: tuple[str, ...], matrix: Tensor) -> Html:
    upright = any(len(name) > _LONG for name in classes)
    head = [
        element("th", name, scope="col", title=name, class_="long" if upright else None)
        for name in classes
    ]
    totals = matrix.sum(1).tolist()
    rows = [
        element(
            "tr",
            element("th", classes[row], scope="row", title=classes[row]),
            *(
                _cell(classes, row, column, count, totals[row])
                for column, count in enumerate(counts)
            ),
        )
        for row, counts in enumerate(matrix.tolist())
    ]
    caption = "Confusion matrix: rows are true classes, columns predicted ones"
    return scrolling(
        "Confusion matrix",
        element(
            "table",
            element("caption", caption, class_="hidden"),
            element("thead", element("tr", element("td"), *head)),
            element("tbody", joined(rows)),
            class_="confusion",
        ),
    )


def _cell(classes: tuple[str, ...], row: int, column: int, count: int, total: int) -> Html:
    if not count:
        return Html('<td class="none">0</td>')
    share = count / total
    css = "right" if row == column else "wrong"
    # Few mistakes are to be seen, too; and the text is to be read on the strongest colour.
    strength = 0.12 + 0.4 * (share if row == column else sqrt(share))
    said = escape(f"{classes[row]} predicted as {classes[column]}: {count} of {total}")
    return Html(
        f'<td class="{css}" style="--share:{strength:.2f}" title="{said}">{exact(count)}</td>'
    )


def _picture(matrix: Tensor) -> Html:
    shares = matrix.float() / matrix.sum(1, keepdim=True).clamp(min=1)
    pixels = (shares.sqrt() * 255).round().to(torch.uint8)[None]
    alt = f"Confusion matrix of {len(matrix)} classes: bright means many, the diagonal is correct"
    return tag(pixels, alt, "matrix")


def _most(contents: Contents, wrong: int) -> Html:
    pairs = confused(contents.outcome.confusion, _LISTED)
    rows = [
        [
            contents.classes[pair.label],
            contents.classes[pair.taken_for],
            exact(pair.times),
            f"{100 * pair.times / pair.images:.1f} %",
        ]
        for pair in pairs
    ]
    total = len(contents.outcome.labels)
    said = (
        f"{plural(wrong, 'image')} of {exact(total)} {'is' if wrong == 1 else 'are'} misclassified."
    )
    head = ["true class", "predicted as", "images", "of the class"]
    return joined(
        [
            element("h3", "Most frequent confusions"),
            element("p", said),
            table("Most frequent confusions", head, rows, numbers_from=2),
        ]
    )
