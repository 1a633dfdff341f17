"""The conditions that the spec itself has around a statement, as Python.

Whether a step is there could be asked in many ways that give the right answer in every call that
there is. The way that the spec asks is the one that a reader understands.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...dsl.program import Program
from ...dsl.source import Span
from ...dsl.syntax import Binary, Expression, If, Name, Number, Switch, Unary, walk

_DEEPEST = 8
"""Operators in one another; who writes more of them finds a shorter question in the text."""

_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_COMPUTE: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv,
    "%": operator.mod,
}  # fmt: skip
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_BINDING = {
    "or": 1, "and": 2, "not": 3, **dict.fromkeys(_COMPARE, 4),
    "+": 5, "-": 5, "*": 6, "//": 6, "%": 6,
}  # fmt: skip
_ATOM = 7


class Unsaid(Exception):
    """Something in a condition that a class cannot ask."""


class Question(NamedTuple):
    """All that has to hold, or not to hold, for a statement to be carried out."""

    parts: tuple[tuple[Expression, bool], ...]

    def answer(self, values: Mapping[str, object]) -> bool:
        """With a value for each name; raises Unsaid where one is missing."""
        return all(_truth(part, values) == wanted for part, wanted in self.parts)

    def names(self) -> list[str]:
        found = [each.value for part, _ in self.parts for each in walk(part) if type(each) is Name]
        return list(dict.fromkeys(found))

    def text(self, names: Mapping[str, str]) -> str:
        """With what each name is called."""
        said = [_negated(part, names) if not wanted else _text(part, names, 0)
                for part, wanted in self.parts]  # fmt: skip
        if len(said) == 1:
            return said[0]
        loose = [" or " in text for text in said]
        return " and ".join(
            f"({text})" if bracket else text for text, bracket in zip(said, loose, strict=True)
        )


class Conditions:
    """Every `if` of a program."""

    def __init__(self, program: Program) -> None:
        self.found: dict[str, list[tuple[If, int]]] = {}
        """By file, in the order written, each with the place of the one around it, or -1."""
        for spec in program.files:
            ifs = self.found.setdefault(spec.source.name, [])
            around: list[int] = []
            for node in walk(spec):
                if isinstance(node, If):
                    while around and ifs[around[-1]][0].span.end <= node.span.start:
                        around.pop()
                    ifs.append((node, around[-1] if around else -1))
                    around.append(len(ifs) - 1)

    def around(self, place: Span, within: Span) -> Question | None:
        """What the `if`s between a statement and what it is part of ask."""
        ifs = self.found.get(place.source.name, [])
        at = bisect_right(ifs, place.start, key=lambda each: each[0].span.start) - 1
        parts: list[tuple[Expression, bool]] = []
        while at >= 0 and _holds(within, ifs[at][0].span):
            statement, above = ifs[at]
            if _holds(statement.span, place) and statement.span != place:
                parts[:0] = _arms(statement, place)
            at = above
        if not parts or any(_depth(part) > _DEEPEST for part, _ in parts):
            return None
        return Question(tuple(parts))


def _arms(statement: If, place: Span) -> Iterator[tuple[Expression, bool]]:
    for arm in statement.arms:
        taken = _holds(arm.body.span, place)
        yield arm.condition, taken
        if taken:
            return


def _holds(outer: Span, inner: Span) -> bool:
    same = outer.source.name == inner.source.name
    return same and outer.start <= inner.start and inner.end <= outer.end


def _depth(part: Expression) -> int:
    depth, level = 0, [part]
    while level and depth <= _DEEPEST:
        depth += 1
        inner = [(e.left, e.right) for e in level if isinstance(e, Binary)]
        inner_one = [e.operand for e in level if isinstance(e, Unary)]
        level = [e for pair in inner for e in pair] + inner_one
    return depth


def _truth(part: Expression, values: Mapping[str, object]) -> bool:
    if isinstance(part, Binary) and part.operator in ("and", "or"):
        left, right = _truth(part.left, values), _truth(part.right, values)
        return left and right if part.operator == "and" else left or right
    if isinstance(part, Unary) and part.operator == "not":
        return not _truth(part.operand, values)
    if isinstance(part, Binary) and part.operator in _COMPARE:
        return _COMPARE[part.operator](_number(part.left, values), _number(part.right, values))
    if isinstance(part, Name):
        value = values.get(part.value)
        if isinstance(value, bool):
            return value
    raise Unsaid


def _number(part: Expression, values: Mapping[str, object]) -> int:
    if isinstance(part, Number) and type(part.value) is int:
        return part.value
    if isinstance(part, Name):
        value = values.get(part.value)
        if type(value) is int:
            return value
    if isinstance(part, Binary) and part.operator in _COMPUTE:
        left, right = _number(part.left, values), _number(part.right, values)
        if part.operator not in ("//", "%") or right:
            return _COMPUTE[part.operator](left, right)
    raise Unsaid


def _text(part: Expression, names: Mapping[str, str], around: int) -> str:
    text, binding = _written(part, names)
    return f"({text})" if binding < around else text


def _written(part: Expression, names: Mapping[str, str]) -> tuple[str, int]:
    if isinstance(part, Name):
        return names[part.value], _ATOM
    if isinstance(part, Number | Switch):
        return repr(part.value), _ATOM
    if isinstance(part, Unary) and part.operator == "not":
        return f"not {_text(part.operand, names, 3)}", 3
    assert isinstance(part, Binary)
    binding = _BINDING[part.operator]
    left = _text(part.left, names, binding + (binding == 4))
    return f"{left} {part.operator} {_text(part.right, names, binding + 1)}", binding


def _negated(part: Expression, names: Mapping[str, str]) -> str:
    if isinstance(part, Binary) and part.operator in _OPPOSITE:
        left, right = _text(part.left, names, 5), _text(part.right, names, 5)
        return f"{left} {_OPPOSITE[part.operator]} {right}"
    if isinstance(part, Unary) and part.operator == "not":
        return _text(part.operand, names, 0)
    return f"not {_text(part, names, 3)}"


def holds_in(
    question: Question, names: Mapping[str, Sequence[object]], present: Sequence[bool]
) -> bool:
    """Whether its answer in each body, with the values of each name there, is the right one."""
    try:
        found = [
            question.answer({name: values[number] for name, values in names.items()})
            for number in range(len(present))
        ]
    except Unsaid:
        return False
    return found == list(present)
