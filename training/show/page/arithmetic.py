"""How an output element of a layer is computed, as data for the page's script (arithmetic.js).

A recipe is a dictionary; `how` names the function of the script. Layers without a recipe show their
values, and the window that they read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from ....compiler.network import Node
from ....compiler.ops.activation import Activation, Softmax
from ....compiler.ops.base import Op
from ....compiler.ops.conv import Conv, Depthwise, Sliding
from ....compiler.ops.dropout import Dropout
from ....compiler.ops.filter import Filter
from ....compiler.ops.linear import Linear
from ....compiler.ops.merge import Add, Chunk, Concat, Maximum, Mul, Scaled
from ....compiler.ops.norm import BatchNorm
from ....compiler.ops.pool import Average, Max, Min, Norm, Pool
from ....compiler.ops.shape import Crop, Flatten, Reshape, Shuffle
from .channels import LISTED, MOST
from .encode import Pack

Recipe = dict[str, Any]


@dataclass(frozen=True)
class Layer:
    """A layer, and what of it is in the page."""

    node: Node
    part: nn.Module | None
    """Its module, if it has one."""
    channels: Sequence[int]
    inputs: Sequence[Sequence[int]]
    """The channels of each of its inputs that are in the page."""
    given: Sequence[Tensor]
    """The values of its inputs: images x channels x …."""
    result: Tensor
    exact: bool
    complete: bool
    training: bool
    pack: Pack

    def weight(self, name: str) -> Tensor | None:
        value = getattr(self.part, name, None)
        return value.detach().float().cpu() if isinstance(value, Tensor) else None


@singledispatch
def recipe(op: Op, layer: Layer) -> Recipe | None:
    """How the layer computes, or None; weights are added to its pack."""
    return None


# ---- sums of products --------------------------------------------------------------------------


def _sliding(op: Sliding, layer: Layer, weight: Tensor, groups: int) -> Recipe:
    """`weight` has a filter for each of the channels in the page."""
    top, left = (before for before, _ in op.sides(layer.node.inputs[0].shape))
    layer.pack.add_rows("weight", weight.flatten(1).contiguous(), layer.exact)
    return {
        "how": "conv",
        "kernel": op.kernel,
        "stride": op.stride,
        "start": (-top, -left),
        "dilation": op.dilation,
        "mode": op.mode,
        "groups": groups,
        "bias": _listed(layer, "bias"),
    }


def _listed(layer: Layer, name: str) -> str | None:
    """Adds one number for each channel in the page, if the layer has them."""
    values = layer.weight(name)
    if values is None:
        return None
    layer.pack.add(name, values.flatten()[list(layer.channels)])
    return name


@recipe.register(Conv)
@recipe.register(Depthwise)
def _(op: Conv | Depthwise, layer: Layer) -> Recipe | None:
    weight = layer.weight("weight")
    if weight is None or not layer.channels or not layer.inputs[0]:
        return None
    groups = op.grouped(layer.node.inputs[0].shape[0])
    channels = torch.tensor(layer.channels)
    if groups > 1:
        return _sliding(op, layer, weight[channels], groups)
    # Of the filters, only what reads channels that are in the page.
    inputs = torch.tensor(layer.inputs[0], dtype=torch.long)
    return _sliding(op, layer, weight[channels[:, None], inputs], groups)


@recipe.register
def _(op: Filter, layer: Layer) -> Recipe | None:
    weight = layer.weight("weight")
    if weight is None or not layer.channels:
        return None
    if len(op.names) > 1:
        bank = {"names": op.names, "strongest": op.strongest}
        return {**_sliding(op, layer, weight, len(op.names)), **bank, "how": "bank"}
    channels = layer.node.inputs[0].shape[0]
    return _sliding(op, layer, weight.expand(len(layer.channels), -1, -1, -1), channels)


@recipe.register
def _(op: Linear, layer: Layer) -> Recipe | None:
    weight, given = layer.weight("weight"), layer.given[0]
    if weight is None or not layer.channels or not layer.inputs[0]:
        return None
    bias = _listed(layer, "bias")
    if layer.complete:
        layer.pack.add_rows("weight", weight, layer.exact)
        return {"how": "fc", "bias": bias}
    # The largest products of the strongest outputs: the weights themselves would not fit.
    order = layer.result.float().abs().mean(0).argsort(descending=True)[:MOST].cpu()
    products = given.float().cpu()[:, None] * weight[order]
    kept = min(LISTED, products.shape[2])
    places = products.abs().topk(kept, dim=2).indices
    factors = weight[order][None].expand(len(products), -1, -1).gather(2, places)
    layer.pack.add("places", places.to(torch.int32))
    layer.pack.add("factors", factors.contiguous())
    return {"how": "fc", "bias": bias, "outputs": order.tolist(), "kept": kept}


# ---- windows -----------------------------------------------------------------------------------


def _windows(op: Pool, how: str, **more: object) -> Recipe:
    top, left = op.padding
    if op.target is not None:
        return {"how": how, "target": op.target, **more}
    return {
        "how": how,
        "kernel": op.span,
        "stride": op.step,
        "start": (-top, -left),
        "dilation": op.dilation,
        **more,
    }


@recipe.register
def _(op: Max, layer: Layer) -> Recipe:
    return _windows(op, "max")


@recipe.register
def _(op: Min, layer: Layer) -> Recipe:
    return _windows(op, "min")


@recipe.register
def _(op: Average, layer: Layer) -> Recipe:
    return _windows(op, "mean", pad=op.padding, counted=op.count_pad)


@recipe.register
def _(op: Norm, layer: Layer) -> Recipe:
    return _windows(op, "norm", p=op.p)


# ---- element by element ------------------------------------------------------------------------


@recipe.register
def _(op: BatchNorm, layer: Layer) -> Recipe | None:
    if not op.track or layer.training or not layer.channels:
        return None
    names = ("running_mean", "running_var", "weight", "bias")
    return {"how": "bn", "eps": op.eps, "names": [_listed(layer, name) for name in names]}


@recipe.register
def _(op: Activation, layer: Layer) -> Recipe:
    numbers = {k: v for k, v in op.arguments.items() if isinstance(v, (int, float, str))}
    slopes = layer.weight("weight")
    if slopes is not None:
        shared = slopes.numel() == 1
        layer.pack.add("weight", slopes if shared else slopes[list(layer.channels)])
    return {"how": "function", "name": op.word, "formula": op.formula, "arguments": numbers}


@recipe.register
def _(op: Softmax, layer: Layer) -> Recipe:
    return {"how": "softmax"}


@recipe.register
def _(op: Scaled, layer: Layer) -> Recipe:
    return {"how": "scaled", "factor": op.factor}


@recipe.register
def _(op: Dropout, layer: Layer) -> Recipe | None:
    return None if layer.training else {"how": "copy"}


# ---- merges and copies -------------------------------------------------------------------------


@recipe.register
def _(op: Add, layer: Layer) -> Recipe:
    return {"how": "add"}


@recipe.register
def _(op: Maximum, layer: Layer) -> Recipe:
    return {"how": "maximum"}


@recipe.register
def _(op: Mul, layer: Layer) -> Recipe:
    return {"how": "mul"}


@recipe.register
def _(op: Concat, layer: Layer) -> Recipe:
    return {"how": "concat"}


@recipe.register
def _(op: Chunk, layer: Layer) -> Recipe:
    return {"how": "copy", "first": op.index * layer.node.shape[0]}


@recipe.register(Flatten)
@recipe.register(Reshape)
def _(op: Flatten | Reshape, layer: Layer) -> Recipe:
    return {"how": "reshape"}


@recipe.register
def _(op: Shuffle, layer: Layer) -> Recipe:
    return {"how": "shuffle", "groups": op.groups}


@recipe.register
def _(op: Crop, layer: Layer) -> Recipe:
    window = layer.node.window
    return {"how": "copy", "at": window.start} if not isinstance(window, str) else {"how": "none"}
