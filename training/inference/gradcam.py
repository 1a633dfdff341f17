"""Grad-CAM: which parts of an image a prediction rests on (Selvaraju et al., arXiv:1610.02391).

The maps of the last layer that still sees where things are, each weighed by how much the score of
a class grows with it; what speaks against the class is left out.
"""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...compiler.network import Network, Node
from ..runtime.eval_mode import evaluating

_KINDS = ("conv", "filter", "norm", "activation", "merge")
"""What makes maps of its own: a pool only makes them coarser."""


class Place(NamedTuple):
    """Where the maps can be taken hold of."""

    node: Node
    part: nn.Module
    before: bool
    """They are what goes into the part; else what comes out of it."""


def last_map(network: Network, module: nn.Module) -> Place | None:
    """The last layer before everything is taken together, or None where there is none.

    All that the output is computed from passes through it, if there is such a layer: behind a sum
    it is the sum, not one of its paths.
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
    """What the output is computed from."""
    found = {network.output.index}
    for node in reversed(network.nodes):
        if node.index in found:
            found.update(source.index for source in node.inputs)
    return found


def _passed_by_all(network: Network, needed: Set[int]) -> set[int]:
    """Layers that no connection leads around."""
    found = set()
    reach = 0
    for node in network.nodes:
        if node.index not in needed:
            continue
        if reach <= node.index:
            found.add(node.index)
        users = [user.index for user in network.consumers[node.index] if user.index in needed]
        reach = max(reach, *users) if users else reach
    return found


def _place(network: Network, module: nn.Module, node: Node) -> Place | None:
    part = _part(module, node)
    if part is not None:
        return Place(node, part, before=False)
    users = [user for user in network.consumers[node.index] if not user.aux]
    part = _part(module, users[0]) if len(users) == 1 else None
    return Place(node, part, before=True) if part is not None else None


def _part(module: nn.Module, node: Node) -> nn.Module | None:
    """What computes a node; sums and the like are no modules of their own."""
    try:
        return module.get_submodule(node.name)
    except AttributeError:
        return None


def gradcam(network: Network, module: nn.Module, images: Tensor, classes: Tensor) -> Tensor | None:
    """For each prepared image, where what speaks for a class is: images x height x width of the
    maps, from 0 to 1. None where the network has no maps."""
    place = last_map(network, module)
    if place is None:
        return None
    seen: list[Tensor] = []

    def keep(maps: Tensor) -> Tensor:
        # From here on only: the way back to the image is not needed. A copy goes on, for the next
        # layer may write over it.
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
