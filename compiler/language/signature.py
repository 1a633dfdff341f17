"""Typed signatures: the arguments of a word, with type, default and documentation. A layer or a
directive declares its arguments as class attributes with the functions of `.kinds`; the signature
is that declaration.

    class Conv(Op):
        out: int = count("filters; they become the channels")
        kernel: Pair = pair("size of a filter", default=(1, 1))
        same: bool = flag("pad so that stride 1 keeps the size")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .values import spelled


class ArgumentError(Exception):
    """The value of an argument is not valid."""

    def __init__(self, message: str, help: str = "", *, instead: str = "", drop: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help or (f"write `{instead}`" if instead else "")
        self.instead = instead
        """A valid value to write instead, if one is known."""
        self.drop = drop
        """The argument to remove, if two contradict each other."""


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Any = _Required()

Read = Callable[[object], Any]
"""Converts a value of the spec to the value of the argument, or raises ArgumentError."""


@dataclass(slots=True, eq=False)
class Field:
    """One argument of a signature."""

    read: Read
    expects: str
    """`a whole number of at least 1`: the type, in words."""
    default: Any
    doc: str
    name: str = ""
    is_flag: bool = False
    """It is a flag, set by its bare name."""
    takes_words: bool = False
    """Whether its value can be a bare word."""
    many: bool = False
    """It takes all remaining positional values."""
    keyword_only: bool = False
    is_label: bool = False
    """Its value is the label of a map before it, as the spec writes it."""
    per_axis: bool = False
    """It has a number for each spatial axis of the map, or one for all."""
    words: tuple[str, ...] = ()
    """The words of a choice."""
    elsewhere: str = ""
    """Its names in other tools, separated by blanks."""
    example: str = ""
    """An example value for the help if it is missing."""
    write: Callable[[Any], str] | None = None
    """Writes a value as in a spec, if `spelled` cannot."""

    def show(self, value: object) -> str:
        return self.write(value) if self.write else spelled(value)

    def is_usual(self, value: object) -> bool:
        """Whether it is the default, for whatever number of axes."""
        if value == self.default:
            return True
        sizes = self.per_axis and isinstance(value, tuple) and isinstance(self.default, tuple)
        return sizes and {*value} == {*self.default}  # type: ignore[misc]

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def takes(self, value: object) -> bool:
        """Whether this can be its value."""
        try:
            self.read(value)
        except ArgumentError:
            return False
        return True


class Signature(NamedTuple):
    """A word and its arguments."""

    word: str
    """`conv`, or two words if the first argument selects the kind: `pool max`."""
    fields: Mapping[str, Field]
    doc: str = ""
    usage: str = ""
    """Its usage, if the fields alone do not show it."""

    @property
    def positional(self) -> list[Field]:
        return [f for f in self.fields.values() if not f.is_flag and not f.keyword_only]

    def is_flag(self, word: str) -> bool:
        field = self.fields.get(word)
        return field is not None and field.is_flag

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
        return "…" if value is None else field.show(value)


def declare(word: str, **fields: Any) -> Signature:
    """Declares a signature without a class."""
    for name, field in fields.items():
        field.name = name
    return Signature(word, fields)
