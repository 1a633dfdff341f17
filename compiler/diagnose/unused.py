"""Warnings about definitions: unused blocks, parameters and labels, and names that hide the size of
the map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Block, Call, For, Let, Name, Network, Path, Repeat, Spec, walk

UNUSED = UNUSED_BLOCK, UNUSED_PARAMETER, UNUSED_LABEL, HIDDEN_NAME = (
    "unused-block",
    "unused-parameter",
    "unused-label",
    "hidden-name",
)

_SIDES = ("height", "width")
"""What expressions may read of the map that arrives, and other names may hide."""


def unused_definitions(spec: Spec, called: set[int]) -> Iterator[Diagnostic]:
    """Blocks of the main file that are never called, and parameters that are never read. `called`
    are the ids of the blocks that were called. A file without a network is a library: other files
    use its blocks.
    """
    if not any(isinstance(statement, Network) for statement in spec.statements):
        return
    values = {s.name.value: s.name for s in spec.statements if isinstance(s, Let)}
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
            yield from _hidden_sides(statement, values)


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


def _hidden_sides(
    definition: Block | Network, spec_values: Mapping[str, Name]
) -> Iterator[Diagnostic]:
    """Where one side of the map is read and a value of the spec hides the other, as in `pool avg
    (height, width)` in a block with a parameter `width`.
    """
    read: dict[str, Span] = {}
    given = {side: spec_values[side] for side in _SIDES if side in spec_values}
    given |= {parameter.name.value: parameter.name for parameter in definition.parameters}
    not_read: set[int] = set()  # what a statement names, and its own word
    for node in walk(definition.body):
        if isinstance(node, Name):
            if node.value in _SIDES and id(node) not in not_read:
                read.setdefault(node.value, node.span)
            continue
        values: list[Name | None] = []
        if isinstance(node, Let):
            values = [node.name]
        elif isinstance(node, For):
            values = [*node.names, node.index]
        elif isinstance(node, Repeat):
            values = [node.index]
        given |= {name.value: name for name in values if name is not None}
        others = getattr(node, "label", None), getattr(node, "head", None)
        not_read.update(map(id, (*values, *others)))
    for name, other in (_SIDES, _SIDES[::-1]):
        if name in given and name in read and other in read and other not in given:
            yield Diagnostic(
                HIDDEN_NAME,
                f"`{name}` is this value, and not that of the map: it hides it, while `{other}` is"
                " that of the map",
                given[name].span,
                labels=(Label(read[other], f"the {other} of the map"),),
                help=f"if `{name}` of the map is meant, give this another name",
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


def unused_label(label: Name, word: str, reference_span: Span) -> Diagnostic:
    """The warning for a label of a layer that nothing refers to."""
    after = reference_span.source.text.find(":", label.span.end) + 1
    whole = Span(label.span.source, label.span.start, after)
    return Diagnostic(
        UNUSED_LABEL,
        f"nothing refers to `{label.value}`, the label of this `{word}`",
        label.span,
        help=f"refer to it, as in `add {label.value}`, or take the label out",
        edits=(Edit(whole, ""),),
        severity="warning",
    )


def calls_in(block: Block) -> Iterator[Call]:
    """All calls in a block, at any depth."""
    for node in walk(block.body):
        if isinstance(node, Call):
            yield node
