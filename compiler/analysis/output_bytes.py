"""The memory of each layer's output, for one image: where the activations of a network are."""

from __future__ import annotations

from ..network import Network
from ..shapes import size
from .autocast import widths
from .setting import Setting


def output_bytes(network: Network, setting: Setting) -> list[int]:
    """Bytes by index; 0 for the input, and for a layer that overwrites its input or returns a view
    of it.
    """
    return [
        width.output * size(node.shape) if node.inputs and not node.op.shares_storage else 0
        for node, width in zip(network.nodes, widths(network, setting), strict=True)
    ]
