"""Bytes of weights and buffers, of their gradients, and of the optimizer's state."""

from __future__ import annotations

from ..network import Network, Node
from ..ops.base import Weight
from ..shapes import size
from .hidden import hidden_layers, matrices
from .setting import Setting


def weight_sizes(node: Node) -> list[int]:
    """Of each weight and buffer."""
    return [size(weight.shape) * (weight.itemsize or 4) for weight in node.weights]


def weight_bytes(node: Node) -> int:
    return sum(weight_sizes(node)) if node.weights else 0


def _trained(node: Node, setting: Setting) -> list[Weight]:
    """None if the layer is frozen."""
    if not node.weights or node.index in setting.frozen:
        return []
    return [weight for weight in node.weights if weight.trainable]


def gradient_sizes(node: Node, setting: Setting) -> list[int]:
    """Of each gradient; none if the layer is frozen."""
    return [4 * size(weight.shape) for weight in _trained(node, setting)]


def trained_bytes(node: Node, setting: Setting) -> int:
    """Bytes of the gradients of a layer's weights."""
    return sum(gradient_sizes(node, setting)) if node.weights else 0


def state_sizes(network: Network, setting: Setting) -> list[int]:
    """Of each tensor of the optimizer's state, without counters of steps."""
    optimizer = setting.optimizer
    hidden = hidden_layers(network) if optimizer.orthogonalizes else frozenset[int]()
    sizes: list[int] = []
    for node in network.nodes:
        with_momentum = matrices(node) if node.index in hidden else []
        for weight in _trained(node, setting):
            tensors = 1 if weight in with_momentum else optimizer.state
            sizes += [4 * size(weight.shape)] * tensors
    return sizes
