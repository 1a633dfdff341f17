"""Values that carry the Python expression they were computed from.

The emitter executes a block again with such values as its parameters: `conv 4*width 1x1` then
creates a convolution whose number of filters is 256 and also `4 * width`. Traced values are
ordinary numbers, words and tuples and compare as such; values computed from them are traced, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..language.values import Traced as TracedValue
from ..language.values import Word
from ..ops.base import ClassName, Constructor
from ..shapes import AllAxes
from .code import (
    COMPUTE,
    Call,
    Callee,
    Code,
    Constant,
    Item,
    Leaf,
    Operation,
    function,
    operation,
    several,
)


class Traced(TracedValue):
    """A value with its expression."""

    code: Code

    def applied(self, name: str, arguments: Sequence[Any], value: Any) -> Any:
        codes = [*map(code_of, arguments)]
        if name == "sqrt":
            return traced(value, Operation("**", *codes, Constant(0.5)))
        return traced(value, function(name, *codes))

    def python(self) -> str:
        return str(self.code)

    def operand(self, value: float) -> Any:
        if isinstance(value, Traced):
            return value
        result = TracedFloat(value)
        result.code = Constant(float(value))
        return result


def code_of(value: Any) -> Code:
    """The expression of a value."""
    if isinstance(value, Code):
        return value
    if isinstance(value, Traced):
        return value.code
    if isinstance(value, Constructor):
        leaves = [_POSITIONAL] * len(value.arguments)
        leaves += [Leaf(name, usual) for name, _, usual in value.options]
        given = [*value.arguments, *[each for _, each, _ in value.options]]
        return Call(Callee(value.name, tuple(leaves)), *map(code_of, given))
    if type(value) in (tuple, AllAxes) and any(isinstance(each, Traced) for each in value):
        return several(*map(code_of, value))
    return Constant(value)


_POSITIONAL = Leaf()


def traced(value: Any, code: Code) -> Any:
    """The same value with an expression, if values of its type can carry one."""
    if isinstance(code, Constant) or isinstance(value, bool):
        return value
    result: Any
    if isinstance(value, int):
        result = TracedInt(value)
    elif isinstance(value, float):
        result = TracedFloat(value)
    elif isinstance(value, Word):
        result = TracedWord(value)
    elif type(value) is tuple:
        items = [traced(each, Item((n, len(value)), code)) for n, each in enumerate(value)]
        result = TracedTuple(items)
    elif type(value) is list:
        result = TracedList(value)
    elif isinstance(value, ClassName):
        result = TracedClass(value)
    else:
        return value
    result.code = code
    return result


def _number(value: Any, sign: str, left: Any, right: Any) -> Any:
    whole = isinstance(left, int) and isinstance(right, int) and isinstance(value, int)
    return traced(value, operation(sign, code_of(left), code_of(right), whole))


def _binary(sign: str, reflected: bool = False) -> Callable[[Any, Any], Any]:
    compute = COMPUTE[sign]

    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, int | float) or isinstance(other, bool):
            return NotImplemented
        left, right = (other, self) if reflected else (self, other)
        return _number(compute(plain(left), plain(right)), sign, left, right)

    return method


class _Arithmetic(Traced):
    __add__, __radd__ = _binary("+"), _binary("+", reflected=True)
    __sub__, __rsub__ = _binary("-"), _binary("-", reflected=True)
    __mul__, __rmul__ = _binary("*"), _binary("*", reflected=True)
    __floordiv__, __rfloordiv__ = _binary("//"), _binary("//", reflected=True)
    __truediv__, __rtruediv__ = _binary("/"), _binary("/", reflected=True)
    __mod__, __rmod__ = _binary("%"), _binary("%", reflected=True)
    __pow__, __rpow__ = _binary("**"), _binary("**", reflected=True)

    def __neg__(self) -> Any:
        return _number(-plain(self), "-", 0, self)


class TracedInt(_Arithmetic, int):  # type: ignore[misc]
    """A whole number."""


class TracedFloat(_Arithmetic, float):  # type: ignore[misc]
    """Any other number."""


class TracedWord(Traced, Word):
    """A word: a layer passed to a block."""


class TracedClass(Traced, ClassName):
    """A layer class."""


class TracedTuple(Traced, tuple):  # type: ignore[type-arg]
    """A tuple with traced items."""


class TracedList(Traced, list):  # type: ignore[type-arg]
    """A list; its items are plain values."""


_PLAIN: dict[type, Callable[[Any], Any]] = {
    TracedInt: int,
    TracedFloat: float,
    TracedClass: ClassName,
    TracedList: list,
    TracedTuple: lambda value: tuple(map(plain, value)),
    tuple: lambda value: tuple(map(plain, value)),
    AllAxes: lambda value: tuple(map(plain, value)),
}


def plain(value: Any) -> Any:
    """A value without its expression."""
    make = _PLAIN.get(type(value))
    return value if make is None else make(value)
