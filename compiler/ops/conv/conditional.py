"""Convolutions whose filters depend on the image: a mixture of experts, `condconv`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import ClassVar

from ...language.kinds import count
from ...shapes import AXES, Shape, ShapeError, axes_of, plain, size, text
from ..base import Kept, TorchText, Weight, constructor, helper, tuple_of
from ..worked import Element, Step, Term, Worked, figure, sigmoid, summed
from .conv import Grouped
from .sliding import (
    MODE,
    SAME,
    SAME_UPPER,
    outputs_times,
)


class CondConv(Grouped):
    """Convolution with filters of its own for each image: a mixture of `experts` filters.

    Their shares are sigmoids of a fully connected layer over the channel means (CondConv,
    arXiv:1904.04971). A body computes them otherwise, as a vector with a number for each expert:
    `condconv 64 { from shares }` reads a labeled layer, so that several convolutions have the same;
    `condconv 64 { pool avg global, flatten, fc 4, relu, fc 4, softmax }` is dynamic convolution
    (arXiv:1912.03458); `scale_by 1/30` before the softmax is its temperature of 30. The mixing of
    the filters is counted with the multiply-adds.
    """

    word: ClassVar[str] = "condconv"
    example: ClassVar[str] = "condconv 64 3x3 experts=4 same"
    arithmetic: ClassVar[str] = (
        "output: as `conv` of these arguments\n"
        "filters: sum of share[e] * filters[e] over all experts\n"
        "shares: sigmoid(W * mean of each channel + b), or the body\n"
        "parameters: experts * those of `conv`, + experts * (C + 1) without a body\n"
        "multiply-adds: those of `conv`, + one for each weight and bias of each expert, + experts"
        " * C without a body"
    )
    called: ClassVar[str] = ""
    elsewhere: ClassVar[Mapping[str, str]] = {
        "condconv": "CondConv CondConv2d(in_channels,out_channels,kernel_size,stride,padding,"
        "dilation,groups,bias,num_experts>experts) CondConv2D dynamic_conv DynamicConv "
        "DynamicConv2d Dynamic_conv2d DYConv2d",
    }
    paths: ClassVar[tuple[str, ...]] = ("shares",)

    mode: str = MODE
    same: bool = SAME
    same_upper: bool = SAME_UPPER
    experts: int = count("sets of filters that are mixed for each image", 4, example="4")

    def output(self, *inputs: Shape) -> Shape:
        shares = (self.experts,)
        one_place = (*shares, *(1,) * axes_of(inputs[0]))
        if len(inputs) > 1 and inputs[1] not in (shares, one_place):
            raise ShapeError(
                f"the shares of {self.experts} experts are {self.experts} numbers, and the body"
                f" leaves {text(inputs[1])}",
                f"end it with `pool avg global, flatten, fc {self.experts}, sigmoid`",
            )
        return super().output(inputs[0])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        one, *bias = super().weights(inputs[0])
        mixed = [
            one._replace(shape=(self.experts, size(one.shape))),
            *(each._replace(shape=(self.experts, *each.shape)) for each in bias),
        ]
        if len(inputs) > 1:
            return tuple(mixed)
        shares = Weight("routing.weight", (self.experts, inputs[0][0]))
        return (*mixed, shares, Weight("routing.bias", (self.experts,)))

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Products with the mixed filters, and those that mix them."""
        shares = sum(
            size(weight.shape) for weight in self.weights(*inputs) if len(weight.shape) > 1
        )
        return self._convolved(output, inputs[0]) + shares

    def _convolved(self, output: Shape, input_shape: Shape) -> int:
        return size(output[1:]) * size(super().weights(input_shape)[0].shape)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """The bias; without a body also the channel means, and bias and sigmoid of the shares."""
        own = size(inputs[0]) + 2 * self.experts if len(inputs) == 1 else 0
        return super().elementwise(output, *inputs) + own

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        kept = super().kept(output, inputs[0])
        own = kept.own + size(super().weights(inputs[0])[0].shape)
        if len(inputs) > 1:
            return kept._replace(inputs=(*kept.inputs, 1), own=own)
        return kept._replace(own=own + self.experts + inputs[0][0])

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        options = self.pad_options(inputs[0])
        module = constructor(
            f"CondConv{axes_of(output)}d",
            inputs[0][0],
            self.out,
            plain(self.kernel),
            self.experts,
            stride=(plain(self.stride), 1),
            padding=options["padding"],
            dilation=(plain(self.dilation), 1),
            groups=(self.groups, 1),
            bias=self.bias_option(),
            padding_mode=options["padding_mode"],
            routed=(len(inputs) > 1, False),
        )
        call = self.call(inputs[0])
        if len(inputs) > 1:
            call = f"{call.removesuffix(')')}, {{1}})"
        elif call != "{m}({0})":  # the means are those of the map without its padding
            call = f"{call.removesuffix(')')}, {{0}})"
        return TorchText(module, call, self.helpers(COND_CONV[axes_of(output)]))

    def work_out(self, element: Element) -> Worked:
        channels = element.inputs[0][0]
        inside = channels // self.groups
        first = element.channel // (self.out // self.groups) * inside
        shares, steps = self._shares(element)

        def mixed(name: str, index: int) -> float:
            return sum(share * element.weight(name, (e, index)) for e, share in enumerate(shares))

        def read(n: int, *place: int) -> float:
            index = element.channel * inside + n
            for at, side in zip(place, self.kernel, strict=True):
                index = index * side + at
            return mixed("weight", index)

        windows = [
            self.covered(element, first + n, lambda *place, n=n: read(n, *place))
            for n in range(inside)
        ]
        bias = mixed("bias", element.channel) if self.bias else None
        rule = f"{self.rule(inside, bias)}, weights mixed from those of {self.experts} experts"
        worked = summed(element, windows, bias, rule)
        return worked._replace(
            steps=(*steps, *(worked.steps or (Step("sum", worked.whole, worked.result),)))
        )

    def _shares(self, element: Element) -> tuple[list[float], list[Step]]:
        """The share of each expert, and how it is computed."""
        if len(element.inputs) > 1:
            there = (0,) * (axes_of(element.inputs[1]) or 2)
            read = [element.read(1, e, *there) for e in range(self.experts)]
            return read, [
                Step(f"share of expert {e}", figure(share), share) for e, share in enumerate(read)
            ]
        channels, *sides = element.inputs[0]
        places = list(product(*map(range, sides)))
        means = [
            sum([element.read(0, c, *place) for place in places]) / len(places)
            for c in range(channels)
        ]
        shares: list[float] = []
        steps: list[Step] = []
        for e in range(self.experts):
            terms = [
                Term(mean, element.weight("routing.weight", (e, c)), 0.0, None)
                for c, mean in enumerate(means)
            ]
            bias = element.weight("routing.bias", (e,))
            total = sum(term.value * (term.factor or 0.0) for term in terms) + bias
            shares.append(sigmoid(total))
            steps.append(Step(f"share of expert {e}", f"sigmoid({figure(total)})", shares[-1]))
        return shares, steps

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        names = AXES[axes_of(output)]
        lines = [line for line in super().explain(output, inputs[0]) if line[0] in names]
        weights = self.weights(*inputs)
        one = super().weights(inputs[0])
        each = sum(size(weight.shape) for weight in one)
        routing = sum(size(weight.shape) for weight in weights[len(one) :])
        convolved = self._convolved(output, inputs[0])
        macs = self.macs(output, *inputs)
        plus = f"; + {self.experts}*({inputs[0][0]} + 1) of the shares" if routing else ""
        total = self.experts * each + routing
        return [
            *lines,
            ("parameters", f"{self.experts} experts * {each:,}{plus} = {total:,}"),
            ("convolution", outputs_times(output, one[0], convolved)),
            ("mixing", f"{macs - convolved:,} multiply-adds: those that mix the experts"),
            ("multiply-adds", f"{convolved:,} + {macs - convolved:,} = {macs:,}"),
        ]


COND_CONV = {
    axes: helper(f'''\
class CondConv{axes}d(nn.Module):
    """A convolution with filters of its own for each image: a mixture of experts."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: {sizes},
        experts: int,
        stride: {sizes} = 1,
        padding: {sizes} = 0,
        dilation: {sizes} = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        routed: bool = False,
    ) -> None:
        super().__init__()
        one = nn.Conv{axes}d(in_channels, out_channels, kernel_size, groups=groups)
        self.filters = one.weight.shape
        self.weight = nn.Parameter(torch.empty(experts, one.weight.numel()))
        self.bias = nn.Parameter(torch.empty(experts, out_channels)) if bias else None
        self.routing = None if routed else nn.Linear(in_channels, experts)
        self.stride, self.dilation, self.groups = stride, dilation, groups
        sides = [padding] * {axes} if isinstance(padding, int) else padding
        around = [side for side in reversed(sides) for _ in range(2)]
        self.around = [] if padding_mode == "zeros" else around
        self.padding = 0 if self.around else padding
        self.padding_mode = padding_mode
        with torch.no_grad():
            for expert in range(experts):
                one.reset_parameters()
                self.weight[expert] = one.weight.flatten()
                if self.bias is not None and one.bias is not None:
                    self.bias[expert] = one.bias

    def forward(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """`given` are the shares of the experts, or the map that they are computed from."""
        shares = x if given is None else given
        if self.routing is not None:
            shares = self.routing(shares.flatten(2).mean(2)).sigmoid()
        shares = shares.flatten(1)
        weight = (shares @ self.weight).view(-1, *self.filters[1:])
        bias = None if self.bias is None else (shares @ self.bias).flatten()
        if self.around:
            x = F.pad(x, self.around, self.padding_mode)
        images = x.shape[0]
        steps = self.stride, self.padding, self.dilation
        x = x.reshape(1, -1, *x.shape[2:])
        y = F.conv{axes}d(x, weight, bias, *steps, images * self.groups)
        return y.view(images, -1, *y.shape[2:])
''')
    for axes in (1, 2, 3)
    for sizes in ["int" if axes == 1 else f"int | {tuple_of(axes)}"]
}
