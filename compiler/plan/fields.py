"""What arguments of directives are made of, beside what `..signature` has.

Every value is a number, text, `on`/`off`, nothing, or a tuple of these: so that a plan can be
written down as JSON and read again. A field says how a spec would write its value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from ...dsl.closest import closest
from ..language.signature import REQUIRED, ArgumentError, Field, Read
from ..language.values import Factor, Interval, Percent, Text, Word, exact, quoted, show

Range = tuple[float, float]

_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_0-9]+)*\Z")
_TAKEN = {"on", "off", "and", "or", "not"}


# ---- values as a spec writes them ------------------------------------------------------------


def percent(value: float) -> str:
    """`20%`, where that is exactly the number; else the number."""
    text = f"{value * 100:g}"
    return f"{text}%" if "e" not in text and float(text) / 100 == value else exact(value)


def spelled(value: Any) -> str:
    """Any value, for fields that do not know better."""
    return show(value, exact)


def interval(value: Range) -> str:
    return f"{exact(value[0])}..{exact(value[1])}"


# ---- readers ---------------------------------------------------------------------------------


def real_number(value: object) -> float:
    """A number or a percentage; not `on`, not `10x`."""
    wrong = isinstance(value, (bool, Factor)) or not isinstance(value, (int, float))
    if wrong or not math.isfinite(value):  # type: ignore[arg-type]
        raise ArgumentError(f"{show(value)} is not a number")
    return float(value)  # type: ignore[arg-type]


def _within(value: object, low: float, high: float, expects: str) -> float:
    number = real_number(value)
    if not low <= number <= high:
        raise ArgumentError(f"{show(value)} is not {expects}")
    return number


def _ends(value: object) -> tuple[object, object] | None:
    """Low and high of a range, however it is written."""
    if isinstance(value, Interval):
        return value.low, value.high
    if isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = map(real_number, value)
        if low > high:
            raise ArgumentError(
                f"{show(value)} runs downwards", instead=f"{exact(high)}..{exact(low)}"
            )
        return low, high
    if isinstance(value, (tuple, list)):
        raise ArgumentError(f"{show(value)} is not a range")
    return None


# ---- declarations ----------------------------------------------------------------------------


def number(
    doc: str,
    default: Any = REQUIRED,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    above: bool = False,
    below: bool = False,
    **more: Any,
) -> Any:
    """A number between two others; `above` and `below` leave the ends themselves out."""
    expects = _bounds(minimum, maximum, above, below)

    def read(value: object) -> float:
        found = real_number(value)
        low_enough = found < maximum if below else found <= maximum
        high_enough = found > minimum if above else found >= minimum
        if not (low_enough and high_enough):
            raise ArgumentError(f"{show(value)} is not")
        return found

    return Field(read, expects, default, doc, write=exact, **more)


def _bounds(minimum: float, maximum: float, above: bool, below: bool) -> str:
    if -math.inf < minimum and maximum < math.inf and not above and not below:
        return f"a number from {minimum:g} to {maximum:g}"
    low = f"{'above' if above else 'of at least'} {minimum:g}" if minimum > -math.inf else ""
    high = f"{'below' if below else 'at most'} {maximum:g}" if maximum < math.inf else ""
    return " ".join(["a number", " and ".join(filter(None, [low, high]))]).rstrip()


def whole(
    doc: str, default: Any = REQUIRED, *, minimum: int = 1, maximum: int = 10**9, **more: Any
) -> Any:
    """A whole number between two others."""
    expects = f"a whole number from {minimum:,} to {maximum:,}"

    def read(value: object) -> int:
        found = real_number(value)
        if not found.is_integer() or not minimum <= found <= maximum:
            raise ArgumentError(f"{show(value)} is not")
        return int(found)

    more.setdefault("example", str(max(minimum, 1)))
    return Field(read, expects, default, doc, write=str, **more)


def share(doc: str, default: Any = REQUIRED, *, part: bool = False, **more: Any) -> Any:
    """`20%` or `0.2`; with `part`, neither nothing nor all of it."""
    expects = "a share above 0 % and below 100 %" if part else "a share from 0 % to 100 %"

    def read(value: object) -> float:
        found = real_number(value)
        if not 0 <= found <= 1 or (part and found in (0, 1)):
            instead = (
                f"{exact(found)}%" if 1 <= found < 100 and not isinstance(value, Percent) else ""
            )
            raise ArgumentError(f"{show(value)} is not", instead=instead)
        return found

    return Field(read, expects, default, doc, write=percent, **more)


def ranged(doc: str, limit: float, unit: str, default: Any = REQUIRED, **more: Any) -> Any:
    """A range about zero: `20` is -20..20. The unit says what it is of: `degrees`."""
    most = f"{limit:g} {unit}".rstrip()
    expects = f"a number up to {most}, for both ways, or a range like -{limit / 2:g}..{limit / 4:g}"

    def read(value: object) -> Range:
        ends = _ends(value)
        if ends is None:
            far = real_number(value)
            if not 0 <= far <= limit:
                instead = f"{exact(far)}%" if limit == 1 and 1 < far < 100 else ""
                instead = exact(-far) if -limit <= far < 0 else instead
                raise ArgumentError(f"{show(value)} is not", instead=instead)
            return (-far if far else 0.0, far)
        low, high = (_within(end, -limit, limit, "within that") for end in ends)
        return low, high

    return Field(read, expects, default, doc, write=interval, **more)


def about_one(doc: str, default: Any = REQUIRED, *, above: bool = False, **more: Any) -> Any:
    """A range of factors: `0.2` is 0.8..1.2."""
    least = "above 0" if above else "of at least 0"
    expects = f"a range of factors {least}, like 0.8..1.2, or by how much, like 0.2"

    def read(value: object) -> Range:
        ends = _ends(value)
        if ends is None:
            by = real_number(value)
            if not 0 <= by < 1:
                far = by if 1 < by < 2 else 0.0
                instead = f"{exact(round(2 - far, 6))}..{exact(far)}" if far else ""
                raise ArgumentError(f"{show(value)} is not", instead=instead)
            return round(1 - by, 12), round(1 + by, 12)
        low, high = map(real_number, ends)
        if low < 0 or (above and low == 0):
            raise ArgumentError(f"{show(value)} begins below that")
        return low, high

    return Field(read, expects, default, doc, write=interval, **more)


def between(
    doc: str, minimum: float, maximum: float = math.inf, default: Any = REQUIRED, **more: Any
) -> Any:
    """A range, or one number for always the same."""
    if maximum < math.inf:
        expects = f"a number between {minimum:g} and {maximum:g}, or a range of them"
    else:
        expects = f"a number of at least {minimum:g}, or a range of them"

    def read(value: object) -> Range:
        low, high = _ends(value) or (value, value)
        problem = f"within {minimum:g} and {maximum:g}" if maximum < math.inf else "as large"
        return _within(low, minimum, maximum, problem), _within(high, minimum, maximum, problem)

    return Field(read, expects, default, doc, write=interval, **more)


def factor(doc: str, default: Any = REQUIRED, **more: Any) -> Any:
    """`10x` or `0.1x`; a plain number will do."""
    return Field(
        read_factor, "a factor like `10x` or `0.1x`", default, doc, write=write_factor, **more
    )


def read_factor(value: object) -> float:
    plain = float(value) if isinstance(value, Factor) else value
    found = real_number(plain)
    if found < 0:
        raise ArgumentError(f"{show(value)} is below 0")
    return found


def write_factor(value: float) -> str:
    return f"{exact(value)}x"


def words(doc: str, known: Sequence[str], default: Any = REQUIRED, **more: Any) -> Any:
    """One word or several of a list."""

    def read(value: object) -> tuple[str, ...]:
        items = value if isinstance(value, list) else [value]
        return tuple(_one_of(item, known) for item in items)

    return Field(
        read,
        "some of " + ", ".join(f"`{word}`" for word in known),
        default,
        doc,
        takes_words=True,
        many=True,
        words=tuple(known),
        write=" ".join,
        **more,
    )


def _one_of(value: object, known: Sequence[str]) -> str:
    if isinstance(value, Word) and value in known:
        return str(value)
    raise ArgumentError(f"{show(value)} is none of them", instead=closest(str(value), known))


def layer_name(doc: str, default: Any = REQUIRED, **more: Any) -> Any:
    """A name of the network's: a label, `layer1.0`, or a pattern in quotes, `"layer*.bn"`."""
    more.setdefault("write", name_or_text)
    return Field(
        _part, 'a name of the network\'s, or a pattern like "layer1.*"', default, doc,
        takes_words=True, **more,
    )  # fmt: skip


def layer_names(doc: str, *, example: str = "") -> Any:
    """As many of them as are given."""

    def read(value: object) -> tuple[str, ...]:
        items = value if isinstance(value, list) else [value]
        return tuple(map(_part, items))

    def write(value: tuple[str, ...]) -> str:
        return " ".join(map(name_or_text, value))

    expects = 'names of the network\'s, or patterns like "layer1.*"'
    return Field(
        read, expects, REQUIRED, doc, takes_words=True, many=True, write=write, example=example
    )


def _part(value: object) -> str:
    if isinstance(value, (Word, Text)) and value.strip() and value.isprintable():
        return str(value)
    raise ArgumentError(f"{show(value)} is no name")


def name_or_text(value: str) -> str:
    plain = _NAME.match(value) and value.split(".")[0] not in _TAKEN
    return value if plain else quoted(value)


def file_name(doc: str, default: Any = REQUIRED, **more: Any) -> Any:
    """The name of a file or folder, from the spec's own folder on."""

    def read(value: object) -> str:
        if not isinstance(value, Text):
            raise ArgumentError(f"{show(value)} is not text", instead=quoted(show(value)))
        if not value.strip() or not value.isprintable():
            raise ArgumentError("this one cannot name a file")
        return str(value)

    more.setdefault("example", '"data"')
    return Field(read, 'text between `"`', default, doc, takes_words=True, write=quoted, **more)


def tuple_of(
    doc: str, one: Read, expects: str, default: Any = REQUIRED, *, single: bool = True, **more: Any
) -> Any:
    """Values in brackets; with `single`, one of them may stand by itself."""

    def read(value: object) -> tuple[Any, ...]:
        if isinstance(value, (tuple, list)) and not isinstance(value, Interval):
            if not value:
                raise ArgumentError("there is nothing in it")
            return tuple(map(one, value))
        if not single:
            raise ArgumentError(f"{show(value)} is not")
        return (one(value),)

    more.setdefault("write", spelled)
    return Field(read, expects, default, doc, **more)


def either(
    doc: str, word: str, other: Callable[[object], Any], expects: str, default: Any, **more: Any
) -> Any:
    """One word, or what another reader reads."""

    def read(value: object) -> Any:
        return word if isinstance(value, Word) and value == word else other(value)

    more.setdefault("write", spelled)
    return Field(
        read, f"{expects}, or `{word}`", default, doc, takes_words=True, words=(word,), **more
    )


def _whole(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
            raise ArgumentError(f"{show(value)} is not")
        return value

    return read


def size(doc: str, default: Any = REQUIRED, **more: Any) -> Any:
    """`224`, or `224x192` for height and width."""
    one = _whole(1)

    def read(value: object) -> Any:
        if isinstance(value, (tuple, list)) and not isinstance(value, Interval):
            if len(value) != 2:
                raise ArgumentError(f"{show(value)} is not a height and a width")
            return one(value[0]), one(value[1])
        return one(value)

    def write(value: Any) -> str:
        return f"{value[0]}x{value[1]}" if isinstance(value, tuple) else str(value)

    more.setdefault("example", "224")
    return Field(read, "a whole number or a size like 224x192", default, doc, write=write, **more)
