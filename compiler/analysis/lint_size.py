"""Weights where none are needed, and filters of a size that nobody means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ..language import torch_order
from ..network import Network, Node
from ..shapes import size, text
from .field import Field
from .warn import warning

LEAST_SAVED = 1_000_000
"""The least number of weights that must be saved: smaller layers are fine."""
LEAST_SHARE = 4
"""At least one in this many weights of the network must be saved."""


def wide_fc(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """Warns of a fully connected layer on a feature map: after a global pool it would have one
    weight for each channel instead of one for each position of each channel.
    """
    total = sum(map(_learned, network.nodes))
    for node in network.nodes:
        if node.op.kind != "linear" or len(node.shape) != 1:
            continue
        source = _map_before(node)
        if source is None:
            continue
        weights = sum(size(w.shape) for w in node.weights if w.trainable and len(w.shape) > 1)
        fewer = weights - weights // size(source.shape[1:])
        if fewer < LEAST_SAVED or fewer * LEAST_SHARE < total:
            continue
        yield warning(
            "wide-fc",
            f"`{node.op.word}` has {weights:,} weights, {100 * weights // total} % of the "
            "network's",
            node,
            notes=(
                f"one for each of the {text(source.shape)} = {size(source.shape):,} inputs; "
                f"after a global pool it would have {weights - fewer:,}, {fewer:,} fewer",
            ),
            labels=(Label(source.span, f"its output is {text(source.shape)}"),),
            help="write `pool avg global, flatten` in place of `flatten`",
        )


def argument_order(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """A convolution whose arguments stand in the order of torch: channels, filters, kernel."""
    for node in network.nodes:
        if node.op.kind != "conv" or not node.inputs:
            continue
        text = node.span.text
        meant = torch_order.convolution(text, node.inputs[0].shape[0])
        if meant:
            op: Any = node.op
            yield warning(
                "argument-order",
                f"`{text}` is {torch_order.meaning(op.out, op.kernel, op.stride)}",
                node,
                notes=(torch_order.KNOWN,),
                help=f"write `{meant}`, or name what is meant: `kernel=`, `stride=`",
                edits=(Edit(node.span, meant),),
            )


def _learned(node: Node) -> int:
    return sum(size(weight.shape) for weight in node.weights if weight.trainable)


def _map_before(node: Node) -> Node | None:
    """The map before `flatten`, if convolutions computed it and it has several positions."""
    source = node.inputs[0]
    while len(source.shape) == 1 and source.op.kind in ("shape", "dropout", "activation", "norm"):
        source = source.inputs[0]
    single = size(source.shape[1:]) == 1
    return source if source.inputs and not single else None
