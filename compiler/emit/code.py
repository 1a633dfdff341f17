"""Expressions of Python over names: what stands in the constructor of a class.

`conv 4*width 1x1` of a block becomes `Call(nn.Conv2d, in_channels, 4 * width, 1)`, a tree of these.
A tree has a text (`doc`), and a value once its names have some, by which it is compared with what
the network says.
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
    "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6,
}  # fmt: skip
_ATOM = 8

COMPUTE: Mapping[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b, "//": lambda a, b: a // b, "%": lambda a, b: a % b,
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "and": lambda a, b: a and b, "or": lambda a, b: a or b, "not": lambda a: not a,
}  # fmt: skip

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "max": max, "min": min, "round": round, "len": len, "divisible": divisible, "range": range,
}  # fmt: skip
"""What an expression may call; any other call makes a module."""

_COMMUTE = frozenset({"==", "!=", "and", "or"})
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}

NO_VALUE = (ArithmeticError, TypeError, KeyError, IndexError)
"""What `Code.value` raises where an expression means nothing."""

INDEX, VALUE = "i", "value"
"""The variables of comprehensions, where there is no better name."""


class Code:
    """An expression: what is its own (a name, a sign, a function), and the expressions in it."""

    __slots__ = ("own", "parts")

    def __init__(self, own: Any, *parts: Code) -> None:
        self.own = own
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Code) or type(self) is not type(other):
            return False
        same = type(self.own) is type(other.own) and self.own == other.own
        return bool(same and self.parts == other.parts)

    def __hash__(self) -> int:
        return hash((self.own, self.parts))

    def value(self, names: Mapping[str, Any]) -> Any:
        """What it comes to, with a value for each name."""
        raise NotImplementedError

    def doc(self) -> Doc:
        """Its text."""
        raise NotImplementedError

    @property
    def binding(self) -> int:
        """How strongly its parts hold together."""
        return _ATOM

    def text(self, around: int = 0) -> str:
        """Its text, in parentheses where what is around it binds more strongly."""
        return f"({self.doc()})" if self.binding < around else str(self.doc())

    __str__ = text

    def with_parts(self, parts: Sequence[Code]) -> Code:
        return type(self)(self.own, *parts)

    def names(self) -> set[str]:
        return set().union(*[part.names() for part in self.parts])


class Named(Code):
    """`width`."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        return names[self.own]

    def doc(self) -> Doc:
        return str(self.own)

    def names(self) -> set[str]:
        return {self.own}


class Constant(Code):
    """`64`."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(repr(self.own))

    def value(self, names: Mapping[str, Any]) -> Any:
        return self.own

    def doc(self) -> Doc:
        if isinstance(self.own, list) and not any(isinstance(e, list | tuple) for e in self.own):
            return Group("[", tuple(map(python, self.own)), "]")  # may need several lines
        return python(self.own)

    @property
    def binding(self) -> int:
        return 7 if isinstance(self.own, int | float) and self.own < 0 else _ATOM

    def names(self) -> set[str]:
        return set()


class Operation(Code):
    """`4 * width`, `not last`."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        return COMPUTE[self.own](*[part.value(names) for part in self.parts])

    def doc(self) -> Doc:
        if self.own == "not":
            return f"not {self.parts[0].text(self.binding)}"
        left = self.parts[0].text(self.binding + (self.binding == 4))
        return f"{left} {self.own} {self.parts[1].text(self.binding + 1)}"

    @property
    def binding(self) -> int:
        return _BINDING[self.own]


class Item(Code):
    """`kernel[0]`."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        return self.parts[0].value(names)[self.own]

    def doc(self) -> Doc:
        return f"{self.parts[0].text(_ATOM)}[{self.own}]"


class Several(Code):
    """`(3, width)`."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> Any:
        return tuple([part.value(names) for part in self.parts])

    def doc(self) -> Doc:
        return f"({', '.join(map(str, self.parts))}{',' if len(self.parts) == 1 else ''})"


class Leaf(NamedTuple):
    """A place for a value."""

    name: str = ""
    """`stride`, where that is known."""
    usual: Any = ...
    """Of an option: left out where it is this. `...` for what is no option."""


BY_NAME: Any = object()
"""In place of what an option usually is: it has to be given, and is given by name."""


class Callee(NamedTuple):
    """What is called, and a place for each of its arguments."""

    name: str
    """Empty for a list; GIVEN where the first argument says it."""
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
        if self.own.name in FUNCTIONS:
            return FUNCTIONS[self.own.name](*values)
        options = [leaf.name for leaf in self.own.leaves if leaf.usual is not ...]
        return (self.own.name, options, *values) if self.own.name else values

    def doc(self) -> Doc:
        docs: list[Doc] = []
        for leaf, part in zip(self.own.leaves, self.parts, strict=True):
            if leaf.usual is ...:
                docs.append(part.doc())
            elif not _is_usual(leaf.usual, part):
                doc = part.doc()
                is_group = isinstance(doc, Group)
                named = f"{leaf.name}={doc.before if is_group else doc}"  # type: ignore[union-attr]
                docs.append(doc._replace(before=named) if isinstance(doc, Group) else named)
        if self.own.name == GIVEN:
            return Group(f"{docs[0]}(", tuple(docs[1:]), ")")
        if self.own.name:
            return Group(f"{self.own.name}(", tuple(docs), ")")
        return Group("[", tuple(docs), "]")


def _is_usual(usual: Any, code: Code) -> bool:
    return isinstance(code, Constant) and (
        code == Constant(usual) or python(code.own) == python(usual)
    )


class Loop(Code):
    """`*[nn.ReLU() for i in range(3)]`: its variable, what is made in each round, and what of."""

    __slots__ = ()

    def value(self, names: Mapping[str, Any]) -> list[Any]:
        element, source = self.parts
        return [element.value({**names, self.own: each}) for each in source.value(names)]

    def doc(self) -> Doc:
        element, source = self.parts
        of = source.doc()
        each: Doc = f"for {self.own} in {of}"
        if isinstance(of, Group) and of.before.endswith("["):
            each = of._replace(before=f"for {self.own} in {of.before}")
        return Group("*[", (element.doc(), each), "]", commas=False)

    def names(self) -> set[str]:
        return self.parts[0].names() - {self.own} | self.parts[1].names()


class Either(Code):
    """`nn.ReLU() if last else nn.Identity()`."""

    __slots__ = ()

    def doc(self) -> Doc:
        return f"{self.parts[0]} if {self.parts[1]} else nn.Identity()"


def function(name: str, *arguments: Code) -> Call:
    return Call(Callee(name, (Leaf(),) * len(arguments)), *arguments)


# ---- modules and the values that they are made with ---------------------------------------------


def leaves(code: Code, leaf: Leaf = Leaf()) -> Iterator[tuple[Leaf, Code]]:  # noqa: B008
    """The values that modules are made with, each with its place, in order."""
    if isinstance(code, Loop):
        yield from leaves(code.parts[0])
        yield from leaves(code.parts[1], Leaf(f"{code.own}s"))
    elif isinstance(code, Call) and code.own.name == "range":
        yield from ((Leaf("count"), part) for part in code.parts)
    elif isinstance(code, Call) and code.own.name not in FUNCTIONS:
        for inner, part in zip(code.own.leaves, code.parts, strict=True):
            yield from leaves(part, inner)
    else:
        yield leaf, code


def with_leaves(code: Code, values: Iterator[Code]) -> Code:
    """The same modules, made with other values."""
    if isinstance(code, Loop) or (
        isinstance(code, Call) and (code.own.name == "range" or code.own.name not in FUNCTIONS)
    ):
        return code.with_parts([with_leaves(part, values) for part in code.parts])
    return next(values)


def frame(code: Code) -> Code:
    """The modules without their values: the same where only values differ."""
    return with_leaves(code, repeat(_ANY))


_ANY = Named("")


def alike(one: Any, two: Any) -> bool:
    """Whether values are equal, of numbers but for rounding: sums of rates may differ by that."""
    if isinstance(one, tuple | list):
        return isinstance(two, tuple | list) and len(one) == len(two) and all(map(alike, one, two))
    if isinstance(one, bool) or isinstance(two, bool):
        return bool(one == two) and isinstance(one, bool) == isinstance(two, bool)
    if isinstance(one, float) and isinstance(two, float):
        return f"{one:.14g}" == f"{two:.14g}"
    return bool(one == two)


# ---- arithmetic ---------------------------------------------------------------------------------


def operation(sign: str, left: Code, right: Code, whole: bool = True) -> Code:
    """Two expressions brought together; of whole numbers, what is known about them is worked out
    at once: `kernel - 1 + 1` is `kernel`."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        return Constant(COMPUTE[sign](left.own, right.own))
    plain = Operation(sign, left, right)
    if not whole:
        return plain
    if sign in ("+", "-"):
        return from_sum(as_sum(plain))
    if sign == "*" and isinstance(right, Constant):
        return operation("*", right, left)
    if sign == "*" and isinstance(left, Constant):
        one = left.own in (0, 1) or len(as_sum(right)) == 1
        return from_sum(as_sum(plain)) if one else plain
    if sign == "//" and isinstance(right, Constant) and right.own:
        found = as_sum(left)
        if right.own == 1:
            return left
        if not any(often % right.own for often in found.values()):
            return from_sum({key: often // right.own for key, often in found.items()})
    return plain


Sum = dict[tuple[Code, ...], int]
"""Products of what cannot be taken apart, with how often each is added."""


def as_sum(code: Code) -> Sum:
    if isinstance(code, Constant) and type(code.own) is int:
        return {(): code.own} if code.own else {}
    if not isinstance(code, Operation) or code.own not in ("+", "-", "*"):
        return {(code,): 1}
    left, right = map(as_sum, code.parts)
    if code.own != "*":
        return plus(left, right, 1 if code.own == "+" else -1)
    found: Sum = {}
    for one, often in left.items():
        for two, more in right.items():
            found = plus(found, {tuple(sorted((*one, *two), key=str)): often * more})
    return found


def plus(one: Sum, two: Sum, times: int = 1) -> Sum:
    found = dict(one)
    for key, often in two.items():
        found[key] = found.get(key, 0) + times * often
    return {key: often for key, often in found.items() if often}


def from_sum(parts: Sum) -> Code:
    found: Code = Constant(0)
    for key in sorted(parts, key=lambda key: (not key, parts[key] < 0, *map(str, key))):
        first = found == Constant(0) and parts[key] > 0
        often = parts[key] if first else abs(parts[key])
        factors = [Constant(often)] * (often != 1 or not key) + [*key]
        product = reduce(lambda one, two: Operation("*", one, two), factors)
        sign = "+" if parts[key] > 0 else "-"
        found = product if first else Operation(sign, found, product)
    return found


def same(one: Code, two: Code) -> bool:
    """Whether two expressions are equal, whatever the names stand for."""
    return one == two or as_sum(one) == as_sum(two)


# ---- conditions ---------------------------------------------------------------------------------


def negated(code: Code) -> Code:
    if isinstance(code, Constant):
        return Constant(not code.own)
    if isinstance(code, Operation) and code.own == "not":
        return code.parts[0]
    if isinstance(code, Operation) and code.own in ("and", "or"):
        return Operation("or" if code.own == "and" else "and", *map(negated, code.parts))
    if isinstance(code, Operation) and code.own in OPPOSITE:
        return Operation(OPPOSITE[code.own], *code.parts)
    return Operation("not", code)


def all_of(parts: Sequence[Code]) -> Code:
    """One condition that holds where each of some does."""
    return reduce(lambda whole, part: Operation("and", whole, part), parts)


def meaning(code: Code) -> object:
    """The same for conditions that ask the same in another order."""
    if isinstance(code, Operation) and code.own in _COMMUTE:
        found: list[object] = []
        for part in map(meaning, code.parts):
            is_same = isinstance(part, tuple) and part[0] == code.own and code.own in ("and", "or")
            found += part[1] if is_same else [part]  # type: ignore[index]
        return code.own, frozenset(found)
    return code


def replaced(code: Code, by: Mapping[Code, Code]) -> Code:
    """The same, with others in the place of some expressions."""
    if code in by:
        return by[code]
    if not code.parts:
        return code
    if isinstance(code, Loop):  # its variable is another than the one outside
        inside = {old: new for old, new in by.items() if code.own not in old.names()}
        return code.with_parts([replaced(code.parts[0], inside), replaced(code.parts[1], by)])
    parts = [replaced(part, by) for part in code.parts]
    if isinstance(code, Operation) and all(isinstance(part, Constant) for part in parts):
        return Constant(COMPUTE[code.own](*[part.own for part in parts]))
    return code.with_parts(parts)


def holds(code: Code, part: Code) -> bool:
    """Whether an expression is another, or has it inside."""
    return code == part or any(holds(each, part) for each in code.parts)
