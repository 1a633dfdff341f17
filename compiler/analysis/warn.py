"""What rules have in common: how they say what they do not like, and how to write it better."""

from __future__ import annotations

import re

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ..network import Node


def warning(
    code: str,
    message: str,
    node: Node,
    *,
    notes: tuple[str, ...] = (),
    labels: tuple[Label, ...] = (),
    help: str = "",
    edits: tuple[Edit, ...] = (),
) -> Diagnostic:
    # A label at the very place of the warning (a block's parameter called twice) says nothing.
    elsewhere = tuple(label for label in labels if label.span != node.span)
    return Diagnostic(
        code,
        message,
        node.span,
        labels=elsewhere,
        notes=notes,
        help=help,
        edits=edits,
        severity="warning",
    )


def written(node: Node) -> str:
    """The statement, if it is the operation itself and not a block or a form that brought it."""
    word = node.op.word.split(" ")[0]
    return node.span.text if re.match(rf"(\w+:\s*)?{word}\b", node.span.text) else ""


def map_before(node: Node) -> Node:
    """The last map before an operation on a vector, or what comes first."""
    source = node.inputs[0]
    while len(source.shape) != 3 and source.inputs:
        source = source.inputs[0]
    return source
