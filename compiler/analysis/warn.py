"""Helpers for lint rules: building a warning with its place, help and fix."""

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
    # A label at the same place as the warning (a block's parameter called twice) adds nothing.
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


def statement_text(node: Node) -> str:
    """The statement of a node, if it is the operation itself and not a block or form around it."""
    word = node.op.word.split(" ")[0]
    return node.span.text if re.match(rf"(\w+:\s*)?{word}\b", node.span.text) else ""


def map_before(node: Node) -> Node:
    """The last map before an operation on a vector, or the first node."""
    source = node.inputs[0]
    while len(source.shape) == 1 and source.inputs:
        source = source.inputs[0]
    return source
