"""The arithmetic of one output element with its numbers: `81*0 + 2*1 + 209*1 + … = 515`.

Every operation works out its own (`Op.work_out`), from the values of its inputs and weights, which
whoever asks reads for it (`Element`). The result is for a terminal (`lines`) and for a web page
(`data`) alike.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from ..shapes import LINES, PerAxis, Shape, text
from .padding import source_position

if TYPE_CHECKING:
    from fractions import Fraction

T = TypeVar("T")

Read = Callable[..., float]
"""The value of an input: by input, channel, and position, which is one number for each spatial
axis: row and column of a map. The numbers of a vector are channels, with row and column 0. Only
positions inside the input are read.
"""

ReadWeight = Callable[[str, tuple[int, ...]], float]
"""The value of a weight, by its name in the state dict of the layer and its index."""

MOST_TERMS = 27
"""The number of terms that a formula shows in full: three channels of a 3x3 filter."""


class Place(NamedTuple):
    """The position of a value that was read."""

    input: int
    channel: int
    position: PerAxis
    """One number for each spatial axis: row and column."""


class Term(NamedTuple):
    """A value, its weight if it is multiplied by one, and what it contributes."""

    value: float
    factor: float | None
    product: float
    """Value times factor; for other functions (exp, a power) their result."""
    place: Place | None
    """None for padding."""


How = Literal[
    "sum", "max", "min", "mean", "norm", "product", "copy", "function", "statistics", "random"
]


class Group(NamedTuple):
    """Terms that become one number: those of a channel, for example."""

    name: str
    """`channel 0`."""
    terms: tuple[Term, ...]
    """By rows and columns of the window."""
    how: How
    result: float
    columns: int = 1
    """The number of terms along the last axis of the window: in a row."""
    factor: float | None = None
    """What the result is multiplied by before the groups are added."""
    each: str = "{v}"
    """How a term is written; {v} is its value, {w} its weight."""
    around: str = "{}"
    """How all terms together are written."""
    between: str = " + "

    def formula(self, most: int = MOST_TERMS) -> str:
        """The terms with their numbers; of more than `most`, the first and the last."""
        if self.each == "{v}" and self.between == " + ":
            inside = added([term.value for term in self.terms], most)
        else:
            inside = abridged(self.terms, lambda term: self._written(term), self.between, most)
        return self.around.format(inside)

    def _written(self, term: Term) -> str:
        if term.place is None and self.how in ("max", "min"):
            return "padding"
        # Between commas, bars or brackets a negative number needs no brackets of its own.
        listed = self.each == "{v}" and self.between == ", "
        enclosed = listed or re.search(r"[(|]\{v\}([)|]| -)", self.each)
        value = figure(term.value) if enclosed else bracketed(term.value)
        return self.each.format(v=value, w="" if term.factor is None else bracketed(term.factor))


class Step(NamedTuple):
    """A further step of the arithmetic: its name, its formula with numbers, its result."""

    name: str
    text: str
    value: float


class Worked(NamedTuple):
    """How an output element is computed. The last step, or else the only group, is the result."""

    at: tuple[int, ...]
    """Channel, row and column, or the index in a vector."""
    rule: str
    """The formula without numbers."""
    result: float
    groups: tuple[Group, ...] = ()
    steps: tuple[Step, ...] = ()
    bias: float | None = None
    note: str = ""
    """What the numbers do not show: `dropped with probability 0.5`."""
    whole: str = ""
    """The arithmetic in one line, if that is not the last step or the only group."""
    additive: bool = False
    """Whether the result is the sum of the groups, each times its factor, and of the bias."""

    @property
    def formula(self) -> str:
        """One line: `81*0 + 2*1 + … = 515`."""
        if self.whole or self.steps:
            return equation(self.whole or self.steps[-1].text, self.result)
        return equation(self.groups[-1].formula() if self.groups else "", self.result)

    def lines(self, most: int = MOST_TERMS, groups: int = 16) -> list[tuple[str, str]]:
        """Lines of name and text, as of `Op.explain`; at most so many terms, groups and steps."""
        shown = [group for group in self.groups if group.terms and group.how != "copy"]
        lines = [(g.name, equation(g.formula(most), g.result)) for g in shown]
        steps = [(step.name, equation(step.text, step.value)) for step in self.steps]
        lines = [*_few(lines, groups), *_few(steps, groups, last=1)]
        return [*lines, ("", self.note)] if self.note else lines

    def data(self) -> dict[str, object]:
        """Dictionaries, lists and numbers alone, for JSON; None for infinity and NaN, which it
        lacks: the padding of a maximum, for example.
        """
        return {
            "at": list(self.at),
            "rule": self.rule,
            "formula": self.formula,
            "result": _finite(self.result),
            "bias": _finite(self.bias),
            "note": self.note,
            "groups": [
                {
                    "name": group.name,
                    "how": group.how,
                    "formula": group.formula(),
                    "result": _finite(group.result),
                    "columns": group.columns,
                    "factor": _finite(group.factor),
                    "terms": [
                        {
                            "value": _finite(term.value),
                            "factor": _finite(term.factor),
                            "product": _finite(term.product),
                            "place": None if term.place is None else _flat(term.place),
                        }
                        for term in group.terms
                    ],
                }
                for group in self.groups
            ],
            "steps": [
                {"name": step.name, "text": step.text, "value": _finite(step.value)}
                for step in self.steps
            ],
        }


class Element:
    """An output element, and access to the values that it is computed from."""

    __slots__ = (
        "actual",
        "at",
        "channel",
        "column",
        "inputs",
        "others",
        "output",
        "position",
        "read",
        "row",
        "training",
        "weight",
    )  # fmt: skip

    def __init__(
        self,
        at: int | tuple[int, ...],
        output: Shape,
        inputs: Sequence[Shape],
        read: Read,
        weight: ReadWeight,
        *,
        training: bool = False,
        others: Sequence[Read] = (),
        actual: float | None = None,
    ) -> None:
        self.at = (at,) if isinstance(at, int) else tuple(at)
        inside = len(self.at) == len(output) and all(
            0 <= position < side for position, side in zip(self.at, output, strict=True)
        )
        if not inside:
            raise IndexError(f"{text(self.at)} is not a position of a {text(output)} output")
        self.channel, self.row, self.column = (*self.at, 0, 0)[:3]
        self.position = self.at[1:] or (0, 0)
        """One number for each spatial axis; of a vector, as of a map of one pixel."""
        self.output = output
        self.inputs = tuple(inputs)
        self.read = read
        self.weight = weight
        self.training = training
        self.others = tuple(others)
        """The other images of the batch, for statistics over it in training."""
        self.actual = actual
        """The value that torch computed, which shows what was drawn at random in training."""

    def term(
        self,
        channel: int,
        position: PerAxis,
        factor: float | None = None,
        *,
        input: int = 0,
    ) -> Term:
        """A value of a map, and its weight if it is multiplied by one."""
        value = self.read(input, channel, *position)
        product = value if factor is None else value * factor
        return Term(value, factor, product, Place(input, channel, position))

    def here(self, channel: int | None = None, factor: float | None = None) -> Term:
        """The value at the same position, by default of the same channel."""
        return self.term(self.channel if channel is None else channel, self.position, factor)

    def padded(
        self, mode: str, channel: int, position: PerAxis, factor: float | None = None
    ) -> Term:
        """The value at a position that may lie outside, in the padding."""
        inside = [
            source_position(mode, at, side)
            for at, side in zip(position, self.inputs[0][1:], strict=True)
        ]
        if None in inside:
            return Term(0.0, factor, 0.0, None)
        return self.term(channel, tuple([at for at in inside if at is not None]), factor)

    def copied(self, channel: int, position: PerAxis, *, input: int = 0) -> Worked:
        """A copy of an input element, of a map or a vector."""
        term = self.term(channel, position, input=input)
        source = _place(Place(input, channel, position), self.inputs)
        group = Group("copied", (term,), "copy", term.value)
        step = Step("copied", source, term.value)
        return Worked(self.at, f"a copy of {source}", term.value, (group,), (step,))

    def constant(self, value: float, why: str) -> Worked:
        """An element that no input has a part in."""
        return Worked(self.at, why, value, steps=(Step(why, figure(value), value),))

    def computed(self, rule: str, how: How, term: Term, step: Step, note: str = "") -> Worked:
        """A function of one input element."""
        group = Group("input", (term,), how, term.value)
        return Worked(self.at, rule, step.value, (group,), (step,), note=note)


def unraveled(index: int, shape: Shape) -> tuple[int, PerAxis]:
    """Channel and position of an element in the order of memory."""
    if len(shape) == 1:
        return index, (0, 0)
    at: list[int] = []
    for side in reversed(shape):
        index, place = divmod(index, side)
        at.append(place)
    channel, *position = reversed(at)
    return channel, tuple(position)


def raveled(element: Element) -> int:
    """The index of the output element in the order of memory."""
    index = 0
    for position, side in zip(element.at, element.output, strict=True):
        index = index * side + position
    return index


def summed(element: Element, groups: Sequence[Group], bias: float | None, rule: str) -> Worked:
    """The sum of all groups, each times its factor if it has one, and a bias."""
    results = [g.result if g.factor is None else g.result * g.factor for g in groups]
    total = math.fsum(results) if all(map(math.isfinite, results)) else sum(results)
    alone = len(groups) == 1 and groups[0].factor is None and bool(groups[0].terms)
    whole = groups[0].formula() if alone else added(results)
    if any(group.factor is not None for group in groups):
        whole = abridged(groups, lambda g: f"{bracketed(g.result)}*{bracketed(g.factor or 0.0)}")
    steps = [] if alone else [Step("sum", whole, total)]
    result = total
    if bias is not None:
        result = total + bias
        steps.append(Step("with bias", added([total, bias]), result))
        whole += f" {signed(bias)}"
    return Worked(
        element.at, rule, result, tuple(groups), tuple(steps), bias, whole=whole, additive=True
    )


def products(name: str, terms: Iterable[Term], columns: int = 1) -> Group:
    """A group of values times weights, and their sum."""
    collected = tuple(terms)
    total = sum(term.product for term in collected)
    return Group(name, collected, "sum", total, columns, each="{v}*{w}")


def _few(
    lines: Sequence[tuple[str, str]], most: int, *, last: int = 0
) -> Sequence[tuple[str, str]]:
    """Of more than `most` lines the first, and so many of the last."""
    if len(lines) <= most:
        return lines
    first = most - 1 - last
    left_out = ("…", f"{len(lines) - first - last:,} more")
    return [*lines[:first], left_out, *lines[len(lines) - last :]]


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


# ---- numbers in text -----------------------------------------------------------------------------


def figure(number: float) -> str:
    """A number to read: those with up to three decimals in full, others with four digits."""
    if not math.isfinite(number):
        return str(number)
    if number == int(number) and abs(number) < 1e9:
        return str(int(number))
    if not 1e-4 <= abs(number) < 1e9:
        mantissa, _, exponent = f"{number:.3e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    if abs(round(number, 3) - number) <= 1e-7 * abs(number):  # no more than single precision has
        return f"{number:.3f}".rstrip("0").rstrip(".")
    decimals = max(3 - math.floor(math.log10(abs(number))), 0)
    shown = f"{number:.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def bracketed(number: float) -> str:
    """A number as an operand: negative ones in brackets."""
    shown = figure(number)
    return f"({shown})" if shown.startswith("-") else shown


def abridged(
    values: Sequence[T], write: Callable[[T], str], between: str = " + ", most: int = MOST_TERMS
) -> str:
    """Values written and joined; of many, the first and the last: only these are written."""
    if len(values) <= most:
        return between.join(map(write, values))
    left_out = f"… {len(values) - most:,} more …"
    return between.join([*map(write, values[: most - 1]), left_out, write(values[-1])])


def added(numbers: Sequence[float], most: int = MOST_TERMS) -> str:
    """`3 - 2 + 5`; of many, the first and the last."""
    return abridged(numbers, figure, most=most).replace("+ -", "- ") or "0"


def signed(number: float) -> str:
    """`+ 3` or `- 3`, as a further term."""
    shown = figure(number)
    return f"- {shown[1:]}" if shown.startswith("-") else f"+ {shown}"


def equation(formula: str, value: float) -> str:
    """`3 - 2 = 1`; a number alone is its own result."""
    result = figure(value)
    return result if formula in ("", result) else f"{formula} = {result}"


def decimal(number: Fraction) -> str:
    """`112.5`; digits after the third are dropped."""
    whole, rest = divmod(number.numerator, number.denominator)
    digits = f"{rest * 1000 // number.denominator:03}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _flat(place: Place) -> list[int]:
    return [place.input, place.channel, *place.position]


def _place(place: Place, inputs: Sequence[Shape]) -> str:
    number, channel, rest = place
    which = f" of input {number + 1}" if len(inputs) > 1 else " of the input"
    if len(inputs[number]) == 1:
        return f"number {channel}{which}"
    lines = LINES[len(rest)]
    where = ", ".join(f"{line[:-1]} {at}" for line, at in zip(lines, rest, strict=True))
    return f"channel {channel}, {where}{which}"


# ---- functions at the limits of floating point, as torch computes them ---------------------------


def largest(values: Iterable[float]) -> float:
    """The maximum; NaN if any of them is NaN, as in torch."""
    collected = list(values)
    return math.nan if any(map(math.isnan, collected)) else max(collected)


def smallest(values: Iterable[float]) -> float:
    return -largest(-value for value in values)


def exp(number: float) -> float:
    try:
        return math.exp(number)
    except OverflowError:
        return math.inf


def sigmoid(number: float) -> float:
    return 1 / (1 + exp(-number)) if number >= 0 else exp(number) / (1 + exp(number))


def power(base: float, exponent: float) -> float:
    """A power; NaN for roots of negative numbers."""
    try:
        result = base**exponent
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return math.nan if isinstance(result, complex) else float(result)


def quotient(numerator: float, denominator: float) -> float:
    """Division of floating-point numbers, by zero as well."""
    if denominator:
        return numerator / denominator
    return (
        math.nan if not numerator or math.isnan(numerator) else math.copysign(math.inf, numerator)
    )


def single(number: float) -> float:
    """Rounded to single precision."""
    return float(struct.unpack("f", struct.pack("f", number))[0])
