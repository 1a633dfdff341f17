"""Typed signatures: what may follow a word, and what each value must be.

A layer or a directive declares its arguments as class attributes made with the functions of
`.kinds`; names, types, defaults and documentation of the signature are that declaration.

    class Conv(Op):
        out: int = count("filters; they become the channels")
        kernel: Pair = pair("size of a filter", default=(1, 1))
        same: bool = flag("pad so that stride 1 keeps the size")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .values import spelled


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
    """A value as a spec would write it, where `spelled` does not know."""

    def show(self, value: object) -> str:
        return self.write(value) if self.write else spelled(value)

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
        return "…" if value is None else field.show(value)


def declare(word: str, **fields: Any) -> Signature:
    """A signature without a class."""
    for name, field in fields.items():
        field.name = name
    return Signature(word, fields)
