"""The product of two maps as matrices: matmul, of which attention can be written out."""

from __future__ import annotations

from typing import ClassVar, Literal

from ...language.kinds import flag
from ...shapes import Shape, ShapeError, as_map, size, text
from ..base import EVERYTHING, Autocast, Kept, Kind, Op, TorchText, Window, helper
from ..worked import Element, Worked, products, summed
from .heads import COUNTED


class MatMul(Op):
    """Matrix product of two maps, each read as a matrix of channels by places.

    It mixes places: `matmul { | from values | from weights }` gives each place of `weights` a sum
    of values, by its channels. With `transpose` each channel of the output is a place of the left
    map, and holds its similarity to the places of the right one.
    """

    autocast: ClassVar[Autocast] = "low"
    kind: ClassVar[Kind] = "attention"
    word: ClassVar[str] = "matmul"
    example: ClassVar[str] = "matmul transpose { | conv 8 3x3 stride=2 same | conv 8 }"
    arithmetic: ClassVar[str] = (
        "output[c, p] = sum of left[c, q] * right[q, p]: the left's channels, the right's places\n"
        "output[q, p] = sum of left[c, q] * right[c, p] with `transpose`\n"
        "multiply-adds: output elements * terms of a sum" + COUNTED
    )
    paths: ClassVar[tuple[str, ...]] = ("left", "right")
    needs_paths: ClassVar[bool] = True
    torch_calls: ClassVar[tuple[str, ...]] = ()

    transpose: bool = flag("exchange channels and places of the left map")

    def output(self, *inputs: Shape) -> Shape:
        left, right = (as_map(shape, self.word) for shape in inputs)
        places = left[1] * left[2]
        rows, terms = (places, left[0]) if self.transpose else (left[0], places)
        if right[0] != terms:
            what = "channels" if self.transpose else f"{left[1]}*{left[2]} = {places} places"
            raise ShapeError(
                f"the left map, {text(left)}, has {terms if self.transpose else what}"
                f"{' channels' if self.transpose else ''}, and the right one, {text(right)}, has"
                f" {right[0]} channels: they have to be the same number",
                f"end the right path with `conv {terms}`",
            )
        return rows, right[1], right[2]

    def _terms(self, left: Shape) -> int:
        return left[0] if self.transpose else left[1] * left[2]

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return size(output) * self._terms(inputs[0])

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0, 1))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        turned = ", transpose=True" if self.transpose else ""
        return TorchText(call=f"matmul({{0}}, {{1}}{turned})", helper=MATMUL)

    def work_out(self, element: Element) -> Worked:
        _, height, width = element.inputs[0]
        terms = []
        for n in range(self._terms(element.inputs[0])):
            factor = element.read(1, n, element.row, element.column)
            if self.transpose:
                place = element.channel // width, element.channel % width
                terms.append(element.term(n, place[0], place[1], factor))
            else:
                terms.append(element.term(element.channel, n // width, n % width, factor))
        over = "channels" if self.transpose else f"{height}x{width} places"
        return summed(element, [products("terms", terms)], None, f"sum of left*right over {over}")

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        terms = self._terms(inputs[0])
        numbers = "*".join(map(str, output))
        return [("multiply-adds", f"{numbers} * {terms} = {self.macs(output, *inputs):,}")]


MATMUL = helper('''\
def matmul(left: Tensor, right: Tensor, transpose: bool = False) -> Tensor:
    """The product of two maps as matrices of channels by places."""
    matrix = left.flatten(2).mT if transpose else left.flatten(2)
    return torch.unflatten(matrix @ right.flatten(2), 2, right.shape[2:])
''')
