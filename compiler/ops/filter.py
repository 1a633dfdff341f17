"""Fixed filters, which are not trained: sobel, prewitt, laplacian, line, gaussian, box, …."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from ...dsl.closest import closest
from ..language.kinds import choice, custom, natural_pair, number, pair
from ..language.signature import ArgumentError
from ..language.values import Text, Word, show
from ..shapes import (
    AXES,
    Pair,
    PerAxis,
    Shape,
    ShapeError,
    all_axes,
    as_map,
    axes_of,
    by,
    named,
    plain,
    size,
    text,
)
from .base import Kept, Kind, TorchText, Weight, constructor, helper
from .conv.sliding import DILATION, MODE, PAD, SAME, SAME_UPPER, STRIDE, Sliding, outputs_times
from .examples import correlation_lines
from .padding import PADDING_MODES, pad_text
from .worked import Element, Step, Worked, bracketed, figure, largest, summed

Rows = tuple[tuple[float, ...], ...]

KNOWN: dict[str, Rows] = {
    "sobel_x": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "sobel_y": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "prewitt_x": ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)),
    "prewitt_y": ((-1, -1, -1), (0, 0, 0), (1, 1, 1)),
    "scharr_x": ((-3, 0, 3), (-10, 0, 10), (-3, 0, 3)),
    "scharr_y": ((-3, -10, -3), (0, 0, 0), (3, 10, 3)),
    "laplacian": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "line_horizontal": ((-1, -1, -1), (2, 2, 2), (-1, -1, -1)),
    "line_vertical": ((-1, 2, -1), (-1, 2, -1), (-1, 2, -1)),
    "line_rising": ((-1, -1, 2), (-1, 2, -1), (2, -1, -1)),
    "line_falling": ((2, -1, -1), (-1, 2, -1), (-1, -1, 2)),
    "blur": ((0.0625, 0.125, 0.0625), (0.125, 0.25, 0.125), (0.0625, 0.125, 0.0625)),
}
"""By name, in their usual size.

As in all layers this is cross-correlation, so kernels are not flipped; `_x` is large where the map
becomes brighter to the right, `_y` where it becomes brighter downwards. Lines are bright ones, and
rise or fall from left to right.
"""

TOGETHER: dict[str, tuple[str, ...]] = {
    "sobel": ("sobel_x", "sobel_y"),
    "prewitt": ("prewitt_x", "prewitt_y"),
    "scharr": ("scharr_x", "scharr_y"),
    "line": ("line_horizontal", "line_vertical", "line_rising", "line_falling"),
}
"""Names for several filters whose responses become one number."""

SMOOTHING = ("box", "blur", "gaussian")
"""Filters along any number of axes."""

SIZED = ("box", "blur", "gaussian", "sobel", "sobel_x", "sobel_y")
"""Filters that have more than one size."""

WORDS = (*TOGETHER, "gaussian", "box", *KNOWN)

MOST = 63
"""The largest side of a filter that is given by its name."""

_ELSEWHERE = {
    "gauss": "gaussian", "smooth": "blur", "binomial": "blur", "mean": "box", "average": "box",
    "avg": "box", "uniform": "box", "laplace": "laplacian", "log": "laplacian", "edge": "sobel",
    "edges": "sobel", "gradient": "sobel", "magnitude": "sobel", "unsharp": "sharpen",
    "sobel_h": "sobel_y", "sobel_v": "sobel_x", "prewitt_h": "prewitt_y", "prewitt_v": "prewitt_x",
    "scharr_h": "scharr_y", "scharr_v": "scharr_x", "line_x": "line_vertical",
    "line_y": "line_horizontal", "line_h": "line_horizontal", "line_v": "line_vertical",
    "lines": "line", "horizontal": "line_horizontal", "vertical": "line_vertical",
}  # fmt: skip
"""Their names in other tools. What skimage calls `sobel_h` responds to horizontal edges."""

_NOT_LINEAR = {
    **dict.fromkeys(
        ("median", "medfilt", "rank", "percentile"),
        (
            "sorts the numbers of a window, which no sum of value*weight does",
            "no layer does that; a linear filter against noise is `filter gaussian 3x3`",
        ),
    ),
    **dict.fromkeys(
        ("bilateral", "nlm", "guided"),
        (
            "weighs neighbors by how similar they are, which no sum of value*weight does",
            "no layer does that; a linear filter against noise is `filter gaussian 3x3`",
        ),
    ),
    "canny": (
        "follows ridges of the gradient and keeps what two thresholds leave of them",
        "its linear steps are `filter gaussian 5x5, filter sobel`; `cnn new net --like edges`"
        " writes a spec with these and more",
    ),
    **dict.fromkeys(
        ("max", "maximum", "dilate", "dilation"),
        ("is a layer of its own", "write `pool max 3x3 stride=1 same`"),
    ),
    **dict.fromkeys(
        ("min", "minimum", "erode", "erosion"),
        ("is a layer of its own", "write `pool min 3x3 stride=1 same`"),
    ),
}
"""Other operations on windows of an image: what they do, and what there is."""

EXAMPLE = "write its rows, like `filter [[0, 1, 1], [1, 0, 0], [1, 0, 1]]`"


def _read(value: object) -> str | Rows:
    if isinstance(value, Word):
        return _known(value)
    rows = _rows(value)
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        raise ArgumentError(f"{show(value)} is not a filter: its rows differ in length", EXAMPLE)
    try:
        return tuple(tuple(map(_number, row)) for row in rows)
    except (ValueError, OverflowError):
        raise ArgumentError(
            f"{show(value)} is not a filter: not all of it is numbers", EXAMPLE
        ) from None


def _rows(value: object) -> list[list[object]]:
    """The rows of a list of lists, or of text with `/`, `;` or line ends between rows.

    Numbers that are not divided into rows form a square if possible, otherwise one row.
    """
    if isinstance(value, Text):
        lines = re.split(r"[/;\n]", value)
        rows: list[list[object]] = [list(line.replace(",", " ").split()) for line in lines]
        if len(rows) > 1:
            return rows
        numbers = rows[0]
    elif isinstance(value, (list, tuple)):
        if all(isinstance(row, (list, tuple)) for row in value):
            return [list(row) for row in value]
        numbers = list(value)
    else:
        return []
    side = math.isqrt(len(numbers))
    width = side if side * side == len(numbers) else len(numbers)
    return [numbers[n : n + width] for n in range(0, len(numbers), max(width, 1))]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _known(word: str) -> str:
    if word in WORDS:
        return str(word)
    if word == "abs":
        raise ArgumentError(
            "the absolute value is a layer of its own", "write it after one: `filter sobel_x, abs`"
        )
    if word.lower() in _NOT_LINEAR:
        does, help = _NOT_LINEAR[word.lower()]
        raise ArgumentError(f"{word} is not a linear filter: it {does}", help)
    habit = _ELSEWHERE.get(word.lower(), "") or closest(word, WORDS)
    listed = ", ".join(f"`{name}`" for name in WORDS)
    raise ArgumentError(f"{word} is not one of {listed}", "" if habit else EXAMPLE, instead=habit)


# ---- filters of any size -------------------------------------------------------------------------


def _named(name: str, size: PerAxis, sigma: float | None) -> Any:
    """The filter of a name and a size: its numbers, nested by axes."""
    if name not in SIZED or (name in KNOWN and size == (3, 3)):
        return KNOWN[name]
    if len(size) != 2:
        return _smoothing(name, size, sigma)
    height, width = size
    if name == "sobel_y":
        return _outer(_slope(height), _binomial(width))
    if name == "sobel_x":
        return _outer(_binomial(height), _slope(width))
    down, across = _along(name, height, sigma), _along(name, width, sigma)
    # Rounded, so that an emitted module can be read; single precision has no more digits.
    total = sum(down) * sum(across)
    return tuple(tuple(round(number / total, 8) for number in row) for row in _outer(down, across))


def _smoothing(name: str, size: PerAxis, sigma: float | None) -> Any:
    """A smoothing filter along another number of axes: nested numbers, the last axis innermost."""
    factors = [_along(name, side, sigma) for side in size]
    total = math.prod(map(sum, factors))

    def inside(product: float, axis: int) -> Any:
        if axis == len(factors):
            return round(product / total, 8)
        return tuple(inside(product * factor, axis + 1) for factor in factors[axis])

    return inside(1.0, 0)


def _along(name: str, count: int, sigma: float | None) -> list[float]:
    """The factors of a smoothing filter along an axis."""
    if name == "box":
        return [1.0] * count
    return _binomial(count) if name == "blur" else _bell(count, sigma)


def _outer(down: Sequence[float], across: Sequence[float]) -> Rows:
    return tuple(tuple(row * column for column in across) for row in down)


def _binomial(count: int) -> list[float]:
    """1 4 6 4 1: close to a Gaussian of variance (count - 1)/4."""
    return [float(math.comb(count - 1, k)) for k in range(count)]


def _slope(count: int) -> list[float]:
    """-1 -2 0 2 1: the difference of two neighbors, smoothed."""
    smooth = [0.0, 0.0, *_binomial(count - 2), 0.0, 0.0]
    return [smooth[k] - smooth[k + 2] for k in range(count)]


def _bell(count: int, sigma: float | None) -> list[float]:
    spread = usual_sigma(count) if sigma is None else sigma
    center = (count - 1) / 2
    return [math.exp(-(((k - center) / spread) ** 2) / 2) for k in range(count)]


def usual_sigma(count: int) -> float:
    """The standard deviation of a Gaussian filter of which only the size is given (as OpenCV)."""
    return 0.3 * ((count - 1) / 2 - 1) + 0.8


class FixedFilters(Sliding):
    """Fixed filters over each channel separately, whose responses become one number."""

    kind: ClassVar[Kind] = "filter"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the filters whose responses become one number."""
        return ("filter",)

    @property
    def bank(self) -> tuple[Any, ...]:
        """The numbers of these filters, nested by axes: rows, on a map."""
        raise NotImplementedError

    @property
    def strongest(self) -> bool:
        """Of several filters, whether the largest response counts and not their length."""
        return False

    @property
    def shown_sigma(self) -> tuple[float, ...]:
        """The standard deviations of a Gaussian by axis, for `explain`."""
        return ()

    def filters(self, channels: int) -> int:
        return channels

    def grouped(self, channels: int) -> int:
        return channels

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The same for all channels."""
        return (Weight("weight", (len(self.names), 1, *self.kernel), trainable=False),)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """As for a depthwise convolution; products with a weight of zero are counted, too."""
        return len(self.names) * math.prod(output) * math.prod(self.kernel)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Squares, sums and a root for a length; a comparison for each filter after the first."""
        count = len(self.names)
        each = 0 if count == 1 else count - 1 if self.strongest else 2 * count
        return each * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        kept = super().kept(output, *inputs)
        count = len(self.names)
        if count == 1:
            return kept
        return kept._replace(output=True, own=kept.own + count * size(output))

    def work_out(self, element: Element) -> Worked:
        windows = []
        for index, name in enumerate(self.names):
            window = self.covered(element, element.channel, self._reader(element, index))
            windows.append(window._replace(name=name) if len(self.names) > 1 else window)
        if len(windows) == 1:
            return summed(element, windows, None, self.rule(1, None))
        responses = [window.result for window in windows]
        if self.strongest:
            result = largest(responses)
            how = f"max({', '.join(map(figure, responses))})"
            step = Step("strongest", how, result)
            rule = f"the largest of {len(windows)} sums of value*weight over a window"
        else:
            result = math.hypot(*responses)
            step = Step("length", f"sqrt({_squares(responses)})", result)
            rule = "sqrt(x^2 + y^2), x and y sums of value*weight over a window"
        return Worked(element.at, rule, result, tuple(windows), (step,))

    @staticmethod
    def _reader(element: Element, index: int) -> Callable[..., float]:
        return lambda *place: element.weight("weight", (index, 0, *place))

    def gives_view(self, *inputs: Shape) -> bool:
        return len(self.names) > 1

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        options = self.pad_options(inputs[0])
        call = self.call(inputs[0])
        if options["padding_mode"][0] != "zeros":
            call = f"{{m}}({pad_text(self.sides(inputs[0]), self.mode)})"
            options["padding"] = (0, 0)
        bank = [_floats(rows) for rows in self.bank]
        several, axes = len(bank) > 1, axes_of(output)
        name = "FixedFilter" + ("" if axes == 2 else f"{axes}d")
        module = constructor(
            "FilterBank" if several else name,
            bank if several else bank[0],
            stride=(plain(self.stride), 1),
            padding=options["padding"],
            dilation=(plain(self.dilation), 1),
            **({"strongest": (self.strongest, False)} if several else {}),
        )
        return TorchText(module, call, self.helpers(FILTER_BANK if several else FIXED_FILTER[axes]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        weight = self.weights(*inputs)[0]
        count, *window = weight.shape
        lines = super().explain(output, *inputs)
        for name, rows in zip(self.names, self.bank, strict=True):
            lines.append((name if count > 1 else "filter", _listed(rows)))
        if self.shown_sigma:
            deviations = self.shown_sigma
            lines.append(("sigma", " and ".join(dict.fromkeys(f"{n:g}" for n in deviations))))
        if count > 1:
            how = "the largest of these responses" if self.strongest else "sqrt(x^2 + y^2) of both"
            lines.append(("each number", how))
            weight = weight._replace(shape=(1, count, *window[1:]))
        return [
            *lines,
            ("parameters", f"none: the {size(weight.shape)} numbers are not trained"),
            ("multiply-adds", outputs_times(output, weight, self.macs(output, *inputs))),
        ]

    def examples(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        if axes_of(output) != 2:
            return []
        lines = self.read_often(output, inputs[0])
        return lines + correlation_lines(self.bank[0]) if len(self.names) == 1 else lines


class Filter(FixedFilters):
    """A fixed filter, not trained, applied to each channel separately.

    `sobel`, `prewitt` and `scharr` give the length of the gradient, sqrt(x^2 + y^2), from the two
    filters `_x` (brighter to the right) and `_y` (brighter downwards). `line` gives the strongest
    response of four: horizontal, vertical, rising, falling. `gaussian`, `box` (the mean), `blur`
    (binomial) and `sobel` have any size: `filter gaussian 5x5 sigma=1.5`. A filter of your own is
    written by its rows: `filter [[1, 0, -1], [1, 0, -1], [1, 0, -1]]`. For the absolute value of a
    response write `abs` after it.
    """

    word: ClassVar[str] = "filter"
    gradient: ClassVar[str] = (
        "dx = sum of dy * filter over the windows that read x; the filter is fixed"
    )
    example: ClassVar[str] = "filter sobel_x"
    arithmetic: ClassVar[str] = (
        "output: the size that `conv` would give, with the same channels\n"
        "parameters: none; the filter is a buffer"
    )
    called: ClassVar[str] = "OpenCV filter2D, MATLAB imfilter"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "filter": "filter2D(kernel>values) filter2 imfilter fspecial convolve2d correlate2d",
        "filter sobel": "Sobel sobel_filter sobel_edges spatial_gradient SpatialGradient "
        "imgradient",
        "filter sobel_x": "sobel_x sobel_v",
        "filter sobel_y": "sobel_y sobel_h",
        "filter laplacian": "Laplacian laplacian_filter laplace",
        "filter prewitt": "Prewitt prewitt_filter",
        "filter scharr": "Scharr scharr_filter",
        "filter sharpen": "sharpen unsharp_mask UnsharpMask imsharpen",
        "filter gaussian": "gaussian gaussian_filter(sigma) imgaussfilt(sigma) "
        "GaussianBlur2d(kernel_size>size,sigma) gaussian_blur2d(kernel_size>size,sigma)",
        "filter box": "BoxBlur(kernel_size>size) box_blur(kernel_size>size) boxFilter box_filter "
        "imboxfilt uniform_filter",
    }
    values: str | Rows = custom(
        f"{', '.join(f'`{name}`' for name in WORDS)}, or rows of your own",
        _read,
        "a filter's name or its rows",
        takes_words=True,
        words=WORDS,
    )
    size: PerAxis | None = pair(
        "its size, for `gaussian`, `box`, `blur` and `sobel`; if left out 3x3, or with `sigma`"
        " three standard deviations on each side",
        None,
    )
    sigma: float | None = number(
        "standard deviation of `gaussian` in pixels; it follows from the size if left out",
        None,
        minimum=0.1,
        keyword_only=True,
    )
    # By name only: after a filter's name, people read a number as its size.
    stride: PerAxis = replace(STRIDE, keyword_only=True)
    pad: PerAxis = replace(PAD, keyword_only=True)
    dilation: PerAxis = replace(DILATION, keyword_only=True)
    mode: str = replace(MODE, keyword_only=True)
    same: bool = SAME
    same_upper: bool = SAME_UPPER

    def check(self) -> None:
        if self.sigma is not None and self.values != "gaussian":
            raise ArgumentError("`sigma` belongs to `gaussian`", "take it out", drop="sigma")
        if self.size is not None:
            self._check_size(self.size)
        elif self.sigma is not None and max(self.kernel) > MOST:
            raise ArgumentError(
                f"a Gaussian with `sigma={self.sigma:g}` needs more than {MOST}x{MOST} numbers",
                f"write the size, like `filter gaussian {MOST} sigma={self.sigma:g}`; or reduce the"
                " map first",
            )
        super().check()

    def _check_size(self, size: PerAxis) -> None:
        if not isinstance(self.values, str):
            raise ArgumentError("rows of your own have their size", "take it out", drop="size")
        if self.values not in SIZED and size != (3, 3):
            sized = ", ".join(f"`{name}`" for name in SIZED)
            raise ArgumentError(
                f"`{self.values}` is 3x3; only {sized} have other sizes", "take it out", drop="size"
            )
        if max(size) > MOST:
            raise ArgumentError(
                f"{by(size)} is more than {by((MOST, MOST))}, the largest filter",
                "reduce the map first, with `pool avg 2x2`",
            )
        if self.values.startswith("sobel") and (min(size) < 3 or not size[0] % 2 * size[1] % 2):
            raise ArgumentError(
                f"a Sobel filter has an odd size of at least 3, not {by(size)}",
                f"write `filter {self.values} {max(size[0] // 2 * 2 + 1, 3)}`",
            )

    @property
    def names(self) -> tuple[str, ...]:
        if not isinstance(self.values, str):
            return ("filter",)
        return TOGETHER.get(self.values, (self.values,))

    @property
    def bank(self) -> tuple[Any, ...]:
        if not isinstance(self.values, str):
            return self.values if len(self.stride) == 1 else (self.values,)
        return tuple(_named(name, self.kernel, self.sigma) for name in self.names)

    @property
    def strongest(self) -> bool:
        return self.values == "line"

    def output(self, *inputs: Shape) -> Shape:
        axes = axes_of(as_map(inputs[0], self.word))
        row = axes == 1 and not isinstance(self.values, str) and len(self.values) == 1
        if axes != 2 and not row and self.values not in SMOOTHING:
            listed = ", ".join(f"`{name}`" for name in SMOOTHING)
            own = "; a filter of your own has one row" if axes == 1 else ""
            raise ShapeError(
                f"`{self.word} {self.values if isinstance(self.values, str) else '[[…]]'}` is a"
                f" filter along height and width, and its input, {text(inputs[0])}, has"
                f" {named(AXES[axes])}",
                f"along these there are {listed}{own}",
            )
        return super().output(*inputs)

    @property
    def kernel(self) -> PerAxis:
        axes = len(self.stride)
        if not isinstance(self.values, str):
            return (len(self.values), len(self.values[0]))[-min(axes, 2) :]
        if self.size is not None:
            return self.size
        side = 3
        if self.sigma is not None:  # where three deviations end, 99.7 % of the weight lies inside
            side = 2 * math.ceil(min(3 * self.sigma, MOST)) + 1
        return (side,) * axes

    @property
    def shown_sigma(self) -> tuple[float, ...]:
        if self.values != "gaussian":
            return ()
        return tuple(self.sigma or usual_sigma(side) for side in self.kernel)


class BlurPool(FixedFilters):
    """Downsampling without aliasing: a binomial blur with a stride (arXiv:1904.11486).

    It stands where a stride would be: `conv 64 3x3 same, bn, relu, blurpool` for a convolution with
    stride 2, `pool max 2x2 stride=1, blurpool` for max pooling.
    """

    word: ClassVar[str] = "blurpool"
    gradient: ClassVar[str] = (
        "dx = sum of dy * filter over the windows that read x; the filter is fixed"
    )
    example: ClassVar[str] = "blurpool"
    arithmetic: ClassVar[str] = (
        "output: H / stride, W / stride, rounded up, with the same channels\n"
        "parameters: none; the filter is a buffer"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "blurpool": "BlurPool(filt_size>size,stride) BlurPool2d(filt_size>size,stride,"
        "pad_mode>mode) blur_pool BlurPooling2D antialias anti_alias aa_layer MaxBlurPool2d",
    }

    size: PerAxis = pair("filter size: 3 is 1 2 1 along an axis, 5 is 1 4 6 4 1", (3, 3))
    stride: PerAxis = replace(STRIDE, default=all_axes(2))
    pad: PerAxis | None = natural_pair(  # type: ignore[assignment]
        "rows and columns added on each side; if left out, half the filter, rounded down at the"
        " beginning and up at the end",
        None,
    )
    mode: str = choice("what the padding is filled with", PADDING_MODES, "reflect")

    dilation: ClassVar[PerAxis] = all_axes(1)  # type: ignore[misc]
    same: ClassVar[bool] = False  # type: ignore[misc]
    same_upper: ClassVar[bool] = False  # type: ignore[misc]

    def check(self) -> None:
        if max(self.size) > MOST:
            raise ArgumentError(
                f"{by(self.size)} is more than {by((MOST, MOST))}, the largest filter",
                "downsample in several steps",
            )

    @property
    def kernel(self) -> PerAxis:
        return self.size

    @property
    def bank(self) -> tuple[Any, ...]:
        return (_named("blur", self.size, None),)

    def padding(self, axis: int, side: int) -> Pair:
        if self.pad is not None:
            return self.pad[axis], self.pad[axis]
        return (self.size[axis] - 1) // 2, self.size[axis] // 2


def _floats(numbers: Any) -> Any:
    """Nested lists of floating-point numbers."""
    return [*map(_floats, numbers)] if isinstance(numbers, tuple) else float(numbers)


def _listed(rows: Any) -> str:
    """`-1 0 1 / -2 0 2 / -1 0 1`; of a large filter the middle row."""
    if not isinstance(rows[0], tuple):
        rows = (rows,)
    if isinstance(rows[0][0], tuple):
        return f"{by((len(rows), len(rows[0]), len(rows[0][0])))} numbers, their sum 1"
    shown = [" ".join(figure(number) for number in row) for row in rows]
    if len(rows) * len(rows[0]) <= 25:
        return " / ".join(shown)
    return f"{by((len(rows), len(rows[0])))} numbers, in the middle row {shown[len(rows) // 2]}"


def _squares(numbers: Sequence[float]) -> str:
    return " + ".join(f"{bracketed(number)}^2" for number in numbers)


FIXED_FILTER = {
    axes: helper(f'''\
class FixedFilter{suffix}(nn.Module):
    """One filter for each channel by itself. It is kept with the weights, but not trained."""

    weight: Tensor

    def __init__(
        self,
        rows: {nested},
        stride: {sizes} = 1,
        padding: {sizes} = 0,
        dilation: {sizes} = 1,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor([[rows]]))
        self.stride = stride
        self.padding = padding
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.expand(x.shape[1], {", ".join(["-1"] * (1 + axes))})
        steps = self.stride, self.padding, self.dilation
        return F.conv{axes}d(x, weight, None, *steps, x.shape[1])
''')
    for axes, suffix, sizes, nested in (
        (1, "1d", "int", "list[float]"),
        (2, "", "int | tuple[int, int]", "list[list[float]]"),
        (3, "3d", "int | tuple[int, int, int]", "list[list[list[float]]]"),
    )
}

# The length of a vector has no gradient at zero; torch's norm gives zero there, a root gives NaN.
FILTER_BANK = helper('''\
class FilterBank(nn.Module):
    """Several filters for each channel by itself; the length of their responses, or the largest.

    They are kept with the weights, but not trained.
    """

    weight: Tensor

    def __init__(
        self,
        filters: list[list[list[float]]],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        strongest: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(filters).unsqueeze(1))
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.strongest = strongest

    def forward(self, x: Tensor) -> Tensor:
        channels = x.flatten(0, 1).unsqueeze(1)
        steps = self.stride, self.padding, self.dilation
        responses = F.conv2d(channels, self.weight, None, *steps)
        if self.strongest:
            result = responses.amax(1)
        else:
            result = torch.linalg.vector_norm(responses, dim=1).to(responses.dtype)
        return result.reshape(*x.shape[:2], *result.shape[1:])
''')
