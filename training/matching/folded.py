"""Norms that an export has put into the convolutions before them (`cnn export --fold`, most ONNX).

What is left of conv and bn is one convolution with a bias. Ours takes that as it is, and its norm
changes nothing but for the bias: the same outputs, as long as it does not learn. One that learned
would measure batches, and what it was is not in the file any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from ...compiler.graph import Network, Node
from .result import Match
from .rows import Row
from .transfer import Transfer

_NOTE = "folded on export"


class Unfolded(NamedTuple):
    match: Match
    """With norms in the place of those that were folded."""
    norms: tuple[str, ...]
    """Their names."""


def unfolded(network: Network, found: Match) -> Unfolded:
    """Fills the norms of ours that have nothing, where theirs has a bias instead."""
    rows = {row.ours: row for row in found.rows if row.ours}
    biases = {
        row.their_layer: row
        for row in found.having("unused")
        if row.layer and row.theirs.endswith("bias")
    }
    source, transfers = dict(found._source), dict(found._transfers)
    taken: set[str] = set()
    norms: list[str] = []
    for node in network.nodes:
        before = _convolution_before(node)
        if before is None or not _is_empty(node, rows):
            continue
        weight = rows[f"{before.name}.weight"]
        bias = biases.get(weight.their_layer)
        has_bias = f"{before.name}.bias" in transfers
        if weight.ours not in transfers or (bias is None and not has_bias):
            continue
        norms.append(node.name)
        for name, values in _neutral(node):
            key = f"{node.name}.{name}"
            row = rows[key]
            if name == "bias" and bias is not None:
                taken.add(bias.theirs)
                transfers[key] = Transfer(bias.theirs)
                rows[key] = replace(
                    row, theirs=bias.theirs, status="matched", their_shape=bias.their_shape,
                    their_layer=bias.their_layer, notes=(_NOTE,),
                )  # fmt: skip
            else:
                source[f"{key} ({_NOTE})"] = values
                transfers[key] = Transfer(f"{key} ({_NOTE})")
                rows[key] = replace(row, status="kept", notes=(_NOTE,))
    told = tuple(rows[row.ours] if row.ours else row for row in found.rows
                 if row.ours or row.theirs not in taken)  # fmt: skip
    match = replace(found, rows=told, _transfers=transfers, _source=source)
    return Unfolded(match, tuple(norms))


def _convolution_before(node: Node) -> Node | None:
    """What a norm could have been folded into: a convolution that nothing else takes."""
    if node.op.word != "bn" or not node.weights:
        return None
    (before,) = node.inputs
    return before if any(weight.name == "weight" for weight in before.weights) else None


def _is_empty(node: Node, rows: dict[str, Row]) -> bool:
    found = [rows[f"{node.name}.{weight.name}"] for weight in node.weights]
    return all(row.status in ("reinitialised", "kept") and not row.theirs for row in found)


def _neutral(node: Node) -> Iterator[tuple[str, Tensor]]:
    """What a batch norm holds that gives what it takes."""
    eps = float(getattr(node.op, "eps"))
    for weight in node.weights:
        if weight.name == "weight":
            yield weight.name, torch.full(weight.shape, (1 + eps) ** 0.5)
        elif weight.name == "running_var":
            yield weight.name, torch.ones(weight.shape)
        elif weight.name in ("bias", "running_mean"):
            yield weight.name, torch.zeros(weight.shape)
