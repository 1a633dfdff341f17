"""Candidate fixes for shape errors: padding that keeps the size, other channel counts. Whether they
fix anything is not known here: `trial` applies them and compiles.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...dsl.diagnostics import Edit
from ...dsl.syntax import Body, Branches, Call, Name, walk
from ..ops.base import REGISTRY, Op

Proposal = tuple[Edit, ...]


def layer_calls(body: Body | Branches) -> Iterator[tuple[Call, type[Op]]]:
    """The layer statements in a body, with their operations."""
    for node in walk(body):
        if isinstance(node, Call):
            op = operation_of(node)
            if op is not None:
                yield node, op


def operation_of(call: Call) -> type[Op] | None:
    word = call.head.value
    if word in REGISTRY:
        return REGISTRY[word]
    for argument in call.arguments:
        if isinstance(argument.value, Name) and f"{word} {argument.value.value}" in REGISTRY:
            return REGISTRY[f"{word} {argument.value.value}"]
    return None


def end_of(call: Call) -> int:
    return call.arguments[-1].span.end if call.arguments else call.head.span.end


def pad_all(body: Body | Branches) -> Proposal:
    """Adds `same` to every layer of a body that supports it and is not padded otherwise."""
    edits = []
    for call, op in layer_calls(body):
        if "same" not in op.fields:
            continue
        words = {a.value.value for a in call.arguments if isinstance(a.value, Name)}
        named = {a.name for a in call.arguments}
        if {"same", "same_upper", "global", "adaptive"} & words or "pad" in named:
            continue
        if "kernel" in op.fields and _is_one(call, op):
            continue
        at = end_of(call)
        edits.append(Edit(call.span.source.span(at, at), " same"))
    return tuple(edits)


def ceil_all(body: Body | Branches) -> Proposal:
    """Adds `ceil` to every pool of a body that has a stride and rounds its size down."""
    edits = []
    for call, op in layer_calls(body):
        words = {a.value.value for a in call.arguments if isinstance(a.value, Name)}
        strided = any(a.name == "stride" for a in call.arguments)
        if "ceil" in op.fields and strided and not {"ceil", "same", "same_upper"} & words:
            at = end_of(call)
            edits.append(Edit(call.span.source.span(at, at), " ceil"))
    return tuple(edits)


def _is_one(call: Call, op: type[Op]) -> bool:
    """Whether a layer has a 1x1 window, so that there is nothing to pad."""
    order = [field.name for field in op.signature().positional]
    values = [a.value for a in call.arguments if a.name is None and not isinstance(a.value, Name)]
    named = [a.value for a in call.arguments if a.name == "kernel"]
    place = order.index("kernel")
    given = named or values[place : place + 1]
    if not given:
        return bool(op.fields["kernel"].default == (1, 1))
    return given[0].span.text in ("1", "1x1", "(1, 1)")


def give_channels(body: Body | Branches, channels: int) -> Proposal:
    """Sets the needed number of filters at the last layer of a body that has one."""
    last = None
    for call, op in layer_calls(body):
        if "out" in op.fields:
            last = call
    if last is None:
        return ()
    for argument in last.arguments:
        if argument.name in (None, "out"):
            return (Edit(argument.value.span, str(channels)),)
    return ()
