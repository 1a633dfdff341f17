"""One spelling for operations that compute the same, and the inverse of a layer's signature: an
operation as a word and its arguments, read off its declared fields. No layer is named here. How a
layer is written (which arguments go without their names, `3x3` or `3`) follows its example in `cnn
help`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from ..language.signature import Field
from ..ops.base import Op
from ..ops.scale import Scaled
from ..shapes import AllAxes, Shape


def normal(op: Op, input_shape: Shape) -> Op:
    """The usual spelling of an operation: `same` for a padding that keeps the size, `global` for a
    window of the whole map, no `stride` where it is the default, `depthwise` for as many groups as
    channels.
    """
    from ..ops import REGISTRY

    fields = op.fields
    if type(op) is Scaled:  # what `residual scale=` multiplies by
        written = next(kind for kind in REGISTRY.values() if issubclass(kind, Scaled))
        op = written.make(factor=op.factor)
    if "groups" in fields and "kernel" in fields and getattr(op, "mode", "") == "zeros":
        op = _depthwise(op, input_shape)
        fields = op.fields
    kernel = getattr(op, "kernel", None) if "kernel" in fields else None
    if kernel is None:
        return op
    if "global" in fields:
        if getattr(op, "stride", None) == kernel:
            op = op.replace(stride=None)
        if op.ceil and op.replace(ceil=False).output(input_shape) == op.output(input_shape):  # type: ignore[attr-defined]
            op = op.replace(ceil=False)
        alone = not any(op.pad) and not op.same and not op.same_upper  # type: ignore[attr-defined]
        if kernel == input_shape[1:] and alone and not _more_than(op, "kernel", "stride", "ceil"):
            return type(op).make(**{"global": True}).on_axes(len(kernel))
    if "same" in fields and not getattr(op, "same_upper", False) and not getattr(op, "ceil", False):
        op = _same(op, kernel, input_shape)
    return op


def _more_than(op: Op, *names: str) -> bool:
    """Whether it has other arguments than these that are not the default."""
    given = op.arguments.items()
    return any(name not in names and not op.fields[name].is_usual(value) for name, value in given)


def _same(op: Any, kernel: Sequence[int], input_shape: Shape) -> Op:
    dilation = op.dilation
    reaches = [step * (side - 1) + 1 for side, step in zip(kernel, dilation, strict=True)]
    keeps = [(reach - 1) // 2 for reach in reaches]
    odd = all(reach % 2 for reach in reaches)
    if odd and (op.same or list(op.pad) == keeps):
        zero = AllAxes((0,) * len(keeps)) if len(keeps) == 2 else (0,) * len(keeps)
        other = op.replace(same=True, pad=zero)
        if hasattr(op, "sides") and other.sides(input_shape) == op.sides(input_shape):
            return other  # type: ignore[no-any-return]
    return op  # type: ignore[no-any-return]


def _depthwise(op: Any, input_shape: Shape) -> Op:
    from ..ops import REGISTRY

    channels = input_shape[0]
    if op.groups != channels or channels == 1 or op.out % channels:
        return op  # type: ignore[no-any-return]
    beside = {*op.fields} - {"out", "groups"} | {"multiplier"}
    kind = next((each for each in REGISTRY.values() if {*each.fields} == beside), None)
    if kind is None:
        return op  # type: ignore[no-any-return]
    given = {name: value for name, value in op.arguments.items() if name in kind.fields}
    return kind.make(**given, multiplier=op.out // channels)


def unsettled(op: Op, followers: Sequence[Op]) -> Op:
    """With `auto` for each argument that `auto` would come to."""
    for name, field in op.fields.items():
        if field.default == "auto" and getattr(op, name) != "auto":
            asked = op.replace(**{name: "auto"})
            if asked.settle(followers) == op:
                op = asked
    return op


class Writing(NamedTuple):
    """How the arguments of a layer are written."""

    plain: tuple[str, ...]
    """Those without their names, in order."""
    sized: frozenset[str]
    """Those written as `3x3`, though one number would do."""


@cache
def writing(word: str) -> Writing:
    """As in the example of `cnn help`."""
    from ..ops import REGISTRY

    kind = REGISTRY[word]
    statements = [part.strip() for part in kind.example.split(",")]
    own = next((part for part in statements if part.startswith(kind.word)), kind.word)
    tokens = own[len(kind.word) :].split()
    positional = [field for field in kind.signature().positional if not field.is_label]
    plain: list[str] = []
    sized: set[str] = set()
    for field, token in zip(positional, tokens, strict=False):
        if "=" in token or token in kind.fields or token in field.words:
            break
        plain.append(field.name)
        if "x" in token and field.per_axis:
            sized.add(field.name)
    if not plain and positional and positional[0].per_axis:
        plain, sized = [positional[0].name], {positional[0].name}
    required = [field.name for field in positional if field.required]
    if len(required) > len(plain):
        plain = required
    return Writing(tuple(plain), frozenset(sized))


def shown(field: Field, value: Any, sized: bool) -> str:
    """A value as the spec writes it."""
    if ".." in field.example and isinstance(value, tuple):
        return "..".join(map(str, value))
    if sized and isinstance(value, tuple):
        return "x".join(map(str, value))
    if field.per_axis and isinstance(value, tuple) and len({*value}) > 1:
        return "x".join(map(str, value))
    return field.show(value)
