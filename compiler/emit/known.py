"""What the spec itself says where a class comes from: names with their values, and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...dsl.syntax import Block, Number, Switch
from ...dsl.syntax import Name as Word
from ..network import Scope
from .body import is_shortcut, origin
from .frame import Kind, Value
from .solve import Arithmetic, Name, plain
from .source import Names
from .unite import Union
from .widths import leaving

_NUMBER = re.compile(r"(?<![\w.])\d{1,4}(?![\w.])")


def known_names(union: Union) -> list[Name]:
    """What arrives, then the names that the text of the spec can use there."""
    arriving = [body.inputs[0].shape for body in union.bodies]
    visible = _visible([body.scope for body in union.bodies], _layers(union))
    channels = "in_channels" if len(arriving[0]) > 1 else "in_features"
    free = Names([name.name for name in visible]).free(channels)
    first = Name(free, tuple([shape[0] for shape in arriving]))
    if is_shortcut(origin(union.bodies[0].scope)):  # has no arguments in the spec
        return [first, Name("out_channels", leaving(union.bodies))]
    return [first, *visible]


def arithmetic(union: Union) -> Arithmetic:
    """What its text computes with. Halves are everywhere."""
    what = origin(union.bodies[0].scope)
    text = (what.definition.span if what.definition is not None else what.span).text
    return Arithmetic(
        (2, *map(int, _NUMBER.findall(text))),
        frozenset({"+", *(sign for sign in ("-", "*", "//") if sign in text)}),
        what.definition is not None and "divisible(" in text,
    )


def _layers(union: Union) -> dict[str, tuple[Value, ...]]:
    """By the name that the spec has for it: the class of a layer that each body is handed."""
    found: dict[str, tuple[Value, ...]] = {}
    for place in union.places:
        given = getattr(place.step.item, "given", None)
        if given is not None and place.step.frame is not None and not place.optional:
            kinds = tuple([own[0] if own else None for own in place.leaves])
            if all(isinstance(kind, Kind) for kind in kinds):
                found[given] = kinds
    return found


def _visible(scopes: Sequence[Scope], layers: Mapping[str, tuple[Value, ...]]) -> list[Name]:
    """The names that the spec's text can use inside scopes, where all of them have a value."""
    tables = [_arguments(scope) for scope in scopes]
    defaults = _defaults(origin(scopes[0]).definition)
    found = []
    for name in tables[0]:
        if name in layers:
            words = [str(table.get(name)) for table in tables]
            usual = defaults.get(name)
            default = layers[name][words.index(usual)] if usual in words else ...
            found.append(Name(name, layers[name], default))
            continue
        if not all(name in table and _is_value(table[name]) for table in tables):
            continue
        values = tuple([plain(table[name]) for table in tables])
        default = defaults.get(name, ...)
        if any(type(value) is not type(default) for value in values):
            default = ...
        if default is ... and all(type(value) is bool for value in values):
            default = False  # nobody reads `Part(16, False)`
        found.append(Name(name, values, default))
    return found


def _arguments(scope: Scope) -> Mapping[str, object]:
    found: dict[str, object] = {}
    at: Scope | None = origin(scope)
    if at is not None and is_shortcut(at):
        return {}
    while at is not None:
        counted = at.kind == "iteration" and at.word == "repeat"
        if not counted:
            found = {**dict(at.arguments), **found}
        if at.definition is not None:
            break
        at = at.parent
    return found


def _defaults(block: Block | None) -> dict[str, Value]:
    if block is None:
        return {}
    return {
        p.name.value: p.default.value
        for p in block.parameters
        if isinstance(p.default, Number | Switch | Word)
    }


def _is_value(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(type(each) in (int, float) for each in value)
    return type(value) in (int, float, bool)
