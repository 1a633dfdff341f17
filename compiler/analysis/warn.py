"""How a rule says what it does not like."""

from __future__ import annotations

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ..graph import Node


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
