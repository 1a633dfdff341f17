"""What a network looks at: Grad-CAM (Selvaraju et al., arXiv:1610.02391).

The maps of the last layer that still sees where things are, each weighed by how much the score of
a class grows with it; what speaks against the class is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..compiler.graph import Network, Node

_KINDS = ("conv", "filter", "norm", "activation", "merge")
"""What makes maps of its own: a pool only makes them coarser."""


def last_map(network: Network, module: nn.Module) -> Node | None:
    """The last layer before everything is taken together, or None where there is none."""
    needed = _ancestors(network)
    for node in reversed(network.nodes):
        spatial = len(node.shape) == 3 and node.shape[1] * node.shape[2] > 1
        if spatial and node.index in needed and node.op.kind in _KINDS and _part(module, node):
            return node
    return None


def _ancestors(network: Network) -> set[int]:
    """What the output is computed from."""
    found = {network.output.index}
    for node in reversed(network.nodes):
        if node.index in found:
            found.update(source.index for source in node.inputs)
    return found


def _part(module: nn.Module, node: Node) -> nn.Module | None:
    """What computes a node; sums and the like are no modules of their own."""
    try:
        return module.get_submodule(node.name)
    except AttributeError:
        return None


def gradcam(network: Network, module: nn.Module, images: Tensor, classes: Tensor) -> Tensor | None:
    """For each prepared image, where what speaks for a class is: images x height x width of the
    maps, from 0 to 1. None where the network has no maps."""
    node = last_map(network, module)
    part = _part(module, node) if node is not None else None
    if part is None:
        return None
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        # From here on only: the way back to the image is not needed. A copy goes on, for the next
        # layer may write over it.
        maps = output.detach().requires_grad_()
        seen.append(maps)
        return maps.clone()

    handle = part.register_forward_hook(keep)
    try:
        with _evaluating(module), torch.enable_grad():
            scores = module(images)
            score = scores.gather(1, classes.to(scores.device).view(-1, 1)).sum()
            maps = seen[-1]
            (gradient,) = torch.autograd.grad(score, maps)
    finally:
        handle.remove()
    weights = gradient.float().mean((2, 3), keepdim=True)
    heat = (weights * maps.detach().float()).sum(1).clamp(min=0)
    largest = heat.amax((1, 2), keepdim=True)
    return torch.where(largest > 0, heat / largest.clamp(min=1e-30), heat).cpu()


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)
