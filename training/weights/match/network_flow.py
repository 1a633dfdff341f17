"""Builds the dataflow graph of a compiled network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ....compiler.network import Network, Node
from ....compiler.ops.attention import OverMaps
from .attention_flow import attended
from .flow import Flow, Link, Part, flow_of
from .layer import Held, Layer, Shape, layer_of, prefix_of, role_of
from .operations import NEGATIVE, SAME, plain, settings_of_object, variant_of

_SHAPELESS = ("shape", "activation", "dropout")
"""Kinds of operations that keep the position of each value of a vector."""


def flow_of_network(network: Network) -> Flow:
    """The graph; names of operations are those of the emitted torch modules."""
    parts: list[Part] = []
    links: list[Link] = []
    for node in network.nodes:
        inputs = tuple(links[source.index] for source in node.sources)
        links.append(_add(node, inputs, parts))
    outputs = network.ends
    return flow_of(parts, [links[node.index] for node in outputs])


def _add(node: Node, inputs: tuple[Link, ...], parts: list[Part]) -> Link:
    """Adds the parts of a node; returns the link to its output."""
    if not inputs:
        parts.append(Part("input", ()))
        return Link(len(parts) - 1)
    name = _operation(node)
    negates = getattr(node.op, "bank", None) == (((-1,),),)  # `filter [[-1]]`, before a sum
    if negates or (node.op.word == "scale_by" and node.op.arguments["factor"] == -1):
        (link,) = inputs
        return Link(link.part, (*link.through, NEGATIVE))
    owner = node.shared or node
    if isinstance(node.op, OverMaps):
        maps = inputs if len(inputs) == 3 else inputs * 3
        layers = [*layers_of_node(owner)] if owner.weights else []
        of_queries = node.op.arguments.get("position") == "relative"
        return attended(partial(_added, parts), maps, layers, of_queries)
    if owner.weights:
        for layer in layers_of_node(owner, variant_of(name)):
            parts.append(Part("layer", inputs, layer))
            inputs = (Link(len(parts) - 1),)
        return inputs[0]
    if len(inputs) > 1:
        parts.append(Part(name, inputs))
        return Link(len(parts) - 1)
    (link,) = inputs
    if name in SAME:
        return link
    part = getattr(node.op, "index", None)  # the index of a channel split
    through = (*link.through, name) if part is None else (*link.through, name, f"part {part}")
    return Link(link.part, through)


def _added(parts: list[Part], part: Part) -> Link:
    parts.append(part)
    return Link(len(parts) - 1)


def layers_of_node(node: Node, variant: str = "") -> Iterator[Layer]:
    """The layer of a node; one for each module, if it has several (`depthwise.weight`), and for
    each tensor with a name of its own (`height_rel`)."""
    groups: dict[str, list[Held]] = {}
    for weight in node.weights:
        key = f"{node.name}.{weight.name}"
        own = prefix_of(weight.name) if role_of(weight.name) else weight.name
        groups.setdefault(own, []).append(Held(key, weight.shape))
    fixed = not any(weight.trainable for weight in node.weights) and node.op.kind == "filter"
    settings = settings_of_object(node.op)
    input_shape = _input_shape(node.inputs[0])
    for prefix, tensors in groups.items():
        name = f"{node.name}.{prefix}" if prefix and len(node.weights) > 1 else node.name
        yield layer_of(name, tensors, variant, settings, fixed, input_shape)
        settings, input_shape = {}, ()


def _input_shape(node: Node) -> Shape:
    """The output shape of a node, before flattening."""
    source = node
    while len(source.shape) == 1 and len(source.inputs) == 1 and source.op.kind in _SHAPELESS:
        source = source.inputs[0]
    return source.shape


def _operation(node: Node) -> str:
    module = node.op.torch(node.shape, *node.input_shapes).module
    return plain(module.name.removeprefix("nn.") if module is not None else node.op.short_word)
