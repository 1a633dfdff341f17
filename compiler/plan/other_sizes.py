"""Whether a network takes images of another size with the same weights, for `resize 128..192
by=epoch`.
"""

from __future__ import annotations

from ..build.elaborate import examine
from ..network import Network, Node
from ..shapes import Shape, text


def difference(network: Network, shape: Shape) -> str:
    """How the network would differ for input of another shape; "" if it only has other maps."""
    classes = network.output.shape[0]
    built = examine(
        network.program,
        network=network.name,
        overrides=network.parameters,
        input_shape=shape,
        classes=classes,
        tries=False,
    )
    size = text(shape)
    if built.network is None:
        error = next(each for each in built.diagnostics if each.severity == "error")
        return f"with input of {size}, {error.message}"
    if len(built.network.nodes) != len(network.nodes):
        return f"with input of {size}, the network has other layers"
    for node, other in zip(network.nodes[1:], built.network.nodes[1:], strict=True):
        if node.weights != other.weights or node.torch != other.torch:
            return f"with input of {size}, `{node.name}` is another layer: {_layer(node, other)}"
    return ""


def _layer(node: Node, other: Node) -> str:
    return f"{node.torch.module or node.torch.call} and {other.torch.module or other.torch.call}"
