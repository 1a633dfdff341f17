"""Weights where none are needed."""

from __future__ import annotations

from collections.abc import Iterator

from ...dsl.diagnostics import Diagnostic, Label
from ..network import Network, Node
from ..shapes import size, text
from .field import Field
from .warn import warning

LEAST_SAVED = 1_000_000
"""Weights; a layer that has fewer to save is not very large."""
LEAST_SHARE = 4
"""One in so many of all weights of the network must be saved."""


def wide_fc(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """A fully connected layer on a map that convolutions made: with a global pool before it, it
    would have one weight for each channel, not one for each place of each channel."""
    total = sum(map(_learned, network.nodes))
    for node in network.nodes:
        if node.op.kind != "linear" or len(node.shape) != 1:
            continue
        source = _map_before(node)
        if source is None:
            continue
        height, width = source.shape[1:]
        has = sum(size(w.shape) for w in node.weights if w.trainable and len(w.shape) > 1)
        saved = has - has // (height * width)
        if saved < LEAST_SAVED or saved * LEAST_SHARE < total:
            continue
        yield warning(
            "wide-fc",
            f"`{node.op.word}` has {has:,} weights, {100 * has // total} % of the network's",
            node,
            notes=(
                f"one for each of the {text(source.shape)} = {size(source.shape):,} inputs; "
                f"after a global pool it would have {has - saved:,}, {saved:,} fewer",
            ),
            labels=(Label(source.span, f"its output is {text(source.shape)}"),),
            help="write `pool avg global, flatten` in place of `flatten`",
        )


def _learned(node: Node) -> int:
    return sum(size(weight.shape) for weight in node.weights if weight.trainable)


def _map_before(node: Node) -> Node | None:
    """The map that arrives flattened, if convolutions made it and it has several places."""
    source = node.inputs[0]
    while len(source.shape) != 3 and source.op.kind in ("shape", "dropout", "activation", "norm"):
        source = source.inputs[0]
    single = len(source.shape) != 3 or source.shape[1:] == (1, 1)
    return source if source.inputs and not single else None
