"""The flow of a compiled network."""

from __future__ import annotations

from collections.abc import Iterator

from ....compiler.network import Network, Node
from .flow import Flow, Link, Part, flow_of
from .layer import Held, Layer, Shape, layer_of, prefix_of
from .operations import SAME, plain, settings_of_object, variant_of

_SHAPELESS = ("shape", "activation", "dropout")
"""Kinds of operations that leave each number where it is, in a vector."""


def flow_of_network(network: Network) -> Flow:
    """What each node is called follows from the torch text that it is computed with."""
    parts: list[Part] = []
    links: list[Link] = []
    for node in network.nodes:
        inputs = tuple(links[source.index] for source in node.inputs)
        links.append(_follow(node, inputs, parts))
    outputs = [network.output, *(head.output for head in network.aux)]
    return flow_of(parts, [links[node.index] for node in outputs])


def _follow(node: Node, inputs: tuple[Link, ...], parts: list[Part]) -> Link:
    """Where its output comes from; new parts are put down."""
    if not inputs:
        parts.append(Part("input", ()))
        return Link(len(parts) - 1)
    name = _operation(node)
    if node.weights:
        for layer in layers_of_node(node, variant_of(name)):
            parts.append(Part("layer", inputs, layer))
            inputs = (Link(len(parts) - 1),)
        return inputs[0]
    if len(inputs) > 1:
        parts.append(Part(name, inputs))
        return Link(len(parts) - 1)
    (link,) = inputs
    if name in SAME:
        return link
    part = getattr(node.op, "index", None)  # of channels that are divided among paths
    through = (*link.through, name) if part is None else (*link.through, name, f"part {part}")
    return Link(link.part, through)


def layers_of_node(node: Node, variant: str = "") -> Iterator[Layer]:
    """One, or where an operation holds several modules (`depthwise.weight`), one for each."""
    groups: dict[str, list[Held]] = {}
    for weight in node.weights:
        key = f"{node.name}.{weight.name}"
        groups.setdefault(prefix_of(weight.name), []).append(Held(key, weight.shape))
    fixed = not any(weight.trainable for weight in node.weights) and node.op.kind == "filter"
    settings = settings_of_object(node.op)
    arriving = _arriving(node.inputs[0])
    for prefix, tensors in groups.items():
        name = f"{node.name}.{prefix}" if prefix else node.name
        yield layer_of(name, tensors, variant, settings, fixed, arriving)
        settings, arriving = {}, ()


def _arriving(node: Node) -> Shape:
    """The shape of what a node gives, before it was made flat."""
    source = node
    while len(source.shape) == 1 and len(source.inputs) == 1 and source.op.kind in _SHAPELESS:
        source = source.inputs[0]
    return source.shape


def _operation(node: Node) -> str:
    made = node.op.torch(node.shape, *node.input_shapes).module
    return plain(made.name.removeprefix("nn.") if made is not None else node.op.short_word)
