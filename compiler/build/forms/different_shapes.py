"""The error for nodes of different shapes that a form cannot merge, with candidate fixes; loaded
when there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....dsl.diagnostics import Edit, Label
from ....dsl.syntax import Body, Branches, Call
from ...diagnose.mend import ceil_all, give_channels, pad_all
from ...language.problems import Problem
from ...network import Node
from ...shapes import ShapeError


def different_shapes(
    error: ShapeError,
    call: Call,
    inputs: Sequence[Node],
    labels: Sequence[Label],
    help: str,
    edits: tuple[Edit, ...],
    bodies: Sequence[Body | Branches],
) -> Problem:
    """Says what does not fit; the labels show where each path comes from."""
    uneven = _only_some_round_up(inputs)
    if uneven and not help:
        help = "give `ceil` to the pools of all paths, or of none"
    resized = next((node.op for node in inputs if node.op.sized_by), None)
    if resized is not None and not help and len({node.shape[1:] for node in inputs}) > 1:
        other = next((a.span.text for a in call.arguments), "label")
        help = (
            f"for the size of the other map, write `{resized.word} {resized.sized_by[0]}={other}`"
        )
    return Problem(
        "shape",
        error.message,
        call.head.span,
        label=_does(call),
        labels=tuple(labels),
        notes=("`ceil` rounds the size up; without it a pool rounds down",) * uneven,
        help=help or error.help,
        edits=edits,
        proposals=() if edits else _proposals(bodies, inputs, uneven),
    )


def _only_some_round_up(ends: Sequence[Node]) -> bool:
    """Whether of paths with maps of different sizes some have a pool with `ceil`, others none."""
    if len({end.shape[1:] for end in ends}) < 2:
        return False
    paths = [list(_upwards(end)) for end in ends]
    shared = set.intersection(*[{id(node) for node in path} for path in paths])
    own = [[node for node in path if id(node) not in shared] for path in paths]
    round_up = [any(node.op.arguments.get("ceil") for node in path) for path in own]
    return any(round_up) and not all(round_up)


def _upwards(node: Node) -> Iterator[Node]:
    """A layer and those before it, along their first inputs."""
    yield node
    while node.inputs:
        node = node.inputs[0]
        yield node


def _proposals(
    bodies: Sequence[Body | Branches], inputs: Sequence[Node], uneven: bool
) -> Iterator[tuple[Edit, ...]]:
    """Candidate fixes: sizes rounded alike, padding that keeps the size, the channels of another
    path, or both.
    """
    if uneven:
        rounded = [ceil_all(body) for body in bodies]
        yield from filter(None, rounded)
        yield tuple(edit for edits in rounded for edit in edits)
    padded = [pad_all(body) for body in bodies]
    yield from filter(None, padded)
    if len(padded) > 1:
        yield tuple(edit for edits in padded for edit in edits)
    for body, padding in zip(reversed(bodies), reversed(padded), strict=True):
        for channels in dict.fromkeys(node.shape[0] for node in inputs):
            filters = give_channels(body, channels)
            if filters:
                yield filters
                yield (*padding, *filters)


def _does(call: Call) -> str:
    return {
        "residual": "adds its input to its body",
        "dense": "puts its input and its body side by side",
        "gate": "multiplies its input by its body",
    }.get(call.head.value, "merges these")
