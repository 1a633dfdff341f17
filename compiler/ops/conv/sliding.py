"""What slides filters over a map: shared by the convolutions and by fixed filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import gcd
from typing import ClassVar

from ...language.kinds import choice, flag, natural_pair, pair
from ...language.signature import ArgumentError
from ...shapes import (
    AXES,
    Pair,
    PerAxis,
    Shape,
    ShapeError,
    as_map,
    axes_of,
    by,
    exact_ratio,
    plain,
    size,
    window_output,
    window_words,
)
from ..base import ANY_AXES, Autocast, Kept, Op, Option, Weight, Window, call_text, helper, tuple_of
from ..examples import backward_lines, correlation_lines, readers
from ..padding import PADDING_MODES, Sides, check_padding, pad_text, padded_size, upper_sides
from ..worked import Element, Group, Worked, decimal, products, summed

# One object may serve several signatures: a class asks for the order, not for the object.
STRIDE = pair("step between the positions of a filter", (1, 1))
PAD = natural_pair("rows and columns added on each side", (0, 0))
DILATION = pair("distance between the elements of a filter", (1, 1))
MODE = choice("what the padding is filled with", PADDING_MODES, "zeros")
SAME = flag("pad evenly, so that stride 1 keeps the size")
SAME_UPPER = flag("pad as Keras and ONNX do, with an odd row or column at the end")
BIAS = choice(
    "a learned bias for each channel; `auto`: unless a normalization follows",
    ["auto"],
    "auto",
    switches=True,
)

ReadFilter = Callable[..., float]
"""A weight of a filter: by channel and position in it."""

MOST_COUNTED = 1000
"""Up to this size of filters, strides and padding, `explain` counts how often pixels are read."""


# Written out for one size, this padding would be wrong at others: two columns are one too many
# where the size is even. So it is computed where the module runs.
PAD_SAME = {
    1: helper('''\
def pad_same1d(x: Tensor, reach: int, stride: int, mode: str = "constant") -> Tensor:
    """Pads for one output per step of the stride, with an odd step at the end."""
    size = x.shape[2]
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    sides = [total // 2, total - total // 2]
    return F.pad(x, sides, mode) if total else x
'''),
    **{
        axes: helper(f'''\
def {name}(
    x: Tensor,
    reach: int | {tuple_of(axes)},
    stride: int | {tuple_of(axes)},
    mode: str = "constant",
) -> Tensor:
    """Pads for one output per step of the stride, with an odd {end} at the end."""
    sides = []
    for axis in {order}:
        filters = reach if isinstance(reach, int) else reach[axis]
        step = stride if isinstance(stride, int) else stride[axis]
        size = x.shape[2 + axis]
        total = max((-(-size // step) - 1) * step + filters - size, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides, mode) if any(sides) else x
''')
        for axes, name, end, order in (
            (2, "pad_same", "row or column", "(1, 0)"),
            (3, "pad_same3d", "slice, row or column", "(2, 1, 0)"),
        )
    },
}
PAD_SAME_NAMES = {1: "pad_same1d", 2: "pad_same", 3: "pad_same3d"}


class Biased(Op):
    """A convolution that may have a bias for each channel."""

    bias: bool | str

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One addition for each output element if there is a bias."""
        return size(output) if self.bias else 0

    def settle(self, followers: Sequence[Op]) -> Op:
        if self.bias != "auto":
            return self
        absorbed = bool(followers) and all(follower.absorbs_bias for follower in followers)
        return self.replace(bias=not absorbed)

    def biases(self, channels: int) -> tuple[Weight, ...]:
        return (Weight("bias", (channels,)),) if self.bias else ()

    def bias_option(self) -> Option:
        return bool(self.bias), True

    def bias_of(self, element: Element, name: str = "bias") -> float | None:
        return element.weight(name, (element.channel,)) if self.bias else None


class Sliding(Op):
    """Slides filters over a padded map with a stride: shared by `conv` and its relatives."""

    autocast: ClassVar[Autocast] = "low"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    stride: PerAxis
    pad: PerAxis
    dilation: PerAxis
    mode: str
    same: bool
    same_upper: bool

    @property
    def kernel(self) -> PerAxis:
        """Height and width of a filter, on a map."""
        raise NotImplementedError

    def filters(self, channels: int) -> int:
        raise NotImplementedError

    def grouped(self, channels: int) -> int:
        """The number of groups that the channels are divided into."""
        raise NotImplementedError

    def check(self) -> None:
        if self.same and self.same_upper:
            raise ArgumentError(
                "`same` and `same_upper` are two ways to pad", "keep one of them", drop="same"
            )
        if (self.same or self.same_upper) and any(self.pad):
            raise ArgumentError("`same` computes the padding itself", "take `pad` out", drop="pad")

    def output(self, *inputs: Shape) -> Shape:
        channels, *lengths = as_map(inputs[0], self.word)
        output_sides = [self._axis(axis, length) for axis, length in enumerate(lengths)]
        check_padding(self.mode, self.sides(inputs[0]), inputs[0])
        return self.filters(channels), *output_sides

    def reach(self, axis: int) -> int:
        return reach(self.kernel[axis], self.dilation[axis])

    @property
    def reaches(self) -> PerAxis:
        return tuple([self.reach(axis) for axis in range(len(self.kernel))])

    def _axis(self, axis: int, side: int) -> int:
        before, after = self.padding(axis, side)
        kernel, stride = self.kernel[axis], self.stride[axis]
        output_side = window_output(side, kernel, stride, before + after, self.dilation[axis])
        if output_side < 1:
            raise ShapeError(
                f"a filter that spans {self.reach(axis)} does not fit into {side}"
                + (f" (+ {before + after} padding)" if before + after else ""),
                "make the filter smaller, pad, or downsample less before it",
                change={"kernel": self._fitting(side + before + after)},
            )
        if self.same and output_side != -(-side // stride):
            raise ShapeError(
                f"`same` cannot pad a filter of even size {by(self.kernel)} evenly",
                "take a filter of odd size, or `same_upper`",
                change={"same": False, "same_upper": True},
            )
        return output_side

    def _fitting(self, room: int) -> PerAxis:
        """The kernel size, reduced to what fits into the given number of rows."""
        return tuple(
            min(kernel, (room - 1) // dilation + 1)
            for kernel, dilation in zip(self.kernel, self.dilation, strict=True)
        )

    def padding(self, axis: int, side: int) -> Pair:
        """Rows or columns added before and after."""
        reach = self.reach(axis)
        if self.same:
            return (reach - 1) // 2, (reach - 1) // 2
        if self.same_upper:
            return upper_sides(side, reach, self.stride[axis])
        return self.pad[axis], self.pad[axis]

    def sides(self, input_shape: Shape) -> Sides:
        return tuple([self.padding(axis, side) for axis, side in enumerate(input_shape[1:])])

    def uneven(self, input_shape: Shape) -> bool:
        """Whether torch needs a separate padding step."""
        return any(before != after for before, after in self.sides(input_shape))

    @property
    def pads_by_size(self) -> bool:
        """Whether the padding depends on the size of the map, and not on the filter alone."""
        return self.same_upper and any(
            step > 1 and self.reach(axis) > 1 for axis, step in enumerate(self.stride)
        )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels = inputs[0][0]
        inside = channels // self.grouped(channels)
        return (Weight("weight", (self.filters(channels), inside, *self.kernel)),)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return size(output[1:]) * size(self.weights(*inputs)[0].shape)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        starts = tuple([-before for before, _ in self.sides(inputs[0])])
        return Window(self.reaches, self.stride, starts)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        sides = self.sides(inputs[0])
        separate = self.uneven(inputs[0]) or self.pads_by_size
        if not any(map(any, sides)) or (self.mode == "zeros" and not separate):
            return Kept(inputs=(0,))
        # Mirroring and repeating ask for their own input, too, when they are differentiated.
        before = (0,) if self.mode in ("reflect", "replicate") else ()
        return Kept(inputs=before, own=padded_size(sides, inputs[0]))

    def pad_options(self, input_shape: Shape) -> dict[str, Option]:
        """The padding arguments of torch's convolution, if it does the padding."""
        even = not self.uneven(input_shape) and not self.pads_by_size
        before = tuple([first for first, _ in self.sides(input_shape)])
        mode = self.mode if even and any(before) else "zeros"
        return {
            "padding": (plain(before) if even else 0, 0),
            "padding_mode": (mode, "zeros"),
        }

    def call(self, input_shape: Shape) -> str:
        if self.pads_by_size:
            filled = "" if self.mode == "zeros" else f', "{self.mode}"'
            padded = f"{PAD_SAME_NAMES[len(self.kernel)]}({{0}}, {{reach}}, {{stride}}{filled})"
            pattern = f"{{m}}({padded})"
            return call_text(pattern, reach=plain(self.reaches), stride=plain(self.stride))
        if not self.uneven(input_shape):
            return "{m}({0})"
        return f"{{m}}({pad_text(self.sides(input_shape), self.mode)})"

    def class_name(self, axes: int) -> str:
        """The class of the torch module."""
        return f"nn.Conv{axes}d"

    def further_options(self) -> dict[str, Option]:
        """Arguments that torch's own convolution does not have."""
        return {}

    def helpers(self, own: str = "") -> str:
        """The source of what `call` and the module need."""
        pad_same = PAD_SAME[len(self.kernel)] if self.pads_by_size else ""
        return "\n\n".join(filter(None, (pad_same, own)))

    def covered(self, element: Element, channel: int, filter: Callable[..., float]) -> Group:
        """The window of a channel under a filter: values times weights."""
        sides, position = self.sides(element.inputs[0]), element.position
        starts = [
            at * step - s[0] for at, step, s in zip(position, self.stride, sides, strict=True)
        ]
        terms = [
            element.padded(
                self.mode,
                channel,
                tuple(s + n * d for s, n, d in zip(starts, place, self.dilation, strict=True)),
                filter(*place),
            )
            for place in product(*map(range, self.kernel))
        ]
        return products(f"channel {channel}", terms, self.kernel[-1])

    def filter_of(self, element: Element) -> ReadFilter:
        """Reads the weights of the element's filter."""
        return lambda channel, *place: element.weight("weight", (element.channel, channel, *place))

    def work_out(self, element: Element) -> Worked:
        """The sum over the channels of the element's group."""
        channels = element.inputs[0][0]
        groups = self.grouped(channels)
        inside = channels // groups
        first = element.channel // (self.filters(channels) // groups) * inside
        read = self.filter_of(element)
        windows = [
            self.covered(element, first + n, lambda *place, n=n: read(n, *place))
            for n in range(inside)
        ]
        bias = self.bias_of(element) if isinstance(self, Biased) else None
        return summed(element, windows, bias, self.rule(inside, bias))

    def examples(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        if max(self.kernel) == 1:
            return []
        often = self.read_often(output, inputs[0]) if len(self.kernel) == 2 else []
        return [*often, *correlation_lines(), *backward_lines()]

    def read_often(self, output: Shape, input_shape: Shape) -> list[tuple[str, str]]:
        """How many outputs read a pixel in a corner, at an edge and inside, with this padding and
        without.
        """
        if max(map(max, (self.kernel, self.stride, *self.sides(input_shape)))) > MOST_COUNTED:
            return []
        own = self._readers(output, input_shape)
        lines = [("pixels are read", f"{own} outputs of a filter")]
        if any(map(any, self.sides(input_shape))):
            try:
                bare = self.replace(pad=(0, 0), same=False, same_upper=False, mode="zeros")
                without = bare._readers(bare.output(input_shape), input_shape)
            except ShapeError:
                return lines
            if without != own:
                lines.append(("", f"without padding: {without}"))
        return lines

    def _readers(self, output: Shape, input_shape: Shape) -> str:
        ends: list[Sequence[int]] = []
        inner: list[Sequence[int]] = []
        for axis, side in enumerate(input_shape[1:]):
            before, after = self.padding(axis, side)
            middle = range(side // 2, min(side // 2 + self.stride[axis], side))
            first, last, *others = (
                readers(
                    pixel,
                    side,
                    output[1 + axis],
                    self.kernel[axis],
                    self.stride[axis],
                    self.dilation[axis],
                    before,
                    after,
                    self.mode,
                )
                for pixel in (0, side - 1, *middle)
            )
            ends.append((first, last))
            inner.append(others)

        def by_both(*axes: Sequence[Sequence[int]]) -> str:
            counts = [n * m for rows, columns in axes for n in rows for m in columns]
            return span(min(counts), max(counts))

        edge = by_both((ends[0], inner[1]), (inner[0], ends[1]))
        return f"a corner by {by_both(ends)}, an edge by {edge}, the inside by {by_both(inner)}"

    def rule(self, channels: int, bias: float | None) -> str:
        over = f" and {channels} channels" if channels > 1 else ""
        return f"sum of value*weight over {window_words(self.kernel)}{over}" + (
            ", + bias" if bias is not None else ""
        )

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = []
        for axis, name in enumerate(AXES[axes_of(output)]):
            side, output_side = inputs[0][1 + axis], output[1 + axis]
            before, after = self.padding(axis, side)
            reach, stride = self.reach(axis), self.stride[axis]
            padding = f"2*{before}" if before == after else f"{before} + {after}"
            added = f" + {padding}" if before + after else ""
            steps = exact_ratio(side + before + after - reach, stride) + 1
            rounded = "" if steps == output_side else f" -> {output_side}"
            how = f"({side}{added} - {reach})/{stride} + 1 = {decimal(steps)}{rounded}"
            if self.dilation[axis] > 1 and self.kernel[axis] > 1:
                spread = f"{self.dilation[axis]}*({self.kernel[axis]} - 1) + 1 = {reach}"
                how += f", with a filter that spans {spread}"
            lines.append((name, how))
        return lines


# ---- what they share --------------------------------------------------------------------------


def reach(kernel: int, dilation: int) -> int:
    """The extent of a dilated filter, from its first to its last element."""
    return dilation * (kernel - 1) + 1


def span(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"


def check_groups(channels: int, out: int, groups: int) -> None:
    for what, number in (("input channels", channels), ("filters", out)):
        if number % groups:
            nearest = -(-number // groups) * groups
            raise ShapeError(
                f"{number} {what} cannot be divided into {groups} groups",
                f"{nearest} would: {nearest // groups} in each group",
                change={"groups": gcd(channels, out)},
            )


def parameters(weights: Sequence[Weight], what: str = "filter") -> str:
    """`64 filters * 3*7*7 = 9,408; + 64 biases = 9,472`."""
    weight, *others = weights
    total = size(weight.shape)
    each = "*".join(map(str, weight.shape[1:]))
    line = f"{_several(weight.shape[0], what)} * {each} = {total:,}"
    for other in others:
        total += size(other.shape)
        name = other.name.rpartition(".")[2]
        line += f"; + {_several(size(other.shape), name)} = {total:,}"
    return line


def _several(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "es" if word.endswith("s") else "s")


def outputs_times(output: Shape, weight: Weight, macs: int) -> str:
    """`64*112*112 outputs * 3*7*7 = 118,013,952`."""
    each = "*".join(map(str, weight.shape[1:]))
    return f"{'*'.join(map(str, output))} outputs * {each} = {macs:,}"
