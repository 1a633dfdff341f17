"""Shortcuts of residuals: which operations the input passes through, where its shape differs from
that of the body. They step over the map as the body does: a projection has the stride of the body,
as published networks have it. A body that steps in no such way (pooled globally, cropped, not
padded) cannot be met by a stride, and its residual is an error.
"""

from __future__ import annotations

from typing import Any

from ..network import Node
from ..ops.base import EVERYTHING, POINT, Op
from ..ops.shortcut import PadShortcut, projection
from ..shapes import PerAxis, ShapeError, axes_of, plain, size, text


def shortcut(kind: str, input_node: Node, body: Node) -> list[Op]:
    """The operations of a shortcut of a residual, of none for the input itself; raises ShapeError
    if none of its kind leads to the shape of the body.
    """
    same = input_node.shape == body.shape
    if kind in ("identity", "match") or (same and kind != "project"):
        return []
    if kind == "pad":
        op = PadShortcut.between(input_node.shape, body.shape)
        return [op.replace(stride=stride_beside(input_node, body))]
    return projection(body.shape[0], stride_beside(input_node, body))


def stride_beside(input_node: Node, body: Node) -> PerAxis:
    """The stride of a shortcut beside a body, which is the product of the body's strides; raises
    ShapeError if such a shortcut would not have the size of the body.
    """
    before, after = input_node.shape, body.shape
    if not axes_of(before) or axes_of(before) != axes_of(after):
        raise ShapeError(f"no projection turns {text(before)} into {text(after)}")
    steps: PerAxis | None = strides_along(input_node, body)
    if steps is None and before[1:] == after[1:]:
        return (1,) * axes_of(before)
    if steps is None and size(after[1:]) == 1:
        raise ShapeError(
            "the body gives one number for each channel",
            "multiply the input by it, with `gate { … }`; or end the body with"
            f" `upsample to={text(before[1:])}`",
        )
    if steps is None:
        raise ShapeError(f"no stride turns {text(before[1:])} into {text(after[1:])}")
    sides = tuple((n - 1) // step + 1 for n, step in zip(before[1:], steps, strict=True))
    if sides != after[1:]:
        raise ShapeError(
            f"no shortcut of stride {plain(steps)} ends in {text(after[1:])}",
            f"the body has stride {plain(steps)}, and beside it a shortcut ends in {text(sides)}:"
            f" pad the body (`same`), so that it ends in {text(sides)}, too",
        )
    return steps


def strides_along(first: Node, last: Node) -> Any:
    """The product of strides from one layer to another, for each axis; None if no windows lead
    from one to the other. Of a merge, the first path of its size counts.
    """
    axes = axes_of(last.shape)
    product: list[Any] = [1] * axes
    at = last
    while at is not first:
        if not at.inputs or at.index < first.index:
            return None
        window = at.window
        if window == EVERYTHING or axes_of(at.shape) != axes:
            return None
        if window != POINT:
            if any(step != int(step) for step in window.stride):
                return None  # a layer that upsamples
            steps = [step if isinstance(step, int) else int(step) for step in window.stride]
            product = [step * before for step, before in zip(steps, product, strict=True)]
        at = next((n for n in at.inputs if n.shape[1:] == at.shape[1:]), at.inputs[0])
    return tuple(product)
