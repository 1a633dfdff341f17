"""Folds batch norms into the layers before them, and standardizes filters once (`--fold`).

In evaluation, a batch norm is a factor and an offset for each channel. If no other layer uses its
input, both can be moved into the weights of the convolution or linear layer before it: the outputs
are the same up to rounding, and one pass over the feature maps is saved. The graph of the network
says which norm follows which layer. Convolutions that standardize their filters (`conv 64 3x3
standardize`) compute the same filters each time: they become plain ones with these, into which a
norm can be folded in turn.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor, nn

from ...compiler.network import Network, Node
from .compare import BATCHES, Difference, compare

Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
Layer = nn.Conv1d | nn.Conv2d | nn.Conv3d | Transposed | nn.Linear
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


class Folded(NamedTuple):
    module: nn.Module
    """A copy of the module, with nn.Identity in place of the folded norms."""
    names: tuple[str, ...]
    """The names of the folded norms."""
    standardized: tuple[str, ...]
    """The names of the convolutions whose filters were standardized once."""
    difference: Difference
    """The difference between the outputs of the copy and of the module."""


def fold(network: Network, module: nn.Module) -> Folded:
    """Folds the norms and standardizes the filters of a copy of the module. Raises SpecError if its
    outputs differ by more than the tolerance."""
    copied = copy.deepcopy(module).eval()
    standardized = tuple(_standardize(copied))
    names = []
    for layer, node in _pairs(network, copied):
        norm = copied.get_submodule(node.name)
        assert isinstance(norm, Norm)
        fold_into(layer, norm)
        copied.set_submodule(node.name, nn.Identity())
        names.append(node.name)
    shapes, batch = [node.shape for node in network.inputs], max(BATCHES)
    difference = compare(module, copied, shapes, batch, "the network with its norms folded")
    return Folded(copied, tuple(names), standardized, difference)


def _standardize(module: nn.Module) -> Iterator[str]:
    """Puts plain convolutions in place of those that standardize their filters, and names them."""
    applied: Any
    for name, applied in list(module.named_modules()):
        if not hasattr(type(applied), "standardized"):
            continue
        plain = copy.copy(applied)
        plain.__class__ = _plain_class(type(applied))
        plain._parameters = dict(applied._parameters)
        plain._parameters.pop("gain", None)
        with torch.no_grad():
            filters = applied.standardized()
        plain.weight = nn.Parameter(filters, requires_grad=applied.weight.requires_grad)
        module.set_submodule(name, plain)
        yield name


def _plain_class(kind: type[nn.Module]) -> type[nn.Module]:
    """The class of torch that an emitted class is made from."""
    return next(each for each in kind.__mro__ if each.__module__.startswith("torch.nn."))


def _pairs(network: Network, module: nn.Module) -> Iterator[tuple[Layer, Node]]:
    """Each layer into which a norm can be folded, and the norm."""
    ends = {end.index for end in network.ends}
    # A layer that is applied several times may have no norm elsewhere.
    shared = {node.shared.index for node in network.nodes if node.shared}
    for node in network.nodes:
        if node.shared or shared & {node.index, *[each.index for each in node.inputs]}:
            continue
        if node.op.kind != "norm" or len(node.inputs) != 1 or not _is_module(node):
            continue
        (before,) = node.inputs
        if before.index in ends or network.consumers[before.index] != [node]:
            continue
        if not _is_module(before) or not _is_foldable(module.get_submodule(node.name)):
            continue
        layer = _last(module.get_submodule(before.name))
        # Exactly these classes: a subclass may use its weights in another way.
        if type(layer) in get_args(Layer):
            yield layer, node  # type: ignore[misc]


def _is_module(node: Node) -> bool:
    """Whether a node is just a call of the module of its name, without further operations."""
    text = node.op.torch(node.shape, *node.input_shapes)
    return text.module is not None and text.call.startswith("{m}(") and text.call.endswith(")")


def _is_foldable(norm: nn.Module) -> bool:
    # Also subclasses: there are none in a network but those whose scale stays 1 (`affine=bias`).
    return isinstance(norm, Norm) and norm.running_mean is not None


def _last(module: nn.Module) -> nn.Module:
    """The last module of nested Sequentials."""
    while isinstance(module, nn.Sequential) and len(module):
        module = module[-1]
    return module


def fold_into(layer: Layer, norm: Norm) -> None:
    """Changes the weights of the layer so that it computes both itself and the norm after it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        mean, variance = norm.running_mean.double(), norm.running_var.double()
        factor = (variance + norm.eps).rsqrt()
        offset = torch.zeros_like(mean)
        if norm.affine:
            factor, offset = factor * norm.weight.double(), norm.bias.double()
        bias = torch.zeros_like(mean) if layer.bias is None else layer.bias.double()
        weight = layer.weight
        weight.copy_((weight.double() * _along_channels(layer, factor)).to(weight.dtype))
        folded_bias = ((bias - mean) * factor + offset).to(weight.dtype)
        layer.bias = nn.Parameter(folded_bias, requires_grad=weight.requires_grad)


def _along_channels(layer: Layer, factor: Tensor) -> Tensor:
    """Factors of the output channels, in a shape that broadcasts with the weight."""
    if not isinstance(layer, Transposed):
        return factor.reshape(-1, *[1] * (layer.weight.dim() - 1))
    # Its weight is (in, out/groups, …): the first input channels belong to the first group, and
    # each group has its own output channels.
    each = layer.in_channels // layer.groups
    by_group = factor.reshape(layer.groups, 1, -1).expand(-1, each, -1)
    return by_group.reshape(layer.in_channels, -1, *[1] * (layer.weight.dim() - 2))
