"""Norms that an export has put into the convolutions before them (`cnn export --fold`, most ONNX).

What is left of conv and bn is one convolution with a bias. Ours takes that as it is, and its norm
changes nothing but for the bias: the same outputs, as long as it does not learn. One that learned
would measure batches, and what it was is not in the file any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from ....compiler.network import Network, Node
from .layer import COUNTER, last_part
from .result import Match
from .rows import Row, Transfer

_NOTE = "no norm in the source"
_TAKEN = ("matched", "reshaped", "adapted")


class Unfolded(NamedTuple):
    match: Match
    """With norms in the place of those that were folded."""
    norms: tuple[str, ...]
    """Their names."""


def unfolded(network: Network, found: Match) -> Unfolded:
    """Fills the norms of ours that have nothing, where theirs has a bias instead."""
    ours = {row.ours: row for row in found.rows if row.ours}
    biases = {row.their_layer: row for row in found.having("unused", ours=False) if _is_bias(row)}
    placed: set[str] = set()
    neutral: dict[str, Tensor] = {}
    norms: list[str] = []
    for node in network.nodes:
        before = _convolution_before(node)
        if before is None or not _is_empty(node, ours):
            continue
        matched, own = ours[f"{before.name}.weight"], ours.get(f"{before.name}.bias")
        bias = biases.get(matched.their_layer) if own is None else own
        if matched.status not in _TAKEN or bias is None or bias.their_shape != node.shape[:1]:
            continue
        norms.append(node.name)
        for name, values in _neutral(node):
            key, beside = f"{node.name}.{name}", f"{_NOTE}: {node.name}.{name}"
            row = replace(ours[key], notes=(_NOTE,))
            if name == "bias" and own is None:
                placed.add(bias.theirs)
                ours[key] = replace(
                    row, theirs=bias.theirs, status="matched", their_shape=bias.their_shape,
                    their_layer=bias.their_layer, transfer=Transfer(bias.theirs),
                )  # fmt: skip
            else:
                neutral[beside] = values
                ours[key] = replace(row, status="kept", transfer=Transfer(beside))
    rows = [ours.get(row.ours, row) for row in found.rows if row.ours or row.theirs not in placed]
    return Unfolded(found.amended(rows, neutral), tuple(norms))


def _is_bias(row: Row) -> bool:
    return bool(row.layer) and last_part(row.theirs) == "bias"


def _convolution_before(node: Node) -> Node | None:
    """What a norm could have been put into."""
    if node.op.word != "bn" or not any(weight.trainable for weight in node.weights):
        return None
    (before,) = node.inputs
    return before if any(weight.name == "weight" for weight in before.weights) else None


def _is_empty(node: Node, rows: Mapping[str, Row]) -> bool:
    return not any(rows[f"{node.name}.{weight.name}"].theirs for weight in node.weights)


def _neutral(node: Node) -> Iterator[tuple[str, Tensor]]:
    """What a batch norm holds that gives what it takes."""
    eps = float(node.op.arguments["eps"])
    full = {"weight": (1 + eps) ** 0.5, "running_var": 1.0}
    for weight in node.weights:
        kind = torch.long if weight.name == COUNTER else torch.float32
        yield weight.name, torch.full(weight.shape, full.get(weight.name, 0), dtype=kind)
