"""Factors and offsets, learned or constant. `scale` and `bias` are learned, of a layer or of each
channel: ReZero and SkipInit are `scale init=0` at the end of a residual body, the affine block of
HGNetV2 is `scale, bias`, StarReLU `relu, square, scale, bias`; `bias per=element` is a learned
position. `layerscale` is a small learned factor of each channel; `scale_by` and `offset_by` are
constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..language.kinds import choice, number
from ..shapes import Shape, axes_of, size, text
from .base import Autocast, Kept, Kind, Pointwise, TorchText, Weight, call_text, constructor, helper
from .worked import Element, Step, Worked, bracketed, figure, signed


def per_channel(shape: Shape) -> Shape:
    """The shape of a weight that is broadcast over all positions of a channel."""
    return (shape[0], *[1] * axes_of(shape))


def index_of(element: Element) -> tuple[int, ...]:
    """Where such a weight has the number for this element."""
    return (element.channel, *[0 for _ in element.output[1:]])


def scaled(element: Element, factor: float, rule: str) -> Worked:
    """An element times a factor."""
    term = element.here(factor=factor)
    step = Step("scaled", f"{figure(term.value)}*{bracketed(factor)}", term.product)
    return element.computed(rule, "product", term, step)


def offset(element: Element, added: float, rule: str) -> Worked:
    """An element and a number that is added to it."""
    term = element.here()
    step = Step("offset", f"{figure(term.value)} {signed(added)}", term.value + added)
    return element.computed(rule, "function", term, step)


# ---- learned -----------------------------------------------------------------------------------


class LearnedNumber(Pointwise):
    """One learned number for all elements, or one for each channel."""

    kind: ClassVar[Kind] = "norm"
    # The numbers have four bytes, and so has what is computed with them.
    autocast: ClassVar[Autocast] = "wide"
    key: ClassVar[str]
    """The name of the weight."""
    what: ClassVar[str]
    """What the number is: a factor, an offset."""

    per: str
    init: float

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        several = per_channel(inputs[0]) if self.per == "channel" else (1,)
        return (Weight(self.key, several),)

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
        return element.weight(self.key, index_of(element) if self.per == "channel" else (0,))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        each = f"1: the {self.what}"
        if self.per == "channel":
            each = f"{inputs[0][0]:,}: one {self.what} for each channel"
        return [("each number", f"{self.rule()}, initially {self.init:g}"), ("parameters", each)]

    def rule(self) -> str:
        raise NotImplementedError

    def of_what(self) -> str:
        return " of its channel" if self.per == "channel" else ""


class Factor(LearnedNumber):
    """A learned factor."""

    key: ClassVar[str] = "weight"
    what: ClassVar[str] = "factor"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The gradient of a factor has the full size before it is summed.
        return Kept(inputs=(0,), scratch=size(output))

    def rule(self) -> str:
        return f"x * the learned factor{self.of_what()}"

    def work_out(self, element: Element) -> Worked:
        return scaled(element, self.learned(element), self.rule())


class Scale(Factor):
    """A learned factor, of all elements or of each channel."""

    word: ClassVar[str] = "scale"
    gradient: ClassVar[str] = "dx = dy * scale; dscale = sum of dy*x"
    example: ClassVar[str] = "scale per=channel"
    arithmetic: ClassVar[str] = "factor * x; parameters: 1 (C with per=channel)"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "scale per=channel": "implicit_mul ChannelScale",
        "scale init=0": "ReZero SkipInit rezero skipinit",
    }

    init: float = number("initial factor", 1.0)
    per: str = choice(
        "one factor for the `layer`, or for each `channel`", ["layer", "channel"], "layer"
    )

    def source(self) -> str:
        return SCALE


class LayerScale(Factor):
    """A learned factor for each channel, small at first (CaiT, ConvNeXt; arXiv:2103.17239)."""

    word: ClassVar[str] = "layerscale"
    gradient: ClassVar[str] = "dx = dy * weight; dweight = sum of dy*x, by channel"
    example: ClassVar[str] = "layerscale"
    arithmetic: ClassVar[str] = "weight * x, by channel; parameters: C"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "layerscale": "LayerScale(dim,init_values) layer_scale",
    }
    key: ClassVar[str] = "gamma"
    per: ClassVar[str] = "channel"  # type: ignore[misc]

    init: float = number("initial factor", 1e-6)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = (axes_of(inputs[0]), 2)
        module = constructor("LayerScale", inputs[0][0], self.init, axes=axes)
        return TorchText(module, helper=LAYER_SCALE)

    def rule(self) -> str:
        return "x * gamma of its channel"


class Bias(LearnedNumber):
    """A learned offset, of all elements, of each channel, or of each element.

    `per=element` tells the places of a map apart (learned positions: ViT, the attention pool of
    CLIP); it fits one size.
    """

    word: ClassVar[str] = "bias"
    gradient: ClassVar[str] = "dx = dy; dbias = sum of dy"
    example: ClassVar[str] = "bias per=channel"
    arithmetic: ClassVar[str] = (
        "x + offset; parameters: 1 (C with per=channel, C * H * W with per=element)"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "bias per=channel": "implicit_add Bias BiasLayer",
        "bias per=element": "pos_embed position_embedding PositionEmbedding",
    }
    key: ClassVar[str] = "bias"
    what: ClassVar[str] = "offset"
    passes_gradient: ClassVar[bool] = True

    init: float = number("initial offset", 0.0)
    per: str = choice(
        "one offset for the `layer`, for each `channel`, or for each `element`",
        ["layer", "channel", "element"],
        "layer",
    )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        if self.per == "element":
            return (Weight(self.key, inputs[0]),)
        return super().weights(*inputs)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.per == "element":
            module = constructor("ElementBias", inputs[0], init=(self.init, 0.0))
            return TorchText(module, helper=ELEMENT_BIAS)
        return super().torch(output, *inputs)

    def holds_size(self, *inputs: Shape) -> tuple[str, str]:
        if self.per != "element":
            return "", ""
        return (
            f"`per=element` has an offset for each number of {text(inputs[0])}",
            "`per=channel` has one for all places of a channel",
        )

    def learned(self, element: Element) -> float:
        if self.per == "element":
            return element.weight(self.key, element.at)
        return super().learned(element)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        told = super().explain(output, *inputs)
        if self.per == "element":
            told[-1] = ("parameters", f"{text(inputs[0])}: one offset for each element")
        return told

    def of_what(self) -> str:
        return " of this element" if self.per == "element" else super().of_what()

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def source(self) -> str:
        return BIAS

    def rule(self) -> str:
        return f"x + the learned offset{self.of_what()}"

    def work_out(self, element: Element) -> Worked:
        return offset(element, self.learned(element), self.rule())


# ---- constant ----------------------------------------------------------------------------------


class Constant(Pointwise):
    """A number of the spec, for all elements."""

    kind: ClassVar[Kind] = "shape"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [("operations", f"{'*'.join(map(str, output))} = {size(output):,}")]


class Scaled(Constant):
    """Scales the body of a residual down before it is added, so that deep sums stay bounded."""

    passes_zero: ClassVar[bool] = True

    factor: float = number("factor of all elements")

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call=call_text("{0} * {factor}", factor=self.factor))

    def work_out(self, element: Element) -> Worked:
        return scaled(element, self.factor, "factor * x")


class ScaleBy(Scaled):
    """Multiplies all elements by a constant, as fast networks do with their logits."""

    word: ClassVar[str] = "scale_by"
    gradient: ClassVar[str] = "dx = dy * factor"
    example: ClassVar[str] = "scale_by 0.125"
    arithmetic: ClassVar[str] = "factor * x; parameters: none"


class OffsetBy(Constant):
    """Adds a constant to all elements."""

    word: ClassVar[str] = "offset_by"
    gradient: ClassVar[str] = "dx = dy"
    example: ClassVar[str] = "offset_by -0.5"
    arithmetic: ClassVar[str] = "x + offset; parameters: none"
    passes_gradient: ClassVar[bool] = True

    offset: float = number("what is added to each element")

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call=call_text("{0} + {offset}", offset=self.offset))

    def work_out(self, element: Element) -> Worked:
        return offset(element, self.offset, "x + offset")


SCALE = helper('''\
class Scale(nn.Module):
    """A learned factor, or one for each channel of maps with so many axes."""

    def __init__(self, channels: int, init: float = 1.0, axes: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, *[1] * axes), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight
''')

LAYER_SCALE = helper('''\
class LayerScale(nn.Module):
    """A learned factor for each channel."""

    def __init__(self, channels: int, init: float, axes: int = 2) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels, *[1] * axes), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma
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

ELEMENT_BIAS = helper('''\
class ElementBias(nn.Module):
    """A learned offset for each element."""

    def __init__(self, shape: tuple[int, ...], init: float = 0.0) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.full(shape, init))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias
''')
