"""Declared words: a layer or directive as a class whose attributes are its arguments. Instances are
frozen and equal by value, like those of frozen dataclasses, but without that machinery, which would
cost a third of a millisecond per class at start-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, dataclass_transform

from . import kinds
from .signature import Field, Signature


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(
        kinds.count,
        kinds.natural,
        kinds.counts,
        kinds.pair,
        kinds.natural_pair,
        kinds.switch,
        kinds.flag,
        kinds.choice,
        kinds.label,
        kinds.custom,
    ),
)
class Declared:
    """The base of layers and directives: a word with its arguments."""

    word: ClassVar[str] = ""
    """Its word in a spec; two words if the first argument selects the kind (`pool max`)."""
    fields: ClassVar[Mapping[str, Field]] = {}

    def __init_subclass__(cls) -> None:
        own: dict[str, Field] = {}
        for base in reversed(cls.__bases__):
            own |= getattr(base, "fields", {})
        for name, value in list(vars(cls).items()):
            if isinstance(value, Field):
                value.name = name
                own[name] = value
                setattr(cls, name, value.default)  # arguments not given are read from the class
        cls.fields = own

    def __init__(self, **arguments: Any) -> None:
        self.__dict__.update(arguments)

    @classmethod
    def make(cls, **arguments: Any) -> Self:
        """Creates an instance from argument values that have been checked."""
        return cls(**arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Declared)
            and type(self) is type(other)
            and self.arguments == other.arguments
        )

    def __hash__(self) -> int:
        return hash((type(self), *self.arguments.values()))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({given})"

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments, including those left at their default."""
        return {name: getattr(self, name) for name in self.fields}

    def replace(self, **changes: Any) -> Self:
        return type(self)(**{**self.__dict__, **changes})

    @classmethod
    def signature(cls) -> Signature:
        return Signature(cls.word, cls.fields, (cls.__doc__ or "").strip())

    def check(self) -> None:
        """Raises ArgumentError if arguments contradict each other, independent of the context."""
