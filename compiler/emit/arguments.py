"""Arguments of classes: what a spec's block takes, and what its text alone does not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...dsl.syntax import Name as Word
from ...dsl.syntax import Number, Switch
from ..language.values import Word as LayerWord
from ..network import Scope
from ..ops.base import REGISTRY, ClassName
from .body import is_shortcut, origin
from .frame import NAMED, Frame, Leaf
from .loops import Round
from .symbolic import code_of, plain, traced
from .view import View, one_of_pair

Read = Callable[[View, Scope], Any]
"""The value of an argument in a call, as a view shows it."""


@dataclass
class Parameter:
    """An argument of a class."""

    name: str
    read: Read
    values: list[Any] = field(default_factory=list)
    """In each call."""
    default: Any = ...
    """`...` where there is none."""

    @property
    def usual(self) -> Any:
        """As in Leaf: rates have to be given, by name."""
        is_rate = self.default is ... and any(type(value) is float for value in self.values)
        return NAMED if is_rate else self.default

    @property
    def annotation(self) -> str:
        return " | ".join(dict.fromkeys(type_text(value) for value in self.values))


def type_text(value: Any) -> str:
    if isinstance(value, ClassName):
        return "type[nn.Module]"
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(type_text, value))}]"
    if isinstance(value, list):
        return f"list[{type_text(value[0])}]" if value else "list[int]"
    return type(value).__name__


class Definition(NamedTuple):
    """A class, as those see it that call it."""

    name: str
    parameters: tuple[Parameter, ...]

    def call(self, view: View, scope: Scope) -> Round:
        items = tuple([Leaf(p.usual, p.name) for p in self.parameters])
        return Frame(self.name, items), tuple([p.read(view, scope) for p in self.parameters])


def argument_of(word: str) -> Read:
    def read(view: View, scope: Scope) -> Any:
        value = view.arguments(origin(scope))[word]
        if isinstance(value, LayerWord):
            return traced(class_of_layer(value), code_of(value))
        return one_of_pair(value)

    return read


def channels_arriving(view: View, scope: Scope) -> Any:
    arriving = origin(scope).arriving
    assert arriving is not None
    return view.channels(arriving)


def class_of_layer(word: str) -> ClassName:
    """`nn.ReLU` for `relu`."""
    shape = (8, 8, 8)
    module = REGISTRY[str(word)]().torch(shape, shape).module
    return ClassName(module.name if module is not None else "")


def defaults_of(what: Scope) -> dict[str, Any]:
    if is_shortcut(what):
        return {"stride": 1}
    if what.definition is None:
        return {}
    return {
        p.name.value: p.default.value
        for p in what.definition.parameters
        if isinstance(p.default, Number | Switch | Word)
    }


def default_for(values: Sequence[Any], defaults: Mapping[str, Any], word: str) -> Any:
    default = defaults.get(word, ...)
    if isinstance(values[0], ClassName):
        try:
            return class_of_layer(default) if isinstance(default, str) else ...
        except (KeyError, TypeError):
            return ...
    if isinstance(default, str) or any(type(value) is not type(default) for value in values):
        default = ...
    if default is ... and all(type(value) is bool for value in values):
        return False  # nobody reads `Part(16, False)`
    return default


def plain_pair(value: Any) -> Any:
    return one_of_pair(plain(value))


def is_literal(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(type(each) in (int, float) for each in value)
    return type(value) in (int, float, bool)
