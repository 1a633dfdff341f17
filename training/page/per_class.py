"""The report's table of the figures of each class: precision, recall and F1; of masks, IoU."""

from __future__ import annotations

from ...compiler.report.figures import exact
from ..data.diagnostic import in_nouns
from ..display.number_format import is_share, metric
from ..masks.class_colors import class_colors
from .contents import Contents
from .markup import Html, details, element, table
from .mask_answers import named

_BARS = 5
"""With more figures, they have no bars: there is no room."""
_SHOWN = 40
"""With more classes, those with the lowest F1 are shown first, and the others folded."""


def classes(contents: Contents) -> Html | None:
    per_class = contents.outcome.per_class
    if not per_class:
        return None
    names = list(per_class)
    task = contents.data.task
    one, noun = task.nouns
    title = f"Metrics per {one}"
    if len(names) <= _SHOWN:
        return contents.section("classes", title, _table(contents, names, title))
    decisive = task.decisive
    order = sorted(names, key=lambda name: per_class[name].get(decisive, 0.0))
    rest = details(
        f"The other {exact(len(order) - _SHOWN)} {noun}",
        _table(contents, order[_SHOWN:], title),
    )
    lowest = f"The {_SHOWN} {noun} with the lowest {_TITLES[decisive]}."
    which = element("p", lowest, class_="faint")
    return contents.section("classes", title, which, _table(contents, order[:_SHOWN], title), rest)


def _table(contents: Contents, names: list[str], title: str) -> Html:
    count, *shares = contents.outcome.per_class[names[0]]
    rows = []
    marks = _colored(contents)
    for name in names:
        figures = contents.outcome.per_class[name]
        rows.append(
            [
                marks.get(name, name),
                exact(int(figures[count])),
                *(_figure(key, figures[key], len(shares) <= _BARS) for key in shares),
            ]
        )
    counted = in_nouns(count, contents.data.dataset.noun)
    head = [title.rsplit(" ", 1)[1], counted, *(_TITLES.get(key, key) for key in shares)]
    return table(title, head, rows)


_TITLES = {
    "f1": "F1",
    "iou": "IoU",
    "dice": "Dice",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R2",
    "auroc": "AUROC",
    "psnr": "PSNR",
    "average_precision": "average precision",
}


def _colored(contents: Contents) -> dict[str, Html]:
    """The names of classes beside their colors in pictures of masks."""
    if not contents.data.task.dense or contents.data.task.images:
        return {}
    colors = class_colors(contents.classes).tolist()
    return {name: named(name, color) for name, color in zip(contents.classes, colors, strict=True)}


def _figure(name: str, value: float, bar: bool) -> Html | str:
    if is_share(name):
        return _with_bar(value) if bar or value != value else f"{100 * value:.1f} %"
    return metric(name, value)


def _with_bar(share: float) -> Html:
    if share != share:
        return Html("")
    bar = Html(f'<span style="width:{100 * share:.1f}%"></span>')
    meter = element("span", bar, class_="meter", aria_hidden="true")
    return Html(f"{meter}{100 * share:.1f} %")
