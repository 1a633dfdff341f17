"""`pool wavelet`: the Haar transform of each 2x2 window."""

from __future__ import annotations

from itertools import product
from typing import ClassVar

from ...language.kinds import choice, pair
from ...language.signature import ArgumentError
from ...shapes import AXES, LINES, PerAxis, Shape, ShapeError, as_map, axes_of, by, size
from ..base import ANY_AXES, Kept, Kind, NoMultiplyAdds, TorchText, Window, constructor, helper
from ..examples import Lines, gradient_lines
from ..worked import Element, Step, Worked, added, products
from .windows import Pool

NAMES = {
    1: ("sum", "before - after"),
    2: ("sum", "left - right", "top - bottom", "diagonals"),
}
"""The bands of a series and of a map, in their order."""
HALVED = {1: "/sqrt(2)", 2: "/2", 3: "/sqrt(8)"}
"""What makes the transform orthonormal, by the number of axes."""


class Wavelet(NoMultiplyAdds):
    """The Haar wavelet: of each 2x2 window its sum, and if wanted its differences, all halved.

    Halved, the transform is orthonormal: four bands together are as long as what arrives, and the
    first is twice the mean. `keep=all` gives the bands one after another, each of all channels:
    sums; differences of left and right; of top and bottom; of the diagonals. A series has two
    bands, divided by sqrt(2), and a volume eight, divided by sqrt(8).
    """

    word: ClassVar[str] = "pool wavelet"
    example: ClassVar[str] = "pool wavelet"
    arithmetic: ClassVar[str] = (
        "(a + b + c + d) / 2 of each 2x2 window\n"
        "output: H / 2, W / 2; four times the channels with keep=all"
    )
    kind: ClassVar[Kind] = "pool"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    kernel: PerAxis = pair("size of a window: the Haar wavelet has 2x2", (2, 2))
    keep: str = choice("the sums (`ll`), or `all` four bands", ["ll", "all"], "ll")

    def check(self) -> None:
        twos = (2,) * len(self.kernel)
        if self.kernel != twos:
            raise ArgumentError(
                f"a Haar wavelet is {by(twos)}, not {by(self.kernel)}",
                f"write `pool wavelet`; once more after it for {by(tuple([4 for _ in twos]))}",
            )

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], self.word)
        for side, name in zip(sides, LINES[len(sides)], strict=True):
            if side % 2:
                raise ShapeError(
                    f"a wavelet takes pairs of {name}, and its input has {side}",
                    f"make that an even number, or write `pool avg {by((2,) * len(sides))}`",
                )
        bands = 2 ** len(sides) if self.keep == "all" else 1
        return channels * bands, *(side // 2 for side in sides)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        # All bands: a sum or difference along each axis, and the division, for every element; the
        # sums alone: those of a window, and the division.
        axes = axes_of(output)
        return (1 + axes if self.keep == "all" else 2**axes) * size(output)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        axes = axes_of(output)
        return Window((2,) * axes, (2,) * axes, (0,) * axes)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept() if self.keep == "all" else Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        if self.keep == "all":
            return TorchText(call=f"haar{_SUFFIX[axes]}({{0}})", helper=HAAR[axes])
        factor = {1: "2**0.5", 2: "2", 3: "8**0.5"}[axes]
        return TorchText(constructor(f"nn.AvgPool{axes}d", 2), f"{factor} * {{m}}({{0}})")

    def work_out(self, element: Element) -> Worked:
        band, channel = divmod(element.channel, element.inputs[0][0])
        axes = len(element.position)
        # The number of a band is odd if it has differences along the last axis, and so on.
        differs = [band // 2 ** (axes - 1 - axis) % 2 for axis in range(axes)]
        terms = []
        for inside in product(*[(0, 1) for _ in range(axes)]):
            odd = sum([own * each for own, each in zip(inside, differs, strict=True)]) % 2
            place = tuple([2 * at + n for at, n in zip(element.position, inside, strict=True)])
            terms.append(element.term(channel, place, -1.0 if odd else 1.0))
        named = [name for name, each in zip(AXES[axes], differs, strict=True) if each]
        name = NAMES[axes][band] if axes in NAMES else f"differences along {', '.join(named)}"
        name = name if band else "sum"
        window = products(name, terms, 2)
        result = window.result / 2 ** (axes / 2)
        step = Step(
            "halved" if axes == 2 else "divided",
            f"({added([term.product for term in terms])}){HALVED[axes]}",
            result,
        )
        rule = f"{name} of the {by((2,) * axes)} window, "
        rule += "halved" if axes == 2 else f"times 1{HALVED[axes]}"
        return Worked(element.at, rule, result, (window,), (step,))

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        if axes_of(output) != 2:
            return []
        rule = "1/2 everywhere" + ("; for differences with their signs" * (self.keep == "all"))
        return gradient_lines(self, rule, Pool.initial)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels, *sides = inputs[0]
        axes = len(sides)
        each = {
            1: "(a + b)/sqrt(2) of the numbers a b",
            2: "(a + b + c + d)/2 of the numbers a b above c d",
            3: "the sum of its 8 numbers/sqrt(8)",
        }
        lines = [
            *((n, f"{a}/2 = {b}") for n, a, b in zip(AXES[axes], sides, output[1:], strict=True)),
            ("each window", each[axes]),
        ]
        if self.keep == "all":
            differences = {
                1: "(a - b)/sqrt(2)",
                2: "(a - b + c - d)/2, (a + b - c - d)/2, (a - b - c + d)/2",
                3: "with a minus for the second of two along one, two or three axes",
            }
            lines.append(("differences", differences[axes]))
            lines.append(("channels", f"{2**axes} bands * {channels} = {output[0]}"))
        return lines


_SUFFIX = {1: "1d", 2: "", 3: "3d"}
HAAR = {
    1: helper('''\
def haar1d(x: Tensor) -> Tensor:
    """The Haar wavelets of each two steps: two bands, each of all channels."""
    before, after = x[..., 0::2], x[..., 1::2]
    return torch.cat([before + after, before - after], 1) / 2**0.5
'''),
    2: helper('''\
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
'''),
    3: helper('''\
def haar3d(x: Tensor) -> Tensor:
    """The Haar wavelets of each 2x2x2 window: eight bands, each of all channels."""
    bands = [x]
    for axis in (4, 3, 2):
        pairs = [torch.unflatten(b, axis, (-1, 2)).unbind(axis + 1) for b in bands]
        bands = [a + b for a, b in pairs] + [a - b for a, b in pairs]
    return torch.cat(bands, 1) / 8**0.5
'''),
}
