"""How an output of a layer is computed, for the page's script: the operations' own arithmetic
(`Op.work_out`), as JavaScript, and the weights that it reads.

Weights have the channels that are in the page. Of matrices that would not fit, the largest products
of each image are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....compiler.network import Node
from ....compiler.ops.base import Weight
from ....compiler.ops.worked import Element, Worked, added, bracketed, figure
from .channels import LISTED, MOST, channel_axes, left_out
from .encode import Pack
from .to_javascript import Program

LEAST = 8
"""Rows of fewer numbers are not worth a scale: they have 32 bits."""
SHARED: tuple[Any, ...] = (Element, Worked, figure, bracketed, added)
"""What the page's script uses itself."""


class Arithmetic:
    """The arithmetic of some layers as a script that defines OPERATIONS, by their class."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        operations = list(dict.fromkeys(type(node.op) for node in nodes if node.inputs))
        self.program = Program([*SHARED, *operations], called=["work_out", "lines"])
        self.names = {each: self.program.name(each) for each in operations}

    @property
    def script(self) -> str:
        shared = ", ".join(self.program.name(each) for each in SHARED)
        operations = ", ".join(self.names.values())
        return (
            f"const {{ {shared}, OPERATIONS }} = (() => {{\n{self.program.text}\n"
            f"return {{ {shared}, OPERATIONS: {{ {operations} }} }};\n}})();\n"
        )

    def operation(self, node: Node) -> dict[str, Any] | None:
        """The class of a layer's operation, and its arguments."""
        arguments = dict(vars(node.op))
        try:
            json.dumps(arguments, allow_nan=False)
        except (TypeError, ValueError):
            return None
        return {"type": self.names[type(node.op)], "arguments": arguments}


@dataclass(frozen=True)
class Part:
    """A layer, and what of it is in the page."""

    node: Node
    state: Mapping[str, Tensor]
    """Its weights, by their names in the state dict of the layer."""
    channels: Sequence[int]
    inputs: Sequence[int]
    """The channels of its first input that are in the page."""
    given: Tensor
    """The values of its first input: images x channels x …."""
    result: Tensor
    exact: bool
    complete: bool
    pack: Pack


def add_weights(part: Part) -> dict[str, Any]:
    """Adds the weights of a layer to its pack; returns for each by its name how it is stored."""
    stored = {}
    for weight in part.node.weights:
        if weight.shape and part.channels:
            how = _add_weight(part, weight)
            if how is not None:
                stored[weight.name] = how
    return stored


def _add_weight(part: Part, weight: Weight) -> dict[str, Any] | None:
    values = part.state[weight.name].detach().float().cpu()
    name = f"weight {weight.name}"
    if left_out(part.node, weight) and not part.complete:
        return {"strongest": _add_products(part, values, name)}
    axes = channel_axes(part.node, weight)
    for axis, side in enumerate(axes):
        if side is not None:
            there = part.channels if side == "outputs" else part.inputs
            values = values.index_select(axis, torch.tensor(there, dtype=torch.long))
    if not values.numel():
        return None
    rows = values.flatten(1) if values.ndim > 1 else values[:, None]
    part.pack.add_rows(name, rows, part.exact or rows.shape[1] < LEAST)
    return {"shape": values.shape, "axes": axes}


def _add_products(part: Part, values: Tensor, name: str) -> list[int]:
    """The largest products of the strongest outputs of each image."""
    order = part.result.float().flatten(1).abs().mean(0).argsort(descending=True)[:MOST].cpu()
    values = values.flatten(1)
    products = part.given.float().cpu().flatten(1)[:, None] * values[order]
    places = products.abs().topk(min(LISTED, products.shape[2]), dim=2).indices
    factors = values[order][None].expand(len(products), -1, -1).gather(2, places)
    part.pack.add(f"{name}.places", places.to(torch.int32))
    part.pack.add(name, factors.contiguous())
    return [int(each) for each in order]
