"""Tables that fit: in full where there is room, with short figures, cut off or left out where not.

Not made with rich: for the 500 layers of ResNet-152 it takes longer than everything else that the
command does, and for 100,000 a minute.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .style import BOLD, FAINT, GAP, Style

R = TypeVar("R")


@dataclass(frozen=True)
class Column(Generic[R]):
    name: str
    cell: Callable[[R], str]
    right: bool = False
    yields: int = 0
    """Where there is no room, the column with the lowest number gives way first; 0 never does."""
    least: int = 0
    """It is cut off down to this, where it can be."""
    wraps: bool = False
    """It is not cut off but goes on below."""
    optional: bool = True
    """Where that is not enough, it is left out."""


def grid(
    variants: Sequence[Sequence[Column[R]]],
    rows: Sequence[R],
    style: Style,
    paint: Callable[[R, str], str] = lambda row, column: "",
) -> list[str]:
    """The lines of a table. `variants` are its columns in ever shorter forms; `paint` gives the
    colour of a cell, by row and name of the column."""
    columns, cells, widths = _fit(variants, rows, style.width)
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


def _fitted(
    columns: Sequence[Column[R]], row: Sequence[str], widths: Sequence[int]
) -> list[list[str]]:
    """A row in as many lines as it takes."""
    if all(len(cell) <= width for cell, width in zip(row, widths, strict=True)):
        return [list(row)]
    stacks = [
        textwrap.wrap(cell, width, break_on_hyphens=False) if column.wraps else [_cut(cell, width)]
        for column, cell, width in zip(columns, row, widths, strict=True)
    ]
    height = max(map(len, stacks))
    return [[stack[i] if i < len(stack) else "" for stack in stacks] for i in range(height)]


def _fit(
    variants: Sequence[Sequence[Column[R]]], rows: Sequence[R], width: int
) -> tuple[list[Column[R]], list[list[str]], list[int]]:
    columns: list[Column[R]] = []
    cells: list[list[str]] = []
    widths: list[int] = []
    room = 0
    for variant in variants:
        columns = list(variant)
        cells = [[column.cell(row) for column in columns] for row in rows]
        widths = [
            max([len(column.name), *[len(row[position]) for row in cells]])
            for position, column in enumerate(columns)
        ]
        room = width - sum(widths) - len(GAP) * (len(widths) - 1)
        if room >= 0:
            return columns, cells, widths
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
            for row in cells:
                del row[at]
    return columns, cells, widths


def _cut(cell: str, width: int) -> str:
    """Without its middle: of a name, the end is what tells it apart."""
    if len(cell) <= width:
        return cell
    behind = (width - 1) // 2
    return cell[: width - 2 - behind] + ".." + cell[len(cell) - behind :]


def _padded(columns: Sequence[Column[R]], row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if column.right else cell.ljust(width)
        for column, cell, width in zip(columns, row, widths, strict=True)
    ]
