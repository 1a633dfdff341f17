"""Values of expressions. Numbers, tuples (sizes such as `3x3` are tuples), lists and booleans are
Python's own; the other types are defined here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple


class Word(str):
    """A bare word that is not a name of a value: a flag, a choice, a layer passed to a block."""

    __slots__ = ()


class Text(str):
    """A text value: `"text"`."""

    __slots__ = ()


class Percent(float):
    """A percentage: `20%`, with the value 0.2."""

    __slots__ = ()


class Factor(float):
    """A factor: `10x`."""

    __slots__ = ()


class Duration(float):
    """A duration in seconds: `10min`."""

    __slots__ = ()


class Traced:
    """A value that remembers the expression it comes from: how emitted classes compute their
    arguments (`emit.traced_values`). Nothing else makes such values."""

    def applied(self, function: str, arguments: Sequence[Any], value: Any) -> Any:
        """The result of a function of this and other arguments."""
        raise NotImplementedError

    def python(self) -> str:
        """The expression as Python code."""
        raise NotImplementedError

    def operand(self, value: float) -> Any:
        """Wraps a plain number so that it can be combined with this value."""
        raise NotImplementedError


class MapRef:
    """What a label refers to, handed to a block as an argument: a name and a layer's output."""

    __slots__ = ("name", "node")

    def __init__(self, name: str, node: Any) -> None:
        self.name = name
        self.node = node

    def __str__(self) -> str:
        return self.name


class Maps:
    """A list of maps: what `list` leaves, and what `[one, two]` is where maps are wanted."""

    __slots__ = ("name", "nodes")

    def __init__(self, name: str, nodes: Sequence[Any]) -> None:
        self.name = name
        """The text that says which list it is."""
        self.nodes = tuple(nodes)

    def __str__(self) -> str:
        return self.name

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.nodes)

    def item(self, index: int) -> MapRef:
        """One of its maps; raises IndexError."""
        return MapRef(f"{self.name}[{index}]", self.nodes[index])


class Interval(NamedTuple):
    """A range: `0.35..1`."""

    low: float
    high: float


_SWITCHES_ELSEWHERE = {
    "true": "on", "false": "off", "none": "off", "1": "on", "0": "off", "yes": "on", "no": "off",
}  # fmt: skip


def switch_elsewhere(value: object) -> str:
    """`on` or `off`, if the value is how other languages write it; else empty."""
    return _SWITCHES_ELSEWHERE.get(str(value).lower(), "")


def show(value: object, number: Callable[[float], str] = "{:g}".format) -> str:
    """A value as a spec writes it, with rounded numbers; `number` formats them differently."""
    match value:
        case bool():
            return "on" if value else "off"
        case Text():
            return quoted(value)
        case Percent():
            return f"{_hundredfold(value, number)}%"
        case Factor():
            return f"{number(float(value))}x"
        case Duration():
            return in_units(value, number)
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


def read_duration(text: str) -> Duration:
    """Reads what `in_units` writes; a text that is something else is not a number of seconds."""
    number = text.rstrip("hmins")
    size = _SECONDS.get(text[len(number) :], math.nan)
    try:
        return Duration(float(number) * size)
    except ValueError:
        return Duration(math.nan)


_SECONDS = {"h": 3600, "min": 60, "s": 1}


def in_units(seconds: float, number: Callable[[float], str] = "{:g}".format) -> str:
    """A duration in the largest unit that it is a whole number of: `90s`, `10min`, `2h`."""
    unit = next((unit for unit, size in _SECONDS.items() if seconds and seconds % size == 0), "s")
    return f"{number(seconds / _SECONDS[unit]).removesuffix('.0')}{unit}"


def literal(value: object) -> str:
    """A value as a spec writes it, in full precision; a float stays a float: `2.0`."""
    return show(value, repr)


def exact(value: float) -> str:
    """A number in full precision, in as few digits as possible: `2`, `0.1`."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)


def spelled(value: Any) -> str:
    """A value as a spec writes it, its numbers formatted by `exact`."""
    return show(value, exact)


def percent(value: float) -> str:
    """`20%` if that is exactly the number; else the number."""
    text = f"{value * 100:g}"
    return f"{text}%" if "e" not in text and float(text) / 100 == value else exact(value)


def interval(value: tuple[float, float]) -> str:
    return f"{exact(value[0])}..{exact(value[1])}"


_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_0-9]+)*\Z")
_TAKEN = {"on", "off", "and", "or", "not"}


def name_or_text(value: str) -> str:
    """The name of a layer as a word if possible, else in quotes."""
    plain = _NAME.match(value) and value.split(".")[0] not in _TAKEN
    return value if plain else quoted(value)


def quoted(value: str) -> str:
    """Text in quotes, escaped so that it can be parsed again."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    plain = plain.replace("\t", "\\t")
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in plain) + '"'


def _hundredfold(share: float, number: Callable[[float], str]) -> str:
    """A percentage in as few digits as give the same share again, or formatted by `number`."""
    texts = [f"{share * 100:.{digits}g}" for digits in range(1, 18)]
    wanted = float(number(float(share)))
    same = [text for text in texts if float(text) / 100 == wanted] or texts[-1:]
    return next((text for text in same if "e" not in text), same[0])


def python(value: Any) -> str:
    """A value as Python code: a traced value as its expression."""
    match value:
        case Traced():
            return value.python()
        case tuple() if hasattr(value, "options"):
            return str(value)  # a constructor
        case tuple():
            return f"({', '.join(map(python, value))}{',' if len(value) == 1 else ''})"
        case list():
            return f"[{', '.join(map(python, value))}]"
        case str():
            if type(value) not in (str, Text, Word):
                return str(value)  # a class
            import json

            return json.dumps(value)
        case float():
            return repr(float(f"{value:.15g}"))  # 0.0375, not 0.037500000000000006
    return repr(value)
