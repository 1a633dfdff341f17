"""Layers that normalize and activate at once, found by evolution: evonorm_b0, evonorm_s0 (Liu et
al., 2020, arXiv:2004.02967). No activation follows them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import ClassVar

from ..language.kinds import count, number, switch
from ..shapes import Shape, as_map, size
from .base import Kept, Option, Weight, helper
from .norm import check_divisible
from .rms_norm import EmittedNorm, small, variance
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
)


class EvoNorm(EmittedNorm):
    """Normalizes and activates."""

    learns: ClassVar[tuple[str, ...]] = ("weight", "bias", "v")

    def output(self, *inputs: Shape) -> Shape:
        return as_map(inputs[0], self.word)


def variance_of(
    name: str, element: Element, reads: Sequence[Read], channels: Sequence[int]
) -> Group:
    """The variance of whole maps of some images."""
    positions = list(product(*map(range, element.inputs[0][1:])))
    terms = [
        Term(value, None, value, Place(0, channel, position) if number == 0 else None)
        for number, read in enumerate(reads)
        for channel in channels
        for position in positions
        for value in [read(0, channel, *position)]
    ]
    return variance(name, terms)


class EvoNormB0(EvoNorm):
    """Divides by the deviation over the batch or, if larger, v*x + the deviation over the map.

    In evaluation, a running average stands for the deviation over the batch.
    """

    word: ClassVar[str] = "evonorm_b0"
    gradient: ClassVar[str] = (
        "dx = dy * weight / divisor, less y * what changes the divisor: the variance over the\n"
        "batch, or v*x and the variance over the map, whichever is larger"
    )
    example: ClassVar[str] = "evonorm_b0"
    arithmetic: ClassVar[str] = (
        "y = x / max(sqrt(variance over the batch + eps), v*x + sqrt(variance over the map + eps))"
        " * weight + bias\n"
        "parameters: 3 * C; buffers: C"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "evonorm_b0": "EvoNorm2dB0(num_features,momentum,eps) EvoNormB0 evonormb0 EvoNorm2D",
    }

    name: ClassVar[str] = "EvoNormB0"

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
        elements, channels = size(output), output[0]
        own = 3 * elements + channels
        return Kept(inputs=(0,), own=own, once=channels, scratch=2 * elements)

    def further_options(self) -> dict[str, Option]:
        return {"momentum": (self.momentum, 0.1)}

    def source(self) -> str:
        return EVONORM_B0

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
    """Swish with a learned v, divided by the deviation of a group of channels of one image.

    With `act=off` it does not activate: the input itself is divided, and there is no v.
    """

    word: ClassVar[str] = "evonorm_s0"
    gradient: ClassVar[str] = (
        "as `gn`, with x * sigmoid(v*x) in place of x above the line\n"
        "dv = sum of dy * x^2 * s * (1 - s) * weight / deviation, with s = sigmoid(v*x)"
    )
    example: ClassVar[str] = "evonorm_s0 8"
    arithmetic: ClassVar[str] = (
        "y = x * sigmoid(v*x) / sqrt(variance + eps) * weight + bias, by group of channels of one"
        " image\n"
        "with act=off, y = x / sqrt(variance + eps) * weight + bias\n"
        "parameters: 3 * C, with act=off 2 * C"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "evonorm_s0": "EvoNorm2dS0(num_features,groups,eps) EvoNormS0 evonorms0 EvoNorm2dS0a",
    }

    name: ClassVar[str] = "EvoNormS0"

    groups: int = count("groups of channels", 32)
    eps: float = small(1e-5)
    act: bool = switch("whether it activates", True)

    def learned(self) -> tuple[str, ...]:
        return self.learns if self.act else self.learns[:2]

    def output(self, *inputs: Shape) -> Shape:
        channels = super().output(*inputs)[0]
        check_divisible(channels, self.groups, self.word)
        return inputs[0]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """For each element three for the variance; two products and a sigmoid, if it activates; a
        division, a product and a sum."""
        return (9 if self.act else 6) * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The sigmoid, its product with x, and the quotient; the deviations.
        own = (3 if self.act else 1) * size(output) + self.groups
        return Kept(inputs=(0,), own=own, scratch=2 * size(output))

    def further_options(self) -> dict[str, Option]:
        return {"groups": (self.groups, 32), "act": (self.act, True)}

    def source(self) -> str:
        return EVONORM_S0

    def rule(self) -> str:
        above = "x * sigmoid(v*x)" if self.act else "x"
        return f"{above}/sqrt(variance of its group + {self.eps:g}) * weight + bias"

    def work_out(self, element: Element) -> Worked:
        inside = element.inputs[0][0] // self.groups
        first = element.channel // inside * inside
        channels = [first + number for number in range(inside)]
        group = variance_of("variance", element, [element.read], channels)
        value = element.here().value
        steps = []
        if self.act:
            v, shown = element.weight("v", index_of(element)), figure(value)
            value *= sigmoid(value * v)
            steps = [Step("swish", f"{shown}*sigmoid({shown}*{bracketed(v)})", value)]
        deviation = math.sqrt(group.result + self.eps)
        result = quotient(value, deviation)
        steps += [
            Step("deviation", f"sqrt({figure(group.result)} + {self.eps:g})", deviation),
            Step("divided", f"{figure(value)}/{figure(deviation)}", result),
        ]
        return self.affine(element, result, (group,), tuple(steps))


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
            variance, correction = self.over_batch(x)
            with torch.no_grad():
                unbiased = variance.to(self.running_var.dtype) * correction
                self.running_var.lerp_(unbiased, self.momentum)
        inside = x.var(self.axes, correction=0, keepdim=True)
        own = x * self.v + torch.sqrt(inside + self.eps)
        divisor = torch.maximum(torch.sqrt(variance + self.eps), own)
        return x / divisor * self.weight + self.bias

    def over_batch(self, x: Tensor) -> tuple[Tensor, float]:
        """The variance over the batch, and the factor that makes it unbiased."""
        count = x[:, 0].numel()
        variance = x.var(self.batch_axes, correction=0, keepdim=True)[0]
        return variance, count / max(count - 1, 1)
''')

EVONORM_S0 = helper('''\
class EvoNormS0(nn.Module):
    """Normalizes groups of channels and, with `act`, activates (Liu et al., 2020)."""

    v: Tensor | None

    def __init__(
        self,
        channels: int,
        eps: float = 1e-5,
        groups: int = 32,
        act: bool = True,
        axes: int = 2,
    ) -> None:
        super().__init__()
        self.groups = groups
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, *[1] * axes))
        self.bias = nn.Parameter(torch.zeros(channels, *[1] * axes))
        v = nn.Parameter(torch.ones(channels, *[1] * axes))
        self.register_parameter("v", v if act else None)

    def forward(self, x: Tensor) -> Tensor:
        grouped = (x.shape[0], self.groups, -1)
        variance = x.reshape(grouped).var(2, correction=0, keepdim=True)
        v = self.v
        active = x if v is None else x * torch.sigmoid(x * v)
        divided = active.reshape(grouped) / torch.sqrt(variance + self.eps)
        return divided.reshape(x.shape) * self.weight + self.bias
''')
