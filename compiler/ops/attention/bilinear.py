"""Bilinear attention, `bilinear_attention`: a map multiplied by small matrices from both sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import ClassVar, Literal

from ...language.kinds import count, pair
from ...shapes import Shape, ShapeError, as_map, by, size, text
from ..base import (
    EVERYTHING,
    Autocast,
    Kept,
    Kind,
    Op,
    TorchText,
    Window,
    call_text,
    helper,
)
from ..worked import Element, Worked, exp, products, summed, unraveled
from .heads import COUNTED, softmax


class BilinearAttention(Op):
    """Mixes the parts of a map, by two small matrices: one for its rows, one for its columns.

    A grid divides the map into equal parts. Each place gets a weighted mean of what is at the same
    place in all of them; how much a part counts is the product of a weight for its row and one for
    its column. The body ends in the map itself and in the numbers of both matrices, from which a
    sigmoid, divided by the sum, makes weights: for `bilinear_attention 8 groups=2`, 8*8*2 of each
    (Chi et al., 2020, Non-Local Neural Networks With Grouped Bilinear Attentional Transforms).
    """

    word: ClassVar[str] = "bilinear_attention"
    gradient: ClassVar[str] = (
        "dmap = rows, transposed, * dy * columns, transposed\n"
        "drows and dcolumns = dy times the other two, then through the softmax into the body"
    )
    called: ClassVar[str] = "timm BilinearAttnTransform"
    example: ClassVar[str] = (
        "bilinear_attention 2 { | | pool max adaptive=2x1, conv 4 2x1"
        " | pool max adaptive=1x2, conv 4 1x2 }"
    )
    arithmetic: ClassVar[str] = (
        "output: rows * map * columns, channel by channel, with the matrices of its group\n"
        "rows: grid height x grid height numbers for each group, whose rows add up to 1\n"
        "columns: grid width x grid width numbers for each group, whose columns add up to 1\n"
        "parameters: those of the body\n"
        "multiply-adds: C*H*W * (H + W), as both products are computed over whole rows and columns"
        + COUNTED
    )
    autocast: ClassVar[Autocast] = "low"
    kind: ClassVar[Kind] = "attention"
    paths: ClassVar[tuple[str, ...]] = ("values", "rows", "columns")
    needs_paths: ClassVar[bool] = True

    grid: tuple[int, int] = pair("parts along height and width", example="8")
    groups: int = count("groups of channels, each with matrices of its own", 1, example="2")

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = values = as_map(inputs[0], self.word)
        if channels % self.groups:
            raise ShapeError(
                f"{channels} channels cannot be divided into {self.groups} groups",
                f"use a number of groups that divides {channels}",
            )
        for side, parts, name in zip(sides, self.grid, ("rows", "columns"), strict=True):
            if side % parts:
                raise ShapeError(
                    f"{side} {name} cannot be divided into {parts} equal parts",
                    f"{math.gcd(side, parts)} parts would fit, or {-(-side // parts) * parts}"
                    f" {name}",
                )
        for given, parts, name in zip(inputs[1:], self.grid, ("rows", "columns"), strict=True):
            if size(given) != parts * parts * self.groups:
                raise ShapeError(
                    f"the path of the {name} leaves {text(given)}, and the weights of"
                    f" {parts} parts in {self.groups} groups are"
                    f" {parts}*{parts}*{self.groups} numbers",
                    f"end it with one place and {parts * parts * self.groups} channels: `conv"
                    f" {parts * parts * self.groups}` after a pool",
                )
        return values

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return size(output) * sum(output[1:])

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Of each weight a sigmoid, its part of a sum, and a division."""
        return 3 * sum(size(each) for each in inputs[1:])

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        sides, each = output[1:], self.grid
        matrices = sum(side * side for side in sides)
        weights = sum(
            2 * parts * parts for parts in each
        )  # what the softplus reads, and the softmax
        same = sum((side // parts) ** 2 for side, parts in zip(sides, each, strict=True))
        own = size(output) + self.groups * (matrices + weights)
        return Kept(inputs=(0,), own=own, once=same)

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        call = call_text(
            "bilinear_attention({0}, {1}, {2}, {grid}, {groups})",
            grid=tuple(self.grid),
            groups=self.groups,
        )
        return TorchText(call=call, helper=BILINEAR_ATTENTION)

    # ---- explanations ----

    def work_out(self, element: Element) -> Worked:
        _, height, width = element.inputs[0]
        tall, wide = height // self.grid[0], width // self.grid[1]
        row, in_row = divmod(element.row, tall)
        column, in_column = divmod(element.column, wide)
        each, group = self.grid, element.channel // (element.inputs[0][0] // self.groups)
        rows = self._weights(element, 1, group, [(row, n) for n in range(each[0])])
        columns = self._weights(element, 2, group, [(n, column) for n in range(each[1])])
        terms = [
            element.term(
                element.channel, (n * tall + in_row, m * wide + in_column), rows[n] * columns[m]
            )
            for n, m in product(range(each[0]), range(each[1]))
        ]
        rule = (
            f"sum of value*weight over the same place of {by(self.grid)} parts, weights: that of"
            " the row * that of the column"
        )
        return summed(element, [products("parts", terms, self.grid[1])], None, rule)

    def _weights(
        self, element: Element, path: int, group: int, places: Sequence[tuple[int, int]]
    ) -> list[float]:
        """Numbers of a matrix, as a sigmoid makes weights of them."""
        parts, shape = self.grid[path - 1], element.inputs[path]
        logarithms = []
        for row, column in places:
            index = (group * parts + row) * parts + column
            channel, place = unraveled(index, shape)
            number = element.read(path, channel, *place)
            logarithms.append(-(max(-number, 0.0) + math.log1p(exp(-abs(number)))))
        return softmax(logarithms)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        _, height, width = output
        numbers = "*".join(map(str, output))
        tall, wide = self.grid
        return [
            ("parts", f"{by(self.grid)}, each of {height // tall}x{width // wide} places"),
            (
                "weights",
                f"{self.groups}*{tall}*{tall} of rows, {self.groups}*{wide}*{wide} of columns",
            ),
            ("parameters", "none but those of the body"),
            (
                "multiply-adds",
                f"{numbers} * ({height} + {width}) = {self.macs(output, *inputs):,}",
            ),
        ]


BILINEAR_ATTENTION = helper('''\
def mixing(x: Tensor, parts: int, groups: int, side: int, over: int) -> Tensor:
    """Square matrices that mix the parts of an axis, from the numbers that weigh them."""
    # A sigmoid by the sum of sigmoids, which may all be 0 in single precision: by their logarithms.
    logarithms = -F.softplus(-x.flatten(1), threshold=50)
    weights = torch.unflatten(logarithms, 1, (groups, parts, parts)).softmax(over)
    # Of the places of a part, each goes to the same place of the others.
    same = torch.eye(side // parts, dtype=x.dtype, device=x.device)
    both = weights[:, :, :, None, :, None] * same[:, None, :]
    return both.flatten(4, 5).flatten(2, 3)


def bilinear_attention(
    x: Tensor,
    rows: Tensor,
    columns: Tensor,
    grid: tuple[int, int],
    groups: int,
) -> Tensor:
    """Each place gets a weighted mean of the same place in all parts of a grid."""
    height, width = x.shape[2:]
    left = mixing(rows, grid[0], groups, height, over=3)
    right = mixing(columns, grid[1], groups, width, over=2)
    y = torch.unflatten(x, 1, (groups, -1)).flatten(2, 3) @ right
    y = torch.unflatten(y, 2, (-1, height)).mT.flatten(2, 3) @ left.mT
    return torch.unflatten(y, 2, (-1, width)).mT.flatten(1, 2)
''')
