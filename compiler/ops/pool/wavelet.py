"""`pool wavelet`: the Haar transform of each 2x2 window."""

from __future__ import annotations

from typing import ClassVar

from ...language.kinds import choice, pair
from ...language.signature import ArgumentError
from ...shapes import Pair, Shape, ShapeError, as_map, by, size
from ..base import Kept, Kind, NoMultiplyAdds, TorchText, Window, constructor, helper
from ..examples import Lines, gradient_lines
from ..worked import Element, Step, Worked, added, products
from .windows import Pool


class Wavelet(NoMultiplyAdds):
    """The Haar wavelet: of each 2x2 window its sum, and if wanted its differences, all halved.

    Halved, the transform is orthonormal: four bands together are as long as what arrives, and the
    first is twice the mean. `keep=all` gives the bands one after another, each of all channels:
    sums; differences of left and right; of top and bottom; of the diagonals.
    """

    word: ClassVar[str] = "pool wavelet"
    example: ClassVar[str] = "pool wavelet"
    arithmetic: ClassVar[str] = (
        "(a + b + c + d) / 2 of each 2x2 window\n"
        "output: H / 2, W / 2; four times the channels with keep=all"
    )
    kind: ClassVar[Kind] = "pool"

    kernel: Pair = pair("size of a window: the Haar wavelet has 2x2", (2, 2))
    keep: str = choice("the sums (`ll`), or `all` four bands", ["ll", "all"], "ll")

    def check(self) -> None:
        if self.kernel != (2, 2):
            raise ArgumentError(
                f"a Haar wavelet is 2x2, not {by(self.kernel)}",
                "write `pool wavelet`; once more after it for 4x4",
            )

    def output(self, *inputs: Shape) -> Shape:
        channels, height, width = as_map(inputs[0], self.word)
        for side, name in ((height, "rows"), (width, "columns")):
            if side % 2:
                raise ShapeError(
                    f"a wavelet takes pairs of {name}, and its input has {side}",
                    "make that an even number, or write `pool avg 2x2`",
                )
        return channels * (4 if self.keep == "all" else 1), height // 2, width // 2

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        # All four bands: a sum or difference along each axis, and the halving, for every element.
        return 3 * size(output) if self.keep == "all" else 4 * size(output)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        return Window((2, 2), (2, 2))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept() if self.keep == "all" else Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.keep == "all":
            return TorchText(call="haar({0})", helper=HAAR)
        return TorchText(constructor("nn.AvgPool2d", 2), "2 * {m}({0})")

    def work_out(self, element: Element) -> Worked:
        band, channel = divmod(element.channel, element.inputs[0][0])
        across, down = band in (1, 3), band in (2, 3)
        terms = []
        for row in (0, 1):
            for column in (0, 1):
                sign = (-1.0 if across and column else 1.0) * (-1.0 if down and row else 1.0)
                place = (channel, 2 * element.row + row, 2 * element.column + column)
                terms.append(element.term(*place, sign))
        name = ("sum", "left - right", "top - bottom", "diagonals")[band]
        window = products(name, terms, 2)
        result = window.result / 2
        step = Step("halved", f"({added([term.product for term in terms])})/2", result)
        return Worked(element.at, f"{name} of the 2x2 window, halved", result, (window,), (step,))

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        rule = "1/2 everywhere" + ("; for differences with their signs" * (self.keep == "all"))
        return gradient_lines(self, rule, Pool.initial)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels, height, width = inputs[0]
        lines = [
            ("height", f"{height}/2 = {output[1]}"),
            ("width", f"{width}/2 = {output[2]}"),
            ("each window", "(a + b + c + d)/2 of the numbers a b above c d"),
        ]
        if self.keep == "all":
            lines.append(("differences", "(a - b + c - d)/2, (a + b - c - d)/2, (a - b - c + d)/2"))
            lines.append(("channels", f"4 bands * {channels} = {output[0]}"))
        return lines


HAAR = helper('''\
def haar(x: Tensor) -> Tensor:
    """The Haar wavelets of each 2x2 window: four bands, each of all channels."""
    left, right = x[..., 0::2], x[..., 1::2]
    sums, differences = left + right, left - right
    bands = [
        sums[..., 0::2, :] + sums[..., 1::2, :],
        differences[..., 0::2, :] + differences[..., 1::2, :],
        sums[..., 0::2, :] - sums[..., 1::2, :],
        differences[..., 0::2, :] - differences[..., 1::2, :],
    ]
    return torch.cat(bands, 1) / 2
''')
