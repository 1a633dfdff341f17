"""Dead layers: those whose results reach no output of the network, and inputs that nothing reads.
They would be counted, and never computed. What arrives at a statement is dropped by `from` and by a
further `input`, which continue elsewhere; at the end of a network that names its outputs, it is not
one of them by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ..language.problems import MAX_MISTAKES
from ..language.values import MapRef
from ..network import Node, Output, Scope
from ..ops.merge import Chunk
from .blame import first_line


def dead_layers(
    nodes: Sequence[Node],
    outputs: Sequence[Output],
    end: Node | None,
    left_at: Mapping[int, Span],
) -> Iterator[tuple[Diagnostic, Scope]]:
    """An error, with the scope around it, for the last layer of each chain that nothing reads;
    `end` is what the last line of the network leads to, and `left_at` says by index where a `from`
    continues elsewhere.
    """
    alive = bytearray(len(nodes))
    for output in outputs:
        alive[output.node.index] = 1
    for node in reversed(nodes):
        if alive[node.index]:
            for source in node.sources:
                alive[source.index] = 1
            for sized in node.inputs[len(node.sources) :]:
                if not sized.inputs:
                    alive[sized.index] = 1  # an input may be there for its size
    if all(alive):
        return
    dead = [node for node in nodes if not alive[node.index]]
    read = {source.index for node in dead for source in node.sources}
    sizes = {sized.index: node for node in nodes for sized in node.inputs[len(node.sources) :]}
    told: set[Span] = set()  # a loop makes the same mistake in every round
    for node in dead:
        if node.index not in read and node.span not in told and len(told) < MAX_MISTAKES:
            told.add(node.span)
            if not node.inputs:
                yield _unread_input(node, nodes), node.scope
            elif node is end:
                yield _unnamed_end(node, outputs), node.scope
            else:
                yield _dead(node, alive, left_at.get(node.index), sizes.get(node.index)), node.scope


def _unread_input(node: Node, nodes: Sequence[Node]) -> Diagnostic:
    name = node.label or "name"
    later = next((each for each in nodes if each.index > node.index and not each.inputs), None)
    return Diagnostic(
        "unused-input",
        f"nothing reads the input `{name}`",
        first_line(node.span),
        labels=(Label(first_line(later.span), "what follows reads this one"),) if later else (),
        help=f"begin with it, `from {name}`, merge it with other layers, `concat {name}`, or take"
        " it out",
    )


def _unnamed_end(end: Node, outputs: Sequence[Output]) -> Diagnostic:
    """The error for a last line beside outputs that have names."""
    label = end.label or _label_around(end)
    last = max((output for output in outputs if not output.aux), key=lambda each: each.node.index)
    place = first_line(end.span)
    edits = (Edit(Span(place.source, place.start, place.start), "output "),) if end.label else ()
    return Diagnostic(
        "dead-layer",
        f"the network names its outputs, and its last line, {_described(end)}, is not one of them",
        place,
        labels=(Label(first_line(last.item.span), "an output, which passes on what arrives"),),
        help=f"write `output {label or 'name'}: …` for a further output; layers of the output"
        f" `{last.item.label}` go into its braces, `output {last.item.label} {{ … }}`; or take it"
        " out",
        edits=edits,
    )


def _dead(last: Node, alive: bytearray, left_at: Span | None, sized: Node | None) -> Diagnostic:
    chain, before = _chain(last, alive)
    labels = []
    if before is not None:
        labels.append(Label(first_line(before.span), "the last before it that is used"))
    if left_at is not None:
        labels.append(Label(left_at, "continues from another layer"))
    label = last.label or _label_around(last)
    what = f"`{label}`" if label else _described(last)
    name = label or "side"
    help = (
        f"merge it with the rest (`concat {name}`, `add {name}`), make it an output of its own"
        f" (`output {name}`; in training only, `aux {{ … }}`), or take it out"
    )
    if isinstance(last.op, Chunk):
        help = "begin the path without `from`; paths of `concat` all have the whole input"
    elif _in_loop_over_maps(last):
        help = (
            "a loop alone goes on from its last round; `list { for … { | … } }` keeps what each"
            " round ends in"
        )
    elif not label:
        help = f"label it, `{name}: …`, and {help}"
    notes: tuple[str, ...] = ()
    if chain > 1:
        notes = (f"it is the last of {chain} layers that do not lead to the output",)
    message = f"nothing reads {what}, and so no output depends on it"
    if sized is not None:
        message = f"only the size of {what} is read, and so no output depends on its values"
        labels.append(Label(first_line(sized.span), "reads its size"))
        help = f"name the size of a map that is used, {help.removeprefix('label it, ')}"
    return Diagnostic(
        "dead-layer",
        message,
        first_line(last.span),
        labels=tuple(labels),
        notes=notes,
        help=help,
    )


def _chain(last: Node, alive: bytearray) -> tuple[int, Node | None]:
    """The number of layers that only lead to a dead layer, and the last before them that is not
    dead.
    """
    stack, seen = [last], {last.index}
    before: Node | None = None
    while stack:
        for source in stack.pop().sources:
            if alive[source.index]:
                if before is None or source.index > before.index:
                    before = source
            elif source.index not in seen:
                seen.add(source.index)
                stack.append(source)
    return len(seen), before


def _label_around(node: Node) -> str:
    """The label of the statement that ends in a node, if it has one."""
    for scope in node.scope.chain():
        if scope.output is not node:
            return ""
        if scope.label:
            return scope.label
    return ""


def _in_loop_over_maps(node: Node) -> bool:
    """Whether a loop over a list of maps leaves its rounds behind, and they are no paths."""
    for scope in node.scope.chain():
        if scope.kind == "path":
            return False
        if scope.kind == "iteration" and scope.output is node:
            return any(isinstance(value, MapRef) for _, value in scope.arguments)
    return False


def _described(node: Node) -> str:
    if isinstance(node.op, Chunk):
        return f"the channels that this `{node.span.text}` gives to path {node.op.index + 1}"
    return f"this `{node.span.text if node.op.kind == 'merge' else node.op.word}`"
