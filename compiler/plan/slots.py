"""What a section's dataclass has places for, read off its annotations."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple, get_args, get_type_hints

from .directive import Directive


class Slot(NamedTuple):
    name: str
    kind: type[Directive]
    """The class of what goes there, or the one above its kinds."""
    optional: bool
    several: bool

    def takes(self, directive: Directive) -> bool:
        return isinstance(directive, self.kind)

    @property
    def word(self) -> str:
        """The word that a spec has for it."""
        return words_of(self.kind)


_KNOWN: dict[type[Any], tuple[Slot, ...]] = {}


def slots(section: type[Any]) -> tuple[Slot, ...]:
    if section not in _KNOWN:
        hints = get_type_hints(section)
        _KNOWN[section] = tuple(_slot(field.name, hints[field.name]) for field in fields(section))
    return _KNOWN[section]


def _slot(name: str, hint: Any) -> Slot:
    inside = [part for part in get_args(hint) if part not in (type(None), ...)]
    kind = inside[0] if inside else hint
    several = getattr(hint, "__origin__", None) is tuple
    return Slot(name, kind, bool(inside) and not several, several)


def words_of(kind: type[Directive]) -> str:
    """Of a class above several kinds, the word that they share."""
    if kind.word:
        return kind.head()
    return next(one.head() for one in _below(kind) if one.word)


def _below(kind: type[Directive]) -> list[type[Directive]]:
    found = []
    for one in kind.__subclasses__():
        found += [one, *_below(one)]
    return found
