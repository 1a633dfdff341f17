"""Weight standardization: `conv 64 3x3 same standardize` (arXiv:1903.10520). With
`gain`, filters have the scale that networks without normalization need (arXiv:2101.08692).
"""

from __future__ import annotations

import math
from itertools import product

from ...language.kinds import flag, number
from ...language.signature import ArgumentError
from ...shapes import Shape, ShapeError, size
from ..base import Kept, Option, Weight, helper
from ..worked import Element, Worked, bracketed, figure
from .sliding import Biased, ReadFilter, Sliding

STANDARDIZE = flag("give each filter a mean of 0 and a variance of 1 before it is applied")
EPS = number(
    "with `standardize`: added to the variance of a filter",
    1e-6,
    minimum=0,
    above=True,
    maximum=1,
    keyword_only=True,
)
GAIN = number(
    "with `standardize`: filters are multiplied by this, by a learned gain for each, and by"
    " 1/sqrt(weights of a filter)",
    None,
    minimum=0,
    above=True,
    keyword_only=True,
)


class Standardized(Biased, Sliding):
    """A convolution whose filters may be standardized; comes before `Learned`."""

    standardize: bool
    eps: float
    gain: float | None

    def check(self) -> None:
        super().check()
        for name in ("eps", "gain"):
            given = getattr(self, name) != type(self).fields[name].default
            if given and not self.standardize:
                raise ArgumentError(
                    f"`{name}` has an effect only with `standardize`",
                    f"write `standardize {name}=…`, or take `{name}` out",
                    drop=name,
                )

    def output(self, *inputs: Shape) -> Shape:
        output = super().output(*inputs)
        if self.standardize and size(self.weights(*inputs)[0].shape[1:]) == 1:
            raise ShapeError(
                "`standardize` would make each weight zero: filters of a single weight are their"
                " own mean",
                "take `standardize` out here, or make the filters larger",
                change={"standardize": False},
            )
        return output

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        weights = super().weights(*inputs)
        if self.gain is None:
            return weights
        return (*weights, Weight("gain", weights[0].shape[:1]))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        kept = super().kept(output, *inputs)
        if not self.standardize:
            return kept
        # Means, deviations and gains, and the filters that are applied.
        filters = self.weights(*inputs)[0].shape
        statistics = 2 if self.gain is None else 3
        return kept._replace(once=statistics * filters[0], filters=size(filters))

    def class_name(self, axes: int) -> str:
        return f"StandardizedConv{axes}d" if self.standardize else super().class_name(axes)

    def further_options(self) -> dict[str, Option]:
        if not self.standardize:
            return {}
        return {"eps": (self.eps, type(self).fields["eps"].default), "gain": (self.gain, None)}

    def helpers(self, own: str = "") -> str:
        return super().helpers(STANDARDIZED[len(self.kernel)] if self.standardize else own)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = super().explain(output, *inputs)
        if not self.standardize:
            return lines
        how = f"(weight - mean)/sqrt(variance + {self.eps:g}), by filter"
        if self.gain is not None:
            each = size(self.weights(*inputs)[0].shape[1:])
            how += f", * gain * {self.gain:g}/sqrt({each})"
        return [*lines, ("filters", how)]

    def filter_of(self, element: Element) -> ReadFilter:
        if not self.standardize:
            return super().filter_of(element)
        mean, factor = self.standard(element)
        return lambda channel, *place: (
            (element.weight("weight", (element.channel, channel, *place)) - mean) * factor
        )

    def standard(self, element: Element) -> tuple[float, float]:
        """The mean of the filter of the element, and what the differences from it are multiplied
        by."""
        channels = element.inputs[0][0]
        values = [
            element.weight("weight", (element.channel, *place))
            for place in product(
                range(channels // self.grouped(channels)), *map(range, self.kernel)
            )
        ]
        mean = sum(values) / len(values)
        variance = sum([(value - mean) ** 2 for value in values]) / len(values)
        factor = 1 / math.sqrt(variance + self.eps)
        if self.gain is not None:
            own = element.weight("gain", (element.channel,))
            factor = factor * own * self.gain / math.sqrt(len(values))
        return mean, factor

    def work_out(self, element: Element) -> Worked:
        worked = super().work_out(element)
        if not self.standardize:
            return worked
        mean, factor = self.standard(element)
        note = f"weights are standardized: less {bracketed(mean)}, times {figure(factor)}"
        return worked._replace(note=note)


# A batch norm of the weights: each filter is a channel of it. Its statistics are always those of
# the weights themselves.
STANDARDIZED = {
    axes: helper(f'''\
class StandardizedConv{axes}d(nn.Conv{axes}d):
    """A convolution that gives each filter a mean of 0 and a variance of 1, and with `gain` a
    learned gain and the scale of networks without normalization."""

    gain: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | {sizes},
        stride: int | {sizes} = 1,
        padding: int | {sizes} = 0,
        dilation: int | {sizes} = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        eps: float = 1e-6,
        gain: float | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,  # type: ignore[arg-type]
        )
        self.eps = eps
        self.scale = 1.0 if gain is None else gain / self.weight[0].numel() ** 0.5
        ones = None if gain is None else nn.Parameter(torch.ones(out_channels))
        self.register_parameter("gain", ones)

    def standardized(self) -> Tensor:
        """The filters that are applied."""
        gain: Tensor | None = self.gain
        if gain is not None:
            gain = gain * self.scale
        rows = self.weight.reshape(1, self.out_channels, -1)
        rows = F.batch_norm(rows, None, None, gain, training=True, eps=self.eps)
        return rows.reshape(self.weight.shape)

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._conv_forward(input, self.standardized(), self.bias)
        return result
''')
    for axes, sizes in (
        (1, "tuple[int]"),
        (2, "tuple[int, int]"),
        (3, "tuple[int, int, int]"),
    )
}
