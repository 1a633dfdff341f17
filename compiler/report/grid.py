"""Tables that fit the terminal: columns are shortened, cut off or left out if needed. Not made with
rich: for the 500 layers of ResNet-152 it takes longer than everything else that the command does,
and for 100,000 layers a minute.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from ...dsl.printable import terminal_width
from .style import BOLD, FAINT, GAP, Style

R = TypeVar("R")


class Column(NamedTuple, Generic[R]):
    name: str
    cell: Callable[[R], str]
    right: bool = False
    yields: int = 0
    """If space is short, the column with the lowest number is shortened first; 0 never is."""
    least: int = 0
    """The least width that it may be cut to."""
    wraps: bool = False
    """Whether it wraps to further lines instead of being cut."""
    from_end: bool = False
    """Whether it is cut at its end: the beginning of `conv 64 3x3 stride=2 same` says most. Others
    are cut in the middle: the ends of names distinguish them."""
    optional: bool = True
    """Whether it may be left out."""


Texts = dict[Column[R], list[str]]
"""The cells of columns, row by row; variants of a table share columns."""


def grid(
    variants: Sequence[Sequence[Column[R]]],
    rows: Sequence[R],
    style: Style,
    paint: Callable[[R, str], str] = lambda row, column: "",
    known: Texts[R] | None = None,
) -> list[str]:
    """The lines of a table.

    `variants` are its columns in shorter and shorter forms; `paint` returns the color of a cell,
    by row and column name; `known` has what `fits` has worked out already.
    """
    columns, cells, widths = _fit(variants, rows, style.width, known or {})
    header = _padded(columns, [column.name for column in columns], widths)
    rule = style.rule * (sum(widths) + len(GAP) * (len(widths) - 1))
    lines = [style.paint(GAP.join(header).rstrip(), BOLD), style.paint(rule, FAINT)]
    for row, texts in zip(rows, cells, strict=True):
        for part in _fitted(columns, texts, widths):
            padded = _padded(columns, part, widths)
            if style.color:
                padded = [
                    style.paint(text, paint(row, column.name))
                    for text, column in zip(padded, columns, strict=True)
                ]
            lines.append(GAP.join(padded).rstrip())
    return lines


def fits(columns: Sequence[Column[R]], rows: Sequence[R], width: int, known: Texts[R]) -> bool:
    """Whether there is room for these columns, uncut. Their cells are added to `known`."""
    widths = _widths(columns, rows, known)
    return sum(widths) + len(GAP) * (len(widths) - 1) <= width


def _widths(columns: Sequence[Column[R]], rows: Sequence[R], known: Texts[R]) -> list[int]:
    """Of the cells, and of the names above them."""
    for column in columns:
        if column not in known:
            known[column] = [column.cell(row) for row in rows]
    return [max([len(column.name), *map(terminal_width, known[column])]) for column in columns]


def _fitted(
    columns: Sequence[Column[R]], row: Sequence[str], widths: Sequence[int]
) -> list[list[str]]:
    """A row as one or more lines."""
    if all(terminal_width(cell) <= width for cell, width in zip(row, widths, strict=True)):
        return [list(row)]
    stacks = [
        textwrap.wrap(cell, width, break_on_hyphens=False)
        if column.wraps
        else [_cut(cell, width, column.from_end)]
        for column, cell, width in zip(columns, row, widths, strict=True)
    ]
    height = max(map(len, stacks))
    return [[stack[i] if i < len(stack) else "" for stack in stacks] for i in range(height)]


def _fit(
    variants: Sequence[Sequence[Column[R]]], rows: Sequence[R], width: int, texts: Texts[R]
) -> tuple[list[Column[R]], Sequence[Sequence[str]], list[int]]:
    columns: list[Column[R]] = []
    widths: list[int] = []
    room = 0
    for variant in variants:
        columns = list(variant)
        widths = _widths(columns, rows, texts)
        room = width - sum(widths) - len(GAP) * (len(widths) - 1)
        if room >= 0:
            break
    for column in sorted(filter(lambda column: column.yields, columns), key=lambda c: c.yields):
        if room >= 0:
            break
        at = columns.index(column)
        if column.least:
            narrower = max(min(column.least, widths[at]), widths[at] + room)
            room += widths[at] - narrower
            widths[at] = narrower
        if room < 0 and column.optional:
            room += widths.pop(at) + len(GAP)
            del columns[at]
    cells = list(zip(*[texts[column] for column in columns], strict=True))
    return columns, cells, widths


def _cut(cell: str, width: int, from_end: bool) -> str:
    if terminal_width(cell) <= width:
        return cell
    tail = 0 if from_end else (width - 1) // 2
    return f"{_first(cell, width - 2 - tail)}..{_first(cell[::-1], tail)[::-1]}"


def _first(text: str, width: int) -> str:
    """As much of the beginning of a text as has room."""
    if text.isascii():
        return text[:width]
    while terminal_width(text) > width:
        text = text[:-1]
    return text


def _padded(columns: Sequence[Column[R]], row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        " " * (width - terminal_width(cell)) + cell
        if column.right
        else cell + " " * (width - terminal_width(cell))
        for column, cell, width in zip(columns, row, widths, strict=True)
    ]
