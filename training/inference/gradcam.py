"""Grad-CAM: which regions of an image support a prediction (Selvaraju et al., arXiv:1610.02391).

It is the sum of the feature maps of the last spatial layer, each weighted by the mean gradient of
the class score with respect to it. Positive values support the class; Grad-CAM as published sets
the negative ones to zero. They are the evidence against the class.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from math import prod

import torch
from torch import Tensor, nn

from ...compiler.network import Network, Node
from ..runtime.eval_mode import evaluating
from .layer_outputs import LayerOutputs, logits_of

_KINDS = ("conv", "filter", "norm", "activation", "merge")
"""Kinds of layers that compute new feature maps; a pool only makes them coarser."""

Score = Callable[[Tensor], Tensor]
"""From the logits of images, the score of each image that is to be explained."""


def last_map(network: Network) -> Node | None:
    """The last layer before the logits with spatial feature maps; None if there is none.

    A layer that all paths to the output pass through is preferred: at a residual sum this is the
    sum, not one of its branches.
    """
    logits = logits_of(network)
    needed = _ancestors(network, logits)
    several, inputs = len(network.inputs) > 1, {node.index for node in network.inputs}
    spatial = [
        node
        for node in reversed(network.nodes)
        if node.index in needed
        and node is not logits
        and len(node.shape) == len(network.input.shape)
        and prod(node.shape[1:]) > 1
        and node.op.kind in _KINDS
        # A map of one of several inputs does not say where in the others the network looks.
        and not (several and len(_ancestors(network, node) & inputs) < len(inputs))
    ]
    passed = _passed_by_all(network, needed)
    return next((node for node in spatial if node.index in passed), next(iter(spatial), None))


def _ancestors(network: Network, end: Node) -> set[int]:
    """The nodes that a node depends on, itself included."""
    ancestors = {end.index}
    for node in reversed(network.nodes):
        if node.index in ancestors:
            ancestors.update(source.index for source in node.sources)
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
        users = [user.index for user in network.value_consumers[node.index] if user.index in needed]
        reach = max(reach, *users) if users else reach
    return passed


def gradcam(network: Network, module: nn.Module, images: Tensor, classes: Tensor) -> Tensor | None:
    """Heat maps of preprocessed images for the given classes: images x height x width of the
    feature maps, from 0 to 1; of series, samples x steps. None if the network has no feature maps.
    """
    node = last_map(network)
    if node is None:
        return None

    def score(logits: Tensor) -> Tensor:
        return logits.gather(1, classes.to(logits.device).view(-1, 1))[:, 0]

    with evaluating(module):
        (evidence,) = signed_gradcam(LayerOutputs(network, module), node, images, [score])
    heat = evidence.clamp(min=0)
    largest = heat.flatten(1).amax(1).view(-1, *(1 for _ in heat.shape[1:]))
    return torch.where(largest > 0, heat / largest.clamp(min=1e-30), heat).cpu()


def signed_gradcam(
    layers: LayerOutputs, node: Node, images: Tensor, scores: list[Score]
) -> list[Tensor]:
    """For each score, Grad-CAM on the maps of a layer before negative values are removed: images x
    height x width. The module is in evaluation mode."""
    logits = logits_of(layers.network)
    with torch.no_grad():
        maps = layers(images, [node])[node.index]
    with torch.enable_grad():
        # The gradient is needed only back to this layer.
        maps = maps.detach().requires_grad_()
        output = layers(images, [logits], {node.index: maps})[logits.index]
        evidence = []
        for score in scores:
            (gradient,) = torch.autograd.grad(
                score(output).sum(), maps, retain_graph=score is not scores[-1]
            )
            weights = gradient.float().mean(tuple(range(2, gradient.ndim)), keepdim=True)
            evidence.append((weights * maps.detach().float()).sum(1))
    return evidence
