"""What an expression of a spec comes to.

Numbers, tuples (a size `3x3` is one), lists and booleans are Python's own; the rest is here.
"""

from __future__ import annotations

from collections.abc import Callable
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


def show(value: object, number: Callable[[float], str] = "{:g}".format) -> str:
    """A value as a spec would write it, rounded as people read numbers; `number` writes them
    otherwise."""
    match value:
        case bool():
            return "on" if value else "off"
        case Text():
            return quoted(value)
        case Percent():
            return f"{_hundredfold(value, number)}%"
        case Factor():
            return f"{number(float(value))}x"
        case Interval():
            return f"{show(value.low, number)}..{show(value.high, number)}"
        case tuple() if value and all(type(v) is int and v >= 0 for v in value) and len(value) > 1:
            return "x".join(map(str, value))
        case tuple():
            inside = ", ".join(show(each, number) for each in value)
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        case list():
            return "[" + ", ".join(show(each, number) for each in value) + "]"
        case float():
            return number(float(value))
    return str(value)


def literal(value: object) -> str:
    """A value as a spec would write it, to the last digit; a float stays one: `2.0`."""
    return show(value, repr)


def exact(value: float) -> str:
    """A number to the last digit, in as few as that takes: `2`, `0.1`."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)


def quoted(value: str) -> str:
    """Text between quotes, every sign in it as it can be read again."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    plain = plain.replace("\t", "\\t")
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in plain) + '"'


def _hundredfold(share: float, number: Callable[[float], str]) -> str:
    """As few digits as come to the same share again, or as `number` writes them."""
    texts = [f"{share * 100:.{digits}g}" for digits in range(1, 18)]
    wanted = float(number(float(share)))
    same = [text for text in texts if float(text) / 100 == wanted] or texts[-1:]
    return next((text for text in same if "e" not in text), same[0])
