"""Pooling layers: each window of a channel, or the whole channel, becomes one number. Only `pool
tree` multiplies by weights. Elementwise operations are counted as one for each element that a
window reads, padding included: K*K for each output of a K*K window. Kinds of pooling that need more
override this. Counts are those of evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import gcd, inf
from typing import ClassVar, Literal

from ...language.kinds import choice, count, counts, custom, flag, natural_pair, number, pair, switch
from ...language.signature import ArgumentError
from ...shapes import Pair, Shape, ShapeError, as_map, by, plain, size
from ..base import (
    EVERYTHING,
    Autocast,
    ClassName,
    Constructor,
    Kept,
    Kind,
    NoMultiplyAdds,
    Option,
    TorchText,
    Weight,
    Window,
    constructor,
    helper,
)
from ..examples import Lines, gradient_lines, rows_of
from ..worked import (
    Element,
    Group,
    Step,
    Term,
    Worked,
    added,
    bracketed,
    figure,
    largest,
    power,
    products,
    quotient,
    sigmoid,
    smallest,
    unravelled,
)

INDEX = 8
"""Bytes of the index that torch keeps with every maximum."""


class Pool(NoMultiplyAdds):
    """Windows over a map. Features that only some kinds of pooling have are off here."""

    kind: ClassVar[Kind] = "pool"

    kernel: Pair | None = pair("window size")
    stride: Pair | None = pair("step between windows; by default the window size", None)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    same: bool = False
    ceil: bool = False

    @property
    def target(self) -> Pair | None:
        """The output size if it is given instead of a window size."""
        return None

    @property
    def span(self) -> Pair:
        """Rows and columns that a window reads."""
        assert self.kernel is not None, self
        return self.kernel

    @property
    def step(self) -> Pair:
        return self.stride or self.span

    @property
    def reach(self) -> Pair:
        """Rows and columns from one end of a window to the other, dilation included."""
        (height, width), (down, right) = self.span, self.dilation
        return down * (height - 1) + 1, right * (width - 1) + 1

    @property
    def padding(self) -> Pair:
        """Rows and columns added on each side."""
        return ((self.reach[0] - 1) // 2, (self.reach[1] - 1) // 2) if self.same else self.pad

    def check(self) -> None:
        if self.same and self.pad != (0, 0):
            raise ArgumentError("`same` computes the padding itself", "take `pad` out")
        if self.same and self.ceil:
            raise ArgumentError("`same` and `ceil` both set the size", "keep one of them")
        for axis in (0, 1):
            padding, most = self.padding[axis], self.span[axis] // 2
            if padding > most:
                raise ArgumentError(
                    f"{'`same` needs a' if self.same else 'a'} padding of {padding}, and half of a "
                    f"window of {by(self.span)} is the most: otherwise a window could lie in the"
                    " padding alone",
                    "take `dilation` out" if self.same else f"pad by {most} at most",
                )

    # ---- the shape that leaves ----

    def output(self, *inputs: Shape) -> Shape:
        input_shape = as_map(inputs[0], self.word)
        return input_shape[0], *(
            self.target or (self._axis(0, input_shape), self._axis(1, input_shape))
        )

    def _axis(self, axis: int, input_shape: Shape) -> int:
        side, padding = input_shape[1 + axis], self.padding[axis]
        windows = self._windows(axis, side)
        if windows < 1:
            raise ShapeError(
                f"a window that spans {self.reach[axis]} does not fit into {side}"
                + (f" (+ {2 * padding} padding)" if padding else ""),
                "take a smaller window"
                + (", or `global` for the whole map" if "global" in self.fields else ""),
                change={"kernel": min(input_shape[1:])},
            )
        if padding and self.dilation[axis] > side:
            # torch would give -inf, and write beyond its memory in the backward pass.
            raise ShapeError(
                f"with `dilation` {self.dilation[axis]}, windows that begin in the padding can "
                f"step over all of {side}",
                "take `dilation` or the padding out",
            )
        if self.same and windows != _divided_up(side, self.step[axis]):
            raise ShapeError(
                f"`same` cannot pad a window of even size {by(self.span)} evenly over {side}",
                self._instead_of_same(input_shape),
            )
        return windows

    def _instead_of_same(self, input_shape: Shape) -> str:
        if "ceil" in self.fields:
            other = self.replace(same=False, ceil=True)
            wanted = [_divided_up(input_shape[1 + axis], self.step[axis]) for axis in (0, 1)]
            if [other._windows(axis, input_shape[1 + axis]) for axis in (0, 1)] == wanted:
                return (
                    f"write `ceil` in place of `same`: the output is then "
                    f"{by((wanted[0], wanted[1]))}"
                )
        return "take a window of odd size"

    def _windows(self, axis: int, side: int) -> int:
        """The number of windows along an axis."""
        return self._rounded(axis, side) - self._dropped(axis, side)

    def _rounded(self, axis: int, side: int) -> int:
        room, step = side + 2 * self.padding[axis] - self.reach[axis], self.step[axis]
        return (_divided_up(room, step) if self.ceil else room // step) + 1

    def _dropped(self, axis: int, side: int) -> bool:
        """Whether the last window would start in the padding after the map."""
        last = (self._rounded(axis, side) - 1) * self.step[axis]
        return self.ceil and last >= side + self.padding[axis]

    # ---- what it costs, how far it sees ----

    def reads(self, output: Shape, input_shape: Shape) -> int:
        """The number of elements that all windows read together."""
        if self.target is None:
            return size(output) * self.span[0] * self.span[1]
        return adaptive_reads(input_shape, self.target)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return self.reads(output, inputs[0])

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        if self.target is None:
            top, left = self.padding
            return Window(self.reach, self.step, (-top, -left))
        if self.target == (1, 1):
            return EVERYTHING
        (_, height, width), (rows, columns) = inputs[0], self.target
        return Window(
            (longest(height, rows), longest(width, columns)),
            (Fraction(height, rows), Fraction(width, columns)),
        )

    # ---- one output with its numbers ----

    def spans(self, element: Element) -> tuple[range, range]:
        """The rows and columns of an output's window; those in the padding are outside the map."""
        if self.target is not None:
            sides = zip(
                (element.row, element.column), element.inputs[0][1:], self.target, strict=True
            )
            rows, columns = (
                range(at * side // n, -(-(at + 1) * side // n)) for at, side, n in sides
            )
            return rows, columns
        down, right = (
            range(start, start + self.reach[axis], self.dilation[axis])
            for axis, at in enumerate((element.row, element.column))
            for start in [at * self.step[axis] - self.padding[axis]]
        )
        return down, right

    def covered(self, element: Element, fill: float = 0.0) -> Group:
        """The window of an output; `fill` is the value of the padding."""
        rows, columns = self.spans(element)
        _, height, width = element.inputs[0]
        terms = [
            element.term(element.channel, row, column)
            if 0 <= row < height and 0 <= column < width
            else Term(fill, None, fill, None)
            for row in rows
            for column in columns
        ]
        return Group(f"channel {element.channel}", tuple(terms), "sum", 0.0, len(columns))

    def maximum(self, element: Element) -> Group:
        """The window and its maximum; the padding never is."""
        window = self.covered(element, -inf)
        result = largest(term.value for term in window.terms)
        return window._replace(how="max", result=result, around="max({})", between=", ")

    def mean(self, element: Element, count_pad: bool = True) -> Group:
        """The window and its mean. With `ceil`, a window may extend beyond the padding: that never
        counts.
        """
        window = self.covered(element)
        rows, columns = self.spans(element)
        count = 1
        for axis, span in enumerate((rows, columns)):
            side = element.inputs[0][1 + axis]
            beyond = self.padding[axis] if count_pad else 0
            count *= sum(-beyond <= place < side + beyond for place in span)
        result = quotient(sum(term.value for term in window.terms), count)
        return window._replace(how="mean", result=result, around=f"({{}})/{count}")

    # ---- the gradient ----

    slope: ClassVar[str] = ""
    """The gradient of an output by a number x of its window, as a formula."""

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        kept = {
            name: value
            for name, value in self.arguments.items()
            if name not in WINDOW_ARGUMENTS and value != self.fields[name].default
        }
        return gradient_lines(type(self)(kernel=(2, 2), **kept), self.slope, self.initial)

    @staticmethod
    def initial(name: str, index: tuple[int, ...]) -> float:
        """The weights of the example."""
        return 0.0

    # ---- the text of it ----

    def windowed(self, module: str, **options: Option) -> Constructor:
        """A pooling module of torch with a window."""
        return constructor(
            module,
            plain(self.span),
            stride=(plain(self.step), plain(self.span)),
            padding=(plain(self.padding), 0),
            dilation=(plain(self.dilation), 1),
            ceil_mode=(self.ceil, False),
            **options,
        )

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        input_shape = inputs[0]
        lines = [
            (name, self._explain_axis(axis, input_shape[1 + axis], output[1 + axis]))
            for axis, name in enumerate(("height", "width"))
        ]
        before, after = size(input_shape), size(output)
        lines.append(("numbers", f"{after:,} of {before:,} = {_percent(after, before)}"))
        reads = f"{self.reads(output, input_shape):,}"
        if self.target is None:
            windows = "*".join(map(str, output))
            lines.append(("reads", f"{windows} windows * {self.span[0]}*{self.span[1]} = {reads}"))
        else:
            lines.append(("reads", reads))
        return lines

    def _explain_axis(self, axis: int, side: int, output_side: int) -> str:
        if self.target is not None:
            return _explain_adaptive(side, output_side)
        padding, step = self.padding[axis], self.step[axis]
        exact = _decimal(side + 2 * padding - self.reach[axis] + step, step)
        rounded = str(self._rounded(axis, side))
        line = f"({side} + 2*{padding} - {self.reach[axis]})/{step} + 1 = {exact}"
        if exact != rounded:
            line += f" -> {rounded}"
        if self._dropped(axis, side):
            line += f" -> {output_side}, since the last window would start in the padding"
        return line


class Padded(Pool):
    """Windows that may extend over the border."""

    pad: Pair = natural_pair("rows and columns added on each side", (0, 0))
    same: bool = flag("pad evenly, so that stride 1 keeps the size")


class Global(Padded):
    """Windows, or one window over the whole map."""

    kernel: Pair | None = pair("window size", None)
    ceil: bool = flag("add a window where some rows or columns are left over")
    locals()["global"] = flag("one window over the whole map")  # for Python, a keyword

    @property
    def whole(self) -> bool:
        return bool(getattr(self, "global"))

    @property
    def target(self) -> Pair | None:
        return (1, 1) if self.whole else None

    def check(self) -> None:
        if self.target is not None:
            self._check_alone("global")
        elif self.kernel is None:
            raise ArgumentError(
                f"`{self.word}` needs the size of its window",
                f"write `{self.word} 2x2`, or `{self.word} global` for the whole map",
            )
        else:
            super().check()

    def _check_alone(self, word: str, *also: str) -> None:
        """Refuses other arguments about windows."""
        for name, usual in self.fields.items():
            allowed = name in (word, *also) or name not in WINDOW_ARGUMENTS
            if not allowed and getattr(self, name) != usual.default:
                raise ArgumentError(f"`{word}` computes the windows itself", f"take `{name}` out")


WINDOW_ARGUMENTS = frozenset(
    {"kernel", "stride", "pad", "dilation", "same", "ceil", "global", "adaptive", "count_pad"}
)


_read_pair: Callable[[object], Pair] = pair("").read


def _pair_or_switch(value: object) -> bool | Pair:
    return value if isinstance(value, bool) else _read_pair(value)


class Adaptive(Global):
    """Windows, or as many windows as give a fixed output size."""

    adaptive: bool | Pair = custom(
        "a fixed output size, whatever the input: `adaptive 7x7` or `adaptive=7x7`",
        _pair_or_switch,
        "a size like 7x7",
        default=False,
        is_flag=True,
    )

    @property
    def target(self) -> Pair | None:
        if self.whole:
            return 1, 1
        return self.kernel if self.adaptive is True else self.adaptive or None

    def check(self) -> None:
        if not self.adaptive:
            super().check()
        elif self.adaptive is True:
            if self.kernel is None:
                raise ArgumentError(
                    "`adaptive` needs the output size",
                    f"write `{self.word} adaptive 7x7`",
                )
            self._check_alone("adaptive", "kernel")
        else:
            self._check_alone("adaptive")

    def adapted(self, module: str) -> Constructor:
        assert self.target is not None, self
        return constructor(module, plain(self.target))


class Max(Adaptive):
    """The maximum of each window."""

    word: ClassVar[str] = "pool max"
    example: ClassVar[str] = "pool max 3x3 stride=2 same"
    arithmetic: ClassVar[str] = (
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)"
    )
    called: ClassVar[str] = "Keras MaxPooling2D, Keras GlobalMaxPooling2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool max": "MaxPooling2D(pool_size,strides,padding,data_format) MaxPool2d(kernel_size,"
        "stride,padding,dilation,return_indices,ceil_mode) MaxPool2D(pool_size,strides,padding) "
        "max_pool2d(kernel_size,stride,padding,dilation,ceil_mode) maxpool max_pool maxpooling "
        "max_pooling SpatialMaxPooling maxPooling2dLayer pooling max "
        "max_pool2d_with_indices(kernel_size,stride,padding,dilation,ceil_mode)",
        "pool max 2x2": "MaxPooling2D() MaxPool2D()",
        "pool max global": "GlobalMaxPooling2D(data_format,keepdims) GlobalMaxPool2D "
        "GlobalMaxPool gmp global_max_pool global_max_pooling global_maxpool "
        "AdaptiveMaxPool2d(output_size) adaptive_max_pool2d(output_size) "
        "AdaptiveMaxPooling2D(output_size) adaptive_max_pool2d_with_indices(output_size)",
    }

    dilation: Pair = pair("distance between the elements of a window", (1, 1))

    slope: ClassVar[str] = "1 at the maximum, 0 elsewhere"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,), fixed=INDEX * size(output))

    def module(self) -> Constructor:
        if self.target is not None:
            return self.adapted("nn.AdaptiveMaxPool2d")
        return self.windowed("nn.MaxPool2d")

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(self.module())

    def work_out(self, element: Element) -> Worked:
        window = self.maximum(element)
        return Worked(element.at, "the maximum of the window", window.result, (window,))


class Min(Max):
    """The minimum of each window, computed as -max(-x). Both negations count."""

    word: ClassVar[str] = "pool min"
    example: ClassVar[str] = "pool min 2x2"
    arithmetic: ClassVar[str] = (
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool min": "MinPool2d minpool min_pool min_pooling MinPooling2D",
    }

    slope: ClassVar[str] = "1 at the minimum, 0 elsewhere"

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(inputs[0]) + self.reads(output, inputs[0]) + size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(own=size(inputs[0]), fixed=INDEX * size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(self.module(), "-{m}(-{0})")

    def work_out(self, element: Element) -> Worked:
        window = self.covered(element, inf)
        result = smallest(term.value for term in window.terms)
        window = window._replace(how="min", result=result, around="min({})", between=", ")
        return Worked(element.at, "the minimum of the window", result, (window,))


class Average(Adaptive):
    """The mean of each window."""

    word: ClassVar[str] = "pool avg"
    example: ClassVar[str] = "pool avg global"
    arithmetic: ClassVar[str] = (
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`);"
        " 1x1 with `global`"
    )
    called: ClassVar[str] = "Keras AveragePooling2D, Keras GlobalAveragePooling2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool avg": "AveragePooling2D(pool_size,strides,padding,data_format) "
        "AvgPool2d(kernel_size,stride,padding,ceil_mode,count_include_pad) AvgPool2D(pool_size,"
        "strides,padding) avg_pool2d(kernel_size,stride,padding,ceil_mode,count_include_pad) "
        "avgpool avg_pool AveragePool average_pool average_pooling avg_pooling meanpool "
        "mean_pool SpatialAveragePooling averagePooling2dLayer avg average mean",
        "pool avg 2x2": "AveragePooling2D() AvgPool2D()",
        "pool avg global": "GlobalAveragePooling2D(data_format,keepdims) GlobalAvgPool2D "
        "GlobalAveragePool GlobalAvgPool global_avg_pool global_average_pooling global_avgpool "
        "global_pool gap AdaptiveAvgPool2d(output_size) adaptive_avg_pool2d(output_size) "
        "reduce_mean SelectAdaptivePool2d AdaptiveAveragePooling2D(output_size)",
    }

    count_pad: bool = switch("whether the padding's zeros count in the mean", True)

    slope: ClassVar[str] = "1/m everywhere, in a window of m numbers"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept() if self.target == (1, 1) else Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.target is not None:
            return TorchText(self.adapted("nn.AdaptiveAvgPool2d"))
        count_pad = (self.count_pad, True)
        return TorchText(self.windowed("nn.AvgPool2d", count_include_pad=count_pad))

    def work_out(self, element: Element) -> Worked:
        window = self.mean(element, self.count_pad)
        return Worked(element.at, "the mean of the window", window.result, (window,))


class Norm(Global):
    """The p-th root of the sum of p-th powers in each window.

    Powers and roots count as one operation each.
    """

    torch_calls: ClassVar[tuple[str, ...]] = ("torch.linalg.vector_norm",)

    p: float

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(inputs[0]) + self.reads(output, inputs[0]) + size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        if self.whole:
            return Kept(inputs=(0,), output=True)
        powers = 1 if self.p % 2 == 0 else 2  # |x| is kept, where it is needed
        return Kept(inputs=(0,), own=powers * size(inputs[0]) + size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        power = int(self.p) if self.p.is_integer() else self.p
        if self.whole:
            norm = f"torch.linalg.vector_norm({{0}}, {power}, dim=(2, 3), keepdim=True)"
            return TorchText(call=norm)
        module = constructor(
            "LpPool2d",
            power,
            plain(self.span),
            plain(self.step),
            padding=(plain(self.padding), 0),
            ceil_mode=(self.ceil, False),
        )
        return TorchText(module, helper=LP_POOL)

    def work_out(self, element: Element) -> Worked:
        window, p = self.covered(element), self.p
        terms = tuple(t._replace(product=power(t.value, p)) for t in window.terms)
        result = power(sum(term.product for term in terms), 1 / p)
        even = p % 2 == 0
        window = window._replace(
            terms=terms,
            how="norm",
            result=result,
            each=f"{{v}}^{p:g}" if even else "|{v}|" + (f"^{p:g}" if p != 1 else ""),
            around="sqrt({})" if p == 2 else f"({{}})^(1/{p:g})" if p != 1 else "{}",
        )
        return Worked(element.at, f"(sum of |x|^{p:g})^(1/{p:g})", result, (window,))

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        p = f"{self.p:g}"
        rule = f"(sum of |x|^{p})^(1/{p} - 1) * |x|^({p} - 1) * sign(x)"
        (_, _), *example = super().examples(output, *inputs)
        return [("gradient", f"{rule} = x/sqrt(sum of x^2)" if p == "2" else rule), *example]

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        p = f"{self.p:g}"
        line = ("each window", f"(sum of |x|^{p})^(1/{p})")
        return [*super().explain(output, *inputs), line]


class L2(Norm):
    """The L2 norm of each window, sqrt(sum of x^2)."""

    word: ClassVar[str] = "pool l2"
    example: ClassVar[str] = "pool l2 2x2"
    arithmetic: ClassVar[str] = (
        "sqrt(sum of x^2) of each window\n"
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool l2": "l2_pool l2pool L2Pooling",
    }

    p: float = 2.0


class Lp(Norm):
    """The p-norm of each window, (sum of |x|^p)^(1/p)."""

    word: ClassVar[str] = "pool lp"
    example: ClassVar[str] = "pool lp 2x2 p=3"
    arithmetic: ClassVar[str] = (
        "(sum of |x|^p)^(1/p) of each window\n"
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool lp": "LPPool2d(norm_type>p,kernel_size,stride,ceil_mode) lp_pool2d(norm_type>p,"
        "kernel_size,stride) lppool",
    }

    p: float = number(
        "the power: 1 gives the sum, large values approach the maximum", 3.0, minimum=1
    )


# nn.LPPool2d sums x^p, not |x|^p: with an odd p it is wrong for negative numbers, or NaN. With
# ceil_mode, its results for the last windows are too large. It neither pads nor widens float16.
LP_POOL = helper('''\
class LpPool2d(nn.Module):
    """The p-norm of each window: (sum |x|^p)^(1/p)."""

    def __init__(
        self,
        p: float,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int],
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.p = p
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        # Powers soon are more than 16 bits can hold.
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        total = F.avg_pool2d(
            (exact if self.p % 2 == 0 else exact.abs()).pow(self.p),
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            divisor_override=1,
        )
        # A root is infinitely steep at zero: there, that of one is taken, less one.
        zero = (total == 0).to(total.dtype)
        return ((total + zero).pow(1 / self.p) - zero).to(x.dtype)
''')


class Mixed(Adaptive):
    """A learned mixture of maximum and mean (Lee et al., 2016, arXiv:1509.08985).

    a*max + (1 - a)*mean, with a = sigmoid(mix), so that it stays between 0 and 1; it begins at one
    half. Both poolings count, and three operations to mix them.
    """

    autocast: ClassVar[Autocast] = "wide"
    word: ClassVar[str] = "pool mixed"
    example: ClassVar[str] = "pool mixed 2x2"
    arithmetic: ClassVar[str] = (
        "a * max + (1 - a) * mean of each window, with a = sigmoid(mix)\n"
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)\n"
        "parameters: 1, or C with per=channel"
    )

    per: str = choice(
        "one mixture for the `layer`, or one for each `channel`", ["layer", "channel"], "layer"
    )

    slope: ClassVar[str] = "a + (1 - a)/m at the maximum, (1 - a)/m elsewhere; by a: max - mean"

    def _mixtures(self, input_shape: Shape) -> int:
        return input_shape[0] if self.per == "channel" else 1

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("mix", (self._mixtures(inputs[0]), 1, 1)),)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 2 * self.reads(output, inputs[0]) + 3 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The difference of the two, which is the gradient of the mixture, and the sigmoid.
        return Kept(
            inputs=(0,),
            own=size(output),
            fixed=INDEX * size(output),
            once=self._mixtures(inputs[0]),
        )

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.target is not None:
            largest = self.adapted("nn.AdaptiveMaxPool2d")
            mean = self.adapted("nn.AdaptiveAvgPool2d")
        else:
            largest, mean = self.windowed("nn.MaxPool2d"), self.windowed("nn.AvgPool2d")
        channels = (self._mixtures(inputs[0]), 1)
        return TorchText(
            constructor("MixedPool2d", largest, mean, channels=channels), helper=MIXED_POOL
        )

    def work_out(self, element: Element) -> Worked:
        maximum = self.maximum(element)._replace(name="max")
        mean = self.mean(element)._replace(name="mean")
        own = element.channel if self.per == "channel" else 0
        mix = element.weight("mix", (own, 0, 0))
        share = sigmoid(mix)
        result = mean.result + share * (maximum.result - mean.result)
        mixed = (
            f"{figure(share)}*{bracketed(maximum.result)} + (1 - {figure(share)})*"
            f"{bracketed(mean.result)}"
        )
        steps = (Step("a", f"sigmoid({figure(mix)})", share), Step("mixed", mixed, result))
        rule = "a*max + (1 - a)*mean of the window, a = sigmoid(mix)"
        return Worked(element.at, rule, result, (maximum, mean), steps)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        mixtures = self._mixtures(inputs[0])
        whom = "each channel" if self.per == "channel" else "the layer"
        return [
            *super().explain(output, *inputs),
            ("each window", "a*max + (1 - a)*mean, a learned, initially 0.5"),
            ("parameters", f"{mixtures:,}: an a for {whom}"),
        ]


MIXED_POOL = helper('''\
class MixedPool2d(nn.Module):
    """A learned mixture of maximum and mean (arXiv:1509.08985)."""

    def __init__(self, maximum: nn.Module, mean: nn.Module, channels: int = 1) -> None:
        super().__init__()
        self.maximum = maximum
        self.mean = mean
        self.mix = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        maximum: Tensor = self.maximum(x)
        mean: Tensor = self.mean(x)
        return mean + self.mix.sigmoid() * (maximum - mean)
''')


class Stochastic(Pool):
    """One number of each window, drawn at random (Zeiler and Fergus, 2013, arXiv:1301.3557).

    The larger a number, the likelier it is drawn; what is negative counts as zero, so it belongs
    after a `relu`. Evaluation takes the mean under the same probabilities: with the rectifier on
    what arrives, that is four operations for each number read.
    """

    word: ClassVar[str] = "pool stochastic"
    example: ClassVar[str] = "relu, pool stochastic 2x2"
    arithmetic: ClassVar[str] = (
        "in training one number of each window, drawn with probability x / sum of x\n"
        "output: floor((H - kernel) / stride) + 1, same for W"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool stochastic": "StochasticPool2d stochastic_pool stochastic_pooling",
    }

    slope: ClassVar[str] = (
        "in training 1 at the number that is drawn, if above 0, and 0 elsewhere; in evaluation"
        " (2*x - y)/sum of x, 0 for x < 0"
    )

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(inputs[0]) + 4 * self.reads(output, inputs[0])

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,), output=True, fixed=INDEX * size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = constructor("StochasticPool2d", self.span, self.step)
        return TorchText(module, helper=STOCHASTIC_POOL)

    def work_out(self, element: Element) -> Worked:
        window = self.covered(element)
        values = [max(term.value, 0.0) for term in window.terms]
        total = sum(values)
        shares = [quotient(value, total) if total else 0.0 for value in values]
        terms = tuple(
            Term(value, share, value * share, term.place)
            for value, share, term in zip(values, shares, window.terms, strict=True)
        )
        mean = sum(term.product for term in terms)
        window = window._replace(terms=terms, result=mean, each="{v}*{w}")
        rule = "sum of x*(x/sum of x) over the window, negative x as 0"
        if not element.training:
            return Worked(element.at, rule, mean, (window,))
        rule = "one x of the window, drawn with probability x/sum of x, negative x as 0"
        if element.actual is None:
            note = "in training one of them is drawn; this is the mean under their probabilities"
            return Worked(element.at, rule, mean, (window,), note=note)
        drawn = min(
            range(len(values)),
            key=lambda n: abs(values[n] - element.actual),  # type: ignore[operator]
        )
        window = window._replace(how="random", result=values[drawn], around="one of {}")
        note = f"drawn with probability {figure(shares[drawn])}"
        return Worked(
            element.at,
            rule,
            values[drawn],
            (window._replace(each="{v}", between=", "),),
            (Step("drawn", f"{figure(values[drawn])}", values[drawn]),),
            note=note,
        )

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [
            *super().explain(output, *inputs),
            ("each window", "training draws x with probability x / sum of x"),
            ("in evaluation", "sum of x * (x / sum of x)"),
        ]


STOCHASTIC_POOL = helper('''\
class StochasticPool2d(nn.Module):
    """One number of each window, drawn in proportion to its size (arXiv:1301.3557).

    In evaluation it is the mean under the same probabilities. What is negative counts
    as zero.
    """

    def __init__(self, kernel_size: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride

    def windows(self, x: Tensor) -> Tensor:
        (height, width), (down, right) = self.kernel_size, self.stride
        return x.relu().unfold(2, height, down).unfold(3, width, right)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            windows = self.windows(x)
            total = windows.sum((-2, -1), keepdim=True)
            share = windows / total.clamp(min=torch.finfo(x.dtype).tiny)
            return (windows * share).sum((-2, -1))
        with torch.no_grad():
            # With e exponentially distributed, x/e is largest with chance x/sum(x).
            windows = self.windows(x)
            noise = torch.empty_like(windows, dtype=torch.float32).exponential_()
            drawn = (windows / noise).flatten(-2).argmax(-1)
            rows = torch.arange(drawn.shape[2], device=x.device) * self.stride[0]
            columns = torch.arange(drawn.shape[3], device=x.device) * self.stride[1]
            rows = rows.unsqueeze(1) + drawn // self.kernel_size[1]
            place = rows * x.shape[3] + columns + drawn % self.kernel_size[1]
        return x.flatten(2).gather(2, place.flatten(2)).view_as(place).relu()
''')

MOST_LEVELS = 8

EXAMPLE_TREE = ((0.5, 0.5, 0.0, 0.0), (0.0, 0.0, 0.5, 0.5), (0.1, 0.0, 0.0, -0.1))
"""Two filters and their gate, for a 2x2 window: the mean of the upper row, and of the lower."""


class Tree(Padded):
    """A tree of learned filters, mixed two by two by learned gates (Lee et al., arXiv:1509.08985).

    With two levels, four filters w: each gives w.x of a window x. Two gates g mix them in pairs,
    a third mixes the two results: sigmoid(g.x)*left + (1 - sigmoid(g.x))*right. Filters and gates,
    of K*K numbers each, are the same for all channels. They are convolved with the map: these are
    multiply-adds; a gate also costs four operations for each output.
    """

    autocast: ClassVar[Autocast] = "low"
    word: ClassVar[str] = "pool tree"
    example: ClassVar[str] = "pool tree 2x2"
    arithmetic: ClassVar[str] = (
        "sigmoid(g.x) * left + (1 - sigmoid(g.x)) * right, in a tree of 2^levels filters\n"
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W\n"
        "parameters: (2^(levels + 1) - 1) * kernel height * kernel width"
    )

    levels: int = count(f"levels of gates, {MOST_LEVELS} at most", 2)

    slope: ClassVar[str] = (
        "of a gate g over filters l and r: s*l + (1 - s)*r + s*(1 - s)*(l.x - r.x)*g, s ="
        " sigmoid(g.x)"
    )

    def check(self) -> None:
        super().check()
        if self.levels > MOST_LEVELS:
            raise ArgumentError(
                f"a tree of {self.levels} levels has 2^{self.levels} filters",
                f"{MOST_LEVELS} levels are the most; 2 or 3 are usual",
            )

    @property
    def filters(self) -> int:
        return 1 << self.levels

    @property
    def gates(self) -> int:
        return self.filters - 1

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("weight", (self.filters + self.gates, 1, *self.span)),)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return self.reads(output, inputs[0]) * (self.filters + self.gates)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 4 * self.gates * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # For each gate: its output, and the difference of its two inputs.
        return Kept(inputs=(0,), own=2 * self.gates * size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = constructor(
            "TreePool2d",
            self.levels,
            self.span,
            plain(self.step),
            padding=(plain(self.padding), 0),
        )
        return TorchText(module, helper=TREE_POOL)

    def work_out(self, element: Element) -> Worked:
        window = self.covered(element)
        groups = []
        for index in range(self.filters + self.gates):
            order = index - self.filters
            terms = [
                Term(term.value, factor, term.value * factor, term.place)
                for place, term in enumerate(window.terms)
                for factor in [element.weight("weight", (index, 0, *divmod(place, self.span[1])))]
            ]
            name = f"filter {index}" if order < 0 else f"gate {order}"
            groups.append(products(name, terms, self.span[1]))
        nodes: list[float] = [group.result for group in groups[: self.filters]]
        gates = [sigmoid(group.result) for group in groups[self.filters :]]
        steps = [
            Step(f"g{n}", f"sigmoid({figure(groups[self.filters + n].result)})", gate)
            for n, gate in enumerate(gates)
        ]
        first = 0
        while len(nodes) > 1:
            half = len(nodes) // 2
            mixed = []
            for n in range(half):
                left, right, gate = nodes[n], nodes[half + n], gates[first + n]
                mixed.append(right + gate * (left - right))
                share = figure(gate)
                parts = f"{share}*{bracketed(left)} + (1 - {share})*{bracketed(right)}"
                steps.append(Step(f"mixed by g{first + n}", parts, mixed[-1]))
            nodes, first = mixed, first + half
        rule = "g*left + (1 - g)*right in a tree of filters, g = sigmoid(gate)"
        return Worked(element.at, rule, nodes[0], tuple(groups), tuple(steps))

    @staticmethod
    def initial(name: str, index: tuple[int, ...]) -> float:
        return EXAMPLE_TREE[index[0]][2 * index[2] + index[3]]

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        left, right, gate = map(rows_of, EXAMPLE_TREE)
        shown = f" with l = {left}, r = {right}, g = {gate}"
        return gradient_lines(Tree.make(kernel=(2, 2), levels=1), self.slope, self.initial, shown)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        both = f"({self.filters} filters + {self.gates} gates)"
        window = f"{self.span[0]}*{self.span[1]}"
        parameters = (self.filters + self.gates) * size(self.span)
        outputs = "*".join(map(str, output))
        macs = self.macs(output, *inputs)
        return [
            *super().explain(output, *inputs),
            ("parameters", f"{both} * {window} = {parameters:,}, the same for all channels"),
            ("multiply-adds", f"{outputs} outputs * {both} * {window} = {macs:,}"),
        ]


TREE_POOL = helper('''\
class TreePool2d(nn.Module):
    """Learned pooling filters, mixed two by two by learned gates (arXiv:1509.08985)."""

    def __init__(
        self,
        levels: int,
        kernel_size: tuple[int, int],
        stride: int | tuple[int, int],
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = padding
        self.filters = 2**levels
        area = kernel_size[0] * kernel_size[1]
        weight = torch.zeros(2 * self.filters - 1, 1, *kernel_size)
        nn.init.normal_(weight[: self.filters], 1 / area, 0.1 / area)  # about the mean
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.flatten(0, 1).unsqueeze(1)
        maps = F.conv2d(channels, self.weight, stride=self.stride, padding=self.padding)
        nodes, gates = maps[:, : self.filters], maps[:, self.filters :].sigmoid()
        count = self.filters
        while count > 1:
            count //= 2
            left, right = nodes.chunk(2, 1)
            nodes = right + gates[:, :count] * (left - right)
            gates = gates[:, count:]
        return nodes.reshape(*x.shape[:2], *nodes.shape[2:])
''')


class Wavelet(NoMultiplyAdds):
    """The Haar wavelet: of each 2x2 window its sum, and if wanted its differences, all halved.

    Halved, the transform is orthonormal: four bands together are as long as what arrives, and the
    first is twice the mean. `keep=all` gives the bands one after another, each of all channels:
    sums; differences of left and right; of top and bottom; of the diagonals.
    """

    word: ClassVar[str] = "pool wavelet"
    example: ClassVar[str] = "pool wavelet"
    arithmetic: ClassVar[str] = (
        "(a + b + c + d) / 2 of each 2x2 window\n"
        "output: H / 2, W / 2; four times the channels with keep=all"
    )
    kind: ClassVar[Kind] = "pool"

    kernel: Pair = pair("size of a window: the Haar wavelet has 2x2", (2, 2))
    keep: str = choice("the sums (`ll`), or `all` four bands", ["ll", "all"], "ll")

    def check(self) -> None:
        if self.kernel != (2, 2):
            raise ArgumentError(
                f"a Haar wavelet is 2x2, not {by(self.kernel)}",
                "write `pool wavelet`; once more after it for 4x4",
            )

    def output(self, *inputs: Shape) -> Shape:
        channels, height, width = as_map(inputs[0], self.word)
        for side, name in ((height, "rows"), (width, "columns")):
            if side % 2:
                raise ShapeError(
                    f"a wavelet takes pairs of {name}, and its input has {side}",
                    "make that an even number, or write `pool avg 2x2`",
                )
        return channels * (4 if self.keep == "all" else 1), height // 2, width // 2

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        # All four bands: a sum or difference along each axis, and the halving, for every element.
        return 3 * size(output) if self.keep == "all" else 4 * size(output)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        return Window((2, 2), (2, 2))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept() if self.keep == "all" else Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.keep == "all":
            return TorchText(call="haar({0})", helper=HAAR)
        return TorchText(constructor("nn.AvgPool2d", 2), "2 * {m}({0})")

    def work_out(self, element: Element) -> Worked:
        band, channel = divmod(element.channel, element.inputs[0][0])
        across, down = band in (1, 3), band in (2, 3)
        terms = []
        for row in (0, 1):
            for column in (0, 1):
                sign = (-1.0 if across and column else 1.0) * (-1.0 if down and row else 1.0)
                place = (channel, 2 * element.row + row, 2 * element.column + column)
                terms.append(element.term(*place, sign))
        total = sum(term.product for term in terms)
        name = ("sum", "left - right", "top - bottom", "diagonals")[band]
        window = Group(name, tuple(terms), "sum", total, 2, each="{v}*{w}")
        step = Step("halved", f"({added([term.product for term in terms])})/2", total / 2)
        return Worked(
            element.at, f"{name} of the 2x2 window, halved", total / 2, (window,), (step,)
        )

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        rule = "1/2 everywhere" + ("; for differences with their signs" * (self.keep == "all"))
        return gradient_lines(self, rule, Pool.initial)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels, height, width = inputs[0]
        lines = [
            ("height", f"{height}/2 = {output[1]}"),
            ("width", f"{width}/2 = {output[2]}"),
            ("each window", "(a + b + c + d)/2 of the numbers a b above c d"),
        ]
        if self.keep == "all":
            lines.append(("differences", "(a - b + c - d)/2, (a + b - c - d)/2, (a - b - c + d)/2"))
            lines.append(("channels", f"4 bands * {channels} = {output[0]}"))
        return lines


HAAR = helper('''\
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
''')


class Pyramid(NoMultiplyAdds):
    """Spatial pyramid (He et al., 2014, arXiv:1406.4729): a vector, whatever the size of the map.

    The map is pooled to several grids: `4 2 1` gives 4x4, 2x2 and 1x1.
    """

    word: ClassVar[str] = "spp"
    example: ClassVar[str] = "spp 4 2 1"
    arithmetic: ClassVar[str] = "output: C * (sum of n^2 over the grids) numbers"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "spp": "SpatialPyramidPooling spatial_pyramid_pooling SPPLayer",
    }
    kind: ClassVar[Kind] = "pool"

    grids: tuple[int, ...] = counts("sizes of the grids")
    avg: bool = flag("average pooling instead of max pooling")

    def output(self, *inputs: Shape) -> Shape:
        return (as_map(inputs[0], self.word)[0] * self._cells(),)

    @property
    def single(self) -> type[Average] | type[Max]:
        """The pooling of one grid."""
        return Average if self.avg else Max

    def _cells(self) -> int:
        return sum(side * side for side in self.grids)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return sum(adaptive_reads(inputs[0], (side, side)) for side in self.grids)

    def window(self, output: Shape, *inputs: Shape) -> Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        if not self.avg:
            return Kept(inputs=(0,), fixed=INDEX * size(output))
        return Kept() if set(self.grids) == {1} else Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        pool = "nn.AdaptiveAvgPool2d" if self.avg else "nn.AdaptiveMaxPool2d"
        module = constructor("SpatialPyramidPool2d", ClassName(pool), list(self.grids))
        return TorchText(module, helper=SPATIAL_PYRAMID)

    def work_out(self, element: Element) -> Worked:
        channels, before = element.inputs[0][0], 0
        for side in self.grids:
            cells = channels * side * side
            if element.channel < before + cells:
                break
            before += cells
        place = unravelled(element.channel - before, (channels, side, side))
        pool = self.single.make(kernel=(side, side), adaptive=True)
        shape = channels, side, side
        cell = pool.worked(place, shape, element.inputs, element.read, element.weight)
        where = f"of row {place[1]}, column {place[2]} of the {side}x{side} grid"
        return cell._replace(at=element.at, rule=f"{cell.rule} {where}")

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        return self.single.make(kernel=(2, 2)).examples(output, *inputs)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        _, height, width = inputs[0]
        lines = []
        for side in self.grids:
            rows, columns = _explain_adaptive(height, side), _explain_adaptive(width, side)
            lines.append((f"{side}x{side}", rows if rows == columns else f"{rows}; {columns}"))
        squares = " + ".join(f"{side}*{side}" for side in self.grids)
        return [*lines, ("numbers", f"{inputs[0][0]} channels * ({squares}) = {output[0]:,}")]


SPATIAL_PYRAMID = helper('''\
class SpatialPyramidPool2d(nn.Module):
    """Pools a map to grids of several sizes, in one vector (arXiv:1406.4729)."""

    def __init__(
        self,
        pool: type[nn.AdaptiveMaxPool2d] | type[nn.AdaptiveAvgPool2d],
        grids: list[int],
    ) -> None:
        super().__init__()
        self.pools = nn.ModuleList(pool(side) for side in grids)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([pool(x).flatten(1) for pool in self.pools], 1)
''')


# ---- adaptive windows: of o over n, the i-th is from floor(i*n/o) to ceil((i + 1)*n/o) -----------


def longest(side: int, windows: int) -> int:
    """The size of the largest window."""
    rest = side % windows // gcd(side, windows)  # of the fraction in lowest terms
    return side // windows + min(rest, 2)


def adaptive_reads(input_shape: Shape, target: Pair) -> int:
    """How many numbers they read, all together: those at a border that is not a whole number
    twice.
    """
    sides = zip(input_shape[1:], target, strict=True)
    along = [side + windows - gcd(side, windows) for side, windows in sides]
    return input_shape[0] * along[0] * along[1]


def _explain_adaptive(side: int, windows: int) -> str:
    if windows == 1:
        return f"one window over all {side}"
    whole, rest = divmod(side, windows)
    if not rest:
        return f"{side} into {windows}: windows of {side}/{windows} = {whole}"
    sizes = " or ".join(map(str, sorted({whole + 1, longest(side, windows)})))
    borders = f"from floor(i*{side}/{windows}) to ceil((i + 1)*{side}/{windows})"
    return f"{side} into {windows}: windows of {sizes}, {borders}"


# ---- numbers in words, exact however large -------------------------------------------------------


def _divided_up(number: int, by: int) -> int:
    return -(-number // by)


def _decimal(number: int, by: int) -> str:
    """The quotient, with up to three decimals."""
    whole, rest = divmod(number, by)
    decimals = f"{rest * 1000 // by:03}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def _percent(part: int, whole: int) -> str:
    return f"{_decimal((2000 * part + whole) // (2 * whole), 10)} %"
