"""Layers that normalize and activate at once, found by evolution: evonorm_b0, evonorm_s0 (Liu et
al., 2020, arXiv:2004.02967). No activation follows them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import ClassVar

from ..language.kinds import count, number
from ..shapes import Shape, as_map, axes_of, size
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
from .norm import check_divisible
from .rms_norm import small
from .scale import index_of, per_channel
from .worked import (
    Element,
    Group,
    Place,
    Read,
    Step,
    Term,
    Worked,
    bracketed,
    figure,
    quotient,
    sigmoid,
    signed,
)


class EvoNorm(NoMultiplyAdds):
    """Normalizes and activates."""

    kind: ClassVar[Kind] = "norm"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    # The learned numbers have four bytes, and so has what is computed with them.
    autocast: ClassVar[Autocast] = "wide"
    eps: float

    def output(self, *inputs: Shape) -> Shape:
        return as_map(inputs[0], self.word)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return tuple([Weight(key, per_channel(inputs[0])) for key in ("weight", "bias", "v")])

    def rule(self) -> str:
        raise NotImplementedError

    def affine(
        self, element: Element, value: float, groups: tuple[Group, ...], steps: tuple[Step, ...]
    ) -> Worked:
        """The last step: the learned scale and bias."""
        index = index_of(element)
        scale, bias = element.weight("weight", index), element.weight("bias", index)
        how = f"{figure(value)}*{bracketed(scale)} {signed(bias)}"
        last = Step("scale, bias", how, value * scale + bias)
        return Worked(element.at, self.rule(), last.value, groups, (*steps, last))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        each = inputs[0][0]
        counted = f"{each} of weight + {each} of bias + {each} of v = {3 * each:,}"
        return [("each number", self.rule()), ("parameters", counted)]


def variance_of(
    name: str, element: Element, reads: Sequence[Read], channels: Sequence[int]
) -> Group:
    """The variance of whole maps of some images."""
    positions = list(product(*map(range, element.inputs[0][1:])))
    read_terms = [
        Term(value, None, value, Place(0, channel, position) if number == 0 else None)
        for number, read in enumerate(reads)
        for channel in channels
        for position in positions
        for value in [read(0, channel, *position)]
    ]
    mean = sum(term.value for term in read_terms) / len(read_terms)
    terms = tuple([term._replace(product=(term.value - mean) ** 2) for term in read_terms])
    variance = sum(term.product for term in terms) / len(terms)
    each = f"({{v}} - {bracketed(mean)})^2"
    return Group(name, terms, "statistics", variance, each=each, around=f"({{}})/{len(terms)}")


class EvoNormB0(EvoNorm):
    """Divides by the deviation over the batch or, if larger, v*x + the deviation over the map.

    In evaluation, a running average stands for the deviation over the batch.
    """

    word: ClassVar[str] = "evonorm_b0"
    example: ClassVar[str] = "evonorm_b0"
    arithmetic: ClassVar[str] = (
        "y = x / max(sqrt(variance over the batch + eps), v*x + sqrt(variance over the map + eps))"
        " * weight + bias\n"
        "parameters: 3 * C; buffers: C"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "evonorm_b0": "EvoNorm2dB0(num_features,momentum,eps) EvoNormB0 evonormb0 EvoNorm2D",
    }

    eps: float = small(1e-3)
    momentum: float = number(
        "weight of a new batch in the running average", 0.1, minimum=0, maximum=1
    )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        running = Weight("running_var", per_channel(inputs[0]), trainable=False)
        return (*super().weights(*inputs), running)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element three for the variance over the map; two products and two sums, a
        maximum and a division."""
        return 9 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # Both sides of the maximum, which is kept too, and the quotient; both deviations.
        channels = output[0]
        return Kept(inputs=(0,), own=3 * size(output) + channels, once=channels)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = constructor(
            "EvoNormB0",
            inputs[0][0],
            eps=(self.eps, 1e-3),
            momentum=(self.momentum, 0.1),
            axes=(axes_of(inputs[0]), 2),
        )
        return TorchText(module, helper=EVONORM_B0)

    def rule(self) -> str:
        batch = f"sqrt(variance over the batch + {self.eps:g})"
        own = f"sqrt(variance over the map + {self.eps:g})"
        return f"x/max({batch}, v*x + {own}) * weight + bias"

    def work_out(self, element: Element) -> Worked:
        index, own = index_of(element), [element.channel]
        value = element.here().value
        inside = variance_of("variance over the map", element, [element.read], own)
        groups, steps = [inside], []
        if element.training:
            reads = [element.read, *element.others]
            over_batch = variance_of("variance over the batch", element, reads, own)
            groups = [over_batch, inside]
            batch = over_batch.result
        else:
            batch = element.weight("running_var", index)
            steps = [Step("running variance", figure(batch), batch)]
        v = element.weight("v", index)
        left = math.sqrt(batch + self.eps)
        right = value * v + math.sqrt(inside.result + self.eps)
        most = max(left, right)
        result = quotient(value, most)
        how = f"{figure(value)}*{bracketed(v)} + sqrt({figure(inside.result)} + {self.eps:g})"
        steps += [
            Step("deviation over the batch", f"sqrt({figure(batch)} + {self.eps:g})", left),
            Step("v*x + deviation over the map", how, right),
            Step("divisor", f"max({figure(left)}, {figure(right)})", most),
            Step("divided", f"{figure(value)}/{bracketed(most)}", result),
        ]
        return self.affine(element, result, tuple(groups), tuple(steps))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        running = ("not trained", f"{inputs[0][0]} running variances")
        return [*super().explain(output, *inputs), running]


class EvoNormS0(EvoNorm):
    """Swish with a learned v, divided by the deviation of a group of channels of one image."""

    word: ClassVar[str] = "evonorm_s0"
    example: ClassVar[str] = "evonorm_s0 8"
    arithmetic: ClassVar[str] = (
        "y = x * sigmoid(v*x) / sqrt(variance + eps) * weight + bias, by group of channels of one"
        " image\n"
        "parameters: 3 * C"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "evonorm_s0": "EvoNorm2dS0(num_features,groups,eps) EvoNormS0 evonorms0",
    }

    groups: int = count("groups of channels", 32)
    eps: float = small(1e-5)

    def output(self, *inputs: Shape) -> Shape:
        channels = super().output(*inputs)[0]
        check_divisible(channels, self.groups, self.word)
        return inputs[0]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element three for the variance; two products and a sigmoid, a division, a
        product and a sum."""
        return 9 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The sigmoid, its product with x, and the quotient; the deviations.
        return Kept(inputs=(0,), own=3 * size(output) + self.groups)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = constructor(
            "EvoNormS0",
            inputs[0][0],
            groups=(self.groups, 32),
            eps=(self.eps, 1e-5),
            axes=(axes_of(inputs[0]), 2),
        )
        return TorchText(module, helper=EVONORM_S0)

    def rule(self) -> str:
        return f"x * sigmoid(v*x)/sqrt(variance of its group + {self.eps:g}) * weight + bias"

    def work_out(self, element: Element) -> Worked:
        inside = element.inputs[0][0] // self.groups
        first = element.channel // inside * inside
        channels = [first + number for number in range(inside)]
        group = variance_of("variance", element, [element.read], channels)
        value = element.here().value
        v = element.weight("v", index_of(element))
        swish = value * sigmoid(value * v)
        deviation = math.sqrt(group.result + self.eps)
        result = quotient(swish, deviation)
        shown = figure(value)
        steps = (
            Step("swish", f"{shown}*sigmoid({shown}*{bracketed(v)})", swish),
            Step("deviation", f"sqrt({figure(group.result)} + {self.eps:g})", deviation),
            Step("divided", f"{figure(swish)}/{figure(deviation)}", result),
        )
        return self.affine(element, result, (group,), steps)


EVONORM_B0 = helper('''\
class EvoNormB0(nn.Module):
    """Normalizes over the batch and activates at once (Liu et al., 2020)."""

    running_var: Tensor

    def __init__(
        self, channels: int, eps: float = 1e-3, momentum: float = 0.1, axes: int = 2
    ) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.axes = list(range(2, 2 + axes))
        self.batch_axes = [0, *self.axes]
        self.weight = nn.Parameter(torch.ones(channels, *[1] * axes))
        self.bias = nn.Parameter(torch.zeros(channels, *[1] * axes))
        self.v = nn.Parameter(torch.ones(channels, *[1] * axes))
        self.register_buffer("running_var", torch.ones(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        variance = self.running_var
        if self.training:
            variance = x.var(self.batch_axes, correction=0, keepdim=True)[0]
            count = x[:, 0].numel()
            correction = count / max(count - 1, 1)
            with torch.no_grad():
                unbiased = variance.to(self.running_var.dtype) * correction
                self.running_var.lerp_(unbiased, self.momentum)
        inside = x.var(self.axes, correction=0, keepdim=True)
        own = x * self.v + torch.sqrt(inside + self.eps)
        divisor = torch.maximum(torch.sqrt(variance + self.eps), own)
        return x / divisor * self.weight + self.bias
''')

EVONORM_S0 = helper('''\
class EvoNormS0(nn.Module):
    """Normalizes groups of channels and activates at once (Liu et al., 2020)."""

    def __init__(
        self,
        channels: int,
        groups: int = 32,
        eps: float = 1e-5,
        axes: int = 2,
    ) -> None:
        super().__init__()
        self.groups = groups
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, *[1] * axes))
        self.bias = nn.Parameter(torch.zeros(channels, *[1] * axes))
        self.v = nn.Parameter(torch.ones(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        grouped = (x.shape[0], self.groups, -1)
        variance = x.reshape(grouped).var(2, correction=0, keepdim=True)
        swish = (x * torch.sigmoid(x * self.v)).reshape(grouped)
        normalized = (swish / torch.sqrt(variance + self.eps)).reshape(x.shape)
        return normalized * self.weight + self.bias
''')
