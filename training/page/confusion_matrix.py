"""The report's confusion matrix and its list of the most frequent confusions."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from ...compiler.report.figures import exact, plural
from ..data.diagnostic import in_nouns, plural_noun
from ..metrics.most_confused import confused
from .contents import Contents
from .markup import Html, element, escape, joined, scrolling, table
from .picture import tag

LARGEST_TABLE = 20
"""With more classes, the matrix is shown as an image."""
LARGEST_PICTURE = 1000
"""With more classes, the matrix is not shown."""
_LISTED = 20
"""Pairs of classes in the list."""
_LONG = 4
"""Longer class names are written vertically above their column."""


def confusion(contents: Contents) -> Html | None:
    if not len(contents.outcome.confusion):
        return None
    matrix = contents.outcome.confusion
    unit = plural_noun(in_nouns(contents.data.task.unit, contents.data.dataset.noun))
    wrong = int(matrix.sum() - matrix.diagonal().sum())
    shown: Html | str = ""
    if len(matrix) <= LARGEST_TABLE:
        shown = _table(contents.classes, matrix, in_percent=contents.data.task.dense)
    elif len(matrix) <= LARGEST_PICTURE:
        shown = _picture(matrix)
    return contents.section(
        "confusion",
        "Confusion matrix",
        element("p", _how(contents), class_="faint") if shown else "",
        shown,
        _most(contents, wrong) if wrong else element("p", f"All {unit} are classified correctly."),
    )


_HOW = "Rows are true classes, columns are predicted classes"


def _how(contents: Contents) -> str:
    if not contents.data.task.dense:
        return f"{_HOW}."
    how = f"{_HOW}; numbers are percentages of the pixels of the true class."
    return in_nouns(how, contents.data.dataset.noun)


def _table(classes: tuple[str, ...], matrix: Tensor, *, in_percent: bool) -> Html:
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
                _cell(classes, row, column, count, totals[row], in_percent)
                for column, count in enumerate(counts)
            ),
        )
        for row, counts in enumerate(matrix.tolist())
    ]
    return scrolling(
        "Confusion matrix",
        element(
            "table",
            element("caption", f"Confusion matrix. {_HOW}", class_="hidden"),
            element("thead", element("tr", element("td"), *head)),
            element("tbody", joined(rows)),
            class_="confusion",
        ),
    )


def _cell(
    classes: tuple[str, ...], row: int, column: int, count: int, total: int, in_percent: bool
) -> Html:
    if not count:
        return Html('<td class="none">0</td>')
    share = count / total
    css = "right" if row == column else "wrong"
    # Rare confusions should be visible, and the text readable on the strongest color.
    strength = 0.12 + 0.4 * (share if row == column else sqrt(share))
    title = escape(f"{classes[row]} predicted as {classes[column]}: {count} of {total}")
    text = f"{100 * share:.1f}" if in_percent else exact(count)
    return Html(f'<td class="{css}" style="--share:{strength:.2f}" title="{title}">{text}</td>')


def _picture(matrix: Tensor) -> Html:
    shares = matrix.float() / matrix.sum(1, keepdim=True).clamp(min=1)
    pixels = (shares.sqrt() * 255).round().to(torch.uint8)[None]
    alt = f"Confusion matrix of {len(matrix)} classes: brighter means more images"
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
    unit = in_nouns(contents.data.task.unit, contents.data.dataset.noun)
    total = plural(int(contents.outcome.confusion.sum()), unit)
    count = f"{exact(wrong)} of {total} {'is' if wrong == 1 else 'are'} misclassified."
    if contents.data.task.dense:
        count += _missed(contents)
    head = ["true class", "predicted as", plural_noun(unit), "of the class"]
    return joined(
        [
            element("h3", "Most frequent confusions"),
            element("p", count),
            table("Most frequent confusions", head, rows, numbers_from=2),
        ]
    )


def _missed(contents: Contents) -> str:
    """In words, what the classes are taken for of which less than half is found."""
    matrix = contents.outcome.confusion
    shares = matrix.double() / matrix.sum(1, keepdim=True).clamp(min=1)
    found = shares.diagonal().clone()
    worst = [n for n in found.argsort().tolist() if matrix[n].sum() and found[n] < 0.5]
    shares.fill_diagonal_(0)
    parts = [
        f"{contents.classes[n]} ({100 * float(shares[n].max()):.0f} % taken for"
        f" {contents.classes[int(shares[n].argmax())]})"
        for n in worst[:_MISSED]
    ]
    if not parts:
        return ""
    more = f" and {len(worst) - _MISSED} more" if len(worst) > _MISSED else ""
    return f" Less than half is found of {', '.join(parts)}{more}."


_MISSED = 5
