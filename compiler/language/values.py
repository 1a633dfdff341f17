"""What an expression of a spec comes to.

Numbers, tuples (a size `3x3` is one), lists and booleans are Python's own; the rest is here.
"""

from __future__ import annotations

from typing import NamedTuple


class Word(str):
    """A bare word that names no value: a flag, a choice, a layer handed to a block."""

    __slots__ = ()


class Text(str):
    """`"text"`."""

    __slots__ = ()


class Percent(float):
    """`20%`, as 0.2."""

    __slots__ = ()


class Factor(float):
    """`10x`."""

    __slots__ = ()


class Interval(NamedTuple):
    """`0.35..1`."""

    low: float
    high: float


def show(value: object) -> str:
    """A value as a spec would write it."""
    match value:
        case bool():
            return "on" if value else "off"
        case Text():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Percent():
            return f"{value * 100:g}%"
        case Factor():
            return f"{value:g}x"
        case Interval():
            return f"{show(value.low)}..{show(value.high)}"
        case tuple() if value and all(type(v) is int and v >= 0 for v in value) and len(value) > 1:
            return "x".join(map(str, value))
        case tuple():
            return "(" + ", ".join(map(show, value)) + ("," if len(value) == 1 else "") + ")"
        case list():
            return "[" + ", ".join(map(show, value)) + "]"
        case float():
            return f"{value:g}"
    return str(value)
