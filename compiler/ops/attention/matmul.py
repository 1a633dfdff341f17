"""The product of two maps as matrices: matmul, of which attention can be written out."""

from __future__ import annotations

from itertools import product
from typing import ClassVar, Literal

from ...language.kinds import flag
from ...shapes import Shape, ShapeError, as_map, by, size, text
from ..base import ANY_AXES, EVERYTHING, Autocast, Kept, Kind, Op, TorchText, Window, helper
from ..worked import Element, Worked, products, summed
from .heads import COUNTED


class MatMul(Op):
    """Matrix product of two maps, each read as a matrix of channels by places.

    It mixes places: `matmul { | from values | from weights }` gives each place of `weights` a sum
    of values, by its channels. With `transpose` each channel of the output is a place of the left
    map, and holds its similarity to the places of the right one. With `transpose_right` all places
    are summed over, at every size of input: `matmul transpose_right { | | conv 1, softmax
    over=places }` is a mean of the places, weighted by the right path.
    """

    autocast: ClassVar[Autocast] = "low"
    kind: ClassVar[Kind] = "attention"
    word: ClassVar[str] = "matmul"
    gradient: ClassVar[str] = "da = dy * b, transposed; db = a, transposed, * dy"
    example: ClassVar[str] = "matmul transpose { | conv 8 3x3 stride=2 same | conv 8 }"
    arithmetic: ClassVar[str] = (
        "output[c, p] = sum of left[c, q] * right[q, p]: the left's channels, the right's places\n"
        "output[q, p] = sum of left[c, q] * right[c, p] with `transpose`\n"
        "output[c, d] = sum of left[c, q] * right[d, q] with `transpose_right`, as C x D x 1\n"
        "multiply-adds: output elements * terms of a sum" + COUNTED
    )
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    paths: ClassVar[tuple[str, ...]] = ("left", "right")
    needs_paths: ClassVar[bool] = True
    torch_calls: ClassVar[tuple[str, ...]] = ("flatten", "transpose", "unsqueeze")

    transpose: bool = flag("exchange channels and places of the left map")
    transpose_right: bool = flag("exchange channels and places of the right map")

    def output(self, *inputs: Shape) -> Shape:
        left, right = (as_map(shape, self.word) for shape in inputs)
        rows, terms = self._sides(left, self.transpose)
        columns, others = self._sides(right, not self.transpose_right)
        if terms != others:
            raise ShapeError(
                f"the left map, {text(left)}, has {_terms(left, self.transpose)}, and the right"
                f" one, {text(right)}, has {_terms(right, not self.transpose_right)}: they have to"
                " be the same number",
                "let both paths end in maps of one size"
                if self.transpose_right
                else f"end the right path with `conv {terms}`",
            )
        return (rows, columns, 1) if self.transpose_right else (rows, *right[1:])

    @staticmethod
    def _sides(shape: Shape, summed_by_channel: bool) -> tuple[int, int]:
        """What stays of a map, and what is summed over."""
        channels, places = shape[0], size(shape[1:])
        return (places, channels) if summed_by_channel else (channels, places)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return size(output) * self._sides(inputs[0], self.transpose)[1]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0, 1))

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        turned = ", transpose=True" if self.transpose else ""
        right = "{1}.flatten(2).transpose(1, 2).unsqueeze(3)" if self.transpose_right else "{1}"
        return TorchText(call=f"matmul({{0}}, {right}{turned})", helper=MATMUL)

    def work_out(self, element: Element) -> Worked:
        left, right = element.inputs
        places = list(product(*map(range, left[1:])))
        summed_places = list(product(*map(range, right[1:]))) if self.transpose_right else []
        terms = []
        for n in range(self._sides(left, self.transpose)[1]):
            if self.transpose_right:
                factor = element.read(1, element.row, *summed_places[n])
            else:
                factor = element.read(1, n, *element.position)
            if self.transpose:
                terms.append(element.term(n, places[element.channel], factor))
            else:
                terms.append(element.term(element.channel, places[n], factor))
        over = "channels" if self.transpose else f"{by(left[1:])} places"
        return summed(element, [products("terms", terms)], None, f"sum of left*right over {over}")

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        _, terms = self._sides(inputs[0], self.transpose)
        numbers = "*".join(map(str, output))
        return [("multiply-adds", f"{numbers} * {terms} = {self.macs(output, *inputs):,}")]


def _terms(shape: Shape, by_channel: bool) -> str:
    if by_channel:
        return f"{shape[0]} channels"
    return f"{'*'.join(map(str, shape[1:]))} = {size(shape[1:])} places"


MATMUL = helper('''\
def matmul(left: Tensor, right: Tensor, transpose: bool = False) -> Tensor:
    """The product of two maps as matrices of channels by places."""
    matrix = left.flatten(2).mT if transpose else left.flatten(2)
    return torch.unflatten(matrix @ right.flatten(2), 2, right.shape[2:])
''')
