"""Bytes of the weights and buffers of a layer, and of their gradients."""

from __future__ import annotations

from ..network import Node
from ..shapes import size
from .setting import Setting


def weight_sizes(node: Node) -> list[int]:
    """Of each weight and buffer."""
    return [size(weight.shape) * (weight.itemsize or 4) for weight in node.weights]


def weight_bytes(node: Node) -> int:
    return sum(weight_sizes(node))


def gradient_sizes(node: Node, setting: Setting) -> list[int]:
    """Of each gradient; none if the layer is frozen."""
    if node.index in setting.frozen:
        return []
    return [4 * size(weight.shape) for weight in node.weights if weight.trainable]


def trained_bytes(node: Node, setting: Setting) -> int:
    """Bytes of the gradients of a layer's weights."""
    return sum(gradient_sizes(node, setting))
