"""Formats numbers: exact with separators, short with units, bytes, shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ..shapes import PerAxis, by, exact_ratio

if TYPE_CHECKING:
    from fractions import Fraction

_UNITS = ("", "k", "M", "G", "T", "P", "E")
_BYTE_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

Figure: TypeAlias = "int | Fraction"


def exact(number: int) -> str:
    """`25,557,032`."""
    return f"{number:,}"


def short(number: int) -> str:
    """Three significant digits: `25.6M`, `999`, `4.09G`; beyond all units `1.23e30`."""
    sign, magnitude = ("-", -number) if number < 0 else ("", number)
    if magnitude < 1000:
        return f"{sign}{magnitude}"
    # Computed from the digits and not by division: these numbers may be larger than any float.
    rounded = _three_digits(magnitude)
    power = len(rounded) - 1
    unit = power // 3
    if unit >= len(_UNITS):
        return f"{sign}{rounded[0]}.{rounded[1:3]}e{power}"
    before = power % 3 + 1
    after = f".{rounded[before:3]}" if before < 3 else ""
    return f"{sign}{rounded[:before]}{after}{_UNITS[unit]}"


def _three_digits(magnitude: int) -> str:
    """The number with all but its first three digits rounded away."""
    step = 10 ** (len(str(magnitude)) - 3)
    return str((magnitude + step // 2) // step * step)


def data_size(number: int) -> str:
    """`97.5 MiB`, `1.13 GiB`."""
    unit = _unit(number)
    if unit == 0:
        return f"{number} byte{'' if number == 1 else 's'}"
    places = 2 if number < 10 * 1024**unit else 1
    return f"{_scaled(number, unit, places)} {_BYTE_UNITS[unit]}"


def _unit(number: int) -> int:
    """The position of the largest unit that an amount of memory has at least one of."""
    unit = 0
    while unit + 1 < len(_BYTE_UNITS) and number >= 1024 ** (unit + 1):
        unit += 1
    return unit


def _scaled(number: int, unit: int, places: int) -> str:
    whole, rest = divmod((2 * number * 10**places // 1024**unit + 1) // 2, 10**places)
    return f"{whole:,}.{rest:0{places}}" if places else f"{whole:,}"


class SharedUnit:
    """One unit for all amounts of memory in a column: the one that suits the largest."""

    def __init__(self, largest: int) -> None:
        self._power = _unit(largest)
        self.name = _BYTE_UNITS[self._power]

    def text(self, number: int) -> str:
        """`12.3`, `0.06`, `147`."""
        if self._power == 0:
            return exact(number)
        tens = number // 1024**self._power
        return _scaled(number, self._power, 2 if tens < 10 else 1 if tens < 100 else 0)


def signed(number: int) -> str:
    """`+1,234`, `-5`, `0`."""
    return f"{number:+,}" if number else "0"


def share(part: int, whole: int) -> str:
    """`12.3 %`; "" if the total is 0."""
    if not whole:
        return ""
    thousandths = (part * 2000 // whole + 1) // 2
    if not thousandths and part:
        return "< 0.1 %"
    return f"{thousandths // 10}.{thousandths % 10} %"


def change(before: int, after: int) -> str:
    """A relative change: `+12.3 %`, or `x 3.20` if it is more than twofold."""
    if not before or before == after:
        return ""
    if after > 2 * before:
        hundredths = (after * 200 // before + 1) // 2
        return f"x {hundredths // 100:,}.{hundredths % 100:02}"
    tenths = round(exact_ratio(1000 * (after - before), before))
    sign = "-" if tenths < 0 else "+"
    return f"{sign}{abs(tenths) // 10}.{abs(tenths) % 10} %"


def pair(value: tuple[Figure, ...]) -> str:
    """`7`, or `7x1` if height and width differ."""
    return str(value[0]) if len({*value}) == 1 else "x".join(map(str, value))


def area(value: PerAxis) -> str:
    """`7x7`."""
    return by(value)


def plural(number: int, word: str) -> str:
    """`1 layer`, `2 layers`, `0 branches`."""
    ending = (
        "" if number == 1 or word == "series" else "es" if word.endswith(("ch", "s", "x")) else "s"
    )
    return f"{exact(number)} {word}{ending}"


class SizeError(ValueError):
    """The text is not an amount of memory."""


def read_data_size(text: str) -> int:
    """Parses `24GB`, `16 GiB`, `512m` into bytes; GB are powers of 1000, as for drives and GPUs."""
    import re

    match = re.fullmatch(r"\s*+(\d++(?:\.\d++)?)\s*+([kmgt]?)(i?)(b?)\s*+", text.lower())
    if match is None or (match[3] and not match[2]):
        raise SizeError(f"{text!r} is not an amount of memory: write 24GB or 16GiB")
    base = 1024 if match[3] else 1000
    return int(exact_ratio(match[1]) * base ** " kmgt".index(match[2] or " "))
