"""Argument types of layers and directives: numbers, sizes, shares, ranges, names. Each function
declares an argument: how its value is read, its type in words, and how a spec writes it. Values of
directives are numbers, text, `on`/`off`, None, or tuples of these, so that a plan can be saved as
JSON and loaded again. The message of a reader states what the value is not; if that repeats the
type of the argument, `binding` says it once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ...dsl.closest import closest
from ..shapes import AXES, AllAxes, all_axes
from .signature import REQUIRED, ArgumentError, Field, Read
from .values import (
    Duration,
    Factor,
    Interval,
    MapRef,
    Percent,
    Text,
    Traced,
    Word,
    exact,
    interval,
    name_or_text,
    percent,
    quoted,
    show,
    switch_elsewhere,
)

Range = tuple[float, float]
NOTHING: Mapping[str, str] = MappingProxyType({})
MANY = 10**9
"""The largest whole number that a directive takes unless it sets a limit."""


# ---- readers ---------------------------------------------------------------------------------


def real_number(value: object) -> float:
    """Reads a number or a percentage; refuses `on`, `10x` and `10min`."""
    wrong = isinstance(value, (bool, Factor, Duration)) or not isinstance(value, (int, float))
    if wrong or not math.isfinite(value):  # type: ignore[arg-type]
        raise ArgumentError(f"{show(value)} is not a number")
    return value if isinstance(value, Traced) else float(value)  # type: ignore[arg-type, return-value]


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Traced) and isinstance(value, float) and value.is_integer():
        return value.applied("round", [value], int(value))  # type: ignore[no-any-return]
    return None


def _is_whole(minimum: int, maximum: float) -> tuple[Callable[[object], int], str]:
    """A reader of whole numbers in a range, and the range in words."""
    expects = f"a whole number of at least {minimum}"
    if maximum < math.inf:
        expects = f"a whole number from {minimum:,} to {maximum:,}"

    def read(value: object) -> int:
        integer = _whole(value)
        if integer is None or not minimum <= integer <= maximum:
            raise ArgumentError(f"{show(value)} is not {expects}")
        return integer

    return read, expects


def _per_axis(read_whole: Callable[[object], int]) -> Read:
    """Reads one number for all spatial axes, or one for each of up to three."""

    def read(value: object) -> tuple[int, ...]:
        items = _bracketed(value)
        if items is None:
            return all_axes(read_whole(value))
        if not 1 <= len(items) <= len(AXES) - 1:
            raise ArgumentError(f"{show(value)} is not a height and a width")
        return tuple(map(read_whole, items))

    return read


def _sides(value: object) -> Sequence[object] | None:
    """The two sides of `224x192`; None for a single value."""
    items = _bracketed(value)
    if items is not None and len(items) != 2:
        raise ArgumentError(f"{show(value)} is not a height and a width")
    return items


def _bracketed(value: object) -> Sequence[object] | None:
    """The items in brackets; None for a single value."""
    inside = isinstance(value, (tuple, list)) and not isinstance(value, Interval)
    return value if inside else None  # type: ignore[return-value]


def _each(read_item: Read) -> Read:
    """Reads the values in brackets, or a single value."""

    def read(value: object) -> tuple[Any, ...]:
        items = _bracketed(value)
        if items is None:
            items = [value]
        if not items:
            raise ArgumentError("it is empty")
        return tuple(map(read_item, items))

    return read


def _within(value: object, low: float, high: float, expects: str) -> float:
    number = real_number(value)
    if not low <= number <= high:
        raise ArgumentError(f"{show(value)} is not {expects}")
    return number


def _ends(value: object) -> tuple[object, object] | None:
    """The ends of a range in any notation."""
    if isinstance(value, Interval):
        return value.low, value.high
    items = _bracketed(value)
    if items is None:
        return None
    if len(items) != 2:
        raise ArgumentError(f"{show(value)} is not a range")
    low, high = map(real_number, items)
    if low > high:
        raise ArgumentError(f"{show(value)} runs downwards", instead=f"{exact(high)}..{exact(low)}")
    return low, high


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Word) and value in ("yes", "no"):
        return value == "yes"
    habit = switch_elsewhere(value)
    raise ArgumentError(f"{show(value)} is neither `on` nor `off`", instead=habit)


def _one_of(known: Sequence[str], switches: bool, elsewhere: Mapping[str, str]) -> Read:
    def read(value: object) -> Any:
        if switches and isinstance(value, bool):
            return value
        if isinstance(value, Word) and value in known:
            return str(value)
        habit = elsewhere.get(str(value).lower(), "")
        if switches and not habit:
            habit = switch_elsewhere(value)
        raise ArgumentError(
            f"{show(value)} is not one of them", instead=habit or closest(str(value), known)
        )

    return read


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _name(value: object) -> str:
    if isinstance(value, (Word, Text)) and value.strip() and value.isprintable():
        return str(value)
    raise ArgumentError(f"{show(value)} is not a name")


def _file(value: object) -> str:
    if not isinstance(value, Text):
        raise ArgumentError(f"{show(value)} is not text", instead=quoted(show(value)))
    if not value.strip() or not value.isprintable():
        raise ArgumentError("this cannot be a file name")
    return str(value)


def read_factor(value: object) -> float:
    plain = float(value) if isinstance(value, Factor) else value
    number = real_number(plain)
    if number < 0:
        raise ArgumentError(f"{show(value)} is below 0")
    return number


def write_factor(value: float) -> str:
    return f"{exact(value)}x"


# ---- declarations (returning Any, so that attributes keep their own types) --------------------


def number(
    doc: str,
    default: Any = REQUIRED,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    above: bool = False,
    below: bool = False,
    **options: Any,
) -> Any:
    """A number in a range; `above` and `below` exclude its ends."""
    expects = _bounds(minimum, maximum, above, below)

    def read(value: object) -> float:
        real = real_number(value)
        low_enough = real < maximum if below else real <= maximum
        high_enough = real > minimum if above else real >= minimum
        if not (low_enough and high_enough):
            share = (minimum, maximum) == (0, 1) and 1 < real <= 100 and not (below and real == 100)
            instead = f"{exact(real)}%" if share and not isinstance(value, Percent) else ""
            raise ArgumentError(f"{show(value)} is not {expects}", instead=instead)
        return real

    return Field(read, expects, default, doc, write=exact, **options)


def _bounds(minimum: float, maximum: float, above: bool, below: bool) -> str:
    if -math.inf < minimum and maximum < math.inf and not above and not below:
        return f"a number from {minimum:g} to {maximum:g}"
    low = f"{'above' if above else 'of at least'} {minimum:g}" if minimum > -math.inf else ""
    high = f"{'below' if below else 'at most'} {maximum:g}" if maximum < math.inf else ""
    return " ".join(["a number", " and ".join(filter(None, [low, high]))]).rstrip()


def whole(
    doc: str, default: Any = REQUIRED, *, minimum: int = 1, maximum: float = MANY, **options: Any
) -> Any:
    """A whole number in a range."""
    read, expects = _is_whole(minimum, maximum)
    options.setdefault("example", str(max(minimum, 1)))
    return Field(read, expects, default, doc, write=str, **options)


def count(doc: str, default: Any = REQUIRED, *, example: str = "64") -> Any:
    """A whole number of at least 1."""
    return whole(doc, default, maximum=math.inf, example=example)


def natural(doc: str, default: Any = REQUIRED) -> Any:
    """A whole number of at least 0."""
    return whole(doc, default, minimum=0, maximum=math.inf, example="64")


def counts(doc: str, default: Any = REQUIRED) -> Any:
    """Any number of whole numbers of at least 1: `spp 4 2 1`."""
    read_whole, _ = _is_whole(1, math.inf)
    return Field(
        _each(read_whole), "whole numbers of at least 1", default, doc, many=True, example="4 2 1"
    )


def pair(doc: str, default: Any = REQUIRED, *, minimum: int = 1, example: str = "3x3") -> Any:
    """A number for each spatial axis: `3` for all, `3x1` or `(3, 1)` for height and width."""
    read_whole, _ = _is_whole(minimum, math.inf)

    def write(value: tuple[int, ...]) -> str:
        return str(value[0]) if len({*value}) == 1 else "x".join(map(str, value))

    expects = f"a whole number or a size like {'3x1' if minimum else '1x0'}"
    if isinstance(default, tuple) and len({*default}) == 1:
        default = AllAxes(default)
    return Field(
        _per_axis(read_whole), expects, default, doc, write=write, example=example, per_axis=True
    )


def natural_pair(doc: str, default: Any = REQUIRED) -> Any:
    """A whole number of at least 0 for each spatial axis."""
    return pair(doc, default, minimum=0)


def size(doc: str, default: Any = REQUIRED, **options: Any) -> Any:
    """An image size: `224`, which stays one number, or `224x192` for height and width."""
    read_whole, _ = _is_whole(1, MANY)

    def read(value: object) -> Any:
        sides = _sides(value)
        return read_whole(value) if sides is None else (read_whole(sides[0]), read_whole(sides[1]))

    def write(value: Any) -> str:
        return f"{value[0]}x{value[1]}" if isinstance(value, tuple) else str(value)

    options.setdefault("example", "224")
    return Field(
        read, "a whole number or a size like 224x192", default, doc, write=write, **options
    )


def sides(doc: str, default: Any = REQUIRED, **options: Any) -> Any:
    """The size of a sample with any number of axes: `224`, which stays one number, `224x192`, or
    `32x64x64`."""
    read_whole, _ = _is_whole(1, MANY)

    def read(value: object) -> Any:
        items = _bracketed(value)
        return read_whole(value) if items is None else tuple(map(read_whole, items))

    def write(value: Any) -> str:
        return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)

    options.setdefault("example", "224")
    return Field(
        read, "a whole number or a size like 224x192", default, doc, write=write, **options
    )


def share(doc: str, default: Any = REQUIRED, *, part: bool = False, **options: Any) -> Any:
    """A share: `20%` or `0.2`; with `part`, neither 0 % nor 100 %."""
    expects = "a share above 0 % and below 100 %" if part else "a share from 0 % to 100 %"

    def read(value: object) -> float:
        real = real_number(value)
        if not 0 <= real <= 1 or (part and real in (0, 1)):
            instead = (
                f"{exact(real)}%" if 1 <= real < 100 and not isinstance(value, Percent) else ""
            )
            raise ArgumentError(f"{show(value)} is not {expects}", instead=instead)
        return real

    return Field(read, expects, default, doc, write=percent, **options)


def ranged(doc: str, limit: float, unit: str, default: Any = REQUIRED, **options: Any) -> Any:
    """A range around zero: `20` means -20..20. `unit` is for messages: `degrees`."""
    most = f"{limit:g} {unit}".rstrip()
    expects = (
        f"a number up to {most}, in both directions, or a range like -{limit / 2:g}..{limit / 4:g}"
    )

    def read(value: object) -> Range:
        ends = _ends(value)
        if ends is None:
            far = real_number(value)
            if not 0 <= far <= limit:
                instead = f"{exact(far)}%" if limit == 1 and 1 < far < 100 else ""
                instead = exact(-far) if -limit <= far < 0 else instead
                raise ArgumentError(f"{show(value)} is not {expects}", instead=instead)
            return (-far if far else 0.0, far)
        low, high = (_within(end, -limit, limit, "within that") for end in ends)
        return low, high

    return Field(read, expects, default, doc, write=interval, **options)


def about_one(doc: str, default: Any = REQUIRED, *, above: bool = False, **options: Any) -> Any:
    """A range of factors around 1: `0.2` means 0.8..1.2."""
    least = "above 0" if above else "of at least 0"
    expects = f"a range of factors {least}, like 0.8..1.2 (0.2 for short)"

    def read(value: object) -> Range:
        ends = _ends(value)
        if ends is None:
            by = real_number(value)
            if not 0 <= by < 1:
                far = by if 1 < by < 2 else 0.0
                instead = f"{exact(round(2 - far, 6))}..{exact(far)}" if far else ""
                raise ArgumentError(f"{show(value)} is not {expects}", instead=instead)
            return round(1 - by, 12), round(1 + by, 12)
        low, high = map(real_number, ends)
        if low < 0 or (above and low == 0):
            raise ArgumentError(f"{show(value)} begins below that")
        return low, high

    return Field(read, expects, default, doc, write=interval, **options)


def between(
    doc: str, minimum: float, maximum: float = math.inf, default: Any = REQUIRED, **options: Any
) -> Any:
    """A range, or one number for a constant."""
    if maximum < math.inf:
        expects = f"a number between {minimum:g} and {maximum:g}, or a range of them"
    else:
        expects = f"a number of at least {minimum:g}, or a range of them"

    def read(value: object) -> Range:
        low, high = _ends(value) or (value, value)
        problem = f"within {minimum:g} and {maximum:g}" if maximum < math.inf else "as large"
        return _within(low, minimum, maximum, problem), _within(high, minimum, maximum, problem)

    return Field(read, expects, default, doc, write=interval, **options)


def share_range(doc: str, default: Any = REQUIRED, **options: Any) -> Any:
    """A share up to which numbers are drawn, from 0 on, or a range: `10%` means 0..10%."""
    expects = "a share from 0 % to 100 %, the largest that is drawn, or a range like 5%..10%"

    def read(value: object) -> Range:
        ends = _ends(value)
        for end in ends or (value,):
            real = real_number(end)
            if not 0 <= real <= 1:
                plain = ends is None and 1 < real <= 100 and not isinstance(value, Percent)
                instead = f"{exact(real)}%" if plain else ""
                raise ArgumentError(f"{show(end)} is not from 0 % to 100 %", instead=instead)
        low, high = ends or (0, value)
        return real_number(low), real_number(high)

    return Field(read, expects, default, doc, write=interval, **options)


def factor(doc: str, default: Any = REQUIRED, **options: Any) -> Any:
    """A factor: `10x` or `0.1x`; a plain number works, too."""
    return Field(
        read_factor, "a factor like `10x` or `0.1x`", default, doc, write=write_factor, **options
    )


def switch(
    doc: str, default: Any = REQUIRED, *, keyword_only: bool = True, example: str = ""
) -> Any:
    """`on` or `off`."""
    words = not keyword_only  # `yes` and `no` arrive as words
    return Field(
        _switch, "`on` or `off`", default, doc,
        keyword_only=keyword_only, takes_words=words, example=example,
    )  # fmt: skip


def flag(doc: str) -> Any:
    """A flag: off unless its name is written."""
    return Field(_switch, "`on` or `off`", False, doc, is_flag=True)


def choice(
    doc: str,
    words: Sequence[str],
    default: Any = REQUIRED,
    *,
    switches: bool = False,
    elsewhere: Mapping[str, str] = NOTHING,
    **options: Any,
) -> Any:
    """One of several words; with `switches`, also `on` or `off`.

    `elsewhere` maps what to write here to names in other tools.
    """
    expects = f"one of {_listed((*words, *(('on', 'off') if switches else ())))}"
    read = _one_of(words, switches, elsewhere)
    return Field(read, expects, default, doc, takes_words=True, words=tuple(words), **options)


def label(doc: str) -> Any:
    """The label of a map before it, whose size a layer reads: `like=stem`."""

    def read(value: object) -> str:
        if isinstance(value, (Word, MapRef)):
            return str(value)
        raise ArgumentError(f"{show(value)} is not a label")

    return Field(
        read, "the label of a map, or `input` for what arrives in the block", None, doc,
        takes_words=True, keyword_only=True, is_label=True,
    )  # fmt: skip


def words(doc: str, known: Sequence[str], default: Any = REQUIRED, **options: Any) -> Any:
    """One or more words of a list."""
    read = _each(_one_of(known, False, NOTHING))
    return Field(
        read, f"some of {_listed(known)}", default, doc,
        takes_words=True, many=True, words=tuple(known), write=" ".join, **options,
    )  # fmt: skip


def layer_name(doc: str, default: Any = REQUIRED, **options: Any) -> Any:
    """The name of a layer or scope: a label, `layer1.0`, or a pattern in quotes, `"layer*.bn"`."""
    options.setdefault("write", name_or_text)
    return Field(
        _name, 'a name of the network\'s, or a pattern like "layer1.*"', default, doc,
        takes_words=True, **options,
    )  # fmt: skip


def layer_names(doc: str, *, example: str = "") -> Any:
    """Any number of names of layers or scopes."""

    def write(value: tuple[str, ...]) -> str:
        return " ".join(map(name_or_text, value))

    expects = 'names of the network\'s, or patterns like "layer1.*"'
    return Field(
        _each(_name), expects, REQUIRED, doc,
        takes_words=True, many=True, write=write, example=example,
    )  # fmt: skip


def file_name(doc: str, default: Any = REQUIRED, **options: Any) -> Any:
    """A path of a file or folder, relative to the spec's folder."""
    options.setdefault("example", '"data"')
    return Field(_file, 'text between `"`', default, doc, takes_words=True, write=quoted, **options)


def tuple_of(
    doc: str,
    read_item: Read,
    expects: str,
    default: Any = REQUIRED,
    *,
    single: bool = True,
    **options: Any,
) -> Any:
    """Values in brackets; with `single`, a single value needs no brackets."""
    each = _each(read_item)

    def read(value: object) -> tuple[Any, ...]:
        if not single and _bracketed(value) is None:
            example = expects.partition(", like ")[2]
            raise ArgumentError(
                f"{show(value)} is not {expects}", f"write both: `{example}`" if example else ""
            )
        return each(value)  # type: ignore[no-any-return]

    return Field(read, expects, default, doc, **options)


def either(doc: str, word: str, other: Read, expects: str, default: Any, **options: Any) -> Any:
    """A given word, or a value for another reader."""

    def read(value: object) -> Any:
        return word if isinstance(value, Word) and value == word else other(value)

    return Field(
        read, f"{expects}, or `{word}`", default, doc, takes_words=True, words=(word,), **options
    )


def custom(doc: str, read: Read, expects: str, default: Any = REQUIRED, **options: Any) -> Any:
    """An argument with a reader of its own."""
    return Field(read, expects, default, doc, **options)
