"""Warnings about unused definitions: blocks, parameters, labels."""

from __future__ import annotations

from collections.abc import Iterator

from ...dsl.diagnostics import Diagnostic, Edit
from ...dsl.source import Span
from ...dsl.syntax import Block, Call, Name, Network, Path, Spec, walk

UNUSED = UNUSED_BLOCK, UNUSED_PARAMETER, UNUSED_LABEL = (
    "unused-block",
    "unused-parameter",
    "unused-label",
)


def unused_definitions(spec: Spec, called: set[int]) -> Iterator[Diagnostic]:
    """Blocks of the main file that are never called, and parameters that are never read. `called`
    are the ids of the blocks that were called. A file without a network is a library: other files
    use its blocks.
    """
    if not any(isinstance(statement, Network) for statement in spec.statements):
        return
    for statement in spec.statements:
        if isinstance(statement, Block) and id(statement) not in called:
            name = statement.name
            yield Diagnostic(
                UNUSED_BLOCK,
                f"the block `{name.value}` is never called",
                name.span,
                help=f"call it: `{name.value} …`, or take it out",
                severity="warning",
            )
        elif isinstance(statement, (Block, Network)):
            yield from _unread_parameters(statement)


def _unread_parameters(definition: Block | Network) -> Iterator[Diagnostic]:
    if not definition.parameters:
        return
    read = _names_in(definition)
    for parameter in definition.parameters:
        name = parameter.name.value
        if name not in read:
            yield Diagnostic(
                UNUSED_PARAMETER,
                f"`{definition.name.value}` does not use its parameter `{name}`",
                parameter.span,
                help="use it in the body, or take it out",
                severity="warning",
            )


def _names_in(definition: Block | Network) -> set[str]:
    """All names used in the body, and in the defaults of later parameters."""
    names: set[str] = set()
    parts = [p.default for p in definition.parameters if p.default is not None]
    for part in [definition.body, *parts]:
        for node in walk(part):
            if isinstance(node, Name):
                names.add(node.value)
            elif isinstance(node, Path):
                names.add(node.parts[0])
    return names


def unused_label(label: Name, reference_span: Span) -> Diagnostic:
    """The warning for a label that is never referred to and does not name weights."""
    after = reference_span.source.text.find(":", label.span.end) + 1
    whole = Span(label.span.source, label.span.start, after)
    return Diagnostic(
        UNUSED_LABEL,
        f"the label `{label.value}` is never used, and it does not name weights",
        label.span,
        help="take the label out",
        edits=(Edit(whole, ""),),
        severity="warning",
    )


def calls_in(block: Block) -> Iterator[Call]:
    """All calls in a block, at any depth."""
    for node in walk(block.body):
        if isinstance(node, Call):
            yield node
