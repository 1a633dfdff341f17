"""Values that remember the Python expression that they come from.

The emitter carries a block out once more with such values for its parameters: `conv 4*width 1x1`
then makes a convolution whose filters are 256 and `4 * width`. They are numbers, words and tuples
like any others, and compare as such; only what is computed from them says how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from ..language.evaluate import divisible
from ..language.values import Traced as Remembers
from ..language.values import Word, python
from ..ops.base import ClassName

# ---- expressions ------------------------------------------------------------------------------

_BINDING = {
    "or": 1, "and": 2, "not": 3, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6,
}  # fmt: skip
_ATOM = 8

_COMPUTE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b, "//": lambda a, b: a // b, "%": lambda a, b: a % b,
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "and": lambda a, b: a and b, "or": lambda a, b: a or b,
}  # fmt: skip

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "max": max, "min": min, "round": round, "len": len, "divisible": divisible,
}  # fmt: skip
"""What an expression may call."""

_COMMUTE = frozenset({"==", "!=", "and", "or"})
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class Code:
    """An expression of Python over names."""

    __slots__ = ()

    def written(self) -> tuple[str, int]:
        """Its text, and how strongly that binds."""
        raise NotImplementedError

    def value(self, names: Mapping[str, Any]) -> Any:
        """What it comes to, with a value for each name."""
        raise NotImplementedError

    def parts(self) -> Sequence[Code]:
        return ()

    def names(self) -> set[str]:
        found: set[str] = set()
        stack: list[Code] = [self]
        while stack:
            code = stack.pop()
            if isinstance(code, Named):
                found.add(code.name)
            stack += code.parts()
        return found

    def text(self, around: int = 0) -> str:
        text, binding = self.written()
        return f"({text})" if binding < around else text

    def __str__(self) -> str:
        return self.written()[0]


@dataclass(frozen=True, slots=True, eq=True)
class Named(Code):
    name: str

    def written(self) -> tuple[str, int]:
        return self.name, _ATOM

    def value(self, names: Mapping[str, Any]) -> Any:
        return names[self.name]


@dataclass(frozen=True, slots=True, eq=False)
class Constant(Code):
    content: Any

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Constant) or type(self.content) is not type(other.content):
            return False
        return bool(self.content == other.content)

    def __hash__(self) -> int:
        return hash(repr(self.content))

    def written(self) -> tuple[str, int]:
        text = python(self.content)
        return text, 7 if text.startswith("-") else _ATOM

    def value(self, names: Mapping[str, Any]) -> Any:
        return self.content


@dataclass(frozen=True, slots=True)
class Operation(Code):
    sign: str
    left: Code
    right: Code

    def parts(self) -> Sequence[Code]:
        return self.left, self.right

    def written(self) -> tuple[str, int]:
        binding = _BINDING[self.sign]
        left = self.left.text(binding + (binding == 4))
        return f"{left} {self.sign} {self.right.text(binding + 1)}", binding

    def value(self, names: Mapping[str, Any]) -> Any:
        return _COMPUTE[self.sign](self.left.value(names), self.right.value(names))


@dataclass(frozen=True, slots=True)
class Not(Code):
    of: Code

    def parts(self) -> Sequence[Code]:
        return (self.of,)

    def written(self) -> tuple[str, int]:
        return f"not {self.of.text(3)}", 3

    def value(self, names: Mapping[str, Any]) -> Any:
        return not self.of.value(names)


@dataclass(frozen=True, slots=True)
class Item(Code):
    """`kernel[0]`."""

    of: Code
    index: int

    def parts(self) -> Sequence[Code]:
        return (self.of,)

    def written(self) -> tuple[str, int]:
        return f"{self.of.text(_ATOM)}[{self.index}]", _ATOM

    def value(self, names: Mapping[str, Any]) -> Any:
        return self.of.value(names)[self.index]


@dataclass(frozen=True, slots=True)
class Applied(Code):
    """`max(8, width)`."""

    function: str
    arguments: tuple[Code, ...]

    def parts(self) -> Sequence[Code]:
        return self.arguments

    def written(self) -> tuple[str, int]:
        return f"{self.function}({', '.join(map(str, self.arguments))})", _ATOM

    def value(self, names: Mapping[str, Any]) -> Any:
        return FUNCTIONS[self.function](*[each.value(names) for each in self.arguments])


@dataclass(frozen=True, slots=True)
class Several(Code):
    """`(3, width)`."""

    items: tuple[Code, ...]

    def parts(self) -> Sequence[Code]:
        return self.items

    def written(self) -> tuple[str, int]:
        ofs = [each.of for each in self.items if isinstance(each, Item)]
        if [Item(ofs[0], n) if ofs else None for n in range(len(self.items))] == [*self.items]:
            return ofs[0].written()
        end = "," if len(self.items) == 1 else ""
        return f"({', '.join(map(str, self.items))}{end})", _ATOM

    def value(self, names: Mapping[str, Any]) -> Any:
        return tuple([each.value(names) for each in self.items])


def operation(sign: str, left: Code, right: Code, whole: bool = True) -> Code:
    """Two expressions brought together; of whole numbers, what is known about them is worked out
    at once: `kernel - 1 + 1` is `kernel`."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        return Constant(_COMPUTE[sign](left.content, right.content))
    if whole:
        if sign in ("+", "-"):
            return _sum(sign, left, right)
        if sign == "*":
            return _product(left, right)
        if sign == "//" and isinstance(right, Constant):
            return _quotient(left, right.content)
    return Operation(sign, left, right)


def _apart(code: Code) -> tuple[Code | None, int]:
    """What is added to a number, and the number."""
    if isinstance(code, Constant):
        return None, code.content
    if isinstance(code, Operation) and isinstance(code.right, Constant):
        if code.sign == "+":
            return code.left, code.right.content
        if code.sign == "-":
            return code.left, -code.right.content
    return code, 0


def _sum(sign: str, left: Code, right: Code) -> Code:
    (one, first), (two, second) = _apart(left), _apart(right)
    number = first + second if sign == "+" else first - second
    if one is None and two is None:
        return Constant(number)
    if one is not None and two is not None:
        base: Code = Operation(sign, one, two)
        parts = _as_sum(base)
        if len(parts) < len(_as_sum(one)) + len(_as_sum(two)):
            base = _from_sum(parts)
            if isinstance(base, Constant):
                return Constant(base.content + number)
    elif two is None:
        base = one  # type: ignore[assignment]
    elif sign == "-":
        return Operation("-", Constant(number), two)
    else:
        base = two
    if number == 0:
        return base
    return Operation("+" if number > 0 else "-", base, Constant(abs(number)))


def _product(left: Code, right: Code) -> Code:
    if isinstance(right, Constant):
        left, right = right, left
    if isinstance(left, Constant):
        if left.content == 1:
            return right
        if left.content == 0:
            return left
        if isinstance(right, Operation) and right.sign == "*" and isinstance(right.left, Constant):
            return _product(Constant(left.content * right.left.content), right.right)
    return Operation("*", left, right)


def _quotient(left: Code, by: int) -> Code:
    if by == 1:
        return left
    if isinstance(left, Operation) and left.sign == "*" and isinstance(left.left, Constant):
        times, rest = divmod(left.left.content, by)
        if not rest:
            return _product(Constant(times), left.right)
    return Operation("//", left, Constant(by))


def negated(code: Code) -> Code:
    if isinstance(code, Not):
        return code.of
    if isinstance(code, Operation) and code.sign in ("and", "or"):
        other = "or" if code.sign == "and" else "and"
        return Operation(other, negated(code.left), negated(code.right))
    if isinstance(code, Operation) and code.sign in _OPPOSITE:
        return Operation(_OPPOSITE[code.sign], code.left, code.right)
    return Not(code)


def conditions(code: Code) -> list[Code]:
    """What has to hold, all of it."""
    if isinstance(code, Operation) and code.sign == "and":
        return [*conditions(code.left), *conditions(code.right)]
    return [code]


def all_of(parts: Sequence[Code]) -> Code:
    """One condition that holds where each of some does."""
    return reduce(lambda whole, part: Operation("and", whole, part), parts)


def meaning(code: Code) -> object:
    """The same for conditions that ask the same in another order."""
    if isinstance(code, Operation) and code.sign in _COMMUTE:
        if code.sign == "and":
            return "and", frozenset(map(meaning, conditions(code)))
        return code.sign, frozenset((meaning(code.left), meaning(code.right)))
    return code


def replaced(code: Code, by: Mapping[Any, Code]) -> Code:
    """The same, with others in the place of some expressions."""
    if code in by:
        return by[code]
    if isinstance(code, Operation):
        left, right = replaced(code.left, by), replaced(code.right, by)
        if isinstance(left, Constant) and isinstance(right, Constant):
            return operation(code.sign, left, right)
        return Operation(code.sign, left, right)
    if isinstance(code, Not):
        return Not(replaced(code.of, by))
    if isinstance(code, Item):
        return Item(replaced(code.of, by), code.index)
    if isinstance(code, Applied):
        return Applied(code.function, tuple([replaced(each, by) for each in code.arguments]))
    if isinstance(code, Several):
        return Several(tuple([replaced(each, by) for each in code.items]))
    return code


Sum = dict[tuple[Code, ...], int]


def _as_sum(code: Code) -> Sum:
    """Products of what cannot be taken apart, with how often each is added."""
    if isinstance(code, Constant) and type(code.content) is int:
        return {(): code.content} if code.content else {}
    if isinstance(code, Operation) and code.sign in ("+", "-", "*"):
        left, right = _as_sum(code.left), _as_sum(code.right)
        found: Sum = {}
        if code.sign == "*":
            for one, often in left.items():
                for two, more in right.items():
                    key = tuple(sorted((*one, *two), key=str))
                    found[key] = found.get(key, 0) + often * more
        else:
            factor = 1 if code.sign == "+" else -1
            found = dict(left)
            for key, often in right.items():
                found[key] = found.get(key, 0) + factor * often
        return {key: often for key, often in found.items() if often}
    return {(code,): 1}


def same(one: Code, two: Code) -> bool:
    """Whether two expressions are equal, whatever the names stand for."""
    return one == two or _as_sum(one) == _as_sum(two)


def difference(one: Code, two: Code) -> Code:
    """`two - one`."""
    found = _as_sum(two)
    for key, often in _as_sum(one).items():
        found[key] = found.get(key, 0) - often
    return _from_sum(found)


def _from_sum(parts: Sum) -> Code:
    found: Code = Constant(0)
    for key in sorted(parts, key=lambda parts: (not parts, *map(str, parts))):
        product: Code = Constant(abs(parts[key]))
        for part in key:
            product = _product(product, part)
        if parts[key]:
            sign = "+" if parts[key] > 0 else "-"
            joined = isinstance(found, Constant) or isinstance(product, Constant)
            found = _sum(sign, found, product) if joined else Operation(sign, found, product)
    return found


# ---- values -----------------------------------------------------------------------------------


class Traced(Remembers):
    """A value with the expression for it."""

    code: Code

    def applied(self, function: str, arguments: Sequence[Any], value: Any) -> Any:
        return traced(value, Applied(function, tuple(map(code_of, arguments))))

    def python(self) -> str:
        return str(self.code)

    def operand(self, value: float) -> Any:
        if isinstance(value, Traced):
            return value
        found = TracedFloat(value)
        found.code = Constant(float(value))
        return found


def code_of(value: Any) -> Code:
    """The expression for a value."""
    if isinstance(value, Traced):
        return value.code
    if type(value) is tuple and any(isinstance(each, Traced) for each in value):
        return Several(tuple([code_of(each) for each in value]))
    return Constant(value)


def traced(value: Any, code: Code) -> Any:
    """The same value, with an expression for it where it can carry one."""
    if isinstance(code, Constant) or isinstance(value, bool):
        return value
    found: Any
    if isinstance(value, int):
        found = TracedInt(value)
    elif isinstance(value, float):
        found = TracedFloat(value)
    elif isinstance(value, Word):
        found = TracedWord(value)
    elif isinstance(value, tuple) and type(value) is tuple:
        found = TracedTuple([traced(each, Item(code, n)) for n, each in enumerate(value)])
    elif type(value) is list:
        found = TracedList([traced(each, Item(code, n)) for n, each in enumerate(value)])
    elif isinstance(value, ClassName):
        found = TracedKind(value)
    else:
        return value
    found.code = code
    return found


def _number(value: Any, sign: str, left: Any, right: Any) -> Any:
    whole = isinstance(left, int) and isinstance(right, int) and isinstance(value, int)
    return traced(value, operation(sign, code_of(left), code_of(right), whole))


def _binary(sign: str, reflected: bool = False) -> Callable[[Any, Any], Any]:
    compute = _COMPUTE[sign]

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

    def __neg__(self) -> Any:
        return _number(-plain(self), "-", 0, self)


class TracedInt(_Arithmetic, int):
    """A whole number."""


class TracedFloat(_Arithmetic, float):
    """Any other number."""


class TracedWord(Traced, Word):
    """A word: a layer that is handed to a block."""


class TracedTuple(Traced, tuple):  # type: ignore[type-arg]
    """A tuple, whose items are traced too."""


def plain(value: Any) -> Any:
    """A value without its expression."""
    if isinstance(value, TracedInt):
        return int(value)
    if isinstance(value, TracedFloat):
        return float(value)
    if isinstance(value, TracedTruth):
        return value.truth
    if isinstance(value, TracedKind):
        return ClassName(value)
    if type(value) in (TracedTuple, tuple):
        return tuple([plain(each) for each in value])
    if type(value) in (TracedList, list):
        return [plain(each) for each in value]
    return value


class TracedTruth(Traced):
    """True or False, which Python lets nobody inherit from."""

    def __init__(self, value: bool, code: Code) -> None:
        self.truth = value
        self.code = code

    def __bool__(self) -> bool:
        return self.truth

    def __eq__(self, other: object) -> bool:
        return self.truth == (other.truth if isinstance(other, TracedTruth) else other)

    def __hash__(self) -> int:
        return hash(self.truth)


class TracedList(Traced, list):  # type: ignore[type-arg]
    """A list, whose items are traced too."""


class TracedKind(Traced, ClassName):
    """A class of layers."""
