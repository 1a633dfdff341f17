"""Learned factors and offsets: `scale`, `bias`, of a whole layer or of each channel. ReZero and
SkipInit are `scale 0` at the end of a residual body; the affine block of HGNetV2 is `scale, bias`,
StarReLU `relu, square, scale, bias`. Constant ones are `scale_by` and `offset_by`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..language.kinds import choice, number
from ..shapes import Shape, axes_of, size
from .base import (
    ANY_AXES,
    Autocast,
    Kept,
    Kind,
    NoMultiplyAdds,
    TorchText,
    Weight,
    constructor,
    helper,
)
from .worked import Element, Step, Worked, bracketed, figure, signed


class Learned(NoMultiplyAdds):
    """One learned number for all elements, or one for each channel."""

    kind: ClassVar[Kind] = "norm"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    # The numbers have four bytes, and so has what is computed with them.
    autocast: ClassVar[Autocast] = "wide"
    key: ClassVar[str] = ""
    """The name of the weight."""
    what: ClassVar[str] = ""

    per: str
    init: float

    def output(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        several = per_channel(inputs[0]) if self.per == "channel" else (1,)
        return (Weight(self.key, several),)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One operation for each element."""
        return size(output)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        several = self.per == "channel"
        module = constructor(
            type(self).__name__,
            inputs[0][0] if several else 1,
            init=(self.init, type(self).fields["init"].default),
            axes=(axes_of(inputs[0]) if several else 0, 0),
        )
        return TorchText(module, helper=self.source())

    def source(self) -> str:
        raise NotImplementedError

    def learned(self, element: Element) -> float:
        """The number for this element."""
        if self.per == "channel":
            return element.weight(self.key, index_of(element))
        return element.weight(self.key, (0,))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        each = f"1: the {self.what}"
        if self.per == "channel":
            each = f"{inputs[0][0]:,}: one for each channel"
        return [("each number", f"{self.rule()}, initially {self.init:g}"), ("parameters", each)]

    def rule(self) -> str:
        raise NotImplementedError

    def of_what(self) -> str:
        return " of its channel" if self.per == "channel" else ""


class Scale(Learned):
    """A learned factor, of all elements or of each channel."""

    word: ClassVar[str] = "scale"
    example: ClassVar[str] = "scale per=channel"
    arithmetic: ClassVar[str] = "factor * x; parameters: 1 (C with per=channel)"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "scale per=channel": "implicit_mul ChannelScale",
        "scale init=0": "ReZero SkipInit rezero skipinit",
    }
    key: ClassVar[str] = "weight"
    what: ClassVar[str] = "factor"

    init: float = number("initial factor", 1.0)
    per: str = choice(
        "one factor for the `layer`, or for each `channel`", ["layer", "channel"], "layer"
    )

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,))

    def source(self) -> str:
        return SCALE

    def rule(self) -> str:
        return f"x * the learned factor{self.of_what()}"

    def work_out(self, element: Element) -> Worked:
        factor = self.learned(element)
        term = element.here(factor=factor)
        step = Step("scaled", f"{figure(term.value)}*{bracketed(factor)}", term.product)
        return element.computed(self.rule(), "product", term, step)


class Bias(Learned):
    """A learned offset, of all elements or of each channel."""

    word: ClassVar[str] = "bias"
    example: ClassVar[str] = "bias per=channel"
    arithmetic: ClassVar[str] = "x + offset; parameters: 1 (C with per=channel)"
    elsewhere: ClassVar[Mapping[str, str]] = {"bias per=channel": "implicit_add Bias BiasLayer"}
    key: ClassVar[str] = "bias"
    what: ClassVar[str] = "offset"
    passes_gradient: ClassVar[bool] = True

    init: float = number("initial offset", 0.0)
    per: str = choice(
        "one offset for the `layer`, or for each `channel`", ["layer", "channel"], "layer"
    )

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def source(self) -> str:
        return BIAS

    def rule(self) -> str:
        return f"x + the learned offset{self.of_what()}"

    def work_out(self, element: Element) -> Worked:
        offset = self.learned(element)
        term = element.here()
        step = Step("offset", f"{figure(term.value)} {signed(offset)}", term.value + offset)
        return element.computed(self.rule(), "function", term, step)


class OffsetBy(NoMultiplyAdds):
    """Adds a constant to all elements."""

    word: ClassVar[str] = "offset_by"
    example: ClassVar[str] = "offset_by -0.5"
    arithmetic: ClassVar[str] = "x + offset; parameters: none"
    kind: ClassVar[Kind] = "shape"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    passes_gradient: ClassVar[bool] = True

    offset: float = number("what is added to each element")

    def output(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One operation for each element."""
        return size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call=f"{{0}} + {self.offset!r}")

    def work_out(self, element: Element) -> Worked:
        term = element.here()
        how = f"{figure(term.value)} {signed(self.offset)}"
        step = Step("offset", how, term.value + self.offset)
        return element.computed("x + offset", "function", term, step)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [("operations", f"{'*'.join(map(str, output))} = {size(output):,}")]


# ---- a number for each channel -----------------------------------------------------------------


def per_channel(shape: Shape) -> Shape:
    """The shape of a weight that is broadcast over all positions of a channel."""
    return (shape[0], *[1] * axes_of(shape))


def index_of(element: Element) -> tuple[int, ...]:
    """Where such a weight has the number for this element."""
    return (element.channel, *[0 for _ in element.output[1:]])


SCALE = helper('''\
class Scale(nn.Module):
    """A learned factor, or one for each channel of maps with so many axes."""

    def __init__(self, channels: int, init: float = 1.0, axes: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, *[1] * axes), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight
''')

BIAS = helper('''\
class Bias(nn.Module):
    """A learned offset, or one for each channel of maps with so many axes."""

    def __init__(self, channels: int, init: float = 0.0, axes: int = 0) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.full((channels, *[1] * axes), init))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias
''')
