"""Pooling layers: each window of a channel, or the whole channel, becomes one number. Only `pool
tree` multiplies by weights. Elementwise operations are counted as one for each element that a
window reads, padding included: K*K for each output of a K*K window. Kinds of pooling that need more
override this. Counts are those of evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import gcd, inf, prod
from typing import ClassVar, Literal

from ...language.kinds import custom, flag, natural_pair, pair
from ...language.signature import ArgumentError
from ...shapes import (
    AXES,
    AllAxes,
    PerAxis,
    Shape,
    ShapeError,
    all_axes,
    as_map,
    axes_of,
    by,
    exact_ratio,
    plain,
    size,
)
from ..base import (
    ANY_AXES,
    EVERYTHING,
    Constructor,
    Kind,
    NoMultiplyAdds,
    Option,
    Window,
    constructor,
)
from ..examples import Lines, gradient_lines
from ..padding import Sides, upper_sides
from ..worked import Element, Group, Term, decimal, largest, quotient

INDEX = 8
"""Bytes of the index that torch keeps with every maximum."""


class Pool(NoMultiplyAdds):
    """Windows over a map. Features that only some kinds of pooling have are off here."""

    kind: ClassVar[Kind] = "pool"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    kernel: PerAxis | None = pair("window size")
    stride: PerAxis | None = pair("step between windows; by default the window size", None)
    pad: PerAxis = all_axes(0)
    dilation: PerAxis = all_axes(1)
    same: bool = False
    same_upper: bool = False
    ceil: bool = False

    @property
    def target(self) -> PerAxis | None:
        """The output size if it is given instead of a window size."""
        return None

    @property
    def span(self) -> PerAxis:
        """Rows and columns that a window reads."""
        assert self.kernel is not None, self
        return self.kernel

    @property
    def step(self) -> PerAxis:
        return self.stride or self.span

    @property
    def reach(self) -> PerAxis:
        """Rows and columns from one end of a window to the other, dilation included."""
        return tuple(
            [step * (side - 1) + 1 for side, step in zip(self.span, self.dilation, strict=True)]
        )

    @property
    def padding(self) -> PerAxis:
        """Rows and columns added on each side, whatever the size of the map."""
        if self.pads_by_size:
            return (0,) * len(self.reach)
        even = self.same or self.same_upper
        return tuple([(reach - 1) // 2 for reach in self.reach]) if even else self.pad

    def sides(self, input_shape: Shape) -> Sides:
        """Rows above and below, columns left and right; of any number of axes."""
        if not self.same_upper:
            return tuple([(padding, padding) for padding in self.padding])
        each = zip(input_shape[1:], self.reach, self.step, strict=True)
        return tuple([upper_sides(side, reach, step) for side, reach, step in each])

    @property
    def pads_by_size(self) -> bool:
        """Whether the padding depends on the size of the map, or differs at its ends."""
        if not self.same_upper or self.target is not None:
            return False
        each = zip(self.reach, self.step, strict=True)
        return any(reach > 1 and (step > 1 or reach % 2 == 0) for reach, step in each)

    def check(self) -> None:
        if self.same and self.same_upper:
            raise ArgumentError(
                "`same` and `same_upper` are two ways to pad", "keep one of them", drop="same"
            )
        word = "same_upper" if self.same_upper else "same"
        if (self.same or self.same_upper) and any(self.pad):
            raise ArgumentError(f"`{word}` computes the padding itself", "take `pad` out")
        if (self.same or self.same_upper) and self.ceil:
            raise ArgumentError(f"`{word}` and `ceil` both set the size", "keep one of them")
        if self.same_upper and any(step > 1 for step in self.dilation):
            raise ArgumentError(
                "with `dilation`, a window could step over the map into the padding",
                "take `dilation` out, or write `same`",
                drop="dilation",
            )
        for padding, span in zip(self.padding, self.span, strict=True):
            most = span // 2
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
            self.target or [self._axis(axis, input_shape) for axis in range(axes_of(input_shape))]
        )

    def _axis(self, axis: int, input_shape: Shape) -> int:
        side, padding = input_shape[1 + axis], self.padding[axis]
        if self.same_upper:
            return _divided_up(side, self.step[axis])
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
            sides = list(enumerate(input_shape[1:]))
            wanted = [_divided_up(side, self.step[axis]) for axis, side in sides]
            if [other._windows(axis, side) for axis, side in sides] == wanted:
                return f"write `ceil` in place of `same`: the output is then {by(tuple(wanted))}"
        upper = ", or write `same_upper`" if "same_upper" in self.fields else ""
        return f"take a window of odd size{upper}"

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
            return size(output) * prod(self.span)
        return adaptive_reads(input_shape, self.target)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return self.reads(output, inputs[0])

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        if self.target is None:
            starts = tuple([-before for before, _ in self.sides(inputs[0])])
            return Window(self.reach, self.step, starts)
        if max(self.target) == 1:
            return EVERYTHING
        sides = list(zip(inputs[0][1:], self.target, strict=True))
        return Window(
            tuple([longest(side, windows) for side, windows in sides]),
            tuple([exact_ratio(side, windows) for side, windows in sides]),
            (0,) * len(sides),
        )

    # ---- one output with its numbers ----

    def spans(self, element: Element) -> list[range]:
        """An output's window along each axis: its rows and columns; those in the padding are
        outside the map.
        """
        if self.target is not None:
            sides = zip(element.position, element.inputs[0][1:], self.target, strict=True)
            return [range(at * side // n, -(-(at + 1) * side // n)) for at, side, n in sides]
        before = [first for first, _ in self.sides(element.inputs[0])]
        return [
            range(start, start + self.reach[axis], self.dilation[axis])
            for axis, at in enumerate(element.position)
            for start in [at * self.step[axis] - before[axis]]
        ]

    def covered(self, element: Element, fill: float = 0.0) -> Group:
        """The window of an output; `fill` is the value of the padding."""
        spans, sides = self.spans(element), element.inputs[0][1:]
        terms = [
            element.term(element.channel, place)
            if all(0 <= at < side for at, side in zip(place, sides, strict=True))
            else Term(fill, None, fill, None)
            for place in product(*spans)
        ]
        return Group(f"channel {element.channel}", tuple(terms), "sum", 0.0, len(spans[-1]))

    def maximum(self, element: Element) -> Group:
        """The window and its maximum; the padding never is."""
        window = self.covered(element, -inf)
        result = largest(term.value for term in window.terms)
        return window._replace(how="max", result=result, around="max({})", between=", ")

    def mean(self, element: Element, count_pad: bool = True) -> Group:
        """The window and its mean. With `ceil`, a window may extend beyond the padding: that never
        counts.
        """
        window, count = self.covered(element), self.counted(element, count_pad)
        result = quotient(sum(term.value for term in window.terms), count)
        return window._replace(how="mean", result=result, around=f"({{}})/{count}")

    def counted(self, element: Element, count_pad: bool = True) -> int:
        """How many positions of a window its mean is divided by."""
        count = 1
        for axis, span in enumerate(self.spans(element)):
            side = element.inputs[0][1 + axis]
            before, after = self.sides(element.inputs[0])[axis] if count_pad else (0, 0)
            count *= sum(-before <= place < side + after for place in span)
        return count

    def outside(self, element: Element, count_pad: bool = True) -> str:
        """A note on the positions of a window that its mean leaves out."""
        count = self.counted(element, count_pad)
        positions = prod(map(len, self.spans(element)))
        if count == positions:
            return ""
        padded = any(map(any, self.sides(element.inputs[0])))
        where = "beyond the padding" if count_pad and padded else "outside the map"
        return f"the mean is of {count}, not {positions}: {where} nothing counts"

    # ---- the gradient ----

    slope: ClassVar[str] = ""
    """The gradient of an output by a number x of its window, as a formula."""

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        kept = {
            name: value
            for name, value in self.arguments.items()
            if name not in WINDOW_ARGUMENTS and not self.fields[name].is_usual(value)
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
            for axis, name in enumerate(AXES[axes_of(output)])
        ]
        before, after = size(input_shape), size(output)
        lines.append(("numbers", f"{after:,} of {before:,} = {_percent(after, before)}"))
        reads = f"{self.reads(output, input_shape):,}"
        if self.target is None:
            windows = "*".join(map(str, output))
            lines.append(
                ("reads", f"{windows} windows * {'*'.join(map(str, self.span))} = {reads}")
            )
        else:
            lines.append(("reads", reads))
        return lines

    def _explain_axis(self, axis: int, side: int, output_side: int) -> str:
        if self.target is not None:
            return explain_adaptive(side, output_side)
        padding, step = self.padding[axis], self.step[axis]
        if self.same_upper:
            before, after = upper_sides(side, self.reach[axis], step)
            return f"{side}/{step}, rounded up, = {output_side}: {before} + {after} of padding"
        exact = decimal(exact_ratio(side + 2 * padding - self.reach[axis] + step, step))
        rounded = str(self._rounded(axis, side))
        line = f"({side} + 2*{padding} - {self.reach[axis]})/{step} + 1 = {exact}"
        if exact != rounded:
            line += f" -> {rounded}"
        if self._dropped(axis, side):
            line += f" -> {output_side}, since the last window would start in the padding"
        return line


class Padded(Pool):
    """Windows that may extend over the border."""

    pad: PerAxis = natural_pair("rows and columns added on each side", (0, 0))
    same: bool = flag("pad evenly, so that stride 1 keeps the size")


class Global(Padded):
    """Windows, or one window over the whole map."""

    kernel: PerAxis | None = pair("window size", None)
    one: ClassVar[AllAxes] = all_axes(1)
    """The size of the output where a single window covers the map."""
    ceil: bool = flag("add a window where some rows or columns are left over")
    locals()["global"] = flag("one window over the whole map")  # for Python, a keyword

    @property
    def whole(self) -> bool:
        return bool(getattr(self, "global"))

    @property
    def target(self) -> PerAxis | None:
        return self.one if self.whole else None

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
            if not allowed and not usual.is_usual(getattr(self, name)):
                raise ArgumentError(f"`{word}` computes the windows itself", f"take `{name}` out")


WINDOW_ARGUMENTS = frozenset(
    "kernel stride pad dilation same same_upper ceil global adaptive count_pad".split()
)


_read_size: Callable[[object], PerAxis] = pair("").read


def _size_or_switch(value: object) -> bool | PerAxis:
    return value if isinstance(value, bool) else _read_size(value)


class Adaptive(Global):
    """Windows, or as many windows as give a fixed output size."""

    adaptive: bool | PerAxis = custom(
        "a fixed output size, whatever the input: `adaptive 7x7` or `adaptive=7x7`",
        _size_or_switch,
        "a size like 7x7",
        default=False,
        is_flag=True,
        per_axis=True,
    )

    @property
    def target(self) -> PerAxis | None:
        if self.whole:
            return self.one
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


# ---- adaptive windows: of o over n, the i-th is from floor(i*n/o) to ceil((i + 1)*n/o) -----------


def longest(side: int, windows: int) -> int:
    """The size of the largest window."""
    rest = side % windows // gcd(side, windows)  # of the fraction in lowest terms
    return side // windows + min(rest, 2)


def adaptive_reads(input_shape: Shape, target: PerAxis) -> int:
    """How many numbers they read, all together: those at a border that is not a whole number
    twice.
    """
    sides = zip(input_shape[1:], target, strict=True)
    along = [side + windows - gcd(side, windows) for side, windows in sides]
    return input_shape[0] * prod(along)


def explain_adaptive(side: int, windows: int) -> str:
    if windows == 1:
        return f"one window over all {side}"
    whole, rest = divmod(side, windows)
    if not rest:
        return f"{side} into {windows}: windows of {side}/{windows} = {whole}"
    sizes = " or ".join(map(str, sorted({whole + 1, longest(side, windows)})))
    borders = f"from floor(i*{side}/{windows}) to ceil((i + 1)*{side}/{windows})"
    return f"{side} into {windows}: windows of {sizes}, {borders}"


# ---- exact however large -------------------------------------------------------------------------


def _divided_up(number: int, by: int) -> int:
    return -(-number // by)


def _percent(part: int, whole: int) -> str:
    return f"{decimal(exact_ratio((2000 * part + whole) // (2 * whole), 10))} %"
