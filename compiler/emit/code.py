"""Python expressions over names, as they appear in the constructor of a class.

`conv 4*width 1x1` of a block becomes the tree `Call(nn.Conv2d, in_channels, 4 * width, 1)`. A tree
has a text (`doc`), and a value for given values of its names, which is compared with the value in
the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import repeat
from typing import Any, NamedTuple

from ..language.evaluate import divisible
from ..language.values import python
from .layout import Doc, Group

_BINDING = {
    "or": 1, "and": 2, "not": 3, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "**": 7,
}  # fmt: skip
_ATOM = 8

COMPUTE: Mapping[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b, "//": lambda a, b: a // b, "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "and": lambda a, b: a and b, "or": lambda a, b: a or b, "not": lambda a: not a,
}  # fmt: skip

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "max": max, "min": min, "round": round, "len": len, "divisible": divisible, "range": range,
}  # fmt: skip
"""The functions that expressions call; any other call creates a module."""

_COMMUTE = frozenset({"==", "!=", "and", "or"})
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}

NO_VALUE = (ArithmeticError, TypeError, KeyError, IndexError)
"""The exceptions of `Code.value` for an expression that has no value."""

INDEX, VALUE = "i", "value"
"""The variables of comprehensions, if there is no better name."""


class Code:
    """An expression: its content (a name, a constant, an operator, a function) and its operands."""

    __slots__ = ("content", "parts")

    def __init__(self, content: Any, *parts: Code) -> None:
        self.content = content
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Code) or type(self) is not type(other):
            return False
        same = type(self.content) is type(other.content) and self.content == other.content
        return bool(same and self.parts == other.parts)

    def __hash__(self) -> int:
        return hash((self.content, self.parts))

    def value(self, names: Mapping[str, Any]) -> Any:
        """Its value, given a value for each name."""
        raise NotImplementedError

    def doc(self) -> Doc:
        """Its text."""
        raise NotImplementedError

    @property
    def binding(self) -> int:
        """The precedence of its operator."""
        return _ATOM

    def text(self, around: int = 0) -> str:
        """Its text, in parentheses if the precedence around it is higher."""
        return f"({self.doc()})" if self.binding < around else str(self.doc())

    __str__ = text

    def with_parts(self, parts: Sequence[Code]) -> Code:
        return type(self)(self.content, *parts)

    def names(self) -> set[str]:
        return set().union(*[part.names() for part in self.parts])

    def indexed(self) -> set[str]:
        """The names of tuples of which it reads single items."""
        return set().union(*[part.indexed() for part in self.parts])


class Named(Code):
    """`width`."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        return names[self.content]

    def doc(self) -> Doc:
        return str(self.content)

    def names(self) -> set[str]:
        return {self.content}


class Constant(Code):
    """`64`."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(repr(self.content))

    def value(self, names: Mapping[str, Any]) -> Any:
        return self.content

    def doc(self) -> Doc:
        return _listed(self.content)

    @property
    def binding(self) -> int:
        return 7 if isinstance(self.content, int | float) and self.content < 0 else _ATOM

    def names(self) -> set[str]:
        return set()


def _listed(value: Any) -> Doc:
    """A list, or a list of lists, which may need several lines."""
    if not isinstance(value, list) or any(isinstance(item, tuple) for item in value):
        return python(value)
    return Group("[", tuple(map(_listed, value)), "]")


class Operation(Code):
    """`4 * width`, `not last`."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        return COMPUTE[self.content](*[part.value(names) for part in self.parts])

    def doc(self) -> Doc:
        if self.content == "not":
            return f"not {self.parts[0].text(self.binding)}"
        left = self.parts[0].text(self.binding + (self.binding in (4, 7)))
        if self.content == "**":
            right = self.parts[1].text(self.binding)
            close = all(isinstance(part, Named | Constant) for part in self.parts)
            return f"{left}**{right}" if close else f"{left} ** {right}"
        return f"{left} {self.content} {self.parts[1].text(self.binding + 1)}"

    @property
    def binding(self) -> int:
        return _BINDING[self.content]


class Item(Code):
    """`kernel[0]`: its place, and the number of places."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        return self.parts[0].value(names)[self.content[0]]

    def doc(self) -> Doc:
        return f"{self.parts[0].text(_ATOM)}[{self.content[0]}]"

    def indexed(self) -> set[str]:
        return self.names()


class Chosen(Code):
    """`widths[i]`: a list, and the place in it."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        items, index = self.parts
        return items.value(names)[index.value(names)]

    def doc(self) -> Doc:
        items, index = self.parts
        return f"{items.text(_ATOM)}[{index}]"


class Several(Code):
    """`(3, width)`."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        return tuple([part.value(names) for part in self.parts])

    def doc(self) -> Doc:
        return f"({', '.join(map(str, self.parts))}{',' if len(self.parts) == 1 else ''})"


class Leaf(NamedTuple):
    """The place of an argument in a call."""

    name: str = ""
    """`stride`, if it is known."""
    usual: Any = ...
    """The default of an option, which is then left out; `...` for a positional argument."""


BY_NAME: Any = object()
"""In place of a default: the argument is required, and written by name."""


class Callee(NamedTuple):
    """The function or class that is called, and the places of its arguments."""

    name: str
    """Empty for a list; GIVEN if the first argument is the class."""
    leaves: tuple[Leaf, ...]


GIVEN = "{}"


class Call(Code):
    """`nn.Conv2d(width, 8, stride=2)`, `max(8, width)`, `[…]`."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        values: list[Any] = []
        for part in self.parts:
            if isinstance(part, Loop):
                values += part.value(names)
            else:
                values.append(part.value(names))
        if self.content.name in FUNCTIONS:
            return FUNCTIONS[self.content.name](*values)
        options = [leaf.name for leaf in self.content.leaves if leaf.usual is not ...]
        return (self.content.name, options, *values) if self.content.name else values

    def doc(self) -> Doc:
        docs: list[Doc] = []
        for leaf, part in zip(self.content.leaves, self.parts, strict=True):
            if leaf.usual is ...:
                docs.append(part.doc())
            elif not _is_usual(leaf.usual, part):
                doc = part.doc()
                is_group = isinstance(doc, Group)
                named = f"{leaf.name}={doc.before if is_group else doc}"  # type: ignore[union-attr]
                docs.append(doc._replace(before=named) if isinstance(doc, Group) else named)
        if not self.content.name and len(self.parts) == 1 and isinstance(self.parts[0], Loop):
            (only,) = docs
            return only._replace(before="[") if isinstance(only, Group) else only
        if self.content.name == GIVEN:
            return Group(f"{docs[0]}(", tuple(docs[1:]), ")")
        if self.content.name:
            return Group(f"{self.content.name}(", tuple(docs), ")")
        return Group("[", tuple(docs), "]")


def _is_usual(usual: Any, code: Code) -> bool:
    return isinstance(code, Constant) and (
        code == Constant(usual) or python(code.content) == python(usual)
    )


class Loop(Code):
    """`*[nn.ReLU() for i in range(3)]`: the variable, the element and the iterable."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> list[Any]:
        element, source = self.parts
        return [element.value({**names, self.content: each}) for each in source.value(names)]

    def doc(self) -> Doc:
        element, source = self.parts
        of = source.doc()
        each: Doc = f"for {self.content} in {of}"
        if isinstance(of, Group) and of.before.endswith("["):
            each = of._replace(before=f"for {self.content} in {of.before}")
        return Group("*[", (element.doc(), each), "]", commas=False)

    def names(self) -> set[str]:
        return self.parts[0].names() - {self.content} | self.parts[1].names()


class Conditional(Code):
    """`2 if down else 1`: the first value, the condition, the other value."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        value, condition, otherwise = self.parts
        return (value if condition.value(names) else otherwise).value(names)

    def doc(self) -> Doc:
        value, condition, otherwise = self.parts
        return f"{value.text(1)} if {condition.text(1)} else {otherwise}"

    @property
    def binding(self) -> int:
        return 0


class Either(Code):
    """`nn.ReLU() if last else nn.Identity()`."""

    __slots__ = ()

    def doc(self) -> Doc:
        return f"{self.parts[0]} if {self.parts[1]} else nn.Identity()"


def several(*parts: Code) -> Code:
    """A tuple; `kernel` for `(kernel[0], kernel[1])`."""
    first = parts[0]
    if isinstance(first, Item):
        (whole,), count = first.parts, len(parts)
        if parts == tuple([Item((n, count), whole) for n in range(count)]):
            return whole
    return Several(None, *parts)


def conditional(value: Code, condition: Code, otherwise: Code) -> Code:
    """`a if condition else b`; `min(a, b)` for `a if a < b else b`."""
    sides = (value, otherwise)
    if isinstance(condition, Operation) and condition.content in ("<", "<=", ">", ">="):
        smaller = condition.parts if condition.content[0] == "<" else condition.parts[::-1]
        if {*smaller} == {*sides}:
            return function("min" if tuple(smaller) == sides else "max", *smaller)
    return Conditional(None, value, condition, otherwise)


def function(name: str, *arguments: Code) -> Call:
    return Call(Callee(name, (Leaf(),) * len(arguments)), *arguments)


# ---- modules and their arguments -----------------------------------------------------------------


def leaves(code: Code, leaf: Leaf = Leaf()) -> Iterator[tuple[Leaf, Code]]:  # noqa: B008
    """The arguments of modules, each with its place, in order."""
    if isinstance(code, Loop):
        yield from leaves(code.parts[0])
        several = f"all_{code.content}" if code.content.endswith("s") else f"{code.content}s"
        yield from leaves(code.parts[1], Leaf(several))
    elif isinstance(code, Call) and code.content.name == "range":
        yield from ((Leaf("count"), part) for part in code.parts)
    elif isinstance(code, Call) and code.content.name not in FUNCTIONS:
        for inner, part in zip(code.content.leaves, code.parts, strict=True):
            yield from leaves(part, inner)
    else:
        yield leaf, code


def with_leaves(code: Code, values: Iterator[Code]) -> Code:
    """The same modules with other arguments."""
    if isinstance(code, Loop) or (
        isinstance(code, Call)
        and (code.content.name == "range" or code.content.name not in FUNCTIONS)
    ):
        return code.with_parts([with_leaves(part, values) for part in code.parts])
    return next(values)


def frame(code: Code) -> Code:
    """The modules without their arguments: equal for code that differs only in values."""
    return with_leaves(code, repeat(_ANY))


_ANY = Named("")


def equal_values(first: Any, second: Any) -> bool:
    """Whether values are equal, floats up to rounding: sums of rates may differ by that."""
    if isinstance(first, tuple | list):
        return (
            isinstance(second, tuple | list)
            and len(first) == len(second)
            and all(map(equal_values, first, second))
        )
    if isinstance(first, bool) or isinstance(second, bool):
        return bool(first == second) and isinstance(first, bool) == isinstance(second, bool)
    if isinstance(first, float) and isinstance(second, float):
        return f"{first:.14g}" == f"{second:.14g}"
    return bool(first == second)


# ---- arithmetic ---------------------------------------------------------------------------------


def operation(sign: str, left: Code, right: Code, whole: bool = True) -> Code:
    """An operation on second expressions, simplified if both are integers: `kernel - 1 + 1` is
    `kernel`."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        return Constant(COMPUTE[sign](left.content, right.content))
    plain = Operation(sign, left, right)
    if not whole:
        return plain
    if sign in ("+", "-"):
        return from_sum(as_sum(plain))
    if sign == "*" and isinstance(right, Constant):
        return operation("*", right, left)
    if sign == "*" and isinstance(left, Constant):
        first = left.content in (0, 1) or len(as_sum(right)) == 1
        return from_sum(as_sum(plain)) if first else plain
    if sign == "//" and isinstance(right, Constant) and right.content:
        result = as_sum(left)
        if right.content == 1:
            return left
        if not any(factor % right.content for factor in result.values()):
            return from_sum({key: factor // right.content for key, factor in result.items()})
    return plain


Sum = dict[tuple[Code, ...], int]
"""A sum of products, each with its coefficient."""


def as_sum(code: Code) -> Sum:
    if isinstance(code, Constant) and type(code.content) is int:
        return {(): code.content} if code.content else {}
    if not isinstance(code, Operation) or code.content not in ("+", "-", "*"):
        return {(code,): 1}
    left, right = map(as_sum, code.parts)
    if code.content != "*":
        return plus(left, right, 1 if code.content == "+" else -1)
    result: Sum = {}
    for first, factor in left.items():
        for second, other_factor in right.items():
            result = plus(
                result, {tuple(sorted((*first, *second), key=str)): factor * other_factor}
            )
    return result


def plus(first: Sum, second: Sum, times: int = 1) -> Sum:
    result = dict(first)
    for key, factor in second.items():
        result[key] = result.get(key, 0) + times * factor
    return {key: factor for key, factor in result.items() if factor}


def from_sum(parts: Sum) -> Code:
    result: Code = Constant(0)
    keys = sorted(parts, key=lambda key: (not key, parts[key] < 0, *map(str, key)))
    first_added = next((key for key in keys if parts[key] > 0), None)  # `2 - i`, not `-i + 2`
    for key in sorted(keys, key=lambda key: key != first_added):
        first = result == Constant(0) and parts[key] > 0
        factor = parts[key] if first else abs(parts[key])
        factors = [Constant(factor)] * (factor != 1 or not key) + [*key]
        product = reduce(lambda first, second: Operation("*", first, second), factors)
        sign = "+" if parts[key] > 0 else "-"
        result = product if first else Operation(sign, result, product)
    return result


def same(first: Code, second: Code) -> bool:
    """Whether second expressions are equal for all values of their names."""
    return first == second or as_sum(first) == as_sum(second)


# ---- conditions ---------------------------------------------------------------------------------


def negated(code: Code) -> Code:
    if isinstance(code, Constant):
        return Constant(not code.content)
    if isinstance(code, Operation) and code.content == "not":
        return code.parts[0]
    if isinstance(code, Operation) and code.content in ("and", "or"):
        return Operation("or" if code.content == "and" else "and", *map(negated, code.parts))
    if isinstance(code, Operation) and code.content in OPPOSITE:
        return Operation(OPPOSITE[code.content], *code.parts)
    return Operation("not", code)


def more_than(code: Code, number: int) -> Code:
    """`n > 1` for `n - 1 > 0`."""
    parts = as_sum(code)
    number -= parts.pop((), 0)
    return Operation(">", from_sum(parts), Constant(number))


def all_of(parts: Sequence[Code]) -> Code:
    """The conjunction of conditions."""
    return reduce(lambda whole, part: Operation("and", whole, part), parts)


def meaning(code: Code) -> object:
    """A key that is equal for conditions that differ only in order."""
    if isinstance(code, Operation) and code.content in _COMMUTE:
        result: list[object] = []
        for part in map(meaning, code.parts):
            is_same = (
                isinstance(part, tuple)
                and part[0] == code.content
                and code.content in ("and", "or")
            )
            result += part[1] if is_same else [part]  # type: ignore[index]
        return code.content, frozenset(result)
    return code


def replaced(code: Code, by: Mapping[Code, Code]) -> Code:
    """The same code with some expressions replaced."""
    if code in by:
        return by[code]
    if not code.parts:
        return code
    if isinstance(code, Loop):  # its variable hides first of the same name outside
        inside = {old: new for old, new in by.items() if code.content not in old.names()}
        return code.with_parts([replaced(code.parts[0], inside), replaced(code.parts[1], by)])
    parts = [replaced(part, by) for part in code.parts]
    result = code.with_parts(parts)
    is_function = isinstance(code, Call) and code.content.name in FUNCTIONS.keys() - {"range"}
    if isinstance(code, Operation) or is_function:
        if all(isinstance(part, Constant) for part in parts):
            return Constant(result.value({}))
        if code.content in ("+", "-") and parts[1] == Constant(0):
            return parts[0]
    return result


def holds(code: Code, part: Code) -> bool:
    """Whether an expression equals another or contains it."""
    return code == part or any(holds(each, part) for each in code.parts)
