"""Normalization without a mean, by root mean squares: rmsnorm, simplenorm, frn (with tlu after it),
grn. As of the other norms, receptive fields ignore that statistics may depend on the whole map.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import ClassVar

from ..language.kinds import number
from ..shapes import Shape, ShapeError, as_map, axes_of, size
from .activation import Activation
from .base import (
    Autocast,
    Kept,
    Kind,
    Option,
    SameShape,
    TorchText,
    Weight,
    constructor,
    helper,
)
from .scale import index_of, per_channel
from .worked import Element, Group, Step, Term, Worked, bracketed, figure, quotient, signed


def small(default: float) -> float:
    """The number that keeps a division from one by zero."""
    return number(  # type: ignore[no-any-return]
        "added before the division, to avoid division by zero",
        default,
        minimum=0,
        above=True,
        maximum=1,
    )


class EmittedNorm(SameShape):
    """A normalization that torch does not have, with learned numbers for each channel."""

    kind: ClassVar[Kind] = "norm"
    normalizes: ClassVar[bool] = True
    # The learned numbers have four bytes, and so has what is computed with them.
    autocast: ClassVar[Autocast] = "wide"
    learns: ClassVar[tuple[str, ...]] = ("weight",)
    name: ClassVar[str] = ""
    """The helper class."""

    eps: float

    def learned(self) -> tuple[str, ...]:
        return self.learns

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return tuple([Weight(key, per_channel(inputs[0])) for key in self.learned()])

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        eps = (self.eps, type(self).fields["eps"].default)
        axes = (axes_of(inputs[0]), 2)
        further = self.further_options()
        module = constructor(self.name, inputs[0][0], eps=eps, **further, axes=axes)
        return TorchText(module, helper=self.source())

    def further_options(self) -> dict[str, Option]:
        return {}

    def source(self) -> str:
        raise NotImplementedError

    def rule(self) -> str:
        raise NotImplementedError

    def by_root(self, element: Element, group: Group) -> Worked:
        """The element by the root of a mean of squares, or of a variance."""
        value = element.here().value
        normalized = quotient(value, math.sqrt(group.result + self.eps))
        how = f"{figure(value)}/sqrt({figure(group.result)} + {self.eps:g})"
        step = Step("normalized", how, normalized)
        return self.affine(element, normalized, (group,), (step,), how)

    def affine(
        self,
        element: Element,
        value: float,
        groups: tuple[Group, ...],
        steps: tuple[Step, ...],
        text: str = "",
    ) -> Worked:
        """The last step: the learned scale, and bias, of a normalized value. With the text of what
        comes before it, all is one line.
        """
        index = index_of(element)
        scale = element.weight("weight", index)
        result, learned = value * scale, f"*{bracketed(scale)}"
        if "bias" in self.learns:
            bias = element.weight("bias", index)
            result, learned = result + bias, f"{learned} {signed(bias)}"
        name = "scale, bias" if "bias" in self.learns else "scale"
        last = Step(name, f"{figure(value)}{learned}", result)
        whole = text and text + learned
        return Worked(element.at, self.rule(), result, groups, (*steps, last), whole=whole)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        each, learned = inputs[0][0], self.learned()
        counted = " + ".join(f"{each} of {name}" for name in learned)
        total = len(learned) * each
        equals = f" = {total:,}" if len(learned) > 1 else ""
        return [("each number", self.rule()), ("parameters", f"{counted}{equals}")]


def squares(name: str, terms: Sequence[Term]) -> Group:
    """The mean of squares."""
    terms = tuple([_squared(term) for term in terms])
    mean = sum(term.product for term in terms) / len(terms)
    return Group(name, terms, "statistics", mean, each="{v}^2", around=f"({{}})/{len(terms)}")


def _squared(term: Term) -> Term:
    return term._replace(product=term.value**2)


def variance(name: str, terms: Sequence[Term], *, unbiased: bool = False) -> Group:
    """The mean of squared differences from the mean."""
    mean = sum(term.value for term in terms) / len(terms)
    terms = tuple([term._replace(product=(term.value - mean) ** 2) for term in terms])
    result = sum(term.product for term in terms) / (len(terms) - unbiased)
    around = f"({{}})/({len(terms)} - 1)" if unbiased else f"({{}})/{len(terms)}"
    each = f"({{v}} - {bracketed(mean)})^2"
    return Group(name, terms, "statistics", result, each=each, around=around)


def own_map(element: Element) -> list[Term]:
    """All elements of the same channel."""
    positions = product(*map(range, element.inputs[0][1:]))
    return [element.term(element.channel, position) for position in positions]


def own_position(element: Element) -> list[Term]:
    """The elements of all channels at the same position."""
    return [element.here(channel) for channel in range(element.inputs[0][0])]


class RmsNorm(EmittedNorm):
    """Divides by the root mean square of the channels at each position (arXiv:1910.07467)."""

    word: ClassVar[str] = "rmsnorm"
    gradient: ClassVar[str] = (
        "n = x / rms, dn = dy * weight\ndx = (dn - n * mean of dn*n) / rms; dweight = sum of dy*n"
    )
    example: ClassVar[str] = "rmsnorm"
    arithmetic: ClassVar[str] = (
        "y = x / sqrt(mean of x^2 + eps) * weight, over the channels of each position\n"
        "parameters: C"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "rmsnorm": "RMSNorm(normalized_shape,eps) RmsNorm(channels,eps) RmsNorm2d(channels,eps) "
        "rms_norm RMSNormalization(axis,epsilon)",
    }
    name: ClassVar[str] = "RMSNorm"

    eps: float = small(1e-6)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element a square, a sum, a product with the root, and one with the weight."""
        return 4 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The normalized elements, and a root for each position.
        positions = size(output[1:])
        scratch = 2 * size(output) - positions
        return Kept(inputs=(0,), own=size(output) + positions, scratch=scratch)

    def source(self) -> str:
        return RMS_NORM

    def rule(self) -> str:
        return f"x/sqrt(mean of x^2 + {self.eps:g}) * weight, over the channels"

    def work_out(self, element: Element) -> Worked:
        return self.by_root(element, squares("mean square", own_position(element)))


class SimpleNorm(RmsNorm):
    """Divides by the standard deviation of the channels at each position; the mean stays."""

    word: ClassVar[str] = "simplenorm"
    gradient: ClassVar[str] = (
        "s = sqrt(variance + eps), n = (x - mean) / s, dn = dy * weight\n"
        "dx = (dn - n * sum of dn*x/s / count) / s, with the count that the variance divides by\n"
        "dweight = sum of dy*x/s"
    )
    example: ClassVar[str] = "simplenorm"
    arithmetic: ClassVar[str] = (
        "y = x / sqrt(variance + eps) * weight, over the channels of each position\nparameters: C"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "simplenorm": "SimpleNorm(channels,eps) SimpleNorm2d(channels,eps) simple_norm",
    }
    name: ClassVar[str] = "SimpleNorm"

    def output(self, *inputs: Shape) -> Shape:
        if inputs[0][0] == 1:
            raise ShapeError(
                f"`{self.word}` divides by the deviation of the channels, and its input has one",
                "take it out here, or write `bn`, which normalizes over the batch",
            )
        return inputs[0]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element a sum, a square and a sum for the variance, and two products."""
        return 6 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return super().kept(output, *inputs)._replace(scratch=size(output))

    def source(self) -> str:
        return SIMPLE_NORM

    def rule(self) -> str:
        return f"x/sqrt(variance + {self.eps:g}) * weight, over the channels"

    def work_out(self, element: Element) -> Worked:
        return self.by_root(element, variance("variance", own_position(element), unbiased=True))


class FilterResponseNorm(EmittedNorm):
    """Divides each channel of one image by its root mean square (arXiv:1911.09737).

    `tlu` follows it.
    """

    word: ClassVar[str] = "frn"
    gradient: ClassVar[str] = (
        "n = x / sqrt(mean of x^2 + eps), dn = dy * weight\n"
        "dx = (dn - n * mean of dn*n) / sqrt(mean of x^2 + eps); dweight = sum of dy*n"
    )
    example: ClassVar[str] = "frn, tlu"
    arithmetic: ClassVar[str] = (
        "y = x / sqrt(mean of x^2 + eps) * weight + bias, by channel of one image\n"
        "parameters: 2 * C"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "frn": "FilterResponseNorm(num_features,eps) FilterResponseNorm2d(num_features,eps) "
        "FilterResponseNormalization filter_response_norm",
    }
    name: ClassVar[str] = "FilterResponseNorm"
    learns: ClassVar[tuple[str, ...]] = ("weight", "bias")

    eps: float = small(1e-5)

    def output(self, *inputs: Shape) -> Shape:
        return as_map(inputs[0], self.word)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element a square and a sum, a product and a sum."""
        return 4 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The root, and its product with the weight.
        return Kept(inputs=(0,), own=2 * output[0], scratch=3 * size(output))

    def source(self) -> str:
        return FILTER_RESPONSE_NORM

    def rule(self) -> str:
        return f"x/sqrt(mean of x^2 + {self.eps:g}) * weight + bias, over the map of its channel"

    def work_out(self, element: Element) -> Worked:
        return self.by_root(element, squares("mean square", own_map(element)))


class ThresholdedLinear(Activation):
    """Rectifier with a learned threshold for each channel, as it follows `frn`."""

    # The thresholds have four bytes, and so has what is compared with them.
    autocast: ClassVar[Autocast] = "wide"
    word: ClassVar[str] = "tlu"
    gradient: ClassVar[str] = (
        "dx = dy where x > tau, else 0\ndtau = sum of dy where x <= tau, by channel"
    )
    example: ClassVar[str] = "tlu"
    arithmetic: ClassVar[str] = "max(x, tau) with a learned tau for each channel; parameters: C"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "tlu": "TLU(num_features) ThresholdedLinearUnit thresholded_linear_unit",
    }
    formula: ClassVar[str] = "max(x, tau of its channel)"

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("tau", per_channel(inputs[0])),)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The gradient of each threshold has the full size before it is summed, and two masks.
        return Kept(inputs=(0,), scratch=5 * size(output) // 2)

    def value(self, x: float, element: Element) -> tuple[str, float]:
        tau = element.weight("tau", index_of(element))
        return f"max({figure(x)}, {figure(tau)})", max(x, tau)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = (axes_of(inputs[0]), 2)
        return TorchText(constructor("TLU", inputs[0][0], axes=axes), helper=THRESHOLDED_LINEAR)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        learned = ("parameters", f"{inputs[0][0]:,}: a threshold for each channel, initially 0")
        return [*super().explain(output, *inputs), learned]


class GlobalResponseNorm(EmittedNorm):
    """Strengthens channels whose map is large beside that of others (arXiv:2301.00808).

    ConvNeXt V2 has it between the two 1x1 convolutions of its blocks.
    """

    word: ClassVar[str] = "grn"
    gradient: ClassVar[str] = (
        "dx = dy * (1 + gamma * norm / mean), and what changes the norms: of its own channel,\n"
        "and, through the mean, of all; dgamma = sum of dy * x * norm / mean; dbeta = sum of dy"
    )
    example: ClassVar[str] = "grn"
    arithmetic: ClassVar[str] = (
        "norm = sqrt(sum of x^2 over the map of a channel)\n"
        "y = x + gamma * x * norm / (mean of the norms of all channels + eps) + beta\n"
        "parameters: 2 * C, initially 0"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "grn": "GRN(dim) GlobalResponseNorm(dim,eps) global_response_norm "
        "GlobalResponseNormalization",
    }
    name: ClassVar[str] = "GlobalResponseNorm"
    learns: ClassVar[tuple[str, ...]] = ("gamma", "beta")

    eps: float = small(1e-6)

    def output(self, *inputs: Shape) -> Shape:
        return as_map(inputs[0], self.word)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element a square and a sum, a product and a sum."""
        return 4 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The norm of each channel, its share, and the factor; the mean of the norms.
        return Kept(inputs=(0,), own=3 * output[0] + 1, scratch=size(output))

    def source(self) -> str:
        return GLOBAL_RESPONSE_NORM

    def rule(self) -> str:
        return (
            f"x * (1 + gamma * norm/(mean of the norms of all channels + {self.eps:g})) + beta,"
            " the norm of a channel over its map"
        )

    def work_out(self, element: Element) -> Worked:
        places = list(product(*map(range, element.inputs[0][1:])))
        norms = [
            math.sqrt(sum([element.read(0, channel, *place) ** 2 for place in places]))
            for channel in range(element.inputs[0][0])
        ]
        terms = [_squared(term) for term in own_map(element)]
        norm = norms[element.channel]
        group = Group("norm", tuple(terms), "norm", norm, each="{v}^2", around="sqrt({})")
        mean = sum(norms) / len(norms)
        share = quotient(norm, mean + self.eps)
        index = index_of(element)
        scale, bias = element.weight("gamma", index), element.weight("beta", index)
        value = element.here().value
        factor = 1 + scale * share
        result = value * factor + bias
        last = f"{figure(value)}*{bracketed(factor)} {signed(bias)}"
        steps = (
            Step("mean of the norms", figure(mean), mean),
            Step("share", f"{figure(norm)}/({figure(mean)} + {self.eps:g})", share),
            Step("factor", f"1 + {bracketed(scale)}*{figure(share)}", factor),
            Step("scale, bias", last, result),
        )
        return Worked(element.at, self.rule(), result, (group,), steps)


# The power converts to float32 on a GPU under autocast, where squares of fp16 would overflow.
RMS_NORM = helper('''\
class RMSNorm(nn.Module):
    """Divides by the root mean square of the channels."""

    def __init__(self, channels: int, eps: float = 1e-6, axes: int = 2) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        square = x.pow(2).mean(1, keepdim=True)
        return x * torch.rsqrt(square + self.eps) * self.weight
''')

SIMPLE_NORM = helper('''\
class SimpleNorm(nn.Module):
    """Divides by the standard deviation of the channels."""

    def __init__(self, channels: int, eps: float = 1e-6, axes: int = 2) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        variance = x.var(1, keepdim=True)
        return x * torch.rsqrt(variance + self.eps) * self.weight
''')

FILTER_RESPONSE_NORM = helper('''\
class FilterResponseNorm(nn.Module):
    """Divides each channel by its root mean square (Singh and Krishnan, 2019)."""

    def __init__(self, channels: int, eps: float = 1e-5, axes: int = 2) -> None:
        super().__init__()
        self.eps = eps
        self.axes = list(range(2, 2 + axes))
        self.weight = nn.Parameter(torch.ones(channels, *[1] * axes))
        self.bias = nn.Parameter(torch.zeros(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        square = x.pow(2).mean(self.axes, keepdim=True)
        return x * (torch.rsqrt(square + self.eps) * self.weight) + self.bias
''')

THRESHOLDED_LINEAR = helper('''\
class TLU(nn.Module):
    """A rectifier with a learned threshold for each channel."""

    def __init__(self, channels: int, axes: int = 2) -> None:
        super().__init__()
        self.tau = nn.Parameter(torch.zeros(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(x, self.tau)
''')

GLOBAL_RESPONSE_NORM = helper('''\
class GlobalResponseNorm(nn.Module):
    """Strengthens channels whose norm is large beside those of the others (ConvNeXt V2)."""

    def __init__(self, channels: int, eps: float = 1e-6, axes: int = 2) -> None:
        super().__init__()
        self.eps = eps
        self.axes = list(range(2, 2 + axes))
        self.gamma = nn.Parameter(torch.zeros(channels, *[1] * axes))
        self.beta = nn.Parameter(torch.zeros(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(x, 2, self.axes, keepdim=True)
        share = norm / (norm.mean(1, keepdim=True) + self.eps)
        return x * (1 + self.gamma * share) + self.beta
''')
