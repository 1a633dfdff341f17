"""Worked examples for `cnn explain`: the gradient of a window, a mini-batch through batch norm and
dropout, correlation beside convolution, how many outputs read a pixel. Every figure is computed by
the operation that it explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from .padding import source_position
from .worked import Element, Read, ReadWeight, Worked, figure

if TYPE_CHECKING:
    from .base import Op

Lines = list[tuple[str, str]]

STEP = 1e-4
"""The distance over which a gradient is measured."""

WINDOW = (1.0, 5.0, -3.0, 2.0)
"""A 2x2 window, by rows."""


def table(*columns: Sequence[float]) -> str:
    """`1 5 / -3 2`."""
    return " / ".join(" ".join(map(figure, row)) for row in columns)


def rows_of(window: Sequence[float]) -> str:
    return table(window[:2], window[2:])


def shifted(values: Sequence[float], place: int, by: float) -> list[float]:
    return [*values[:place], values[place] + by, *values[place + 1 :]]


# ---- gradients of windows ------------------------------------------------------------------------


def through(op: Op, window: Sequence[float], weight: ReadWeight) -> Worked:
    """What the operation computes of a 2x2 map."""

    def read(number: int, channel: int, row: int, column: int) -> float:
        return window[2 * row + column]

    shape = (1, 2, 2)
    return op.work_out(Element((0, 0, 0), op.output(shape), [shape], read, weight))


def slopes(op: Op, window: Sequence[float], weight: ReadWeight) -> list[float]:
    """The gradient of the first output by the numbers of a 2x2 map, from two values nearby each.

    That is exact to far more digits than are shown, whatever the operation computes.
    """
    return [
        round((high - low) / (2 * STEP), 6)
        for place in range(len(window))
        for high, low in [
            [through(op, shifted(window, place, by), weight).result for by in (STEP, -STEP)]
        ]
    ]


def gradient_lines(op: Op, rule: str, weight: ReadWeight, shown: str = "") -> Lines:
    """The gradient of a pooling window as a formula, and of a 2x2 window with its numbers."""
    worked = through(op, WINDOW, weight)
    gradient = rows_of(slopes(op, WINDOW, weight))
    return [
        ("gradient", rule),
        ("", f"of {rows_of(WINDOW)}{shown}: {worked.formula}, gradient {gradient}"),
    ]


# ---- correlation and convolution -----------------------------------------------------------------


def flipped(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    """Left and right, top and bottom exchanged."""
    return [list(row)[::-1] for row in rows[::-1]]


def overlaid(window: Sequence[Sequence[float]], rows: Sequence[Sequence[float]]) -> float:
    """The sum of products of a window and a filter."""
    return sum(v * w for a, b in zip(window, rows, strict=True) for v, w in zip(a, b, strict=True))


def correlation_lines(rows: Sequence[Sequence[float]] | None = None) -> Lines:
    """A filter as it stands and flipped, over the window 1 2 3 …; by default an example."""
    learned = rows is None
    rows = rows or FILTER
    height, width = len(rows), len(rows[0])
    window = [[float(width * r + c + 1) for c in range(width)] for r in range(height)]
    turned = flipped(rows)
    here, there = overlaid(window, rows), overlaid(window, turned)
    if turned == [list(row) for row in rows]:
        return [("flipped", "the same filter: correlation and convolution are one")]
    lines = [
        (
            "correlation",
            "the filter lies on the map as it stands; a true convolution flips it first",
        )
    ]
    if height * width <= 9:
        example = f"over {table(*window)} "
        example += (
            f"the filter {table(*rows)} gives {figure(here)}"
            if learned
            else (f"it gives {figure(here)}")
        )
        example += f", flipped to {table(*turned)} it gives {figure(there)}"
        lines.append(("", example))
    if learned:
        lines.append(
            ("", "networks correlate: with convolutions they would learn the flipped filter")
        )
    return lines


# ---- the backward pass of a convolution ----------------------------------------------------------

MAP = ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.0))
FILTER = ((0.0, 1.0), (2.0, 3.0))
ARRIVING = ((1.0, 0.0), (0.0, 2.0))
"""The gradient at the outputs."""

Grid = list[list[float]]


def gradients_of_convolution(
    x: Sequence[Sequence[float]],
    weights: Sequence[Sequence[float]],
    dy: Sequence[Sequence[float]],
) -> tuple[Grid, Grid]:
    """By the map, and by the weights."""
    dx, dw = ([[0.0] * len(grid[0]) for _ in grid] for grid in (x, weights))
    for row, line in enumerate(dy):
        for column, arriving in enumerate(line):
            for down, across in product(range(len(weights)), range(len(weights[0]))):
                dx[row + down][column + across] += arriving * weights[down][across]
                dw[down][across] += arriving * x[row + down][column + across]
    return dx, dw


def backward_lines() -> Lines:
    """The gradients of a convolution as a formula, and of a 3x3 map with their numbers."""
    dx, dw = gradients_of_convolution(MAP, FILTER, ARRIVING)
    return [
        (
            "gradient",
            "dx sums dy*filter over all outputs, laid on their windows; dweight dy*window",
        ),
        (
            "",
            f"of {table(*MAP)} with the filter {table(*FILTER)}, dy {table(*ARRIVING)}:"
            f" dx {table(*dx)}, dweight {table(*dw)}",
        ),
    ]


# ---- pixels at the border ------------------------------------------------------------------------


def readers(
    pixel: int, side: int, outputs: int, kernel: int, stride: int, dilation: int, before: int,
    after: int, mode: str,
) -> int:  # fmt: skip
    """The number of windows along an axis that read a pixel, its copies in the padding included."""
    places = [pixel]
    if mode != "zeros":
        around = (*range(-before, 0), *range(side, side + after))
        places += [place for place in around if source_position(mode, place, side) == pixel]
    count = 0
    for place in places:
        for tap in range(kernel):
            window, rest = divmod(place + before - tap * dilation, stride)
            count += not rest and 0 <= window < outputs
    return count


# ---- a mini-batch --------------------------------------------------------------------------------


def aligned(rows: Sequence[tuple[str, Sequence[float]]]) -> Lines:
    """Rows of numbers under one another."""
    shown = [[figure(number) for number in numbers] for _, numbers in rows]
    width = max(len(number) for row in shown for number in row)
    texts = ["  ".join(number.rjust(width) for number in row) for row in shown]
    return [(name, line) for (name, _), line in zip(rows, texts, strict=True)]


def of_a_batch(
    op: Op,
    batch: Sequence[float],
    weight: ReadWeight,
    *,
    training: bool,
    drawn: Sequence[float | None] | None = None,
) -> list[Worked]:
    """What the operation computes of images of one number each."""

    def read(image: int) -> Read:
        return lambda number, channel, row, column: batch[image]

    images = range(len(batch))
    return [
        op.work_out(
            Element(
                (0,),
                (1,),
                [(1,)],
                read(image),
                weight,
                training=training,
                others=[read(other) for other in images if other != image],
                actual=drawn[image] if drawn else None,
            )
        )
        for image in images
    ]


def backward(
    op: Op,
    batch: Sequence[float],
    arriving: Sequence[float],
    weight: ReadWeight,
    *,
    training: bool,
    drawn: Sequence[float | None] | None = None,
) -> list[float]:
    """The gradient by each number of a batch, from the gradients that arrive at the outputs."""

    def loss(values: Sequence[float]) -> float:
        outputs = of_a_batch(op, values, weight, training=training, drawn=drawn)
        return sum(g * each.result for g, each in zip(arriving, outputs, strict=True))

    return [
        round((loss(shifted(batch, n, STEP)) - loss(shifted(batch, n, -STEP))) / (2 * STEP), 6)
        for n in range(len(batch))
    ]
