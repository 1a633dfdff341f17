"""Numbers that grow evenly from round to round: `repeat 3 as i { unit drop=before + i }`. A network
that drops its residuals more and more often has such a schedule, `droppath 0.2*k/23`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..language.foreign import known_layers
from .template import ANEW, Column, Line, Lines, Template, all_columns

LARGEST = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
"""The probabilities that schedules lead to."""
LONGEST = 300
"""The most residuals of a schedule."""
EVENLY = 4
"""The fewest rounds in which numbers other than those of a schedule grow."""
DROP_PATH = known_layers()["DropPath"].word
"""The word of the layer that drops paths."""
DROP = "drop"
"""The family of numbers of a schedule."""


def scheduled(raw: Lines) -> Lines:
    """A network with the numbers of its `droppath` layers counted, if they follow a schedule."""
    drops = {
        value
        for each in _all(raw)
        if each.word == DROP_PATH
        for column in each.columns
        for value in column.values
    }
    found = _schedule(sorted(drops)) if len(drops) > 2 else None
    if found is None:
        return raw
    largest, steps = found

    def counted(each: Template) -> Template:
        if each.word != DROP_PATH or len(each.columns) != 1:
            return each
        column = each.columns[0]
        values = tuple([round(value * steps / largest) for value in column.values])
        form = f"{largest:g}*{{}}/{steps}"
        own = replace(column, values=values, show=str, family=DROP, usual=None, form=form)
        return replace(each, columns=[own], **ANEW)

    return mapped(raw, counted)


def _schedule(drops: Sequence[float]) -> tuple[float, int] | None:
    """(p, n) if each of these is exactly p*k/n."""
    for steps in range(len(drops) - 1, LONGEST):
        for largest in LARGEST:
            if drops[-1] <= largest and all(
                largest * round(drop * steps / largest) / steps == drop for drop in drops
            ):
                return largest, steps
    return None


def _all(lines: Lines) -> Iterator[Template]:
    for line in lines:
        for each in line:
            yield each
            for path in each.paths:
                yield from _all(path)


def mapped(lines: Lines, change: Callable[[Template], Template]) -> Lines:
    """Lines with each statement changed, those inside first."""
    return [
        [
            change(
                replace(
                    each,
                    paths=[mapped(path, change) for path in each.paths],
                    shape=-1,
                    bare=-1,
                    size=0,
                )
                if each.paths
                else each
            )
            for each in line
        ]
        for line in lines
    ]


def steps_between(one: Sequence[Column], two: Sequence[Column]) -> dict[int, int] | None:
    """By how much columns grow from one round to the next; None if others differ."""
    steps: dict[int, int] = {}
    for index, (before, after) in enumerate(zip(one, two, strict=True)):
        if before.values == after.values:
            continue
        first, second = before.values[0], after.values[0]
        if before.rigid and before.family != DROP:
            return None
        if type(first) is not int or type(second) is not int or before.index:
            return None
        step = second - first
        pairs = zip(before.values, after.values, strict=True)
        if any(type(a) is not int or b - a != step for a, b in pairs):
            return None
        steps[index] = step
    return steps


def is_schedule(columns: Sequence[Column], steps: dict[int, int]) -> bool:
    """Whether only numbers of a schedule grow."""
    return all(columns[index].family == DROP for index in steps)


def index_for(lines: Lines) -> str:
    """A name for the number of the round."""
    used = {column.index for column in all_columns(lines)}
    return next(letter for letter in "ijklmn" if letter not in used)


def indexed(lines: Lines, steps: dict[int, int], once: frozenset[int], index: str) -> Lines:
    """The first round with what depends on the number of the round."""
    made = copied(lines)
    for number, column in enumerate(all_columns(made)):
        if number in steps or number in once:
            column.index = index
            column.step = steps.get(number, 0)
            column.once = number in once
    return mapped(made, lambda each: replace(each, **ANEW))


def in_round(lines: Lines, index: str, number: int) -> Lines:
    """A round of a loop, written out."""
    made = copied(lines)
    for column in all_columns(made):
        if index and column.index == index:
            if column.once and number:
                column.values = (column.usual,) * len(column.values)
            elif column.step:
                column.values = tuple([value + column.step * number for value in column.values])
            column.index, column.step, column.once = "", 0, False
    return mapped(made, lambda each: replace(each, **ANEW))


def copied(lines: Lines) -> Lines:
    return [copied_line(line) for line in lines]


def copied_line(line: Line) -> Line:
    return [
        replace(
            each,
            columns=[replace(column) for column in each.columns],
            paths=[copied(path) for path in each.paths],
        )
        for each in line
    ]


def written(column: Column, text: str) -> str:
    """What stands in the place of a number, of which a part has been named."""
    if column.step:
        growth = column.index if column.step == 1 else f"{column.step}*{column.index}"
        text = growth if text == "0" else f"{text} + {growth}"
    if column.once:
        text = f"max(1, {text} - {column.index})"
    if column.form != "{}":
        text = column.form.format(text if text.isidentifier() or text.isdigit() else f"({text})")
    return text
