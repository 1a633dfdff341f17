"""Grad-CAM: which regions of an image support a prediction (Selvaraju et al., arXiv:1610.02391).

It is the sum of the feature maps of the last spatial layer, each weighted by the mean gradient of
the class score with respect to it; negative values are set to zero.
"""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...compiler.network import Network, Node
from ..runtime.eval_mode import evaluating

_KINDS = ("conv", "filter", "norm", "activation", "merge")
"""Kinds of layers that compute new feature maps; a pool only makes them coarser."""


class Place(NamedTuple):
    """Where the feature maps can be read."""

    node: Node
    part: nn.Module
    before: bool
    """Whether the maps are the input of the part, and not its output."""


def last_map(network: Network, module: nn.Module) -> Place | None:
    """The last layer with spatial feature maps; None if there is none.

    A layer that all paths to the output pass through is preferred: at a residual sum this is the
    sum, not one of its branches.
    """
    needed = _ancestors(network)
    spatial = [
        node
        for node in reversed(network.nodes)
        if node.index in needed
        and len(node.shape) == 3
        and node.shape[1] * node.shape[2] > 1
        and node.op.kind in _KINDS
    ]
    passed = _passed_by_all(network, needed)
    for node in (*(node for node in spatial if node.index in passed), *spatial):
        place = _place(network, module, node)
        if place is not None:
            return place
    return None


def _ancestors(network: Network) -> set[int]:
    """The nodes that the output depends on, itself included."""
    ancestors = {network.output.index}
    for node in reversed(network.nodes):
        if node.index in ancestors:
            ancestors.update(source.index for source in node.inputs)
    return ancestors


def _passed_by_all(network: Network, needed: Set[int]) -> set[int]:
    """The nodes that every path to the output passes through."""
    passed = set()
    reach = 0
    for node in network.nodes:
        if node.index not in needed:
            continue
        if reach <= node.index:
            passed.add(node.index)
        users = [user.index for user in network.consumers[node.index] if user.index in needed]
        reach = max(reach, *users) if users else reach
    return passed


def _place(network: Network, module: nn.Module, node: Node) -> Place | None:
    part = _part(module, node)
    if part is not None:
        return Place(node, part, before=False)
    users = [user for user in network.consumers[node.index] if not user.aux]
    part = _part(module, users[0]) if len(users) == 1 else None
    return Place(node, part, before=True) if part is not None else None


def _part(module: nn.Module, node: Node) -> nn.Module | None:
    """The module that computes a node; None for sums and similar operations without a module."""
    try:
        return module.get_submodule(node.name)
    except AttributeError:
        return None


def gradcam(network: Network, module: nn.Module, images: Tensor, classes: Tensor) -> Tensor | None:
    """Heat maps of preprocessed images for the given classes: images x height x width of the
    feature maps, from 0 to 1. None if the network has no feature maps."""
    place = last_map(network, module)
    if place is None:
        return None
    seen: list[Tensor] = []

    def keep(maps: Tensor) -> Tensor:
        # The gradient is needed only back to this layer. The network continues with a copy, because
        # the next layer may work in place.
        seen.append(maps.detach().requires_grad_())
        return seen[-1].clone()

    if place.before:
        handle = place.part.register_forward_pre_hook(lambda _part, inputs: (keep(inputs[0]),))
    else:
        handle = place.part.register_forward_hook(lambda _part, _inputs, output: keep(output))
    try:
        with evaluating(module), torch.enable_grad():
            scores = module(images)
            score = scores.gather(1, classes.to(scores.device).view(-1, 1)).sum()
            (gradient,) = torch.autograd.grad(score, seen[-1])
    finally:
        handle.remove()
    maps = seen[-1].detach().float()
    weights = gradient.float().mean((2, 3), keepdim=True)
    heat = (weights * maps).sum(1).clamp(min=0)
    largest = heat.amax((1, 2), keepdim=True)
    return torch.where(largest > 0, heat / largest.clamp(min=1e-30), heat).cpu()
