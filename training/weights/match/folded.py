"""Loads weights whose batch norms were folded into convolutions (`cnn export --fold`, most ONNX).

Folding turns a convolution and its batch norm into one convolution with a bias. The network gets
that convolution, and batch norms that only add the bias. The outputs are the same as long as the
batch norms are frozen; their original statistics are not in the file any more, so they cannot be
trained on.
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
from .rows import MatchRow, Transfer

_NOTE = "no norm in the source"
_TAKEN = ("matched", "reshaped", "adapted")


class Unfolded(NamedTuple):
    match: Match
    """The match with neutral values for the norms that were folded."""
    norms: tuple[str, ...]
    """The names of these norms."""


def unfolded(network: Network, match: Match) -> Unfolded:
    """Fills norms that get no weights if the source's convolution before them has a bias."""
    rows = {row.target: row for row in match.rows if row.target}
    unused = match.having("unused", in_target=False)
    biases = {row.source_layer: row for row in unused if _is_bias(row)}
    placed: set[str] = set()
    neutral: dict[str, Tensor] = {}
    norms: list[str] = []
    for node in network.nodes:
        before = _convolution_before(node)
        if before is None or not _is_empty(node, rows):
            continue
        matched, own = rows[f"{before.name}.weight"], rows.get(f"{before.name}.bias")
        bias = biases.get(matched.source_layer) if own is None else own
        if matched.status not in _TAKEN or bias is None or bias.source_shape != node.shape[:1]:
            continue
        norms.append(node.name)
        for name, values in _neutral(node):
            key, beside = f"{node.name}.{name}", f"{_NOTE}: {node.name}.{name}"
            row = replace(rows[key], notes=(_NOTE,))
            if name == "bias" and own is None:
                placed.add(bias.source)
                rows[key] = replace(
                    row, source=bias.source, status="matched", source_shape=bias.source_shape,
                    source_layer=bias.source_layer, transfer=Transfer((bias.source,)),
                )  # fmt: skip
            else:
                neutral[beside] = values
                rows[key] = replace(row, status="kept", transfer=Transfer((beside,)))
    left = [row for row in match.rows if row.target or row.source not in placed]
    amended = match.amended([rows.get(row.target, row) for row in left], neutral)
    return Unfolded(amended, tuple(norms))


def _is_bias(row: MatchRow) -> bool:
    return bool(row.layer) and last_part(row.source) == "bias"


def _convolution_before(node: Node) -> Node | None:
    """The layer that a batch norm could have been folded into."""
    if node.op.word != "bn" or not any(weight.trainable for weight in node.weights):
        return None
    (before,) = node.inputs
    if before.op.arguments.get("standardize"):
        return None  # it would undo the scale that the norm has given the filters
    return before if any(weight.name == "weight" for weight in before.weights) else None


def _is_empty(node: Node, rows: Mapping[str, MatchRow]) -> bool:
    return not any(rows[f"{node.name}.{weight.name}"].source for weight in node.weights)


def _neutral(node: Node) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a batch norm that passes its input on unchanged."""
    eps = float(node.op.arguments["eps"])
    full = {"weight": (1 + eps) ** 0.5, "running_var": 1.0}
    for weight in node.weights:
        kind = torch.long if weight.name == COUNTER else torch.float32
        yield weight.name, torch.full(weight.shape, full.get(weight.name, 0), dtype=kind)
