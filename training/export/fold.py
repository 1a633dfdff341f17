"""Batch norms put into the convolutions and linear layers before them.

In evaluation a batch norm is a factor and an addend for each channel. Where its input goes nowhere
else, the layer before can have both in its weights: the numbers that leave are the same but for
their last digits, and a pass over them is saved. Which norm follows what is read off the network.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...compiler.network import Network, Node
from .compare import BATCHES, Difference, compare

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
Norm = nn.BatchNorm1d | nn.BatchNorm2d


class Folded(NamedTuple):
    module: nn.Module
    """A copy; nn.Identity stands where norms stood."""
    names: tuple[str, ...]
    """Of the norms that are gone."""
    difference: Difference
    """Between its outputs and those of the module as it was."""


def fold(network: Network, module: nn.Module) -> Folded:
    """Raises SpecError where the outputs are not the same to a tolerance."""
    made = copy.deepcopy(module).eval()
    names = []
    for layer, node in _pairs(network, made):
        norm = made.get_submodule(node.name)
        assert isinstance(norm, Norm)
        put_into(layer, norm)
        made.set_submodule(node.name, nn.Identity())
        names.append(node.name)
    shape, batch = network.input.shape, max(BATCHES)
    difference = compare(module, made, shape, batch, "the network with its norms folded")
    return Folded(made, tuple(names), difference)


def _pairs(network: Network, module: nn.Module) -> Iterator[tuple[Layer, Node]]:
    """Each layer that can take up a norm, and the norm."""
    ends = {network.output.index, *(head.output.index for head in network.aux)}
    for node in network.nodes:
        if len(node.inputs) != 1 or not _is_module(node):
            continue
        (before,) = node.inputs
        if before.index in ends or network.consumers[before.index] != [node]:
            continue
        if not _is_module(before) or not _is_foldable(module.get_submodule(node.name)):
            continue
        layer = _last(module.get_submodule(before.name))
        # The very classes: what derives from them may do something else with its weights.
        if type(layer) in (nn.Conv2d, nn.ConvTranspose2d, nn.Linear):
            yield layer, node  # type: ignore[misc]


def _is_module(node: Node) -> bool:
    """Whether its output is what a module of its name makes, and nothing is done to that."""
    text = node.op.torch(node.shape, *node.input_shapes)
    return text.module is not None and text.call.startswith("{m}(") and text.call.endswith(")")


def _is_foldable(norm: nn.Module) -> bool:
    return type(norm) in (nn.BatchNorm1d, nn.BatchNorm2d) and norm.running_mean is not None


def _last(module: nn.Module) -> nn.Module:
    """Of a chain of modules the one whose output is that of the chain."""
    while isinstance(module, nn.Sequential) and len(module):
        module = module[-1]
    return module


def put_into(layer: Layer, norm: Norm) -> None:
    """Changes the layer to what it and the norm after it are in evaluation."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        mean, variance = norm.running_mean.double(), norm.running_var.double()
        factor = (variance + norm.eps).rsqrt()
        addend = torch.zeros_like(mean)
        if norm.affine:
            factor, addend = factor * norm.weight.double(), norm.bias.double()
        bias = torch.zeros_like(mean) if layer.bias is None else layer.bias.double()
        weight = layer.weight
        weight.copy_((weight.double() * _along_channels(layer, factor)).to(weight.dtype))
        made = ((bias - mean) * factor + addend).to(weight.dtype)
        layer.bias = nn.Parameter(made, requires_grad=weight.requires_grad)


def _along_channels(layer: Layer, factor: Tensor) -> Tensor:
    """Factors of the channels that leave, in a shape that goes with the weight's."""
    if not isinstance(layer, nn.ConvTranspose2d):
        return factor.reshape(-1, *[1] * (layer.weight.dim() - 1))
    # Its weight is (in, out/groups, …): the first of the channels that arrive are the first
    # group's, and each group has its own that leave.
    each = layer.in_channels // layer.groups
    by_group = factor.reshape(layer.groups, 1, -1).expand(-1, each, -1)
    return by_group.reshape(layer.in_channels, -1, 1, 1)
