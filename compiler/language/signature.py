"""Typed signatures: what may follow a word, and what each value must be.

A layer or a directive declares its arguments as class attributes made with the functions at the
end of this file; names, types, defaults and documentation of the signature are that declaration.

    class Conv(Op):
        out: int = count("filters; they become the channels")
        kernel: Pair = pair("size of a filter", default=(1, 1))
        same: bool = flag("pad so that stride 1 keeps the size")
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ...dsl.closest import closest
from .values import Factor, Interval, Text, Traced, Word, show


class ArgumentError(Exception):
    """A value that an argument cannot take."""

    def __init__(self, message: str, help: str = "", *, instead: str = "", drop: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help or (f"write `{instead}`" if instead else "")
        self.instead = instead
        """What to write in place of the value, where that can be worked out."""
        self.drop = drop
        """The argument to take out, where two contradict each other."""


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Any = _Required()
NOTHING: Mapping[str, str] = MappingProxyType({})

Read = Callable[[object], Any]
"""Turns a value of the spec into the value of the argument, or raises ArgumentError."""


@dataclass(slots=True)
class Field:
    """One argument of a signature."""

    read: Read
    expects: str
    """`a whole number of at least 1`: the type, in words."""
    default: Any
    doc: str
    name: str = ""
    is_flag: bool = False
    """Set by its bare name."""
    takes_words: bool = False
    """Whether a bare word can be its value."""
    many: bool = False
    """Takes all positional values that are left."""
    keyword_only: bool = False
    words: tuple[str, ...] = ()
    """The words that a choice is between."""
    elsewhere: str = ""
    """What other tools call it, blanks between."""
    example: str = ""
    """A value that would do, for who has left it out."""
    write: Callable[[Any], str] | None = None
    """A value as a spec would write it, where `show` does not know."""

    def show(self, value: object) -> str:
        return self.write(value) if self.write else show(value)

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True)
class Signature:
    """A word and the arguments that may follow it."""

    word: str
    """`conv`, or two words where the first argument chooses: `pool max`."""
    fields: Mapping[str, Field]
    doc: str = ""
    usage: str = ""
    """How it is written, where the fields alone would not say it."""

    @property
    def positional(self) -> list[Field]:
        return [f for f in self.fields.values() if not f.is_flag and not f.keyword_only]

    def __str__(self) -> str:
        """`conv out kernel=1 stride=1 … [same]`."""
        if self.usage:
            return self.usage
        parts = [self.word]
        for field in self.fields.values():
            if field.is_flag:
                parts.append(f"[{field.name}]")
            elif field.many:
                parts.append(f"{field.name} …")
            elif field.required:
                parts.append(field.name)
            else:
                parts.append(f"{field.name}={self.default(field)}")
        return " ".join(parts)

    @staticmethod
    def default(field: Field) -> str:
        value = field.default
        if value is not None and field.write:
            return field.write(value)
        if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
            value = value[0]
        return "…" if value is None else show(value)


def declare(word: str, **fields: Any) -> Signature:
    """A signature without a class."""
    for name, field in fields.items():
        field.name = name
    return Signature(word, fields)


# ---- readers ---------------------------------------------------------------------------------


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


def _integer(minimum: int) -> Read:
    def read(value: object) -> int:
        number = _whole(value)
        if number is None or number < minimum:
            raise ArgumentError(f"{show(value)} is not a whole number of at least {minimum}")
        return number

    return read


def _pair(minimum: int) -> Read:
    one = _integer(minimum)

    def read(value: object) -> tuple[int, int]:
        if isinstance(value, (tuple, list)) and not isinstance(value, Interval):
            if len(value) != 2:
                raise ArgumentError(f"{show(value)} is not a height and a width")
            return one(value[0]), one(value[1])
        number = one(value)
        return number, number

    return read


def _real(minimum: float, maximum: float, above: bool) -> Read:
    def read(value: object) -> float:
        number = isinstance(value, (int, float)) and not isinstance(value, (bool, Factor))
        if not number or not math.isfinite(value):  # type: ignore[arg-type]
            raise ArgumentError(f"{show(value)} is not a number")
        result = float(value)  # type: ignore[arg-type]
        if result < minimum or result > maximum or (above and result == minimum):
            raise ArgumentError(f"{show(value)} is not {_bounds(minimum, maximum, above)}")
        return value if isinstance(value, Traced) else result  # type: ignore[return-value]

    return read


def _bounds(minimum: float, maximum: float, above: bool) -> str:
    if maximum < math.inf and minimum > -math.inf:
        return f"between {minimum:g} and {maximum:g}"
    if minimum > -math.inf:
        return f"a number {'above' if above else 'of at least'} {minimum:g}"
    return "a number"


_SWITCH_HABITS = {"true": "on", "false": "off", "none": "off", "1": "on", "0": "off"}


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Word) and value in ("yes", "no"):
        return value == "yes"
    habit = _SWITCH_HABITS.get(str(value).lower(), "")
    raise ArgumentError(f"{show(value)} is neither `on` nor `off`", instead=habit)


def _choice(words: Sequence[str], switches: bool, elsewhere: Mapping[str, str]) -> Read:
    def read(value: object) -> Any:
        if switches and isinstance(value, bool):
            return value
        if isinstance(value, Word) and value in words:
            return str(value)
        habit = elsewhere.get(str(value).lower(), "")
        if switches and not habit:
            habit = _SWITCH_HABITS.get(str(value).lower(), "")
        raise ArgumentError(
            f"{show(value)} is none of them", instead=habit or closest(str(value), words)
        )

    return read


def _string(value: object) -> str:
    if isinstance(value, Text):
        return str(value)
    raise ArgumentError(f"{show(value)} is not text", instead=f'"{show(value)}"')


def _several(read: Read, least: int) -> Read:
    def read_all(value: object) -> tuple[Any, ...]:
        items = value if isinstance(value, (tuple, list)) else [value]
        if len(items) < least:
            raise ArgumentError(f"at least {least} values are needed")
        return tuple(read(item) for item in items)

    return read_all


# ---- what a declaration is made of (returning Any, so that attributes keep their own types) ----


def count(doc: str, default: Any = REQUIRED) -> Any:
    """A whole number of at least 1."""
    return Field(_integer(1), "a whole number of at least 1", default, doc)


def natural(doc: str, default: Any = REQUIRED) -> Any:
    """A whole number of at least 0."""
    return Field(_integer(0), "a whole number of at least 0", default, doc)


def pair(doc: str, default: Any = REQUIRED) -> Any:
    """`3`, `3x1` or `(3, 1)`: something by height and width, at least 1."""
    return Field(_pair(1), "a whole number or a size like 3x1", default, doc)


def natural_pair(doc: str, default: Any = REQUIRED) -> Any:
    """The same, from 0."""
    return Field(_pair(0), "a whole number or a size like 1x0", default, doc)


def real(
    doc: str,
    default: Any = REQUIRED,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    above: bool = False,
) -> Any:
    """A number; `above` leaves the minimum itself out."""
    expects = _bounds(minimum, maximum, above)
    return Field(_real(minimum, maximum, above), expects, default, doc)


def probability(doc: str, default: Any = REQUIRED) -> Any:
    """A number from 0 to 1, or a percentage."""
    return Field(_real(0, 1, False), "a number from 0 to 1", default, doc)


def switch(
    doc: str, default: Any = REQUIRED, *, keyword_only: bool = True, example: str = ""
) -> Any:
    """`on` or `off`."""
    words = not keyword_only  # `yes` and `no` come as words
    return Field(
        _switch, "`on` or `off`", default, doc,
        keyword_only=keyword_only, takes_words=words, example=example,
    )  # fmt: skip


def flag(doc: str) -> Any:
    """Off, unless its name is written."""
    return Field(_switch, "`on` or `off`", False, doc, is_flag=True)


def choice(
    doc: str,
    words: Sequence[str],
    default: Any = REQUIRED,
    *,
    switches: bool = False,
    elsewhere: Mapping[str, str] = NOTHING,
    **more: Any,
) -> Any:
    """One of some words; with `switches`, also `on` or `off`. `elsewhere` is what other tools call
    them, and what to write here."""
    listed = "one of " + ", ".join(f"`{w}`" for w in (*words, *(("on", "off") if switches else ())))
    read = _choice(words, switches, elsewhere)
    return Field(read, listed, default, doc, takes_words=True, words=tuple(words), **more)


def string(doc: str, default: Any = REQUIRED) -> Any:
    return Field(_string, 'text between `"`', default, doc)


def counts(doc: str, default: Any = REQUIRED, *, least: int = 1) -> Any:
    """As many whole numbers of at least 1 as are given: `spp 4 2 1`."""
    return Field(
        _several(_integer(1), least), "whole numbers of at least 1", default, doc, many=True
    )


def custom(doc: str, read: Read, expects: str, default: Any = REQUIRED, **more: Any) -> Any:
    """An argument that reads its value in a way of its own."""
    return Field(read, expects, default, doc, **more)
