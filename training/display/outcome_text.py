"""What `cnn evaluate` prints: metrics, confusion matrix, metrics per class; or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from ...compiler.report.figures import exact, plural
from ...compiler.report.grid import Column, grid
from ...compiler.report.style import BOLD, CHANGED, FAINT, GAP, Style, laid_out
from ...dsl.printable import show
from ..data.diagnostic import in_nouns
from ..metrics.most_confused import Confused, confused
from ..metrics.outcome import Outcome
from .number_format import metric

_PARTS = {"train": "for training", "val": "for validation", "test": "for testing", "all": "in all"}
_LARGEST = 20
"""A confusion matrix with more classes is not printed."""
_SHOWN = 12
"""Characters of a class name above its column."""
_CONFUSIONS = 10
"""Pairs of classes that are listed instead."""


def outcome_text(
    about: str, outcome: Outcome, classes: Sequence[str], style: Style, noun: str = "image"
) -> str:
    """`about` says what was evaluated; `noun` is what an image is called."""
    count = plural(len(outcome.labels), noun)
    lines = [style.paint(f"{show(about)}: {count} {_PARTS[outcome.part]}", BOLD), ""]
    lines += _results(outcome, [show(name) for name in classes], style, noun)
    for name, own in outcome.outputs.items():
        rows = len(own.labels)
        of = f", {plural(rows, noun)}" if rows != len(outcome.labels) else ""
        names = [show(each) for each in own.per_class]
        lines += [
            "",
            style.paint(f"Output {show(name)}{of}", BOLD),
            "",
            *_results(own, names, style, noun),
        ]
    return "\n".join(line.rstrip() for line in lines)


def _results(outcome: Outcome, names: Sequence[str], style: Style, noun: str) -> list[str]:
    lines = []
    metrics = [
        (name, metric(name, value))
        for name, value in outcome.metrics.items()
        if name.rpartition(".")[0] not in outcome.outputs
    ]
    lines += laid_out(metrics, style)
    if outcome.comparisons:
        lines += ["", *(show(each.text) for each in outcome.comparisons)]
    if len(outcome.confusion):
        lines += _confusions(outcome, names, style, noun)
    if outcome.per_class:
        lines += ["", *_per_class(outcome, names, style, noun)]
    return lines


def _confusions(outcome: Outcome, names: Sequence[str], style: Style, noun: str) -> list[str]:
    matrix = _matrix(outcome, names, style) if len(names) <= _LARGEST else []
    if matrix and max(map(_columns, matrix)) <= style.width:
        how = "Confusion matrix: rows are true classes, columns are predicted classes"
        if _unit(outcome) == "pixels":
            how += ", in percent of the pixels of the true class"
        return ["", style.paint(in_nouns(how, noun), FAINT), *matrix]
    pairs = confused(outcome.confusion, _CONFUSIONS)
    if not pairs:
        return []
    how = "Most frequent confusions:"
    return [
        "",
        style.paint(how, FAINT),
        *_pairs(pairs, names, in_nouns(_unit(outcome), noun), style),
    ]


def _unit(outcome: Outcome) -> str:
    """What the confusion matrix counts: `images` or `pixels`."""
    figures = next(iter(outcome.per_class.values()), {})
    return next(iter(figures), "images")


def _noun(outcome: Outcome) -> str:
    """What has figures of its own: each `class`, `number` or `channel`."""
    figures = next(iter(outcome.per_class.values()), {})
    if "psnr" in figures:
        return "channel"
    return "number" if "mae" in figures else "class"


def _columns(line: str) -> int:
    """The width of a line without its color codes."""
    import re

    return len(re.sub("\x1b\\[[0-9;]*m", "", line))


def _matrix(outcome: Outcome, names: Sequence[str], style: Style) -> list[str]:
    rows = outcome.confusion.tolist()
    write: Callable[[int, int], str] = lambda count, total: exact(count)  # noqa: E731
    if _unit(outcome) == "pixels":
        write = lambda count, total: f"{100 * count / total:.1f}"  # noqa: E731
    texts = [[write(count, sum(row)) if count else "." for count in row] for row in rows]
    cut = "~" if style.rule.isascii() else "…"
    short = [name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}{cut}" for name in names]
    widths = [
        max(len(name), *(len(row[column]) for row in texts)) for column, name in enumerate(short)
    ]
    left = max(map(len, short))
    head = " ".join(name.rjust(width) for name, width in zip(short, widths, strict=True))
    lines = [style.paint(f"{'':{left}}{GAP}{head}", BOLD)]
    for row, counts in enumerate(rows):
        cells = []
        for column, count in enumerate(counts):
            text = texts[row][column].rjust(widths[column])
            code = BOLD if row == column else CHANGED if count else FAINT
            cells.append(style.paint(text, code))
        lines.append(f"{short[row].rjust(left)}{GAP}{' '.join(cells)}")
    return lines


def _pairs(pairs: Sequence[Confused], names: Sequence[str], unit: str, style: Style) -> list[str]:
    columns: list[Column[Confused]] = [
        Column("true class", lambda pair: names[pair.label], least=8),
        Column("predicted as", lambda pair: names[pair.taken_for], least=8),
        Column(unit, lambda pair: exact(pair.times), right=True),
        Column("of the class", lambda pair: f"{100 * pair.times / pair.images:.1f} %", right=True),
    ]
    return grid([columns], pairs, style)


def _per_class(outcome: Outcome, names: Sequence[str], style: Style, noun: str) -> list[str]:
    def share(key: str) -> Callable[[int], str]:
        return lambda row: metric(key, figures[row][key]) if isfinite(figures[row][key]) else ""

    figures = list(outcome.per_class.values())
    count, *shares = figures[0]
    columns: list[Column[int]] = [
        Column(_noun(outcome), lambda row: names[row], least=8),
        Column(in_nouns(count, noun), lambda row: exact(int(figures[row][count])), right=True),
        *(Column(key, share(key), right=True) for key in shares),
    ]
    return grid([columns], range(len(figures)), style)


def outcome_json(
    about: Mapping[str, object], outcome: Outcome, classes: Sequence[str]
) -> dict[str, Any]:
    """Unrounded values; NaN and infinity become null."""
    return {
        **about,
        "part": outcome.part,
        "images": len(outcome.labels),
        "metrics": {name: _number(value) for name, value in outcome.metrics.items()},
        "comparisons": [each.to_json() for each in outcome.comparisons],
        "numbers" if _noun(outcome) == "number" else "classes": list(classes),
        f"per_{_noun(outcome)}": {
            name: {key: _number(value) for key, value in figures.items()}
            for name, figures in outcome.per_class.items()
        },
        "confusion": outcome.confusion.tolist() if len(outcome.confusion) else None,
        **_outputs_json(outcome),
    }


def _outputs_json(outcome: Outcome) -> dict[str, Any]:
    """Of a network with several outputs, the outcome of each."""
    if not outcome.outputs:
        return {}
    each = outcome.outputs.items()
    return {"outputs": {name: outcome_json({}, own, tuple(own.per_class)) for name, own in each}}


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def as_text(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
