"""The network for TensorBoard's graph tab: its layers in the scopes of the spec, with their shapes
and arguments, from the compiled network and not from a trace of the module."""

from __future__ import annotations

from math import prod
from typing import Any

from ...compiler.network import Network, Node
from ...compiler.report.wording import Wording


def graph_def(network: Network) -> Any:
    """The network as a `GraphDef`."""
    from tensorboard.compat.proto.graph_pb2 import GraphDef
    from tensorboard.compat.proto.versions_pb2 import VersionDef

    wording = Wording(network)
    nodes = [_node(node, wording) for node in network.nodes]
    nodes += [
        _made(output.name.replace(".", "/") + "/output" if output.name else "output", "output",
              [_name(output.node)])
        for output in (*network.outputs, *network.aux)
    ]  # fmt: skip
    return GraphDef(node=nodes, versions=VersionDef(producer=22))


def _name(node: Node) -> str:
    """Its full name, in which TensorBoard folds what stands before a slash."""
    return (node.name or f"layer_{node.index}").replace(".", "/")


def _node(node: Node, wording: Wording) -> Any:
    made = _made(_name(node), node.op.word, [_name(each) for each in node.inputs])
    shape = made.attr["_output_shapes"].list.shape.add()
    for size in (-1, *node.shape):
        shape.dim.add(size=size)
    made.attr["layer"].s = wording.layer(node).encode()
    parameters = sum(prod(each.shape) for each in node.weights if each.trainable)
    if parameters:
        made.attr["parameters"].i = parameters
    return made


def _made(name: str, op: str, inputs: list[str]) -> Any:
    from tensorboard.compat.proto.node_def_pb2 import NodeDef

    return NodeDef(name=name, op=op, input=inputs)
