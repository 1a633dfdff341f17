"""What the values in a class are: the same in all calls, an argument, or worked out from arguments.

The values of all calls are known, and so are those of the names that the spec has for them. An
expression is taken when it gives the right value in every call; the shortest first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from ..language.evaluate import divisible
from ..network import Node
from ..ops.base import Op, helper
from .asked import Question, holds_in
from .frame import INDEX, NAMED, UNKNOWN, VALUE, Kind, Leaf, Value, places, same
from .source import Names
from .unite import Place

Vector = tuple[Value, ...]
"""A value for each body."""


class Name(NamedTuple):
    """Something that the spec has a name for, with its value in each body."""

    name: str
    values: Vector
    default: Value = ...


class Parameter(NamedTuple):
    """An argument of a class."""

    name: str
    values: Vector
    default: Value = ...
    """`...` where there is none."""

    @property
    def usual(self) -> Value:
        """As in Leaf: rates have to be given, by name."""
        is_rate = self.default is ... and any(type(value) is float for value in self.values)
        return NAMED if is_rate else self.default

    @property
    def annotation(self) -> str:
        return " | ".join(dict.fromkeys(_type(value) for value in self.values))


class Solution(NamedTuple):
    """The texts of a class."""

    parameters: tuple[Parameter, ...]
    texts: tuple[tuple[str, ...], ...]
    """Of each place, its leaves."""
    conditions: tuple[str, ...]
    """Of each place, when it is there; empty where it always is."""
    local: tuple[tuple[str, str], ...] = ()
    """Names that the constructor gives to what it says often, with what they stand for."""


DIVISIBLE = helper(
    """\
def divisible(value: float, by: int = 8) -> int:
    nearest = max(by, int(value + by / 2) // by * by)
    return nearest + by if nearest < 0.9 * value else nearest
"""
)


def literal(value: Value) -> str:
    """A value as it is written in Python."""
    if isinstance(value, Kind):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)


def _type(value: Value) -> str:
    if isinstance(value, Kind):
        return "type[nn.Module]"
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(_type, value))}]"
    if isinstance(value, list):
        return f"list[{_type(value[0])}]" if value else "list[int]"
    return type(value).__name__


class Arithmetic(NamedTuple):
    """What the spec's text computes with: sizes may come from it, and from nothing else."""

    numbers: tuple[int, ...]
    operators: frozenset[str]
    divisible: bool


NO_ARITHMETIC = Arithmetic((), frozenset(), divisible=False)


def solve(
    places_: Sequence[Place],
    known: Sequence[Name],
    arithmetic: Arithmetic,
    taken: Sequence[str],
    questions: Sequence[Question | None],
) -> Solution:
    """`known`: names of the spec, the preferred first; `questions`: what its conditions ask before
    each place."""
    solver = _Solver(known, arithmetic, taken)
    slots = list(_slots(places_))
    solver.choose([slot.values for slot in slots])
    texts: dict[tuple[int, int], str] = {}
    # What is known in all calls comes first: the rest may be the same.
    for slot in sorted(slots, key=lambda slot: UNKNOWN in slot.values):
        texts[slot.place, slot.leaf] = solver.text(slot)
    conditions = dict.fromkeys(range(len(places_)), "")
    # What a sum waits for, other steps of its residual do too.
    for number in sorted(conditions, key=lambda number: not _is_sum(places_[number])):
        conditions[number] = _condition(
            solver, places_[number], questions[number], list(texts.values())
        )
    return Solution(
        solver.parameters(),
        tuple(
            tuple(texts[n, leaf] for leaf in range(len(place.leaves[0])))
            for n, place in enumerate(places_)
        ),
        tuple(conditions.values()),
    )


class _Slot(NamedTuple):
    place: int
    leaf: int
    values: Vector
    name: str
    """What an argument for it would be called."""
    usual: Value
    is_width: bool
    """Whether it counts the channels that enter or leave a layer."""


def _slots(places_: Sequence[Place]) -> Iterator[_Slot]:
    for number, place in enumerate(places_):
        frame = place.step.frame
        leaves = list(places(frame)) if frame else []
        for position, leaf in enumerate(leaves):
            values = tuple([own[position] for own in place.leaves])
            value = values[place.present.index(True)]
            name = _slot_name(place, leaf, value)
            yield _Slot(number, position, values, name, leaf.usual, _is_width(place, leaf, value))


def _is_width(place: Place, leaf: Leaf, value: Value) -> bool:
    item = place.step.item
    if not isinstance(item, Node) or leaf.usual is not ...:
        return False
    return value in (item.shape[0], item.input_shapes[0][0])


def _slot_name(place: Place, leaf: Leaf, value: Value) -> str:
    """What an argument for a value would be called."""
    if leaf.usual is not ... or isinstance(value, Kind):
        return leaf.name
    if leaf.name:
        return leaf.name if place.step.loop else f"{place.step.name}_{leaf.name}"
    op: Op | None = getattr(place.step.item, "op", None)
    if op is not None and place.step.frame is not None:
        options = {each.name for each in places(place.step.frame)}
        for field in op.fields:
            if field not in options and same(plain(getattr(op, field)), value):
                return f"{place.step.name}_channels" if field == "out" else field
    return f"{place.step.name}_size"


def plain(value: Value) -> Value:
    """As torch is told: `3` for `(3, 3)`; numbers to the digits that they have."""
    if type(value) is float:
        return float(f"{value:.15g}")
    square = isinstance(value, tuple) and len(value) == 2 and same(value[0], value[1])
    return value[0] if isinstance(value, tuple) and square else value


class _Solver:
    def __init__(self, known: Sequence[Name], arithmetic: Arithmetic, taken: Sequence[str]) -> None:
        self.names = Names([*taken, INDEX, VALUE])
        self.everything = list(known)
        self.known = [name for name in known if _varies(name.values)]
        same_in_all = [name.values[0] for name in known if not _varies(name.values)]
        whole = [value for value in same_in_all if type(value) is int]
        numbers = {number for number in (*arithmetic.numbers, *whole) if number > 1}
        self.arithmetic = arithmetic._replace(numbers=tuple(sorted(numbers)))
        self.chosen: dict[str, Parameter] = {}
        """By the name in the spec."""
        self.solved: list[tuple[Vector, str]] = []
        self.asked: dict[tuple[bool, ...], str] = {}
        """By its answers in the bodies: a question."""

    def choose(self, vectors: Sequence[Vector]) -> None:
        """The names that values are, each value one: those first that nothing else would do for."""
        waiting = []
        for vector in vectors:
            if _varies(vector):
                matching = [name for name in self.known if _match(vector, name.values)]
                if len(matching) == 1:
                    self.use(matching[0])
                elif matching:
                    waiting.append(matching)
        for matching in waiting:
            if not any(name.name in self.chosen for name in matching):
                self.use(matching[0])

    def use(self, name: Name) -> Parameter:
        if name.name not in self.chosen:
            free = self.names.free(name.name)
            self.chosen[name.name] = Parameter(free, name.values, name.default)
        return self.chosen[name.name]

    def text(self, slot: _Slot) -> str:
        known = [value for value in slot.values if value is not UNKNOWN]
        if not _varies(slot.values):
            named = self.named(slot) if len(known) < len(slot.values) else ""
            return named or (literal(known[0]) if known else "0")
        for values, text in self.solved:
            if _match(slot.values, values):
                return text
        text = self.expression(slot) or self.argument(slot)
        self.solved.append((slot.values, text))
        return text

    def named(self, slot: _Slot) -> str:
        """An argument that means the same, for a value that is only known where it is the same."""
        for key, parameter in self.chosen.items():
            alike = parameter.name == slot.name or (slot.is_width and not key.endswith("="))
            if alike and _match(slot.values, parameter.values):
                return parameter.name
        return ""

    def expression(self, slot: _Slot) -> str:
        text, _ = self.simplest(slot, self.arguments())
        if text:
            return text
        for name in self.simplest(slot, self.known)[1]:
            self.use(name)
        return self.simplest(slot, self.arguments())[0]

    def simplest(self, slot: _Slot, names: Sequence[Name]) -> tuple[str, list[Name]]:
        found = _expressions(slot.values, names, self.arithmetic)
        if slot.name != "count":
            return next(found, ("", []))
        # One round is often said apart; that there are half as many is mostly chance.
        return min(found, key=lambda each: "//" in each[0], default=("", []))

    def arguments(self) -> list[Name]:
        return [Name(parameter.name, parameter.values) for parameter in self.chosen.values()]

    def argument(self, slot: _Slot) -> str:
        """A new argument that is just this value."""
        known = [value for value in slot.values if value is not UNKNOWN]
        default = ... if slot.usual is NAMED else slot.usual
        if default is ... and len(known) < len(slot.values):
            default = known[0]
        values = tuple([default if value is UNKNOWN else value for value in slot.values])
        return self.add(slot.name, values, default)

    def add(self, name: str, values: Vector, default: Value) -> str:
        free = self.names.free(name, "size")
        self.chosen[f"{free}="] = Parameter(free, values, default)
        return free

    def parameters(self) -> tuple[Parameter, ...]:
        """In the order of the spec, then what it has no name for; those with defaults last."""
        order = [name.name for name in self.known]
        found = sorted(
            self.chosen.items(), key=lambda each: order.index(each[0]) if each[0] in order else 999
        )
        given = [p for _, p in found]
        return tuple(sorted(given, key=lambda p: (p.default is not ..., p.usual is not ...)))


def _varies(vector: Vector) -> bool:
    known = [value for value in vector if value is not UNKNOWN]
    return any(not same(value, known[0]) for value in known)


def _match(vector: Vector, values: Sequence[Value]) -> bool:
    return all(a is UNKNOWN or same(a, b) for a, b in zip(vector, values, strict=True))


def _expressions(
    vector: Vector, names: Sequence[Name], arithmetic: Arithmetic
) -> Iterator[tuple[str, list[Name]]]:
    """Texts that give the values, from simple to less so, with the names in them."""
    for name in names:
        if _match(vector, name.values):
            yield name.name, [name]
    if any(type(value) is not int and value is not UNKNOWN for value in vector):
        return
    constants = arithmetic.numbers
    numbers = [name for name in names if all(type(value) is int for value in name.values)]
    rows = range(len(vector))

    def fits(values: Sequence[int]) -> bool:
        return _match(vector, values)

    table = {name.name: [int(str(value)) for value in name.values] for name in numbers}
    for name in numbers:
        a = table[name.name]
        for k in constants:
            if fits([k * a[n] for n in rows]):
                yield f"{k} * {name.name}", [name]
            if fits([a[n] // k for n in rows]):
                yield f"{name.name} // {k}", [name]
        for k in (1, *constants):
            if fits([a[n] + k for n in rows]):
                yield f"{name.name} + {k}", [name]
            if fits([a[n] - k for n in rows]):
                yield f"{name.name} - {k}", [name]
        if arithmetic.divisible:
            yield from ((text, [name]) for text in _rounded(vector, name.name, a, constants))
    for two, one in product(numbers, numbers):
        if one is two:
            continue
        a, b = table[one.name], table[two.name]
        for sign, values in _pairs(a, b):
            if sign in arithmetic.operators and fits(values):
                yield f"{one.name} {sign} {two.name}", [one, two]
        for k in constants:
            if fits([a[n] + k * b[n] for n in rows]):
                yield f"{one.name} + {k} * {two.name}", [one, two]
            if fits([a[n] * b[n] // k for n in rows]):
                yield f"{one.name} * {two.name} // {k}", [one, two]


def _rounded(
    vector: Vector, name: str, values: Sequence[int], constants: Sequence[int]
) -> Iterator[str]:
    for by, k in product(dict.fromkeys((8, *constants)), (1, *constants)):
        if _match(vector, [divisible(value // k, by) for value in values]):
            what = name if k == 1 else f"{name} // {k}"
            yield f"divisible({what})" if by == 8 else f"divisible({what}, by={by})"


def _pairs(a: Sequence[int], b: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
    both = list(zip(a, b, strict=True))
    yield "*", [x * y for x, y in both]
    yield "+", [x + y for x, y in both]
    yield "-", [x - y for x, y in both]
    if all(b):
        yield "//", [x // y for x, y in both]


# ---- what is not always there ------------------------------------------------------------------


def _condition(
    solver: _Solver, place: Place, question: Question | None, texts: Sequence[str]
) -> str:
    if not place.optional:
        return ""
    present = place.present
    said = _as_the_spec(solver, present, question) or solver.asked.get(present, "")
    if not said:
        said = _found(solver, place, texts)
    solver.asked.setdefault(present, said)
    return said


def _found(solver: _Solver, place: Place, texts: Sequence[str]) -> str:
    """Something that gives the right answer in each body; at worst, what the caller says."""
    present = place.present
    arguments = list(solver.chosen.values())
    right = (text for text, values in _tests(arguments, texts) if tuple(values) == present)
    simplest = next(right, "")
    if simplest:
        # What a residual's sum waits for is mostly both, even where one of them would do.
        both = (text for text in right if " and " in text) if _is_sum(place) else iter(())
        return next(both, simplest)
    for name in solver.known:
        for _, values in _tests([Parameter(name.name, name.values)], ()):
            if tuple(values) == present:
                solver.use(name)
                return _found(solver, place, texts)
    step = place.step
    wanted = step.name or getattr(step.item, "scope", step.item).word
    key = f"{wanted}="
    if key in solver.chosen and solver.chosen[key].values == present:
        return solver.chosen[key].name
    return solver.add(wanted, present, sum(present) * 2 > len(present))


def _as_the_spec(solver: _Solver, present: Sequence[bool], question: Question | None) -> str:
    """What the spec asks, where its names are those of values here; else a switch of the spec."""
    if question is not None:
        names = {name.name: name for name in solver.everything}
        if "channels" not in names:
            names["channels"] = solver.everything[0]
        asked = [names[name] for name in question.names() if name in names]
        values = dict(zip(question.names(), [name.values for name in asked], strict=False))
        if len(asked) == len(question.names()) and holds_in(question, values, present):
            return question.text({name: solver.use(names[name]).name for name in values})
    for name in solver.known:
        if tuple(name.values) == present and all(type(value) is bool for value in name.values):
            return solver.use(name).name
    return ""


def _is_sum(place: Place) -> bool:
    scope = getattr(place.step.item, "scope", None)
    return not place.step.name and scope is not None and scope.word == "residual"


def _tests(
    arguments: Sequence[Parameter], texts: Sequence[str]
) -> Iterator[tuple[str, Sequence[bool]]]:
    """Questions about arguments, with their answers; the short ones first."""
    single: list[tuple[str, list[bool]]] = []
    for argument in arguments:
        values = argument.values
        if all(isinstance(value, bool) for value in values):
            yield argument.name, [bool(value) for value in values]
            yield f"not {argument.name}", [not value for value in values]
            continue
        if any(type(value) is not int for value in values):
            continue
        for constant in dict.fromkeys(values):
            text = literal(constant)
            single.append((f"{argument.name} != {text}", [v != constant for v in values]))
            single.append((f"{argument.name} == {text}", [v == constant for v in values]))
    small = [each for each in single if re.search(r"= [0-2]$", each[0])]
    yield from small
    sides = _sides(arguments, texts)
    compared: list[tuple[str, list[bool]]] = []
    for (one, a), (two, b) in product(sides, sides):
        if one < two and a != b and (one.isidentifier() or two.isidentifier()):
            left, right = (one, two) if one.isidentifier() else (two, one)
            compared.append((f"{left} != {right}", [x != y for x, y in zip(a, b, strict=True)]))
            compared.append((f"{left} == {right}", [x == y for x, y in zip(a, b, strict=True)]))
    yield from compared
    for (one, p), (two, q) in product(small, compared):
        if "!=" in one and "!=" in two:
            yield f"{one} or {two}", [x or y for x, y in zip(p, q, strict=True)]
        if "==" in one and "==" in two:
            yield f"{one} and {two}", [x and y for x, y in zip(p, q, strict=True)]
    yield from (each for each in single if each not in small)
    for argument in arguments:
        if all(type(value) is float for value in argument.values):
            yield f"{argument.name} != 0.0", [value != 0 for value in argument.values]


def _sides(
    arguments: Sequence[Parameter], texts: Sequence[str]
) -> list[tuple[str, tuple[object, ...]]]:
    """What can be compared: whole numbers that are arguments, or that were worked out of them."""
    whole = {a.name: a.values for a in arguments if all(type(v) is int for v in a.values)}
    found: list[tuple[str, tuple[object, ...]]] = list(whole.items())
    for text in dict.fromkeys(texts):
        parts = re.fullmatch(r"(\d+) \* (\w+)", text)
        if parts and parts[2] in whole:
            factor = int(parts[1])
            found.append((text, tuple([factor * int(str(v)) for v in whole[parts[2]]])))
        parts = re.fullmatch(r"(\w+) // (\d+)", text)
        if parts and parts[1] in whole:
            by = int(parts[2])
            found.append((text, tuple([int(str(v)) // by for v in whole[parts[1]]])))
    return found


def values_of(parameters: Sequence[Parameter], body: int) -> Mapping[str, Value]:
    return {parameter.name: parameter.values[body] for parameter in parameters}
