"""Fixed filters, which are not trained: blur, sobel, laplacian, …."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import ClassVar

from ...dsl.closest import closest
from ..language.kinds import custom
from ..language.signature import ArgumentError
from ..language.values import Text, Word, show
from ..shapes import Pair, Shape, plain
from .base import Kind, TorchText, Weight, constructor, helper
from .conv import DILATION, MODE, PAD, SAME, SAME_UPPER, STRIDE, Sliding, outputs_times
from .padding import pad_text
from .worked import Element, Worked, summed

Rows = tuple[tuple[float, ...], ...]

KNOWN: dict[str, Rows] = {
    "sobel_x": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "sobel_y": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "scharr_x": ((-3, 0, 3), (-10, 0, 10), (-3, 0, 3)),
    "scharr_y": ((-3, -10, -3), (0, 0, 0), (3, 10, 3)),
    "laplacian": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "blur": ((0.0625, 0.125, 0.0625), (0.125, 0.25, 0.125), (0.0625, 0.125, 0.0625)),
}
"""By name.

As in all layers this is cross-correlation, so kernels are not flipped; `_x` is large where the map
becomes brighter to the right, `_y` where it becomes brighter downwards.
"""

_ELSEWHERE = {
    "gaussian": "blur", "gauss": "blur", "smooth": "blur", "box": "blur", "mean": "blur",
    "laplace": "laplacian", "edge": "laplacian", "edges": "laplacian", "unsharp": "sharpen",
}  # fmt: skip
"""Their names in other tools."""

EXAMPLE = "write its rows, like `filter [[0, 1, 1], [1, 0, 0], [1, 0, 1]]`"


def _read(value: object) -> str | Rows:
    if isinstance(value, Word):
        return _known(value)
    rows = _rows(value)
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        raise ArgumentError(f"{show(value)} is not a filter: its rows differ in length", EXAMPLE)
    try:
        return tuple(tuple(map(_number, row)) for row in rows)
    except (ValueError, OverflowError):
        raise ArgumentError(
            f"{show(value)} is not a filter: not all of it is numbers", EXAMPLE
        ) from None


def _rows(value: object) -> list[list[object]]:
    """The rows of a list of lists, or of text with `/`, `;` or line ends between rows.

    Numbers that are not divided into rows form a square if possible, otherwise one row.
    """
    if isinstance(value, Text):
        lines = re.split(r"[/;\n]", value)
        rows: list[list[object]] = [list(line.replace(",", " ").split()) for line in lines]
        if len(rows) > 1:
            return rows
        numbers = rows[0]
    elif isinstance(value, (list, tuple)):
        if all(isinstance(row, (list, tuple)) for row in value):
            return [list(row) for row in value]
        numbers = list(value)
    else:
        return []
    side = math.isqrt(len(numbers))
    width = side if side * side == len(numbers) else len(numbers)
    return [numbers[n : n + width] for n in range(0, len(numbers), max(width, 1))]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _known(word: str) -> str:
    if word in KNOWN:
        return str(word)
    listed = ", ".join(f"`{name}`" for name in KNOWN)
    both = [name for name in KNOWN if name.rpartition("_")[0] == word.lower()]
    if both:
        right, down = both
        raise ArgumentError(
            f"there are two of these, `{right}` and `{down}`",
            f"write `{right}` for what changes from left to right, `{down}` from top to bottom",
        )
    habit = _ELSEWHERE.get(word.lower(), "") or closest(word, KNOWN)
    raise ArgumentError(f"{word} is not one of {listed}", "" if habit else EXAMPLE, instead=habit)


class Filter(Sliding):
    """A fixed filter, not trained, applied to each channel separately."""

    word: ClassVar[str] = "filter"
    example: ClassVar[str] = "filter sobel_x"
    arithmetic: ClassVar[str] = (
        "output: the size that `conv` would give, with the same channels\n"
        "parameters: none; the filter is a buffer"
    )
    kind: ClassVar[Kind] = "filter"

    values: str | Rows = custom(
        f"{', '.join(f'`{name}`' for name in KNOWN)}, or rows of your own",
        _read,
        "a filter's name or its rows",
        takes_words=True,
        words=tuple(KNOWN),
    )
    # By name only: in `filter blur 5x5`, people would read the size as that of the filter.
    stride: Pair = replace(STRIDE, keyword_only=True)
    pad: Pair = replace(PAD, keyword_only=True)
    dilation: Pair = replace(DILATION, keyword_only=True)
    mode: str = replace(MODE, keyword_only=True)
    same: bool = SAME
    same_upper: bool = SAME_UPPER

    @property
    def rows(self) -> Rows:
        return KNOWN[self.values] if isinstance(self.values, str) else self.values

    @property
    def kernel(self) -> Pair:
        return len(self.rows), len(self.rows[0])

    def filters(self, channels: int) -> int:
        return channels

    def grouped(self, channels: int) -> int:
        return channels

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """One kernel for all channels."""
        return (Weight("weight", (1, 1, *self.kernel), trainable=False),)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """As for a depthwise convolution; products with a weight of zero are counted, too."""
        return math.prod(output) * math.prod(self.kernel)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def work_out(self, element: Element) -> Worked:
        def filter(row: int, column: int) -> float:
            return element.weight("weight", (0, 0, row, column))

        window = self.covered(element, element.channel, filter)
        return summed(element, [window], None, self.rule(1, None))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        options = self.pad_options(inputs[0])
        call = self.call(inputs[0])
        if options["padding_mode"][0] != "zeros":
            call = f"{{m}}({pad_text(self.sides(inputs[0]), self.mode)})"
            options["padding"] = (0, 0)
        module = constructor(
            "FixedFilter",
            [list(map(float, row)) for row in self.rows],
            stride=(plain(self.stride), 1),
            padding=options["padding"],
            dilation=(plain(self.dilation), 1),
        )
        return TorchText(module, call, FIXED_FILTER)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        weight = self.weights(*inputs)[0]
        rows = " / ".join(" ".join(f"{number:g}" for number in row) for row in self.rows)
        return [
            *super().explain(output, *inputs),
            ("filter", rows),
            ("parameters", f"none: the {math.prod(self.kernel)} numbers are not trained"),
            ("multiply-adds", outputs_times(output, weight, self.macs(output, *inputs))),
        ]


FIXED_FILTER = helper('''\
class FixedFilter(nn.Module):
    """One filter for each channel by itself. It is kept with the weights, but not trained."""

    weight: Tensor

    def __init__(
        self,
        rows: list[list[float]],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor([[rows]]))
        self.stride = stride
        self.padding = padding
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.expand(x.shape[1], -1, -1, -1)
        steps = self.stride, self.padding, self.dilation
        return F.conv2d(x, weight, None, *steps, x.shape[1])
''')
