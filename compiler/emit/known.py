"""What the spec itself says where a class comes from: names with their values, and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...dsl.syntax import Block, Number, Switch
from ..graph import Scope
from .body import origin
from .frame import Value
from .solve import Name, plain
from .unite import Union

_NUMBER = re.compile(r"(?<![\w.])\d{1,4}(?![\w.])")


def known_names(union: Union) -> list[Name]:
    """What arrives, then the names that the text of the spec can use there."""
    arriving = [body.inputs[0].shape for body in union.bodies]
    channels = "in_channels" if len(arriving[0]) > 1 else "in_features"
    first = Name(channels, tuple([shape[0] for shape in arriving]))
    return [first, *_visible([body.scope for body in union.bodies])]


def numbers_in(union: Union) -> list[int]:
    """The numbers of its text: what values may be multiples of. Halves are everywhere."""
    what = origin(union.bodies[0].scope)
    span = what.definition.span if what.definition is not None else what.span
    return [2, *map(int, _NUMBER.findall(span.text))]


def rounds_in(union: Union) -> bool:
    """Whether its text uses `divisible`."""
    what = origin(union.bodies[0].scope)
    return what.definition is not None and "divisible(" in what.definition.span.text


def _visible(scopes: Sequence[Scope]) -> list[Name]:
    """The names that the spec's text can use inside scopes, where all of them have a value."""
    tables = [_arguments(scope) for scope in scopes]
    defaults = _defaults(origin(scopes[0]).definition)
    found = []
    for name in tables[0]:
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
    if at is not None and at.word == "shortcut" and at.definition is None:
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
        if isinstance(p.default, Number | Switch)
    }


def _is_value(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(type(each) in (int, float) for each in value)
    return type(value) in (int, float, bool)
